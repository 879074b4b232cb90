"""Count the cells of a results folder by kind, stained and not, into a CSV table.

Run it as `python scripts/recipes/cells_to_table.py RESULTS_FOLDER TABLE.csv`. All stained cells are counted;
the CPS leaves out stained immune cells far from tumour. Cells in necrosis or benign epithelium are "other".
For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

import cxpath
from cxpath.documents.score import ScoreDocument
from cxpath.scores.counts import countable_kind
from cxpath.scores.settings import threshold_of as threshold_used

STAINED_THRESHOLD = None  # a probability such as 0.5; None takes the one that the run used
COLUMNS = ["kind", "subkind", "cells", "positive", "positive_percent"]


def threshold_of(folder: Path) -> float:
    """Return from which probability on the run called a cell positive."""
    return threshold_used(ScoreDocument.read(folder / "score.json").scoring)


def rows_of(cells: cxpath.CellTable, threshold: float) -> list[list[object]]:
    """Return a row for every kind and finer kind that occurs."""
    rows: list[list[object]] = []
    kinds = countable_kind(cells)
    for kind, subkind in sorted(set(zip(kinds.tolist(), cells.subkind.tolist(), strict=True))):
        stained = cells.stained[(kinds == kind) & (cells.subkind == subkind)]
        positive = int(np.count_nonzero(stained >= threshold))
        names = cxpath.Kind(kind).name.lower(), cxpath.Subkind(subkind).name.lower()
        rows.append([*names, len(stained), positive, round(100 * positive / len(stained), 2)])
    return rows


def main() -> None:
    """Read the folder and write the table named on the command line."""
    if len(sys.argv) != 3:
        sys.exit("usage: python cells_to_table.py RESULTS_FOLDER TABLE.csv")
    folder, table = Path(sys.argv[1]), Path(sys.argv[2])
    try:
        cells = cxpath.read_cells(folder / "cells.parquet")
        threshold = STAINED_THRESHOLD or threshold_of(folder)
    except cxpath.CxpathError as error:
        sys.exit(f"{error}")
    rows = rows_of(cells, threshold)
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    print(f"{len(cells)} cells counted in {table}")


if __name__ == "__main__":
    main()
