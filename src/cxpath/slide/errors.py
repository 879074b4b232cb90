"""Errors of slide files in one line."""

from __future__ import annotations

import struct
from pathlib import Path

import tifffile

# Messages of other libraries, made fit to stand inside ours.


_LONGEST = 160


def one_line(error: Exception, path: Path) -> str:
    """Return a library's message on one short line, without the path that it may repeat."""
    text = " ".join(str(error).replace(str(path), "the file").split()) or type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


# What tifffile and its codecs raise on damaged files.


TIFF_ERRORS = (
    tifffile.TiffFileError,
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    ArithmeticError,
    RuntimeError,  # codecs derive their errors from it
    struct.error,
)
