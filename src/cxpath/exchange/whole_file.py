"""Files that appear whole or not at all: written under a temporary name, then renamed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cxpath.values.errors import OutputError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; rename it when the block ends well.

    Parameters
    ----------
    path : Path
        The final name; its folder must exist. An earlier file of that name is replaced.

    Yields
    ------
    Path
        Where to write.

    Raises
    ------
    OutputError
        When the operating system refuses.
    """
    partial = partial_path(path)
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def partial_path(path: Path) -> Path:
    """Return a temporary name, another at every call, that stands for `path` while it is written.

    A process number would not do: threads share it, and machines that write to one disk may.
    """
    return path.parent / f".{path.name}.{secrets.token_hex(4)}.partial"


def output_error(path: Path, error: OSError) -> OutputError:
    """Say in one line that `path` could not be written."""
    if isinstance(error, OutputError):
        return error
    return OutputError(
        f"{path}: cannot be written: {error.strerror or error}",
        "check that the folder exists, is writable and has space left",
    )
