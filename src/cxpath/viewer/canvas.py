"""What the page draws: tiles and crops of the slide as JPEG, and all cells as `cells.bin`.

A cell's id is its place in this file. The network's cells are sorted by square, so that the squares of one
row of the grid lie one behind the other; cells that a person adds follow in the order of the record.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import IntFlag

import numpy as np
import simplejpeg
from cachetools import LRUCache
from numpy.typing import NDArray

from cxpath.data import CellTable
from cxpath.errors import CxpathError
from cxpath.review import REMOVED, ReviewedCells
from cxpath.scores import in_uncounted_region
from cxpath.slide import Slide

# Tiles and crops: stored tiles pass through untouched, the rest is read and encoded.


COARSEST_PX = 1024
"""Longest side of the coarsest level; below the file's own levels, computed ones follow down to it."""

_COMPUTED_TILE_PX = 512
_LARGEST_STORED_TILE_PX = 1024
"""Larger stored tiles, strips of a whole row above all, are cut into smaller ones."""

_QUALITY = 90
_CACHE_BYTES = 64 * 1024 * 1024


class NoTileError(CxpathError, ValueError):
    """A tile that lies outside its level, or a level that is not there."""


@dataclass(frozen=True)
class ShownLevel:
    """A level as the browser sees it.

    Parameters
    ----------
    index : int
        0 is the finest.
    width_px, height_px : int
        Its size in its own pixels.
    downsample : float
        Level-0 pixels per pixel.
    tile_width_px, tile_height_px : int
    stored : bool
        Whether its tiles are those of the file.
    """

    index: int
    width_px: int
    height_px: int
    downsample: float
    tile_width_px: int
    tile_height_px: int
    stored: bool

    @property
    def across(self) -> int:
        """Tiles in a row."""
        return -(-self.width_px // self.tile_width_px)

    @property
    def down(self) -> int:
        """Rows of tiles."""
        return -(-self.height_px // self.tile_height_px)


def shown_levels(slide: Slide) -> tuple[ShownLevel, ...]:
    """Return the slide's own levels, and computed ones down to `COARSEST_PX`, the finest first."""
    levels = list(_own_levels(slide))
    while max(levels[-1].width_px, levels[-1].height_px) > COARSEST_PX:
        levels.append(_halved(slide, levels[-1]))
    return tuple(levels)


def _own_levels(slide: Slide) -> Iterator[ShownLevel]:
    for index, level in enumerate(slide.levels):
        size = slide.tile_size(index)
        stored = size is not None and max(size) <= _LARGEST_STORED_TILE_PX
        width, height = size if size is not None and stored else (_COMPUTED_TILE_PX, _COMPUTED_TILE_PX)
        yield ShownLevel(
            index, level.width_px, level.height_px, level.downsample, width, height, stored=stored
        )


def _halved(slide: Slide, finer: ShownLevel) -> ShownLevel:
    downsample = finer.downsample * 2
    width, height = (-(-side // downsample) for side in (slide.width_px, slide.height_px))
    return ShownLevel(
        finer.index + 1,
        int(width),
        int(height),
        downsample,
        _COMPUTED_TILE_PX,
        _COMPUTED_TILE_PX,
        stored=False,
    )


class SlideTiles:
    """Tiles and crops of an open slide; any number of threads may ask at once.

    Parameters
    ----------
    slide : Slide
    """

    def __init__(self, slide: Slide) -> None:
        self._slide = slide
        self.levels = shown_levels(slide)
        self._encoded: LRUCache[tuple[int, int, int], bytes] = LRUCache(_CACHE_BYTES, getsizeof=len)
        self._lock = threading.Lock()

    def tile(self, index: int, column: int, row: int) -> bytes:
        """Return a tile as JPEG; those at the right and lower edge are as small as what is left.

        Raises
        ------
        NoTileError
            When there is none of that name.
        UnreadableSlideError
            When the file is damaged there.
        """
        level = self._level(index)
        if not (0 <= column < level.across and 0 <= row < level.down):
            raise NoTileError(f"level {index} has no tile {column}, {row}")
        key = (index, column, row)
        with self._lock:
            held = self._encoded.get(key)
        if held is not None:
            return held
        stored = self._slide.stored_tile(index, column, row) if level.stored else None
        tile = stored or self._read(level, column, row)
        with self._lock, suppress(ValueError):  # larger than all that may be kept
            self._encoded[key] = tile
        return tile

    def crop(self, x_px: float, y_px: float, side_um: float, side_px: int) -> bytes:
        """Return a square of the slide around a place as JPEG, without any mark."""
        mpp = side_um / side_px
        half_px = side_um / 2 / self._slide.mpp
        rgb = self._slide.read(x_px - half_px, y_px - half_px, side_px, side_px, mpp)
        return bytes(simplejpeg.encode_jpeg(rgb, quality=_QUALITY, colorsubsampling="444"))

    def _level(self, index: int) -> ShownLevel:
        if not 0 <= index < len(self.levels):
            raise NoTileError(f"there is no level {index}")
        return self.levels[index]

    def _read(self, level: ShownLevel, column: int, row: int) -> bytes:
        left, top = column * level.tile_width_px, row * level.tile_height_px
        width = min(level.tile_width_px, level.width_px - left)
        height = min(level.tile_height_px, level.height_px - top)
        x_px, y_px = left * level.downsample, top * level.downsample
        rgb = self._slide.read(x_px, y_px, width, height, self._slide.mpp * level.downsample)
        return bytes(simplejpeg.encode_jpeg(rgb, quality=_QUALITY))


# `cells.bin`: places, classes and flags of all cells, sorted into squares of a grid.


MAGIC = b"CXCELLS1"
HIDDEN = 255
"""Class of a cell that is an open question of the audit: its call does not leave the server."""

SQUARE_UM = 200.0
_HEAD = struct.Struct("<8sIIIIIfIfff")
_HEAD_BYTES = 64
_NEAR_FROM = 0.1


class Flag(IntFlag):
    """Bits of a cell's flag byte."""

    STAINED = 1
    NEAR_THRESHOLD = 2
    EDITED = 8
    ADDED = 16
    ACCEPTED = 32
    OUTSIDE = 64
    NEVER_COUNTED = 128


@dataclass(frozen=True, eq=False)
class CellGrid:
    """How the network's N cells are sorted.

    Parameters
    ----------
    side_px : float
        Of a square, in level-0 pixels.
    columns, rows : int
    offsets : uint32 array, (columns x rows + 1,)
        Cells of square k, counted row by row, have the ids `offsets[k]` to `offsets[k + 1] - 1`.
    row_of_id, id_of_row : int array, (N,)
        Between ids and rows of the network's table.
    """

    side_px: float
    columns: int
    rows: int
    offsets: NDArray[np.uint32]
    row_of_id: NDArray[np.int64]
    id_of_row: NDArray[np.int64]

    def rows_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return rows of the table for ids; added cells have the same number in both."""
        return _through(self.row_of_id, ids)

    def ids_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return ids for rows of the table."""
        return _through(self.id_of_row, rows)


def _through(order: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    found = numbers.copy()
    known = numbers < len(order)
    found[known] = order[numbers[known]]
    return found


def cell_grid(cells: CellTable, square_um: float = SQUARE_UM) -> CellGrid:
    """Sort cells into squares of a grid; always the same way for the same table."""
    facts = cells.facts
    side_px = square_um / facts.mpp
    columns, rows = (max(int(np.ceil(size / side_px)), 1) for size in (facts.width_px, facts.height_px))
    across = np.clip((cells.x_px / side_px).astype(np.int64), 0, columns - 1)
    down = np.clip((cells.y_px / side_px).astype(np.int64), 0, rows - 1)
    square = down * columns + across
    row_of_id = np.argsort(square, kind="stable")
    id_of_row = np.empty_like(row_of_id)
    id_of_row[row_of_id] = np.arange(len(row_of_id))
    counts = np.bincount(square, minlength=columns * rows)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint32)
    return CellGrid(side_px, columns, rows, offsets, row_of_id, id_of_row)


@dataclass(frozen=True, eq=False)
class CellMarks:
    """What the page draws of each cell, by id."""

    class_of: NDArray[np.uint8]
    flags: NDArray[np.uint8]

    def changed_since(self, earlier: CellMarks) -> NDArray[np.int64]:
        """Return the ids whose marks differ, those that are new included."""
        known = min(len(earlier.class_of), len(self.class_of))
        same = self.class_of[:known] == earlier.class_of[:known]
        same &= self.flags[:known] == earlier.flags[:known]
        return np.concatenate([np.flatnonzero(~same), np.arange(known, len(self.class_of))])


def cell_marks(
    reviewed: ReviewedCells,
    network_stained: NDArray[np.float32],
    grid: CellGrid,
    threshold: float,
    hidden: NDArray[np.int64],
) -> CellMarks:
    """Return the class and the flags of every cell as they are now.

    Parameters
    ----------
    reviewed : ReviewedCells
    network_stained : float array
        Staining as the network states it, of the network's cells.
    grid : CellGrid
    threshold : float
        A cell is stained from this probability on.
    hidden : int array
        Rows of cells whose call must not be shown.
    """
    table, known = reviewed.table, reviewed.network_cells
    class_of = np.where(reviewed.removed, np.uint8(REMOVED), table.kind)
    added, near = np.zeros(len(table), dtype=bool), np.zeros(len(table), dtype=bool)
    added[known:] = True
    near[:known] = (network_stained >= min(_NEAR_FROM, threshold)) & (network_stained < threshold)
    flags = np.zeros(len(table), dtype=np.uint8)
    for flag, chosen in (
        (Flag.STAINED, table.stained >= threshold),
        (Flag.NEAR_THRESHOLD, near & ~reviewed.edited),
        (Flag.EDITED, reviewed.edited),
        (Flag.ADDED, added),
        (Flag.ACCEPTED, reviewed.accepted),
        (Flag.OUTSIDE, ~reviewed.inside),
        (Flag.NEVER_COUNTED, in_uncounted_region(table)),
    ):
        flags |= chosen.view(np.uint8) * np.uint8(flag)
    class_of[hidden] = HIDDEN
    flags[hidden] &= np.uint8(Flag.ACCEPTED | Flag.OUTSIDE)
    order = np.concatenate([grid.row_of_id, np.arange(known, len(table))])
    return CellMarks(class_of[order], flags[order])


def encode_cells(table: CellTable, marks: CellMarks, grid: CellGrid, events: int) -> bytes:
    """Return the file; all numbers are little endian.

    Parameters
    ----------
    table : CellTable
        All cells, added ones included.
    marks : CellMarks
    grid : CellGrid
    events : int
        Number of events of the record that the marks show.
    """
    facts, known = table.facts, len(grid.row_of_id)
    head = _HEAD.pack(
        MAGIC, _HEAD_BYTES, len(table), known, grid.columns, grid.rows, grid.side_px, events,
        facts.mpp, facts.width_px, facts.height_px,
    )  # fmt: skip
    order = np.concatenate([grid.row_of_id, np.arange(known, len(table))])
    parts = (
        head.ljust(_HEAD_BYTES, b"\0"),
        _padded(grid.offsets.astype("<u4")),
        _padded(table.x_px[order].astype("<f4")),
        _padded(table.y_px[order].astype("<f4")),
        _padded(marks.class_of),
        _padded(marks.flags),
    )
    return b"".join(parts)


def _padded(values: NDArray[np.generic]) -> bytes:
    content = values.tobytes()
    return content + b"\0" * (-len(content) % 4)
