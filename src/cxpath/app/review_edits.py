"""Cells that a person edited in another program: what was changed, and what they score."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cxpath.app.review_folder import (
    open_review,
    printed_name,
)
from cxpath.app.review_outcome import publish_review
from cxpath.app.review_scores import edited_entry
from cxpath.data import CellTable, Kind, SlideInfo
from cxpath.documents import RUN_NAME, EditedEntry, RunDocument, ScoredFolder
from cxpath.io import default_cell_classes, read_cell_classes, read_given_cells
from cxpath.review import Decision, ReviewError, ReviewState, edit_decision
from cxpath.scores import SlideScore, countable_kind, threshold_of

_SAME_PLACE_PX = 0.51
"""QuPath's exports round positions to hundredths; a cell that was moved farther is another cell."""


@dataclass(frozen=True, eq=False)
class EditedCells:
    """A table that a person edited, next to the network's.

    Parameters
    ----------
    cells : CellTable
        As edited.
    by_person : bool array, (N,)
        Cells whose class or staining a person changed, or that he added.
    original : int array, (N,)
        Row in the network's table; -1 for added cells.
    removed : int array
        Rows of the network's table that are gone.
    """

    cells: CellTable
    by_person: NDArray[np.bool_]
    original: NDArray[np.int64]
    removed: NDArray[np.int64]


def compare_edited(edited: CellTable, network: CellTable, stained_threshold: float) -> EditedCells:
    """Find what a person changed: cells are matched by place, one to one."""
    original = _matched_rows(edited, network)
    known = original >= 0
    by_person = ~known
    before = network.take(original[known])
    now = edited.take(known)
    side = (before.stained >= stained_threshold) != (now.stained >= stained_threshold)
    by_person[known] = (countable_kind(before) != countable_kind(now)) | side
    removed = np.setdiff1d(np.arange(len(network)), original[known])
    return EditedCells(edited, by_person, original, removed)


def _matched_rows(edited: CellTable, network: CellTable) -> NDArray[np.int64]:
    """Return for each edited cell the row of the network's table at the same place, or -1."""
    rows = np.full(len(edited), -1, dtype=np.int64)
    if not len(edited) or not len(network):
        return rows
    tree = cKDTree(np.column_stack([network.x_px, network.y_px]))
    distance, nearest = tree.query(np.column_stack([edited.x_px, edited.y_px]), k=1)
    taken: set[int] = set()
    for row in np.argsort(distance, kind="stable"):
        if distance[row] > _SAME_PLACE_PX:
            break
        if int(nearest[row]) not in taken:
            taken.add(int(nearest[row]))
            rows[row] = nearest[row]
    return rows


def apply_edits(folder: Path, edited: Path, reviewer: str) -> tuple[EditedEntry, SlideScore]:
    """Score an edited table of cells, record what was changed, and write `review/<id>/edited.json`.

    Cells that a person changed or added carry no term for the network's errors; the others do.

    Raises
    ------
    MissingFileError, CellsFileError, ReviewError
        When the table cannot be read, is of another slide, or changes nothing.
    """
    review, name = open_review(folder), printed_name(reviewer)
    scored, before = review.scored, review.verified()
    scoring, network = scored.scoring, scored.cells()
    threshold = threshold_of(scoring)
    info = _slide_info(scored)
    classes = read_cell_classes(default_cell_classes())
    given = read_given_cells(edited, info, classes, threshold, (info.name, info.stem))
    found = compare_edited(replace(given.cells, facts=network.facts), network, threshold)
    decisions = list(
        _edit_decisions(found, network, threshold, before.state if before else ReviewState(), name)
    )
    if not decisions:
        raise ReviewError(f"{edited}: changes no cell of {folder}", "give the edited table")
    review.append(decisions)
    after = review.verified()
    if after is None:
        raise ReviewError(f"{folder}: the record is gone", "restore it from a backup")
    entry, score, _ = edited_entry(review, after, given.warnings)
    outcome = publish_review(folder, given.warnings)
    return (outcome.edited if outcome and outcome.edited else entry), score


def _slide_info(scored: ScoredFolder) -> SlideInfo:
    stated = RunDocument.read(scored.path / RUN_NAME).slide
    return SlideInfo(**{name: getattr(stated, name) for name in SlideInfo.__dataclass_fields__})


def _edit_decisions(
    found: EditedCells, network: CellTable, threshold: float, state: ReviewState, reader: str
) -> Iterator[Decision]:
    """Yield an edit for every cell that differs from what held before, in the order of rows."""
    network = replace(network, kind=countable_kind(network))  # what it counts as is what a person sees
    now: dict[int, Mapping[str, Any]] = {}
    added = len(network)
    by_person: list[int] = np.flatnonzero(found.by_person).tolist()
    for row in by_person:
        value = _cell_value(found.cells, row, threshold)
        if found.original[row] >= 0:
            now[int(found.original[row])] = value
        else:
            place = {"x_px": float(found.cells.x_px[row]), "y_px": float(found.cells.y_px[row])}
            now[added] = {**value, **place}
            added += 1
    now |= {row: {"removed": True} for row in found.removed.tolist()}
    for row in sorted({*now, *state.edits}):
        calls = _cell_value(network, row, threshold) if row < len(network) else {"removed": True}
        old, new = state.edits.get(row, calls), now.get(row, calls)
        if old != new:
            yield edit_decision(row, old, new, reader)


def _cell_value(cells: CellTable, row: int, threshold: float) -> dict[str, Any]:
    kind = Kind(int(cells.kind[row])).name.lower()
    return {"class": kind, "stained": bool(cells.stained[row] >= threshold)}
