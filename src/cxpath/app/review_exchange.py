"""Cells exchanged with other programs: a table that a person edited there, and a person's words as points.

The points open in QuPath, and `cxpath model fine-tune` learns from them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cxpath.app.review_folder import (
    ReviewFolder,
    edited_entry,
    open_review,
    printed_name,
)
from cxpath.app.review_outcome import publish_review
from cxpath.data import RESEARCH_USE, CellTable, Kind, SlideInfo
from cxpath.documents import RUN_NAME, EditedEntry, RunDocument, ScoredFolder
from cxpath.errors import OutputError
from cxpath.io import (
    CLASS_NAMES,
    Bounds,
    atomic_write,
    default_cell_classes,
    read_cell_classes,
    read_given_cells,
    to_qupath_frame,
)
from cxpath.review import Decision, ReviewError, ReviewState, Verified, edit_decision
from cxpath.scores import CellAnswer, SlideScore, countable_kind, threshold_of

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

    Parameters
    ----------
    folder : Path
        A results folder of cxpath score.
    edited : Path
        All cells of the slide, the corrected ones included: Parquet, CSV or QuPath's GeoJSON.
    reviewer : str
        The reader's printed name.

    Returns
    -------
    entry : EditedEntry
        As written.
    score : SlideScore
        Of the edited cells.

    Raises
    ------
    MissingFileError, CellsFileError, ReviewError
        When the table cannot be read, is of another slide, lacks most cells, or changes nothing.
    """
    review, name = open_review(folder), printed_name(reviewer)
    scored, before = review.scored, review.verified()
    scoring, network = scored.scoring, scored.cells()
    threshold = threshold_of(scoring)
    info = _slide_info(scored)
    classes = read_cell_classes(default_cell_classes())
    given = read_given_cells(edited, info, classes, threshold, (info.name, info.stem))
    found = compare_edited(replace(given.cells, facts=network.facts), network, threshold)
    _refuse_part_of_slide(found, network, edited)
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


_MOST_REMOVED = 0.5
"""Nobody removes more of the cells one by one; a file of the corrected cells alone looks like this."""


def _refuse_part_of_slide(found: EditedCells, network: CellTable, edited: Path) -> None:
    """Refuse a table that lacks most of the run's cells: what it lacks counts as removed.

    Raises
    ------
    ReviewError
    """
    if len(found.removed) > _MOST_REMOVED * len(network):
        there = len(network) - len(found.removed)
        raise ReviewError(
            f"{edited}: contains {there} of the run's {len(network)} cells; the others would be removed",
            "export all cells, not only the corrected ones; to leave out tissue, draw a region in the review",
        )


def _slide_info(scored: ScoredFolder) -> SlideInfo:
    stated = RunDocument.read(scored.path / RUN_NAME).slide
    return SlideInfo(**{name: getattr(stated, name) for name in SlideInfo.__dataclass_fields__})


def _edit_decisions(
    found: EditedCells, network: CellTable, threshold: float, state: ReviewState, reader: str
) -> Iterator[Decision]:
    """Yield an edit for every cell that differs from what was in force before, in the order of rows."""
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


NO_CELL, UNSURE = "Ignore*", "Unsure"
"""QuPath's class for what is not a cell, and for what a person cannot tell: neither is used for training."""

_KINDS = {CellAnswer.TUMOUR: Kind.TUMOUR, CellAnswer.IMMUNE: Kind.IMMUNE, CellAnswer.OTHER: Kind.OTHER}


@dataclass(frozen=True)
class AnsweredCell:
    """A cell and what a person says it is.

    Parameters
    ----------
    x_px, y_px : float
        Level-0 pixels of the slide file.
    class_name : str
        As QuPath writes it: "Tumor: Positive"; without a sign where the staining was not asked.
    source : str
        "answer" or "edit".
    """

    x_px: float
    y_px: float
    class_name: str
    source: str


@dataclass(frozen=True)
class ExportedAnswers:
    """What an export wrote: the file, and its cells by class."""

    path: Path
    cells: Mapping[str, int]


