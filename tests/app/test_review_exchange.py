from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cxpath.app.review_audit import score_audit, write_audit
from cxpath.app.review_exchange import answered_cells, apply_edits, class_of, compare_edited, export_answers
from cxpath.app.review_folder import open_review
from cxpath.app.review_outcome import verify_review
from cxpath.data.cells import CellTable, Kind, TissueRegion
from cxpath.documents.review import EditedEntry
from cxpath.errors import OutputError
from cxpath.io.cell_classes import default_cell_classes, read_cell_classes
from cxpath.io.cells import read_cells, write_cells
from cxpath.io.geojson import plain
from cxpath.review.events import ReviewError
from cxpath.review.state import Audit, ReviewState
from cxpath.scores import AuditAnswer, AuditDraw, AuditQuestion, CellAnswer
from cxpath.scores.counts import combined_positive_score, count_cells
from cxpath.scores.score import score_cells
from cxpath.training.annotations import default_class_map, read_class_map, read_objects
from scripts.studies.measure_audit import KnownSlide
from tests.app.reviewed_slides import (
    SIDE_PX,
    drawn_audit,
    fill_in,
    known_cells,
    scored_slide,
    with_other_kinds,
)
from tests.cell_tables import write_cells_geojson
from tests.synthetic_cells import many

READER = "Dr A. Reader"
BOUNDS = (0, 0, SIDE_PX, SIDE_PX)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, KnownSlide]:
    """A slide whose audit is drawn; tests copy its folder."""
    picture, results, known = scored_slide(tmp_path_factory.mktemp("drawn"))
    write_audit(results, picture, number=60)
    return results, known


@pytest.fixture(scope="module")
def answered(
    drawn: tuple[Path, KnownSlide], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, KnownSlide]:
    """A slide that one reader audited."""
    results, known = drawn
    own = tmp_path_factory.mktemp("answered") / "out"
    shutil.copytree(results, own)
    score_audit(own, fill_in(own, known, own.parent / "answers.csv"), READER)
    return own, known


