#!/usr/bin/env python3
"""One row a slide from the score.json files of a folder: `score_table.py FOLDER TABLE.csv`.

For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from cxpath.documents.score import ScoreDocument
from cxpath.errors import CxpathError
from cxpath.io import atomic_write

COLUMNS = (
    "slide", "assay", "cps", "low", "high", "audited_cps", "audited_low", "audited_high", "tps",
    "tumour_cells", "not_evaluable_because", "notice",
)  # fmt: skip


def row_of(path: Path) -> list[object]:
    """Return the cells of one slide's row."""
    score = ScoreDocument.read(path)
    cps, tps = score.cps, score.tps
    low, high = cps.interval_tissue if cps and cps.interval_tissue else (None, None)
    audited = score.audited
    audited_low, audited_high = audited.interval if audited else (None, None)
    reasons = "; ".join(reason.text for reason in score.not_evaluable_because)
    return [
        path.parent.name, score.assay, cps.value if cps else None, low, high,
        audited.cps if audited else None, audited_low, audited_high, tps.value if tps else None,
        score.adequacy.viable_tumour_cells, reasons, score.notice,
    ]  # fmt: skip


def main(folder: str, table: str) -> None:
    """Write the table of every result in a folder."""
    paths = sorted(Path(folder).glob("*/score.json"))
    if not paths:
        sys.exit(f"{folder}: no score.json in any folder of it (score slides first)")
    with atomic_write(Path(table)) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
        writer.writerow(COLUMNS)
        writer.writerows(row_of(path) for path in paths)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: score_table.py FOLDER TABLE.csv")
    try:
        main(*sys.argv[1:])
    except (CxpathError, OSError) as error:
        sys.exit(str(error))
