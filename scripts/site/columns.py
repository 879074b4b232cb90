"""Columns of tables, as the program defines them, in Markdown."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from scripts.site.tables import cell, table


class ColumnEntry(NamedTuple):
    """One column: its name, the type of its values, what it means."""

    name: str
    kind: str
    meaning: str


def column_table(defined: type) -> str:
    """Return the table of columns: one for each array of a class."""
    found = columns(defined)
    return table(
        ("column", "type", "meaning"), [(f"`{one.name}`", one.kind, cell(one.meaning)) for one in found]
    )


def columns(defined: type) -> Iterator[ColumnEntry]:
    """Yield the arrays of a class; what each means is the text below it."""
    body = ast.parse(textwrap.dedent(inspect.getsource(defined))).body[0]
    assert isinstance(body, ast.ClassDef)
    for one, below in pairwise([*body.body, ast.Pass()]):
        if isinstance(one, ast.AnnAssign) and "NDArray" in (form := ast.unparse(one.annotation)):
            yield ColumnEntry(ast.unparse(one.target), _kind(form), _text(below))


def _text(statement: ast.stmt) -> str:
    """Return a text that stands alone; empty for any other statement."""
    is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return str(statement.value.value) if is_text else ""  # type: ignore[attr-defined]


def _kind(form: str) -> str:
    """Return the element type of an array; enumerations and objects are written as words."""
    found = re.search(r"np\.(\w+)", form)
    name = found[1].rstrip("_") if found else ""
    return "text" if name in {"uint8", "object"} else name
