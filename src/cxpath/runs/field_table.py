"""Viable tumour cells of every field of a scored slide: a denominator for readers who score by eye."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from cxpath.runs.documents import RESEARCH_USE
from cxpath.runs.scored_folder import read_scored_folder
from cxpath.values.errors import MissingFileError

SCHEMA = "cxpath/field-table/1"
COLUMNS = (
    "field", "left_px", "top_px", "left_um", "top_um", "centre_x_um", "centre_y_um", "side_um",
    "viable_tumour_cells", "tumour_positive", "immune_positive", "share_of_tumour_cells",
    "local_cps", "influence",
)  # fmt: skip


def field_rows(folder: Path) -> list[dict[str, Any]]:
    """Return a row for each field with viable tumour cells, those with most of them first.

    Parameters
    ----------
    folder : Path
        A results folder of `cxpath score`.

    Returns
    -------
    list of dict
        By the names of `COLUMNS`. Pixels are level-0, micrometres from the slide's top left corner;
        `local_cps` is of the field's own cells, `influence` the CPS less the one without the field (None
        where the field holds all tumour).

    Raises
    ------
    MissingFileError, RunFolderError
        When the folder holds no result, or one without cells.
    """
    run = read_scored_folder(folder)
    if not (folder / "cells.parquet").is_file():
        why = "; ".join(run.score["not_evaluable_because"]) or "no cells were looked for"
        raise MissingFileError(f"{folder}: holds no cells ({why})", "score the slide again")
    lattice, mpp = run.fields(), float(run.score["slide"]["mpp"])
    counts, side_um = lattice.counts, lattice.side_px * mpp
    local, influence = counts.cps(), lattice.influence()
    order = np.lexsort((lattice.left_px, lattice.top_px, -counts.tumour))
    rows = [row for row in order if counts.tumour[row] > 0]
    return [
        {
            "field": number,
            "left_px": round(float(lattice.left_px[row]), 1),
            "top_px": round(float(lattice.top_px[row]), 1),
            "left_um": round(float(lattice.left_px[row]) * mpp, 1),
            "top_um": round(float(lattice.top_px[row]) * mpp, 1),
            "centre_x_um": round(float(lattice.left_px[row]) * mpp + side_um / 2, 1),
            "centre_y_um": round(float(lattice.top_px[row]) * mpp + side_um / 2, 1),
            "side_um": round(side_um, 1),
            "viable_tumour_cells": int(counts.tumour[row]),
            "tumour_positive": int(counts.tumour_positive[row]),
            "immune_positive": int(counts.immune_positive[row]),
            "share_of_tumour_cells": round(float(counts.tumour[row] / counts.tumour.sum()), 5),
            "local_cps": round(float(local[row]), 4),
            "influence": round(float(influence[row]), 5) if np.isfinite(influence[row]) else None,
        }
        for number, row in enumerate(rows, start=1)
    ]


def field_document(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the rows as the JSON that `cxpath fields --json` prints."""
    total = sum(row["viable_tumour_cells"] for row in rows)
    return {"schema": SCHEMA, "research_use": RESEARCH_USE, "viable_tumour_cells": total, "fields": rows}


def field_csv(rows: list[dict[str, Any]]) -> str:
    """Return the rows as CSV with a header; what is unknown is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
