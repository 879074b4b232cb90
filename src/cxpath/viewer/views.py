"""Documents of the page's views: the audit, fields, uncertain cells, layers over the slide, drawn regions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import floor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray

from cxpath.data import CellTable, Subkind, TissueRegion
from cxpath.io import Bounds, atomic_write, folder_for, to_qupath_frame
from cxpath.review import (
    CLASS_NAMES,
    COUNTED,
    REMOVED,
    TUMOUR,
    Doubt,
    ReviewState,
    most_uncertain,
    regions_of,
)
from cxpath.review.live_score import uncertainty
from cxpath.scores import SQUARE_UM, MissedSquare, rank_fields
from cxpath.slide import Slide
from cxpath.tissue import TissueSettings, read_overview, tissue_mask
from cxpath.viewer.decisions import audit_of
from cxpath.viewer.session import RefusedError, ReviewSession

_MARGIN = 0.15
"""What the picture of a square shows around it, as a share of its side."""

# The audit: nothing here says where a cell lies, which one it is, or what the network calls it.


def audit_document(session: ReviewSession) -> dict[str, Any]:
    """Return the questions and squares of the audit with this reviewer's answers."""
    with session.lock:
        audit, state, reviewer = audit_of(session), session.state, session.reviewer or ""
        questions = []
        for number, question in enumerate(audit.draw.questions, start=1):
            given = state.answers.get((reviewer, question.row))
            said = None if given is None else {"class": given.answer.value, "stained": given.stained}
            questions.append({"number": number, "asks_stained": question.asks_stained, "answer": said})
        squares = [_square(session, number, square) for number, square in enumerate(audit.squares, start=1)]
        complete = all(one["answer"] for one in questions) and all(one["counts"] for one in squares)
        return {
            "name": session.audit_label(),
            "complete": complete,
            "questions": questions,
            "squares": squares,
        }


def _square(session: ReviewSession, number: int, square: MissedSquare) -> dict[str, Any]:
    left_px, top_px, side_px = framed_square(square)
    cells = session.network
    places = np.stack([cells.x_px - left_px, cells.y_px - top_px], axis=1) / side_px
    inside = ((places >= 0) & (places < 1)).all(axis=1)
    given = session.state.squares.get((session.reviewer or "", number - 1))
    counts = None
    if given is not None:
        names = ("tumour_stained", "tumour_unstained", "immune_stained")
        counts = {name: getattr(given, name) for name in names}
    edge = _MARGIN / (1 + 2 * _MARGIN)
    return {
        "number": number,
        "side_um": SQUARE_UM,
        "picture_side_um": SQUARE_UM * (1 + 2 * _MARGIN),
        "found": places[inside].tolist(),
        "inner": [edge, edge, 1 - edge, 1 - edge],
        "counts": counts,
    }


def framed_square(square: MissedSquare) -> tuple[float, float, float]:
    """Return left, top and side of the picture of a square, in level-0 pixels."""
    margin_px = square.side_px * _MARGIN
    return square.left_px - margin_px, square.top_px - margin_px, square.side_px + 2 * margin_px


# Fields, the one that moves the score most first.


def fields_document(session: ReviewSession) -> dict[str, Any]:
    """Return the fields of the slide as its cells are now."""
    with session.lock:
        lattice = session.live.lattice()
        influence, local, counts = lattice.influence(), lattice.counts.cps(), lattice.counts
        return {
            "fields": [
                {
                    "number": int(lattice.numbers[row]),
                    "left_px": float(lattice.left_px[row]),
                    "top_px": float(lattice.top_px[row]),
                    "side_px": lattice.side_px,
                    "influence": _known(influence[row]),
                    "local_cps": _known(local[row]),
                    "tumour": int(counts.tumour[row]),
                    "positive": int(counts.positive[row]),
                    "cells": int(counts.tumour[row] + counts.immune_negative[row] + counts.other[row])
                    + int(counts.immune_positive[row]),
                    "accepted": int(lattice.numbers[row]) in session.state.fields,
                }
                for row in rank_fields(lattice).tolist()
            ]
        }


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


# Cells.


def gallery_document(session: ReviewSession, number: int, doubt: Doubt) -> dict[str, Any]:
    """Return the uncertain cells that matter most and that no person has decided yet."""
    with session.lock:
        cells = session.cells
        usable = cells.scored & ~cells.by_person
        usable[session.hidden_rows()] = False
        spread = uncertainty(cells.table, session.estimate.counts, session.threshold, doubt)
        rows = most_uncertain(spread, usable, number)
        ids = session.grid.ids_of(rows)
        shown = [_shown(session, int(row), int(cell)) for row, cell in zip(rows, ids, strict=True)]
        for cell, row in zip(shown, rows, strict=True):
            cell |= {"uncertainty": float(spread[row]), "crop": f"/crops/{cell['id']}.jpg?um=48&px=128"}
        return {"cells": shown}


def _shown(session: ReviewSession, row: int, cell: int) -> dict[str, Any]:
    table = session.cells.table
    removed = bool(session.cells.removed[row])
    return {
        "id": cell,
        "x_px": float(table.x_px[row]),
        "y_px": float(table.y_px[row]),
        "class": CLASS_NAMES[REMOVED if removed else int(table.kind[row])],
        "stained": bool(table.stained[row] >= session.threshold),
    }


