"""`cells.bin`: places, classes and flags of all cells, sorted into squares of a grid for the page to draw.

A cell's id is its place in this file. The network's cells are sorted by square, so that the squares of one
row of the grid lie one behind the other; cells that a person adds follow in the order of the record.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from cxpath.data import CellTable
from cxpath.review import REMOVED, ReviewedCells
from cxpath.scores import in_uncounted_region

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
