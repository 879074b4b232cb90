"""Score every slide of a folder, on the GPU if there is one, and sum up in a table (summary.csv).

`python scripts/recipes/score_folder.py SLIDES_FOLDER RESULTS_FOLDER` tries every slide and records why one
failed (exit code 3). Slides that have a score are not scored again. For research use only.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import cxpath
from cxpath.documents.score import ScoreDocument

ASSAY = "22c3"  # how the slides were stained: 22c3, 28-8, sp142, sp263 or unknown
DEVICE = "auto"  # a GPU if there is one
SUFFIXES = {".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".tif", ".tiff"}
COLUMNS = ["slide", "status", "cps", "low", "high", "reported", "tumour_cells", "reason"]


def row_of(slide: Path, folder: Path) -> dict[str, object]:
    """Score a slide unless its result is there, and return its line of the table."""
    try:
        if not (folder / "score.json").is_file():
            cxpath.score_slide(slide, folder, assay=ASSAY, device=DEVICE)
        score = ScoreDocument.read(folder / "score.json")  # one of an earlier cxpath is refused
    except (cxpath.CxpathError, RuntimeError) as error:  # RuntimeError: such as a GPU out of memory
        return {"slide": slide.name, "status": "failed", "reason": str(error)}
    row: dict[str, object] = {"slide": slide.name, "tumour_cells": score.adequacy.viable_tumour_cells}
    if score.cps is None:
        return row | {"status": "not evaluable", "reason": score.reasons()}
    low, high = score.cps.interval_tissue
    found = {"cps": score.cps.value, "low": low, "high": high, "reported": score.cps.reported}
    return {**row, **found, "status": "scored"}


def guarded(value: object) -> object:
    """Keep a spreadsheet from running a file name as a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value


def main() -> None:
    """Score the folder named on the command line."""
    if len(sys.argv) != 3 or not Path(sys.argv[1]).is_dir():
        sys.exit("usage: python score_folder.py SLIDES_FOLDER RESULTS_FOLDER")
    slides, results, rows = Path(sys.argv[1]), Path(sys.argv[2]), []
    for slide in sorted(path for path in slides.iterdir() if path.suffix.lower() in SUFFIXES):
        rows.append(row_of(slide, results / slide.name))
        print(f"{rows[-1]['status']:14} {slide.name}  {rows[-1].get('reported') or rows[-1].get('reason')}")
    results.mkdir(parents=True, exist_ok=True)
    with (results / "summary.csv").open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows(
            [COLUMNS, *([guarded(row.get(name, "")) for name in COLUMNS] for row in rows)]
        )
    sys.exit(3 if any(row["status"] == "failed" for row in rows) else 0)


if __name__ == "__main__":
    main()
