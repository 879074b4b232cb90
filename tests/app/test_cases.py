"""Several blocks of one patient, and the fields of a slide, from results folders."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from cxpath.app.cases import CaseError, case_document, field_csv, field_table
from cxpath.data.reasons import ReasonCode
from cxpath.documents.score import CaseDocument
from cxpath.errors import DocumentError, MissingFileError
from cxpath.scores.case import CaseRule
from tests.cli.scored_folders import scored_folder
from tests.report.run_folders import coded
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
    with pytest.raises(CaseError, match="its slide is there twice"):
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
    assert [row.field for row in table.fields] == list(range(1, len(cells) + 1))
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
