"""Calls in the documentation are understood by the program; the reference has a test of its own."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperCommand, TyperGroup

from cxpath.cli.main import app
from tests.docs.pages import PAGES, ROOT, shell_lines

ENDS = frozenset({"|", "&&", ";", ">", "&", "||", "2>"})


def commands(of: object, *names: str) -> Iterator[tuple[tuple[str, ...], TyperCommand]]:
    """Yield every command that does something, with the words that call it."""
    if isinstance(of, TyperGroup):
        for name, below in of.commands.items():
            yield from commands(below, *names, name)
    else:
        assert isinstance(of, TyperCommand)
        yield names, of


COMMANDS = dict(commands(typer.main.get_command(app)))


def calls() -> Iterator[tuple[Path, list[str]]]:
    """Yield every call of cxpath in a console block of README and docs, word by word."""
    for page in PAGES:
        for line in shell_lines(page):
            words = shlex.split(line, comments=True)
            for start in (at for at, word in enumerate(words) if word == "cxpath"):
                rest = words[start + 1 :]
                end = next((at for at, word in enumerate(rest) if word in ENDS), len(rest))
                if rest[:end] and not rest[0].startswith("-"):
                    yield page, rest[:end]


CALLS = list(calls())


@pytest.mark.parametrize(
    ("page", "words"),
    CALLS,
    ids=[f"{page.relative_to(ROOT)}: {' '.join(words)}"[:90] for page, words in CALLS],
)
def test_every_call_in_the_documentation_is_understood(page: Path, words: list[str]) -> None:
    """Parsed as the program would, but not run: its files are the reader's."""
    names = next((tuple(words[:n]) for n in (2, 1) if tuple(words[:n]) in COMMANDS), None)
    assert names, f"{page}: no command cxpath {' '.join(words)}"
    COMMANDS[names].make_context("cxpath", words[len(names) :])


def test_the_documentation_calls_the_program() -> None:
    assert len(CALLS) > 30