@pytest.fixture
def case(drawn: tuple[Path, KnownSlide], tmp_path: Path) -> tuple[Path, KnownSlide]:
    """The results in a folder of this test's own."""
    results, known = drawn
    own = tmp_path / "out"
    shutil.copytree(results, own)
    return own, known


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
    questions = tuple(AuditQuestion(answer.row, 0, True, False, 1.0) for answer in answers)
    return ReviewState(
        audit=Audit(AuditDraw(1, 0.1, questions), ()),
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


# Edited cells.


def test_an_edited_table_is_scored_as_score_cells_scores_it(
    case: tuple[Path, KnownSlide], tmp_path: Path
) -> None:
    results, known = case
    rows = list(range(0, 400, 2))
    edited = with_other_kinds(known, rows).take(np.arange(10, len(known.cells)))
    write_cells(edited, tmp_path / "edited.parquet")
    entry, score = apply_edits(results, tmp_path / "edited.parquet", READER)
    scoring = open_review(results).scored.scoring
    expected = score_cells(edited, scoring)
    assert score.counts == expected.counts
    assert score.cps is not None
    assert expected.cps is not None
    assert entry.cps == score.cps.value == expected.cps.value
    assert (entry.changed, entry.added, entry.removed) == (195, 0, 10)
    path, found = verify_review(results)
    assert len(found.state.edits) == 205
    assert EditedEntry.read(path.parent / "edited.json") == entry
    kept = read_cells(path.parent / "edited_cells.parquet")
    again = score_cells(kept, scoring)
    assert again.counts == score.counts
    assert again.tps == expected.tps


def test_an_edited_export_of_qupath_differs_only_where_it_waswith_other_kinds(
    case: tuple[Path, KnownSlide], tmp_path: Path
) -> None:
    results, known = case
    region = np.where(np.arange(len(known.cells)) % 7 == 0, TissueRegion.NECROSIS, TissueRegion.NEST)
    inside = np.clip(known.cells.x_px, 1, SIDE_PX - 1), np.clip(known.cells.y_px, 1, SIDE_PX - 1)
    cells = replace(known.cells, region=region.astype(np.uint8), x_px=inside[0], y_px=inside[1])
    write_cells(cells, results / "cells.parquet")
    with pytest.raises(ReviewError, match="not those of the review"):
        verify_review(results)
    shutil.rmtree(results / "review")
    with pytest.raises(ReviewError, match="has no event"):
        verify_review(results)
    score = json.loads((results / "score.json").read_text())
    (results / "score.json").write_text(json.dumps(score | {"review": None}))
    edited = replace(cells, kind=with_other_kinds(known, [8, 9, 10]).kind)
    bounds = (0, 0, SIDE_PX, SIDE_PX)
    path = tmp_path / "edited.geojson.gz"
    write_cells_geojson([edited], path, edited.facts, bounds, stained_threshold=0.5)
    entry, _ = apply_edits(results, path, READER)
    assert (entry.changed, entry.added, entry.removed) == (3, 0, 0)


def test_an_edit_taken_back_is_recorded_and_leaves_no_edit(
    case: tuple[Path, KnownSlide], tmp_path: Path
) -> None:
    results, known = case
    write_cells(with_other_kinds(known, [5, 6]), tmp_path / "edited.parquet")
    apply_edits(results, tmp_path / "edited.parquet", READER)
    write_cells(with_other_kinds(known, [5]), tmp_path / "edited.parquet")
    entry, _ = apply_edits(results, tmp_path / "edited.parquet", READER)
    assert entry.changed == 1
    assert [event.target for event in verify_review(results)[1].events[2:]] == ["cell 5", "cell 6", "cell 6"]


def test_a_table_that_changes_nothing_is_refused(case: tuple[Path, KnownSlide], tmp_path: Path) -> None:
    write_cells(case[1].cells, tmp_path / "same.parquet")
    with pytest.raises(ReviewError, match="changes no cell"):
        apply_edits(case[0], tmp_path / "same.parquet", READER)


def test_a_file_of_the_corrected_cells_alone_removes_no_others(
    case: tuple[Path, KnownSlide], tmp_path: Path
) -> None:
    results, known = case
    write_cells(with_other_kinds(known, [0, 1, 2]).take(np.arange(3)), tmp_path / "three.parquet")
    record = (results / "review").rglob("events.ndjson")
    before = [path.read_bytes() for path in record]
    with pytest.raises(ReviewError, match=r"contains 3 of the run's .* would be removed") as refused:
        apply_edits(results, tmp_path / "three.parquet", READER)
    assert "export all cells" in str(refused.value)
    assert [path.read_bytes() for path in (results / "review").rglob("events.ndjson")] == before


def test_cells_are_matched_by_place_one_to_one() -> None:
    network = known_cells(300).cells
    shuffled = np.random.default_rng(1).permutation(300)
    rounded = replace(network.take(shuffled), x_px=np.round(network.x_px[shuffled], 2))
    found = compare_edited(rounded, network, 0.5)
    assert not found.by_person.any()
    assert (found.original == shuffled).all()
    twice = CellTable.concatenate([network, network.take(np.array([7]))])
    found = compare_edited(twice, network, 0.5)
    assert found.by_person.sum() == 1
    assert sorted(found.original.tolist()) == [-1, *range(300)]
    moved = replace(network, x_px=np.where(np.arange(300) == 9, SIDE_PX - 1.0, network.x_px))
    found = compare_edited(moved, network, 0.5)
    assert (found.original < 0).sum() == 1
    assert found.removed.tolist() == [9]


def test_cells_of_a_person_carry_no_error_of_the_network() -> None:
    cells = known_cells().cells
    nobody, everybody = np.zeros(len(cells), dtype=bool), np.ones(len(cells), dtype=bool)
    half = np.arange(len(cells)) % 2 == 0
    plain, none, some, every = (
        score_cells(cells, by_person=one).cps for one in (None, nobody, half, everybody)
    )
    assert plain is not None
    assert none is not None
    assert some is not None
    assert every is not None
    assert none.interval_slide == plain.interval_slide
    assert every.interval_slide == pytest.approx((every.value, every.value))
    assert every.interval_tissue[1] - every.interval_tissue[0] > 0
    width = [one.interval_slide[1] - one.interval_slide[0] for one in (plain, some, every)]
    assert width[0] > width[1] > width[2]


def test_qupaths_worked_example_gives_its_cps() -> None:
    counts = count_cells(many({"L+": 851, "T+": 1_005, "T-": 21_219}), 0.5, 500.0)
    assert (counts.immune_positive, counts.tumour_positive, counts.tumour_negative) == (851, 1_005, 21_219)
    assert combined_positive_score(counts) == pytest.approx(8.351332, abs=5e-7)
