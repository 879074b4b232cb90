"""What a person said about cells, as points that QuPath opens and `cxpath model fine-tune` learns from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxpath.app.review_folder import ReviewFolder, open_review, printed_name
from cxpath.data import RESEARCH_USE, CellTable, Kind
from cxpath.documents import RUN_NAME, RunDocument
from cxpath.errors import OutputError
from cxpath.io import CLASS_NAMES, Bounds, atomic_write, to_qupath_frame
from cxpath.review import ReviewError, ReviewState, Verified
from cxpath.scores import CellAnswer

NO_CELL, UNSURE = "Ignore*", "Unsure"
"""QuPath's class for what is no cell, and the one for what a person cannot tell: neither trains anything."""

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