def export_answers(
    folder: Path, target: Path, reviewer: str = "", *, overwrite: bool = False
) -> ExportedAnswers:
    """Write all answers and edits of a review as points, as QuPath's GeoJSON.

    Parameters
    ----------
    folder : Path
        A results folder.
    target : Path
        Ends in `.geojson`; `model fine-tune` reads it next to the slide, under the slide's name.
    reviewer : str
        Whose answers; needed where several readers answered.
    overwrite : bool

    Raises
    ------
    ReviewError
        When there is no answer and no edit, or several readers' answers and none is named.
    OutputError
        When the file is there already, or cannot be written.
    """
    if target.suffix.lower() != ".geojson":
        raise OutputError(f"{target}: is written as GeoJSON", "give a name that ends in .geojson")
    if target.exists() and not overwrite:
        raise OutputError(f"{target}: is there already", "pass --overwrite or choose another name")
    review = open_review(folder)
    found = review.verified()
    if found is None:
        raise ReviewError(f"{folder}: there is no review to export", "run cxpath review audit DIR first")
    reader = _one_reader(folder, found.state, reviewer)
    cells = list(answered_cells(found.state, reader, review.scored.cells()))
    if not cells:
        raise ReviewError(f"{folder}: no cell was answered or edited", "review the score first")
    bounds = RunDocument.read(review.scored.path / RUN_NAME).slide.bounds_px
    collection = _collection(cells, (bounds[0], bounds[1], bounds[2], bounds[3]), review, found)
    with atomic_write(target) as partial:
        partial.write_text(
            json.dumps(collection, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
        )
    counts = {
        name: sum(one.class_name == name for one in cells) for name in {one.class_name for one in cells}
    }
    return ExportedAnswers(target, dict(sorted(counts.items())))


def _one_reader(folder: Path, state: ReviewState, reviewer: str) -> str:
    readers = sorted({actor for actor, _ in state.answers})
    if reviewer:
        name = printed_name(reviewer)
        if readers and name not in readers:
            raise ReviewError(f"{folder}: {name} answered no cell", f"readers: {', '.join(readers)}")
        return name
    if len(readers) > 1:
        raise ReviewError(
            f"{folder}: {len(readers)} readers answered: {', '.join(readers)}", "name one with --reviewer"
        )
    return readers[0] if readers else ""


def answered_cells(state: ReviewState, reader: str, cells: CellTable) -> Iterator[AnsweredCell]:
    """Yield every cell that a reader answered or anybody edited, in the order of rows; an edit wins.

    Parameters
    ----------
    state : ReviewState
    reader : str
    cells : CellTable
        The network's.
    """
    answers = {answer.row: answer for answer in state.answers_of(reader)}
    for row in sorted({*answers, *state.edits}):
        edit = state.edits.get(row)
        if edit is not None:
            yield from _edited(row, edit, cells)
            continue
        answer = answers[row]
        if answer.answer in _KINDS:
            name = class_of(_KINDS[answer.answer], answer.stained)
        else:
            name = NO_CELL if answer.answer is CellAnswer.NOT_A_CELL else UNSURE
        yield AnsweredCell(float(cells.x_px[row]), float(cells.y_px[row]), name, "answer")


def _edited(row: int, edit: Mapping[str, Any], cells: CellTable) -> Iterator[AnsweredCell]:
    """Yield the cell of an edit; an added one that was removed again is none."""
    own = row < len(cells)
    if edit.get("removed"):
        if own:
            yield AnsweredCell(float(cells.x_px[row]), float(cells.y_px[row]), NO_CELL, "edit")
        return
    place = (cells.x_px[row], cells.y_px[row]) if own else (edit["x_px"], edit["y_px"])
    name = class_of(Kind[str(edit["class"]).upper()], edit["stained"])
    yield AnsweredCell(float(place[0]), float(place[1]), name, "edit")


def class_of(kind: Kind, stained: bool | None) -> str:  # noqa: FBT001
    """Return the name of a class as QuPath derives it."""
    return (
        CLASS_NAMES[kind]
        if stained is None
        else f"{CLASS_NAMES[kind]}: {'Positive' if stained else 'Negative'}"
    )


def _collection(
    cells: list[AnsweredCell], bounds_px: Bounds, review: ReviewFolder, found: Verified
) -> dict[str, Any]:
    score = review.scored.score
    return {
        "type": "FeatureCollection",
        "features": [_feature(one, bounds_px) for one in cells],
        "cxpath": {
            "frame": "QuPath: pixels relative to the scanned part",
            "slide_digest": score.slide.digest,
            "model_digest": score.provenance.model_digest,
            "events": found.seal.events,
            "head_hash": found.seal.head_hash,
            "research_use": RESEARCH_USE,
        },
    }


def _feature(cell: AnsweredCell, bounds_px: Bounds) -> dict[str, Any]:
    x_px, y_px = to_qupath_frame(cell.x_px, cell.y_px, bounds_px)
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [round(float(x_px), 2), round(float(y_px), 2)]},
        "properties": {
            "objectType": "annotation",
            "classification": {"names": cell.class_name.split(": ")},
            "metadata": {"source": cell.source},
        },
    }