def cell_document(session: ReviewSession, cell: int) -> dict[str, Any]:
    """Return what is known of a cell; an open question of the audit is refused."""
    with session.lock:
        row = row_of(session, cell)
        if row in session.hidden_rows():
            raise RefusedError("conflict", "this cell is an open question of the audit", "answer it first")
        known = row < session.cells.network_cells
        state = session.state
        return _shown(session, row, cell) | {
            "network": _network(session.network, row, session.threshold) if known else None,
            "edited": bool(session.cells.edited[row]),
            "in_audit": state.audit is not None and row in state.audit.rows,
        }


def row_of(session: ReviewSession, cell: int) -> int:
    """Return the row of the cell with an id."""
    if not 0 <= cell < len(session.cells):
        raise RefusedError("not_found", f"there is no cell {cell}")
    return int(session.grid.rows_of(np.array([cell]))[0])


def _network(cells: CellTable, row: int, threshold: float) -> dict[str, Any]:
    return {
        "class": CLASS_NAMES[int(cells.kind[row])],
        "stained": bool(cells.stained[row] >= threshold),
        "subkind": Subkind(int(cells.subkind[row])).name.lower(),
        "region": TissueRegion(int(cells.region[row])).name.lower(),
        **dict(_measured(cells, row)),
    }


def _measured(cells: CellTable, row: int) -> Iterator[tuple[str, float | None]]:
    names = {"p_stained": "stained"} | {
        name: name
        for name in (
            "p_tumour", "p_immune", "p_other", "dab_membrane_od", "dab_cytoplasm_od",
            "membrane_completeness", "hematoxylin_od", "diameter_um",
        )
    }  # fmt: skip
    for said, column in names.items():
        yield said, _known(float(getattr(cells, column)[row]))


HEATMAP_UM = 250.0
_SMALLEST_OUTLINE_PX = 12.0
"""Of the overview: what encloses less is dust."""


def heatmap_document(session: ReviewSession, square_um: float = HEATMAP_UM) -> dict[str, Any]:
    """Return the local CPS of all squares of the slide as its cells are now; null without tumour cells."""
    with session.lock:
        facts, table, ways = session.network.facts, session.cells.table, session.live.ways
    side_px = square_um / facts.mpp
    columns, rows = (int(np.ceil(size / side_px)) for size in (facts.width_px, facts.height_px))
    across = np.clip((table.x_px / side_px).astype(np.int64), 0, columns - 1)
    down = np.clip((table.y_px / side_px).astype(np.int64), 0, rows - 1)
    place = down * columns + across
    positive, tumour = (
        np.bincount(place[np.isin(ways, which)], minlength=columns * rows) for which in (COUNTED, TUMOUR)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        cps = np.minimum(100.0 * positive / tumour, 100.0)
    return {
        "left_px": 0.0,
        "top_px": 0.0,
        "side_px": side_px,
        "columns": columns,
        "rows": rows,
        "cps": [
            floor(1000 * value) / 1000 if count else None
            for value, count in zip(cps.tolist(), tumour, strict=True)
        ],
        "tumour": tumour.tolist(),
    }


def tissue_document(slide: Slide, white_point: tuple[float, float, float]) -> dict[str, Any]:
    """Return the outlines of the tissue and of holes in it, in level-0 pixels.

    Parameters
    ----------
    slide : Slide
    white_point : tuple of float
        Of the run.
    """
    settings = TissueSettings()
    overview, mpp = read_overview(slide, settings)
    mask = tissue_mask(overview, mpp, white_point, settings)
    outlines, holes = _outlines(mask, mpp / slide.mpp)
    return {"polygons": outlines, "holes": holes}


Rings = list[list[list[float]]]


def _outlines(mask: NDArray[np.bool_], to_level_0: float) -> tuple[Rings, Rings]:
    """Return outer rings and rings of holes; pixel centres lie at .5."""
    found, tree = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_TC89_L1)
    outer: Rings = []
    inner: Rings = []
    for place, contour in enumerate(found):
        if cv2.contourArea(contour) < _SMALLEST_OUTLINE_PX:
            continue
        ring = ((contour[:, 0, :] + 0.5) * to_level_0).round(1).tolist()
        (outer if tree[0][place][3] < 0 else inner).append(ring)
    return outer, inner


REGIONS = "regions.geojson"

_QUPATH_CLASSES = {"include": "Region", "exclude": "Exclude", "not invasive tumour": "Not invasive tumour"}
"""Class that says in QuPath what a region is for, as the default table of region classes reads it."""


def regions_geojson(state: ReviewState, bounds_px: Bounds) -> dict[str, Any]:
    """Return the regions of a review as QuPath's annotations, in QuPath's frame.

    Parameters
    ----------
    state : ReviewState
    bounds_px : tuple of int
        x, y, width, height of the slide's scanned part: QuPath's positions are relative to it.
    """
    shift = np.array(to_qupath_frame(0.0, 0.0, bounds_px))
    features = [
        {
            "type": "Feature",
            "geometry": shapely.geometry.mapping(shapely.transform(region.shape, lambda xy: xy + shift)),
            "properties": {
                "objectType": "annotation",
                "classification": {"name": _QUPATH_CLASSES[region.name]},
            },
        }
        for region in regions_of(state).areas
    ]
    return {"type": "FeatureCollection", "features": features}


def write_regions(folder: Path, state: ReviewState, bounds_px: Bounds) -> Path | None:
    """Write `regions.geojson` of a review, or remove it where there is no region; returns its path."""
    path = folder_for(folder) / REGIONS
    if not state.regions:
        path.unlink(missing_ok=True)
        return None
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(regions_geojson(state, bounds_px)), encoding="utf-8")
    return path
