"""Messages of other libraries, made fit to stand inside ours."""

from __future__ import annotations

from pathlib import Path

_LONGEST = 160


def one_line(error: Exception, path: Path) -> str:
    """Return a library's message on one short line, without the path that it may repeat."""
    text = " ".join(str(error).replace(str(path), "the file").split()) or type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
