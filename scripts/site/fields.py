"""Fields of JSON documents and settings, as their pydantic classes state them, in Markdown."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
import types
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cache
from itertools import pairwise
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from scripts.site.tables import cell, table

Links = Mapping[type, str]
"""Anchors of the classes that have a table of their own."""

SAME_EVERYWHERE = frozenset({"schema", "research_use"})
"""Keys of every document, which the page explains once."""


class Entry(NamedTuple):
    """One field: its key with those above it, its type and limits in words, its default, what it means."""

    key: str
    form: str
    limits: str
    default: str
    meaning: str


def field_table(document: type[BaseModel], links: Links) -> str:
    """Return the table of a document's fields, after the schema that it states."""
    found = [one for one in entries(document, links) if one.key not in SAME_EVERYWHERE]
    rows = [(f"`{one.key}`", one.form, cell(one.meaning)) for one in found]
    schema = next((one.default for one in entries(document, links) if one.key == "schema"), "")
    stated = f"Schema `{json.loads(schema)}`.\n\n" if schema else ""
    return stated + table(("key", "type", "meaning"), rows)


def settings_table(settings: type[BaseModel], links: Links) -> str:
    """Return the table of a section's settings."""
    rows = [
        (
            f"`{one.key}`",
            f"`{one.default}`" if one.default else "",
            one.form.removesuffix(" or null") + one.limits,
            cell(one.meaning),
        )
        for one in entries(settings, links)
    ]
    return table(("key", "default", "type", "meaning"), rows)


def entries(model: type[BaseModel], links: Links, above: str = "") -> Iterator[Entry]:
    """Yield the fields of a class, each part's fields after it.

    Parts of other packages are only named: they have a reference elsewhere.
    """
    for name, field in model.model_fields.items():
        key = above + (field.alias or name)
        part = part_of(field.annotation)
        linked = links.get(part.model) if part and part.model is not model else None
        form = form_of(field.annotation, linked)
        yield Entry(key, form, _limits(field), _default(field), meaning_of(model, name))
        if part and not linked and _package(part.model) == _package(model):
            yield from entries(part.model, links, f"{key}{part.step}")


def meaning_of(model: type[BaseModel], name: str) -> str:
    """Return the text below a field, in the class that states the field; empty where there is none."""
    stating = next((one for one in model.__mro__ if name in vars(one).get("__annotations__", {})), model)
    return model.model_fields[name].description or _texts_below(stating).get(name, "")


@cache
def _texts_below(model: type[BaseModel]) -> Mapping[str, str]:
    """Read the texts below a class's fields from its source.

    pydantic would do so for every class whenever it is imported, which takes a fifth of a second.
    """
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(tree, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(tree.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        if isinstance(text.value.value, str)
    }


class PartOf(NamedTuple):
    """A class of fields within a field, and how its keys are written behind the field's."""

    model: type[BaseModel]
    step: str


def part_of(annotation: Any, step: str = ".") -> PartOf | None:
    """Return the class of fields in a type: itself, or that of its items."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return PartOf(annotation, step)
    origin = get_origin(annotation)
    if origin is tuple or origin is list:
        step = "[]."
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        step = ".*."
    found = (part_of(one, step) for one in get_args(annotation) if origin is not Literal)
    return next((one for one in found if one), None)


def form_of(annotation: Any, link: str | None = None) -> str:
    """Return a type in words: "whole number", "list of object or null"."""
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{json.dumps(one) if isinstance(one, bool) else one}`" for one in arguments)
    if arguments:
        return _joined_form(get_origin(annotation), [form_of(one, link) for one in arguments])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[object]({link})" if link else "object"
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return ", ".join(f"`{one.value}`" for one in annotation)
    return _WORDS.get(annotation, getattr(annotation, "__name__", "value"))


def _joined_form(origin: Any, forms: list[str]) -> str:
    """Return the words for a type made of others, from the words for those."""
    if origin in {Union, types.UnionType}:
        return " or ".join(dict.fromkeys(forms))
    if origin is list or (origin is tuple and forms[-1] == _WORDS[Ellipsis]):
        return f"list of {forms[0]}"
    if origin is tuple:
        return f"[{', '.join(forms)}]"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"name → {forms[1]}"
    return forms[0]  # Annotated


_WORDS: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    type(None): "null",
    Ellipsis: "...",
}


def _limits(field: FieldInfo) -> str:
    """Return within what a value must lie, as ", above 0, at most 1"."""
    words = {
        annotated_types.Gt: ("gt", "above"),
        annotated_types.Ge: ("ge", "at least"),
        annotated_types.Lt: ("lt", "below"),
        annotated_types.Le: ("le", "at most"),
    }
    stated = [
        f", {word} {getattr(one, name):g}"
        for kind, (name, word) in words.items()
        for one in field.metadata
        if isinstance(one, kind)
    ]
    return "".join(stated)


def _default(field: FieldInfo) -> str:
    """Return a default as JSON and TOML write it; empty for a field without one, and for a section."""
    value = field.default
    if value is PydanticUndefined or isinstance(value, BaseModel):
        return ""
    return "unset" if value is None else json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(one) for one in value]
    return value.value if isinstance(value, StrEnum) else value


def _package(model: type) -> str:
    return ".".join(model.__module__.split(".")[:2])
