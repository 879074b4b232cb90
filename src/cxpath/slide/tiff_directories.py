"""The directories of a TIFF, checked before any library reads them.

OpenSlide and tifffile allocate by what the tags say, so a single damaged number can end the process or
keep it busy for hours. Only the tags that describe the picture's geometry are read here, and no pixels.
"""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import tifffile

_ENDS = "the file ends before all of its pages"
_MOST_PAGES = 4096
_MOST_ENTRIES = 4096
LARGEST_SIDE_PX = 1 << 24
_LARGEST_TILE_SIDE_PX = 1 << 16
_LARGEST_TILE_SAMPLES = 1 << 28
"""A tile of 8,192 px a side with four samples, decoded to 256 MB."""

_MOST_PARTS = 1 << 26
"""Tiles or strips of a picture; their table cannot be larger than the file, either."""
_MOST_SAMPLES = 64
_WHOLE_NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
"""TIFF types of whole numbers, with their struct format: BYTE, SHORT, LONG, IFD, LONG8, IFD8."""

_BYTES_OF_TYPE = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_BYTES_OF_TYPE |= {16: 8, 17: 8, 18: 8}
_WIDTH, _LENGTH, _SAMPLES, _PLANAR, _SUB_DIRECTORIES, _JPEG_TABLES = 256, 257, 277, 284, 330, 347
_TILE_WIDTH, _TILE_LENGTH, _TILE_OFFSETS, _TILE_BYTES = 322, 323, 324, 325
_STRIP_BYTES, _EXTRA_SAMPLES, _ORIENTATION, _UPRIGHT = 279, 338, 274, 1
_BITS, _SAMPLE_FORMAT = 258, 339
_SAMPLE_KINDS = {2: "with sign", 3: "floating point", 5: "complex", 6: "complex"}
_NAMES = {
    _WIDTH: "ImageWidth",
    _LENGTH: "ImageLength",
    258: "BitsPerSample",
    259: "Compression",
    262: "PhotometricInterpretation",
    273: "StripOffsets",
    _SAMPLES: "SamplesPerPixel",
    278: "RowsPerStrip",
    _STRIP_BYTES: "StripByteCounts",
    _PLANAR: "PlanarConfiguration",
    317: "Predictor",
    _TILE_WIDTH: "TileWidth",
    _TILE_LENGTH: "TileLength",
    _TILE_OFFSETS: "TileOffsets",
    _TILE_BYTES: "TileByteCounts",
    _SUB_DIRECTORIES: "SubIFDs",
    _EXTRA_SAMPLES: "ExtraSamples",
    339: "SampleFormat",
}
"""Tags that must contain whole numbers for a library to read the picture as it was meant."""

_SINGLE = {_WIDTH, _LENGTH, 259, 262, _SAMPLES, 278, _PLANAR, 317, _TILE_WIDTH, _TILE_LENGTH}
"""Tags of one value, which libraries read as a number."""


class _Form(NamedTuple):
    """How a TIFF of one kind is laid out: struct formats and byte sizes."""

    order: str
    first: int
    entries: str
    entry_bytes: int
    offset: str


@dataclass(frozen=True)
class _Entry:
    """One tag: the type and number of its values, and where in the file they lie."""

    kind: int
    count: int
    place: int


@dataclass(frozen=True)
class _Directory:
    """The tags of one picture of the file."""

    file: BinaryIO
    order: str
    entries: dict[int, _Entry]

    def number(self, tag: int, default: int = 0) -> int:
        """Return the first value of a tag of whole numbers."""
        return next(iter(self.numbers(tag, most=1)), default)

    def numbers(self, tag: int, most: int) -> tuple[int, ...]:
        """Return up to `most` values of a tag of whole numbers; none where the file ends before them."""
        entry = self.entries.get(tag)
        kind = _WHOLE_NUMBERS.get(entry.kind) if entry else None
        if entry is None or kind is None:
            return ()
        form = f"{self.order}{min(entry.count, most)}{kind}"
        self.file.seek(entry.place)
        data = self.file.read(struct.calcsize(form))
        return struct.unpack(form, data) if len(data) == struct.calcsize(form) else ()


class TiffDamageError(ValueError):
    """What is wrong with the directories of a TIFF."""


