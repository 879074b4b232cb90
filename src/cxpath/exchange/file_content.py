"""The bytes of a small file from elsewhere, unpacked when gzipped, or one line saying why not."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from cxpath.values.errors import CxpathError, MissingFileError


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
        content = gzip.decompress(raw) if is_gzipped(raw) else raw
    except (OSError, EOFError, zlib.error) as error:
        raise complaint(f"{path}: cannot be read: {error}", hint) from error
    if not content.strip():
        raise complaint(f"{path}: the file is empty", hint)
    return content


def is_gzipped(start: bytes) -> bool:
    """Say whether these first bytes are those of a gzip file."""
    return start[:2] == b"\x1f\x8b"


def first_character(content: bytes) -> str:
    """Return the first character that is no blank, whatever of UTF-8 and UTF-16 the text is in."""
    encoding = "utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    return content[:512].decode(encoding, errors="ignore").lstrip()[:1]
