"""Tables of published worked examples, from the shared data or small enough to stand here."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=np.float64
)
"""Six targets, four judges: Shrout & Fleiss 1979, table 2."""

WRIGHT = np.array([494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427.0])
MINI_WRIGHT = np.array(
    [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451.0]
)
"""First peak flows by two meters, l/min: Bland & Altman 1986, table 1."""

DEMING_X = np.array([7, 8.3, 10.5, 9, 5.1, 8.2, 10.2, 10.3, 7.1, 5.9])
DEMING_Y = np.array([7.9, 8.2, 9.6, 9, 6.5, 7.3, 10.2, 10.6, 6.3, 5.2])
"""NCSS Statistical Software, chapter 303, Deming Regression: error variance of x four times that of y."""

KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, np.nan, np.nan, np.nan],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, np.nan, 3],
        [np.nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, np.nan],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, np.nan],
    ]
).T
"""Twelve units, four observers: Krippendorff 2011, section C."""


_SURGEONS = (
    "1111 0000 1000 0000 0101 1011 0100 1101 1101 0000 1111 1111 1101 1111 0101 0000 "
    "1000 1000 0000 0000 1111 0000 1111 1100 0011 0010 0000 1111 0010 0000 0000 1011 "
    "0100 1111 0011 1111 1111 0000 0000 0110 0001 1111 1111 1111 0111 1111 0101 0111 "
    "0100 1111"
)
SURGEONS = np.array([[float(read) for read in row] for row in _SURGEONS.split()])
"""Fifty photographs, four surgeons, 1 for satisfied: de Vet, Dikmans & Eekhout 2017, as in R AGREL."""


def crossed(cells: Sequence[Sequence[int]]) -> tuple[Floats, Floats]:
    """Return the codes of two readers, from 0, of a cross table: rows the first, columns the second."""
    places = np.array([(row, column) for row, line in enumerate(cells) for column, _ in enumerate(line)])
    repeated = np.repeat(places, [count for line in cells for count in line], axis=0).astype(np.float64)
    return repeated[:, 0], repeated[:, 1]


def table(path: Path, first_column: int = 0) -> Floats:
    """Return a CSV with a header as numbers; NaN for nothing and NA."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    return np.array([[_number(entry) for entry in row[first_column:]] for row in rows])


def _number(entry: str) -> float:
    return float("nan") if entry.strip() in {"", "NA"} else float(entry)


def categories(path: Path) -> Floats:
    """Return a CSV of named categories as numbers from 0, in the order of their names."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    names = sorted({entry for row in rows for entry in row})
    return np.array([[names.index(entry) for entry in row] for row in rows], dtype=np.float64)
