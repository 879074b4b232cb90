"""Write a file as a whole or not at all, and read a file's content with a bound."""

from __future__ import annotations

import gzip
import io
import secrets
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cxpath.errors import CxpathError, MissingFileError, OutputError

# The bytes of a small file from elsewhere, unpacked when gzipped, or one line saying why not.


_PIECE_BYTES = 1 << 22
_SMALL_BYTES, _LARGEST_RATIO = 64 << 20, 150
"""Cells and outlines as text pack to a tenth; only repetition packs to less than a hundredth."""


def read_content(path: Path, complaint: type[CxpathError], hint: str) -> bytes:
    """Return what is in a file.

    Parameters
    ----------
    path : Path
    complaint : type
        The error to raise when there is nothing to read.
    hint : str
        What to do then.

    Raises
    ------
    MissingFileError
        When there is no such file.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file")
    try:
        raw = path.read_bytes()
        content = _unpacked(path, raw, complaint, hint) if is_gzipped(raw) else raw
    except (OSError, EOFError, zlib.error) as error:
        raise complaint(f"{path}: cannot be read: {error}", hint) from error
    if not content.strip():
        raise complaint(f"{path}: the file is empty", hint)
    return content


def text_lines(content: bytes) -> list[str]:
    r"""Return the lines of a text in UTF-8, split at \n, \r\n and \r only.

    `str.splitlines` splits at form feeds and U+2028, too, which may stand inside an entry.
    """
    text = content.decode("utf-8-sig", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _unpacked(path: Path, raw: bytes, complaint: type[CxpathError], hint: str) -> bytes:
    """Unpack piece by piece, so that a small file of zeros cannot fill the memory."""
    pieces: list[bytes] = []
    size, most = 0, max(_SMALL_BYTES, _LARGEST_RATIO * len(raw))
    with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
        while piece := file.read(_PIECE_BYTES):
            pieces.append(piece)
            size += len(piece)
            if size > most:
                message = f"{path}: unpacks to more than {_LARGEST_RATIO} times its size"
                raise complaint(message, hint)
    return b"".join(pieces)


def is_gzipped(start: bytes) -> bool:
    """Say whether these first bytes are those of a gzip file."""
    return start[:2] == b"\x1f\x8b"


def first_character(content: bytes) -> str:
    """Return the first character that is no blank, whatever of UTF-8 and UTF-16 the text is in."""
    encoding = "utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    return content[:512].decode(encoding, errors="ignore").lstrip()[:1]


# Files that appear whole or not at all: written under a temporary name, then renamed.


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
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