def tiff_damage(path: Path) -> str:
    """Say what is wrong with the directories of a TIFF; empty when nothing is, or when it is no TIFF.

    A classic TIFF above 4 GB is not looked at: only NDPI is so large, whose offsets are stored in a way of
    its own.
    """
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            if size >= 1 << 32 and file.read(4) in {b"II*\0", b"MM\0*"}:
                return ""
            file.seek(0)
            for number, directory in enumerate(_directories(file, size)):
                _check(directory, f"directory {number}", size)
    except TiffDamageError as error:
        return str(error)
    return ""


def unspecified_samples(path: Path) -> bool:
    """Say whether the first picture has samples besides its colours that are not declared as transparency.

    Libraries take the fourth of four for transparency whatever the file declares.
    """
    with path.open("rb") as file:
        try:
            first = next(_directories(file, path.stat().st_size), None)
        except TiffDamageError:
            return False
        if first is None or first.number(262) != 2 or first.number(_SAMPLES) <= 3:  # RGB
            return False
        return not {1, 2} & set(first.numbers(_EXTRA_SAMPLES, most=_MOST_SAMPLES))


def odd_samples(path: Path) -> str:
    """Say what the samples of the first picture are, where they are not whole numbers of up to 8 bits.

    OpenSlide takes 12 bits in 16 for a dark picture, and negative numbers for bright ones.
    """
    with path.open("rb") as file:
        try:
            first = next(_directories(file, path.stat().st_size), None)
        except TiffDamageError:
            return ""
        bits = max(first.numbers(_BITS, most=_MOST_SAMPLES), default=1) if first else 1
        kind = first.number(_SAMPLE_FORMAT, 1) if first else 1
    if kind in _SAMPLE_KINDS:
        return f"{bits} bits a channel, {_SAMPLE_KINDS[kind]}"
    return f"{bits} bits a channel" if bits > 8 else ""


def orientation(path: Path) -> int:
    """Return how the first picture lies: 1 for upright, 2 to 8 for turned or mirrored (tag 274)."""
    with path.open("rb") as file:
        try:
            first = next(_directories(file, path.stat().st_size), None)
        except TiffDamageError:
            return _UPRIGHT
        return first.number(_ORIENTATION, _UPRIGHT) if first else _UPRIGHT


def _directories(file: BinaryIO, size: int) -> Iterator[_Directory]:
    """Give the directories of the chain, each followed by its sub-directories."""
    form = _form(file.read(8))
    if form is None:
        return
    place = _number(file, form.order, form.first, form.offset)
    seen: set[int] = set()
    while place:
        if place in seen or len(seen) >= _MOST_PAGES:
            raise TiffDamageError("its directories run in a circle")
        seen.add(place)
        directory, place = _directory(file, form, place, size)
        yield directory
        for sub_place in directory.numbers(_SUB_DIRECTORIES, most=64):
            yield _directory(file, form, sub_place, size)[0]
    if place is None:
        raise TiffDamageError(_ENDS)


def _directory(file: BinaryIO, form: _Form, place: int, size: int) -> tuple[_Directory, int | None]:
    """Return a directory and the place of the next; None when the file ends before it."""
    count = _number(file, form.order, place, form.entries) if place < size else None
    if count is None:
        raise TiffDamageError(_ENDS)
    if count > _MOST_ENTRIES:
        raise TiffDamageError(f"a directory of {count} entries")
    start = place + struct.calcsize(form.entries)
    file.seek(start)
    data = file.read(count * form.entry_bytes)
    places = range(0, len(data) - form.entry_bytes + 1, form.entry_bytes)
    entries = dict(_entry(form, data, at, start) for at in reversed(places))  # the first of two counts
    following = _number(file, form.order, start + count * form.entry_bytes, form.offset)
    return _Directory(file, form.order, entries), following


def _entry(form: _Form, data: bytes, at: int, start: int) -> tuple[int, _Entry]:
    """Return tag and entry at a place of the directory's bytes, which begin at `start` in the file."""
    tag, kind, count = struct.unpack_from(f"{form.order}HH{form.offset}", data, at)
    inline = struct.calcsize(form.offset)
    value = at + form.entry_bytes - inline
    if _BYTES_OF_TYPE.get(kind, 1) * count <= inline:
        return tag, _Entry(kind, count, start + value)
    return tag, _Entry(kind, count, struct.unpack_from(form.order + form.offset, data, value)[0])


