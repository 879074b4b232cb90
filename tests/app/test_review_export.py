from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cxpath.app.review_export import answered_cells, class_of, export_answers
from cxpath.app.review_slide import apply_edits, score_audit, write_audit
from cxpath.data.cells import Kind
from cxpath.errors import OutputError
from cxpath.io.cell_classes import default_cell_classes, read_cell_classes
from cxpath.io.cells import write_cells
from cxpath.io.geojson import plain
from cxpath.review.events import ReviewError
from cxpath.review.state import Audit, ReviewState
from cxpath.scores.audit import AuditAnswer, AuditDraw, AuditQuestion, CellAnswer
from cxpath.training.annotations import default_class_map, read_class_map, read_objects
from scripts.studies.measure_audit import KnownSlide
from tests.app.reviewed_slides import SIDE_PX, drawn_audit, fill_in, known_cells, scored_slide

READER = "Dr A. Reader"
BOUNDS = (0, 0, SIDE_PX, SIDE_PX)


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, KnownSlide]:
    """A slide that one reader audited."""
    folder = tmp_path_factory.mktemp("answered")
    picture, results, known = scored_slide(folder)
    write_audit(results, picture, number=60)
    score_audit(results, fill_in(results, known, folder / "answers.csv"), READER)
    return results, known


def test_every_answer_comes_back_as_a_point_of_its_class(
    answered: tuple[Path, KnownSlide], tmp_path: Path
) -> None:
    results, known = answered
    done = export_answers(results, tmp_path / "slide.geojson")
    _, audit = drawn_audit(results)
    objects = read_objects(tmp_path / "slide.geojson", BOUNDS)
    assert len(objects) == 60 == sum(done.cells.values())
    expected = {}
    for question in audit.draw.questions:
        kind = Kind(int(known.kind[question.row]))
        counts = kind is not Kind.OTHER and question.asks_stained
        stained = bool(known.stained[question.row]) if counts else None
        place = (
            round(float(known.cells.x_px[question.row]), 2),
            round(float(known.cells.y_px[question.row]), 2),
        )
        expected[place] = class_of(kind, stained)
    assert {one.centres()[0]: one.class_name for one in objects} == expected
    assert all(one.drawn and one.is_points for one in objects)


def test_every_class_that_is_written_is_in_both_class_maps() -> None:
    written = {class_of(kind, stained) for kind in Kind for stained in (None, True, False)}
    training, cells = read_class_map(default_class_map()), read_cell_classes(default_cell_classes())
    assert {plain(name) for name in written} <= {plain(name) for name in training.cells}
    assert {plain(name) for name in written} <= {plain(name) for name in cells.cells}
    for name in ("Ignore*", "Unsure"):
        assert plain(name) in {plain(one) for one in training.ignored}
        assert plain(name) in {plain(one) for one in cells.ignored}


def _state(*answers: AuditAnswer, **edits: object) -> ReviewState:
    questions = tuple(AuditQuestion(answer.row, 0, True, False) for answer in answers)
    return ReviewState(
        audit=Audit(AuditDraw(1, questions), ()),
        answers={(READER, answer.row): answer for answer in answers},
        edits={int(row.removeprefix("row")): edit for row, edit in edits.items()},  # type: ignore[misc]
    )


def test_an_edit_wins_and_what_is_no_cell_or_unsure_trains_nothing() -> None:
    cells = known_cells(50).cells
    state = _state(
        AuditAnswer(1, CellAnswer.TUMOUR, stained=True),
        AuditAnswer(2, CellAnswer.NOT_A_CELL),
        AuditAnswer(3, CellAnswer.CANNOT_TELL),
        AuditAnswer(4, CellAnswer.IMMUNE),
        row1={"class": "other", "stained": False},
        row5={"removed": True},
        row50={"class": "tumour", "stained": True, "x_px": 3.0, "y_px": 4.0},
        row51={"removed": True},
    )
    found = [(one.class_name, one.source) for one in answered_cells(state, READER, cells)]
    assert found == [
        ("Other: Negative", "edit"),
        ("Ignore*", "answer"),
        ("Unsure", "answer"),
        ("Immune cells", "answer"),
        ("Ignore*", "edit"),
        ("Tumor: Positive", "edit"),
    ]


def test_refusals_name_what_to_do(answered: tuple[Path, KnownSlide], tmp_path: Path) -> None:
    results, _ = answered
    target = tmp_path / "slide.geojson"
    target.write_text("mine")
    with pytest.raises(OutputError, match="is there already"):
        export_answers(results, target)
    assert target.read_text() == "mine"
    export_answers(results, target, READER, overwrite=True)
    assert json.loads(target.read_text())["cxpath"]["events"] == 62
    with pytest.raises(OutputError, match="as GeoJSON"):
        export_answers(results, tmp_path / "cells.csv")
    with pytest.raises(ReviewError, match="Dr B answered no cell"):
        export_answers(results, tmp_path / "b.geojson", "Dr B")
    (tmp_path / "none").mkdir()
    _, unread, known = scored_slide(tmp_path / "none")
    with pytest.raises(ReviewError, match="no review to export"):
        export_answers(unread, tmp_path / "none.geojson")
    kind = known.cells.kind.copy()
    kind[7] = Kind.OTHER if kind[7] == Kind.TUMOUR else Kind.TUMOUR
    write_cells(replace(known.cells, kind=kind), tmp_path / "edited.parquet")
    apply_edits(unread, tmp_path / "edited.parquet", READER)
    assert sum(export_answers(unread, tmp_path / "edits.geojson").cells.values()) == 1
