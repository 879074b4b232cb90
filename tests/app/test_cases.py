"""Cases of several slides, and results joined with manual reads."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from cxpath.app.cases import (
    NEWEST,
    SOFTWARE,
    CaseError,
    JoinedReads,
    case_document,
    field_csv,
    field_table,
    join_results,
    plain_name,
    results_by_name,
    slide_names,
)
from cxpath.data.reads import NOT_EVALUABLE, Read, exactly
from cxpath.data.reasons import ReasonCode
from cxpath.documents.score import CaseDocument, ScoreDocument
from cxpath.errors import DocumentError, MissingFileError, StudyError
from cxpath.scores.case import CaseRule
from cxpath.scores.fields import field_number
from tests.cli.scored_folders import scored_folder
from tests.report.run_folders import RUN, coded, normal_score, not_evaluable_score, write_run
from tests.synthetic_cells import many

LOW, HIGH = {"T+": 4, "T-": 196}, {"T+": 90, "T-": 110, "L+": 20}


def block(folder: Path, cells: dict[str, int], **changes: Any) -> Path:
    return scored_folder(folder, many(cells), **changes)


@pytest.fixture
def blocks(tmp_path: Path) -> list[Path]:
    return [block(tmp_path / "low", LOW), block(tmp_path / "high", HIGH)]


def test_pooling_counts_all_cells_once(blocks: list[Path]) -> None:
    case = case_document(blocks, CaseRule.POOLED)
    assert case.cps is not None
    assert case.cps.value == pytest.approx(100 * (4 + 90 + 20) / 400)
    assert case.counts is not None
    assert (case.counts.tumour_positive, case.counts.tumour_negative) == (94, 306)
    assert [(one.name, one.stands_for_case) for one in case.slides] == [("low.svs", True), ("high.svs", True)]
    assert sum(one.share_of_tumour_cells for one in case.slides) == pytest.approx(1.0)


def test_the_highest_block_stands_alone(blocks: list[Path]) -> None:
    case = case_document(blocks, CaseRule.HIGHEST)
    assert case.cps is not None
    assert case.cps.value == pytest.approx(55.0)
    assert [one.stands_for_case for one in case.slides] == [False, True]
    assert case.rule_in_words == CaseRule.HIGHEST.words


def test_the_order_of_the_blocks_changes_neither_score_nor_digest(blocks: list[Path]) -> None:
    one, other = case_document(blocks, CaseRule.POOLED), case_document(blocks[::-1], CaseRule.POOLED)
    assert one.digest == other.digest
    assert one.cps is not None
    assert other.cps is not None
    assert one.cps.value == other.cps.value


def test_another_block_makes_another_case(blocks: list[Path]) -> None:
    alone = case_document(blocks[:1], CaseRule.POOLED)
    assert alone.digest != case_document(blocks, CaseRule.POOLED).digest
    assert alone.cps is not None
    assert alone.cps.value == pytest.approx(2.0)


def test_a_block_that_is_not_evaluable_is_left_out_and_named(blocks: list[Path], tmp_path: Path) -> None:
    why = coded("no_tissue", "no tissue was found")
    empty = block(tmp_path / "empty", {"T-": 1}, evaluable=False, not_evaluable_because=[why], cps=None)
    case = case_document([*blocks, empty], CaseRule.POOLED)
    (left,) = case.left_out
    assert (left.slide, [one.text for one in left.because]) == ("empty.svs", ["no tissue was found"])
    assert len(case.slides) == 2
    alone = case_document([empty], CaseRule.POOLED)
    assert not alone.evaluable
    assert (alone.cps, alone.counts, alone.slides) == (None, None, ())
    assert [one.code for one in alone.not_evaluable_because] == [ReasonCode.NO_EVALUABLE_SLIDE]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"assay": "28-8"}, "assay is '28-8', but that of"),
        ({"tumour": "lung"}, "tumour is 'lung', but that of"),
        ({"provenance": {"model_digest": "ff" * 32}}, "model is 'ffffffffffffffff', but that of"),
        ({"scoring": {"association_distance_um": 30.0}}, "was scored with other settings than"),
    ],
)
def test_blocks_that_were_scored_otherwise_are_no_case(
    changes: dict[str, Any], said: str, blocks: list[Path], tmp_path: Path
) -> None:
    other = block(tmp_path / "other", HIGH, **changes)
    with pytest.raises(CaseError) as error:
        case_document([*blocks, other], CaseRule.POOLED)
    assert str(error.value).startswith(f"{other}: {said}")
    assert error.value.hint


def test_one_slide_twice_is_no_case(blocks: list[Path]) -> None:
    with pytest.raises(CaseError, match="its slide was given twice"):
        case_document([*blocks, blocks[0]], CaseRule.POOLED)


def test_no_block_and_no_result_are_said(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="no results folder was given"):
        case_document([], CaseRule.POOLED)
    with pytest.raises(MissingFileError, match="no such file"):
        case_document([tmp_path], CaseRule.POOLED)


def test_a_damaged_result_is_named(blocks: list[Path]) -> None:
    (blocks[1] / "score.json").write_text("{}")
    with pytest.raises(DocumentError, match=r"high/score\.json: schema is None"):
        case_document(blocks, CaseRule.POOLED)


def test_a_case_comes_back_as_it_was_written(blocks: list[Path], tmp_path: Path) -> None:
    case = case_document(blocks, CaseRule.POOLED)
    case.write(tmp_path / "case.json")
    assert CaseDocument.read(tmp_path / "case.json") == case


# Fields.


def test_fields_contain_every_tumour_cell_once_and_the_largest_come_first(blocks: list[Path]) -> None:
    table = field_table(blocks[1])
    cells = [row.viable_tumour_cells for row in table.fields]
    assert sum(cells) == table.viable_tumour_cells == 200
    assert cells == sorted(cells, reverse=True)
    score = ScoreDocument.read(blocks[1] / "score.json")
    places = [(row.left_um, row.top_um) for row in table.fields]
    slide, side_um = score.slide, score.scoring.field_um
    numbers = [field_number(*place, side_um, slide.width_px, slide.mpp) for place in places]
    assert [row.field for row in table.fields] == numbers
    assert sum(row.share_of_tumour_cells for row in table.fields) == pytest.approx(1.0, abs=1e-4)


def test_a_fields_place_is_stated_in_pixels_and_micrometres(blocks: list[Path]) -> None:
    mpp = json.loads((blocks[0] / "score.json").read_text())["slide"]["mpp"]
    for row in field_table(blocks[0]).fields:
        assert (row.left_um, row.top_um) == pytest.approx((row.left_px * mpp, row.top_px * mpp), abs=0.1)
        assert row.centre_x_um - row.left_um == pytest.approx(row.side_um / 2, abs=0.11)


def test_the_only_field_has_no_influence(blocks: list[Path]) -> None:
    (row,) = field_table(blocks[0]).fields
    assert row.influence is None, "without it there is no tumour"
    assert row.local_cps == pytest.approx(2.0)


def test_the_table_as_csv_has_a_row_a_field_and_empty_places_for_what_is_unknown(blocks: list[Path]) -> None:
    table = field_table(blocks[0])
    (row,) = csv.DictReader(io.StringIO(field_csv(table)))
    assert row["viable_tumour_cells"] == "200"
    assert row["influence"] == ""
    assert list(row) == list(type(table.fields[0]).model_fields)


def test_a_result_without_cells_has_no_fields(blocks: list[Path]) -> None:
    (blocks[0] / "cells.parquet").unlink()
    with pytest.raises(MissingFileError, match=r"contains no cells \(no cells were looked for\)"):
        field_table(blocks[0])


def result(
    folder: Path, slide: str, *, score: dict[str, Any] | None = None, started: str = "", **changes: Any
) -> Path:
    """Write a result of a slide of that name."""
    document = (score or normal_score()) | changes
    document["slide"] = document["slide"] | {"name": slide, "digest": slide.partition(".")[0].lower()}
    folder.parent.mkdir(parents=True, exist_ok=True)
    write_run(folder, document, pictures=False)
    if started:
        (folder / "run.json").write_text(json.dumps(RUN | {"started": started}))
    return folder


def read(case: str, value: float = 1.0, *, reader: str = "Ann", **others: Any) -> Read:
    return Read(case=case, reader=reader, value=exactly(value), **others)


def software(joined: JoinedReads) -> dict[str, Read]:
    return {one.slide or one.case: one for one in joined.reads if one.reader == SOFTWARE}


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Case 17.svs", "case 17"),
        ("folder/CASE.ome.tiff", "case.ome"),
        (" 4711.ndpi ", "4711"),
        ("B21.1234", "b21.1234"),
        ("scan.2026", "scan.2026"),
        ("a.b c", "a.b c"),
        (".svs", ""),
        ("plain", "plain"),
    ],
)
def test_a_name_is_compared_without_folder_ending_and_case(name: str, plain: str) -> None:
    assert plain_name(name) == plain


def test_the_slides_name_is_looked_for_before_the_cases() -> None:
    assert slide_names("S1.svs", "C1") == ("s1", "c1")
    assert slide_names("", "C1") == ("c1",)


def test_every_unit_that_has_a_result_gains_one_read_of_cxpath(tmp_path: Path) -> None:
    result(tmp_path / "r" / "1", "A.svs")
    result(tmp_path / "r" / "2", "B-1.svs", score=not_evaluable_score())
    reads = [
        read("a", reader="Bob"),
        read("a", patient="P", groups={"site": "north"}),
        read("b", slide="b-1.ndpi"),
        read("c"),
    ]
    joined = join_results(reads, [tmp_path / "r"], "CPS")
    assert joined.reads[: len(reads)] == tuple(reads)
    found = software(joined)
    assert found.keys() == {"a", "b-1.ndpi"}
    assert found["a"].value == exactly(normal_score()["cps"]["value"])
    assert (found["a"].patient, found["a"].groups) == ("P", {"site": "north"})
    assert found["b-1.ndpi"].value == NOT_EVALUABLE
    assert joined.results == 2
    assert joined.model_digests == (normal_score()["provenance"]["model_digest"],)
    assert [one.text for one in joined.warnings] == [
        "1 case has no cxpath result and is compared among readers only"
    ]


def test_the_tps_is_joined_where_it_is_asked_for(tmp_path: Path) -> None:
    result(tmp_path / "1", "A.svs")
    joined = join_results([read("a", score="tps"), read("b", score="CPS")], [tmp_path / "1"], "TPS")
    (found,) = software(joined).values()
    assert (found.score, found.value) == ("tps", exactly(normal_score()["tps"]["value"]))


def test_a_score_that_cxpath_does_not_make_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="contain CPS and TPS, not 'IC'"):
        join_results([read("a", score="IC")], [tmp_path], "IC")


def test_results_of_no_case_and_other_assays_are_remarked(tmp_path: Path) -> None:
    for name in ("a", "v", "w", "x", "y"):
        result(tmp_path / "r" / name, f"{name}.svs", assay="28-8")
    joined = join_results([read("a", assay="22C3")], [tmp_path / "r"], "CPS")
    assert [one.text for one in joined.warnings] == [
        "4 cxpath results are of no case in the table: v, w, x, ...",
        "reads and results state different assays: 22C3 and 28-8",
    ]


@pytest.mark.parametrize(("read_as", "scored_as"), [("", "28-8"), ("22C3", "unknown"), ("22C3", "22c3")])
def test_an_assay_that_nobody_stated_or_that_is_the_same_is_no_difference(
    read_as: str, scored_as: str, tmp_path: Path
) -> None:
    result(tmp_path / "1", "a.svs", assay=scored_as)
    assert join_results([read("a", assay=read_as)], [tmp_path / "1"], "CPS").warnings == ()


def test_a_table_that_no_result_fits_is_refused_with_an_example(tmp_path: Path) -> None:
    result(tmp_path / "1", "Other.svs")
    with pytest.raises(StudyError, match=r"none of 1 results is of .* \(first result: other\)"):
        join_results([read("a")], [tmp_path / "1"], "CPS")


def test_a_folder_without_results_and_a_damaged_one_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="contains no result of cxpath score"):
        results_by_name([tmp_path])
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "score.json").write_text("{")
    with pytest.raises(DocumentError, match="not readable JSON"):
        results_by_name([tmp_path])


def test_one_folder_named_twice_is_one_result(tmp_path: Path) -> None:
    folder = result(tmp_path / "r" / "1", "a.svs")
    assert results_by_name([folder, tmp_path / "r", folder]) == {"a": folder}


def two_results(tmp_path: Path) -> list[Path]:
    return [
        result(tmp_path / "first run", "a.svs", started="2026-11-30T10:00:00+02:00"),
        result(tmp_path / "second run", "a.svs", started="2026-11-30T09:00:00"),
    ]


def test_of_several_results_of_a_slide_one_must_be_chosen(tmp_path: Path) -> None:
    first, second = two_results(tmp_path)
    with pytest.raises(StudyError, match="is of the same slide as") as error:
        results_by_name([first, second])
    assert "--prefer newest" in (error.value.hint or "")
    assert results_by_name([first, second], "first")["a"] == first
    with pytest.raises(StudyError, match="of 2 results of its slide 2 have 'run' in their path"):
        results_by_name([first, second], "run")
    with pytest.raises(StudyError, match="of 2 results of its slide 0 have 'third' in their path"):
        results_by_name([first, second], "third")


def test_the_newest_is_the_one_that_began_last_whatever_its_time_zone(tmp_path: Path) -> None:
    first, second = two_results(tmp_path)  # 08:00 and 09:00 UTC
    assert results_by_name([first, second], NEWEST)["a"] == second


def test_a_run_that_does_not_say_when_it_began_is_never_the_newest_by_chance(tmp_path: Path) -> None:
    first, second = two_results(tmp_path)
    (first / "run.json").write_text(json.dumps(RUN | {"started": "yesterday"}))
    with pytest.raises(StudyError, match="does not say when the run began"):
        results_by_name([first, second], NEWEST)


def test_another_slide_of_the_same_name_is_not_taken_for_the_newest(tmp_path: Path) -> None:
    first, second = two_results(tmp_path)
    score = json.loads((second / "score.json").read_text())
    score["slide"]["digest"] = "another"
    (second / "score.json").write_text(json.dumps(score))
    for prefer in ("", NEWEST):
        with pytest.raises(StudyError, match="is of another slide of the same name"):
            results_by_name([first, second], prefer)
    assert results_by_name([first, second], "second")["a"] == second


def test_a_result_of_the_case_that_stands_for_two_of_its_slides_is_said(tmp_path: Path) -> None:
    result(tmp_path / "r" / "1", "C1.svs")
    joined = join_results([read("C1", slide="1"), read("C1", slide="2")], [tmp_path / "r"], "CPS")
    assert [one.text for one in joined.warnings if "another slide of the same case" in one.text]
    alone = join_results([read("C1", slide="1")], [tmp_path / "r"], "CPS")
    assert not [one for one in alone.warnings if "another slide of the same case" in one.text]
