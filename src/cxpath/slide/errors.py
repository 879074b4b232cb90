"""Errors of slide files in one line."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

# Names of files and messages of other libraries, made fit to stand inside our messages.


_LONGEST = 160
_SHORTEST_NAME = 3
"""Shorter ones are part of other words."""

_UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode categories: control characters, lone surrogates, ends of line and paragraph."""

_UNSAID = {
    AssertionError: "its parts contradict each other",
    MemoryError: "it needs more memory than there is",
}
"""What errors mean that mostly come without a message."""


def one_line(error: Exception, path: Path) -> str:
    """Return a library's message on one short line, without the names of files that it may repeat."""
    said = " ".join(_without_names(str(error), path).split())
    text = printable(said) or _UNSAID.get(type(error), type(error).__name__)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _without_names(message: str, path: Path) -> str:
    """Leave out the file and those next to it: a name is what a pseudonym hides."""
    message = message.replace(str(path), "the file")
    for folder in {path.parent, path.parent.absolute(), path.parent.resolve()}:
        if folder.name:  # up to where the message goes on
            message = re.sub(rf"{re.escape(str(folder))}[/\\\\][^:\"'\n]*", "the file", message)
    for name in (path.name, path.stem):
        if len(name) >= _SHORTEST_NAME:
            message = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "the file", message)
    return message


def printable(name: str) -> str:
    """Return a name that can be written as UTF-8 on one line.

    Bytes that are no UTF-8 (Python keeps them as lone surrogates) and control characters become U+FFFD.
    """
    return "".join("\ufffd" if unicodedata.category(one) in _UNPRINTABLE else one for one in name)


def shown_as(path: Path, name: str | None) -> str:
    """Return how messages name a file: as the user did, unless another name was asked for."""
    return printable(name or str(path))
