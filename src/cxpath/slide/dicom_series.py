"""The series a DICOM file belongs to: reads the file's header up to SeriesInstanceUID (0020,000E).

Explicit VR little endian, as whole-slide DICOM is written. Knows no other element, and no pixels.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_SERIES = (0x0020, 0x000E)
_ITEM = (0xFFFE, 0xE000)
_ITEM_END = (0xFFFE, 0xE00D)
_SEQUENCE_END = (0xFFFE, 0xE0DD)
_UNDEFINED = 0xFFFFFFFF
_LONG_FORMS = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}


def series_instance_uid(path: Path) -> str | None:
    """Return the UID of the file's series, or None for a file that is no such DICOM file."""
    try:
        with path.open("rb") as file:
            file.seek(128)
            return _series(file) if file.read(4) == b"DICM" else None
    except (OSError, struct.error, ValueError):
        return None


def _series(file: BinaryIO) -> str | None:
    while True:
        tag, length = _element(file)
        if tag == _SERIES:
            return file.read(length).decode("ascii").rstrip("\0 ")
        if tag > _SERIES:  # elements ascend: there is none
            return None
        _skip(file, length)


def _element(file: BinaryIO) -> tuple[tuple[int, int], int]:
    group, element = struct.unpack("<HH", file.read(4))
    if group == _ITEM[0]:  # items and delimiters carry no VR
        return (group, element), struct.unpack("<I", file.read(4))[0]
    kind, length = struct.unpack("<2sH", file.read(4))
    if not kind.isalpha():
        raise ValueError("not explicit VR little endian")
    if kind in _LONG_FORMS:
        length = struct.unpack("<I", file.read(4))[0]
    return (group, element), length


def _skip(file: BinaryIO, length: int) -> None:
    if length == _UNDEFINED:
        _skip_until(file, _SEQUENCE_END)
    else:
        file.seek(length, 1)


def _skip_until(file: BinaryIO, end: tuple[int, int]) -> None:
    while True:
        tag, length = _element(file)
        if tag == end:
            return
        if tag == _ITEM and length == _UNDEFINED:
            _skip_until(file, _ITEM_END)
        else:
            _skip(file, length)
