"""The command line, as `--help` states it, in Markdown."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo

from cxpath.cli.main import app
from scripts.site.tables import cell, table


@dataclass(frozen=True)
class Parameter:
    """An argument or an option of a command.

    Parameters
    ----------
    name : str
        The function's name for it.
    kind : type
        Of one value.
    repeated : bool
    info : ArgumentInfo or OptionInfo
    default : object
        `inspect.Parameter.empty` where it is required.
    """

    name: str
    kind: Any
    repeated: bool
    info: ArgumentInfo | OptionInfo
    default: object

    @property
    def required(self) -> bool:
        """Whether a call must state it."""
        return self.default is inspect.Parameter.empty

    @property
    def form(self) -> str:
        """The parameter as it is written: `SLIDE`, `--out PATH`, `--json`."""
        if isinstance(self.info, ArgumentInfo):
            return self.name.upper()
        words = ", ".join(self.declared or [f"--{self.name.replace('_', '-')}"])
        return (
            words.replace("/", ", ") if self.kind is bool else f"{words} {self.info.metavar or self._value}"
        )

    @property
    def declared(self) -> list[str]:
        """The words that are stated for an option; Typer keeps the first as a default."""
        stated = [self.info.default, *(self.info.param_decls or ())]
        return [one for one in stated if isinstance(one, str) and one.startswith("-")]

    @property
    def _value(self) -> str:
        return {int: "N", float: "NUMBER", str: "TEXT"}.get(self.kind, "NAME" if self.choices else "PATH")

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that it takes; empty for free values."""
        is_choice = isinstance(self.kind, type) and issubclass(self.kind, Enum)
        return tuple(str(one.value) for one in self.kind) if is_choice else ()

    @property
    def shown_default(self) -> str:
        """What it is when a call does not state it; empty for nothing."""
        if self.required:
            return "required"
        if isinstance(self.info.show_default, str):
            return self.info.show_default
        value = self.default.value if isinstance(self.default, Enum) else self.default
        return "" if value is None or value is False or value == "" else f"`{value}`"

    @property
    def meaning(self) -> str:
        """Its help, its choices, and whether it may be repeated."""
        listed = f" One of {', '.join(f'`{one}`' for one in self.choices)}." if self.choices else ""
        again = self.repeated and isinstance(self.info, OptionInfo) and "epeatable" not in self.help
        variable = f" Environment variable: `{self.info.envvar}`." if self.info.envvar else ""
        return f"{self.help}{listed}{' Repeatable.' if again else ''}{variable}"

    @property
    def help(self) -> str:
        """What `--help` says."""
        return self.info.help or ""


@dataclass(frozen=True)
class Command:
    """A command that does something: the words that call it, what it is for, and its parameters."""

    words: tuple[str, ...]
    text: str
    parameters: tuple[Parameter, ...]

    @property
    def call(self) -> str:
        """The words that call it."""
        return " ".join(["cxpath", *self.words])

    @property
    def usage(self) -> str:
        """Arguments, required options, and `[OPTIONS]` for the rest."""
        arguments = [one for one in self.parameters if isinstance(one.info, ArgumentInfo)]
        options = [one for one in self.parameters if isinstance(one.info, OptionInfo)]
        names = [(one, one.form + ("..." if one.repeated else "")) for one in arguments]
        words = [name if one.required else f"[{name}]" for one, name in names]
        words += [one.form for one in options if one.required]
        rest = ["[OPTIONS]"] if any(not one.required for one in options) else []
        return " ".join([self.call, *words, *rest])


def commands(of: typer.Typer = app, *names: str) -> Iterator[Command]:
    """Yield every command, in the order of `--help`."""
    for one in of.registered_commands:
        if one.callback:
            name = one.name or one.callback.__name__.replace("_", "-")
            yield Command(
                (*names, name), inspect.getdoc(one.callback) or "", tuple(_parameters(one.callback))
            )
    for group in of.registered_groups:
        if group.typer_instance:
            yield from commands(group.typer_instance, *names, str(group.name))


def _parameters(function: Callable[..., Any]) -> Iterator[Parameter]:
    hints = get_type_hints(function, include_extras=True)
    for name, one in inspect.signature(function).parameters.items():
        annotated = get_args(hints[name])
        kind, repeated = _kind(annotated[0])
        yield Parameter(name, kind, repeated, annotated[1], one.default)


def _kind(annotation: Any) -> tuple[Any, bool]:
    """Return the type of one value, and whether there may be several."""
    parts = [one for one in get_args(annotation) if one is not type(None)]
    if get_origin(annotation) is list:
        return parts[0], True
    return _kind(parts[0]) if parts else (annotation, False)


def command_reference(name: str) -> str:
    """Return the reference of a command, or of every command of a group with a heading each.

    Raises
    ------
    LookupError
        When there is no such command.
    """
    words = tuple(name.split())
    found = [one for one in commands() if one.words[: len(words)] == words]
    if not found:
        raise LookupError(f"cxpath {name}: no such command")
    return "\n\n".join(_one(one, heading=one.words != words) for one in found)


def _one(command: Command, *, heading: bool) -> str:
    title = [f"### {command.call}"] if heading else []
    rows = [(f"`{one.form}`", cell(one.shown_default), cell(one.meaning)) for one in command.parameters]
    shown = [table(("option", "default", "meaning"), rows)] if rows else []
    return "\n\n".join([*title, f"```text\n{command.usage}\n```", command.text, *shown])