def _check(directory: _Directory, shown: str, size: int) -> None:
    """Refuse a directory whose numbers cannot be those of a picture in this file."""
    for tag, entry in directory.entries.items():
        if entry.count * _BYTES_OF_TYPE.get(entry.kind, 1) > size:
            raise TiffDamageError(f"{shown}: {_NAMES.get(tag, f'tag {tag}')} would be larger than the file")
    for tag, name in _NAMES.items():
        found = directory.entries.get(tag)
        if found is None:
            continue
        if found.kind not in _WHOLE_NUMBERS or (tag in _SINGLE and found.count != 1):
            raise TiffDamageError(f"{shown}: {name} is not a whole number")
        if found.place + found.count * _BYTES_OF_TYPE[found.kind] > size:
            raise TiffDamageError(f"{shown}: {name} lies beyond the end of the file")
    tables = directory.entries.get(_JPEG_TABLES)
    if tables is not None and tables.kind not in {1, 7}:
        raise TiffDamageError(f"{shown}: JPEGTables are not bytes")
    width, length = directory.number(_WIDTH, 1), directory.number(_LENGTH, 1)
    if not (0 < width <= LARGEST_SIDE_PX and 0 < length <= LARGEST_SIDE_PX):
        raise TiffDamageError(f"{shown}: a picture of {width} x {length} px")
    if directory.number(_SAMPLES, 1) > _MOST_SAMPLES:
        raise TiffDamageError(f"{shown}: {directory.number(_SAMPLES)} samples a pixel")
    for tag in (_STRIP_BYTES, _TILE_BYTES):  # OpenSlide allocates what they say before it reads
        if max(directory.numbers(tag, most=_MOST_PARTS), default=0) > size:
            raise TiffDamageError(f"{shown}: {_NAMES[tag]} states more bytes than the file has")
    if _TILE_WIDTH in directory.entries or _TILE_LENGTH in directory.entries:
        _check_tiles(directory, shown)


def _check_tiles(directory: _Directory, shown: str) -> None:
    width, length = directory.number(_WIDTH), directory.number(_LENGTH)
    tile_width, tile_length = directory.number(_TILE_WIDTH), directory.number(_TILE_LENGTH)
    samples = directory.number(_SAMPLES, 1)
    fits = 0 < min(tile_width, tile_length) <= max(tile_width, tile_length) <= _LARGEST_TILE_SIDE_PX
    if not fits or tile_width * tile_length * samples > _LARGEST_TILE_SAMPLES:
        raise TiffDamageError(f"{shown}: tiles of {tile_width} x {tile_length} px")
    planes = samples if directory.number(_PLANAR, 1) == 2 else 1
    needed = -(-width // tile_width) * -(-length // tile_length) * planes
    for tag in (_TILE_OFFSETS, _TILE_BYTES):
        entry = directory.entries.get(tag)
        if entry is None or entry.count < needed:
            count = entry.count if entry else 0
            raise TiffDamageError(f"{shown}: {count} tiles for a picture of {width} x {length} px")


def _number(file: BinaryIO, order: str, at: int, kind: str) -> int | None:
    file.seek(at)
    data = file.read(struct.calcsize(kind))
    return int(struct.unpack(order + kind, data)[0]) if len(data) == struct.calcsize(kind) else None


def _form(head: bytes) -> _Form | None:
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        return None
    version = struct.unpack(order + "H", head[2:4])[0]
    if version == 42:
        return _Form(order, 4, "H", 12, "I")
    return _Form(order, 8, "Q", 20, "Q") if version == 43 else None


# What tifffile and its codecs raise on damaged files, and what they would log of them.


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
    zlib.error,
    AssertionError,
    SyntaxError,  # of the OME-XML
    EOFError,
    MemoryError,
)


def parsed_tiff(path: Path) -> tifffile.TiffFile:
    """Open this one file, not others of its set; damaged tags that overflow are no news for users."""
    with np.errstate(all="ignore"):
        return tifffile.TiffFile(path, _multifile=False)


def _says_nothing(_record: logging.LogRecord) -> bool:
    """Drop a record of tifffile: it names the file, which a pseudonym shall hide, and cxpath says it, too."""
    return False


logging.getLogger("tifffile").addFilter(_says_nothing)
