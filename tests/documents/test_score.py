"""The gallery's list and the table of fields come back as they were written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from cxpath.data.reasons import Reason, ReasonCode
from cxpath.documents.base import Estimate
from cxpath.documents.review import ScoreBasis
from cxpath.documents.score import Counts, FieldRow, FieldsDocument, FieldTable, ScoreDocument, SlideScores
from cxpath.errors import DocumentError
from cxpath.scores.counts import CellCounts
from cxpath.scores.score import SlideScore, score_cells
from cxpath.scores.settings import Cutoff, ScoringSettings
from tests.report.run_folders import (
    TRIAL,
    borderline_score,
    coded,
    cutoff,
    document_of,
    normal_score,
    not_evaluable_score,
)
from tests.scores.tissues import GOOD, mixed


def test_the_gallery_of_a_run_comes_back(finished_runs: dict[str, Path], tmp_path: Path) -> None:
    gallery = FieldsDocument.read(finished_runs["normal"] / "fields" / "fields.json")
    assert [one.number for one in gallery.fields] == [1, 2, 3]
    gallery.write(tmp_path / "fields.json")
    assert FieldsDocument.read(tmp_path / "fields.json") == gallery


def test_a_damaged_gallery_names_the_field(finished_runs: dict[str, Path], tmp_path: Path) -> None:
    text = (finished_runs["normal"] / "fields" / "fields.json").read_text(encoding="utf-8")
    (tmp_path / "fields.json").write_text(text.replace('"bucket"', '"bucked"', 1), encoding="utf-8")
    with pytest.raises(DocumentError, match=r"fields\.json: fields\.0\.bucket: is missing"):
        FieldsDocument.read(tmp_path / "fields.json")


def test_a_local_cps_that_no_field_can_have_is_refused(
    finished_runs: dict[str, Path], tmp_path: Path
) -> None:
    document = json.loads((finished_runs["normal"] / "fields" / "fields.json").read_text(encoding="utf-8"))
    document["fields"][0]["local_cps"] = 1e300
    (tmp_path / "fields.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(DocumentError, match=r"fields\.json: fields\.0\.local_cps"):
        FieldsDocument.read(tmp_path / "fields.json")


def test_the_table_comes_back(tmp_path: Path) -> None:
    row = FieldRow(
        field=1, left_px=0.0, top_px=0.0, left_um=0.0, top_um=0.0, centre_x_um=250.0, centre_y_um=250.0,
        side_um=500.0, viable_tumour_cells=90, tumour_positive=9, immune_positive=0,
        share_of_tumour_cells=1.0, local_cps=10.0, influence=None,
    )  # fmt: skip
    table = FieldTable(viable_tumour_cells=90, fields=(row,))
    table.write(tmp_path / "table.json")
    assert FieldTable.read(tmp_path / "table.json") == table


@pytest.mark.parametrize("name", ["x" * 5000, "../../secret.png", "a/b.png", "", ".", "/etc/x.png"])
def test_a_picture_outside_the_folder_is_refused(
    finished_runs: dict[str, Path], tmp_path: Path, name: str
) -> None:
    document = json.loads((finished_runs["normal"] / "fields" / "fields.json").read_text(encoding="utf-8"))
    document["fields"][0]["plain"] = name
    (tmp_path / "fields.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(DocumentError, match=r"fields\.json: fields\.0\.plain"):
        FieldsDocument.read(tmp_path / "fields.json")


CUTOFFS = (Cutoff(1.0, "label"), Cutoff(10.0, "trial stratum, not a label"))


def scored() -> SlideScore:
    return score_cells(mixed({"T+": 40, "T-": 960, "L+": 10}), ScoringSettings(slide_error=GOOD), CUTOFFS)


def test_every_number_of_a_score_is_written_as_it_is() -> None:
    score = scored()
    written = SlideScores.of_score(score)
    assert score.cps is not None
    assert written.cps is not None
    assert written.cps.value == score.cps.value
    assert written.cps.interval_slide == score.cps.interval_slide
    assert written.cps.interval_tissue == score.cps.interval_tissue
    assert [entry.probability for _, entry in written.cps.decided] == [
        verdict.probability for verdict in score.cps.cutoffs
    ]
    assert written.counts is not None
    assert written.counts.as_counts() == score.counts
    assert written.immune_share == pytest.approx(10 / 50)
    assert [one.influence for one in written.influence] == [one.influence for one in score.influence]
    assert [one.cps for one in written.sensitivity] == [one.cps for one in score.sensitivity]
    assert written.heterogeneity is not None
    assert score.heterogeneity is not None
    assert written.heterogeneity.gini == score.heterogeneity.gini


def test_a_slide_without_cells_has_nulls_and_reasons() -> None:
    reason = Reason(ReasonCode.NO_TISSUE, "no tissue was found")
    written = SlideScores.of_score(SlideScore(100, (reason,)))
    assert (written.evaluable, written.counts, written.cps, written.immune_share) == (False, None, None, None)
    assert written.adequacy.viable_tumour_cells is None
    assert [(one.code, one.text) for one in written.not_evaluable_because] == [(reason.code, reason.text)]


def test_counts_come_back_with_their_unknown_parts() -> None:
    counts = CellCounts(1, 2, 3, 4, 5, 6)
    assert Counts.of(counts).as_counts() == counts
    assert Counts.of(counts).model_dump()["lymphocyte"] is None


def test_cut_offs_are_in_rising_order_and_the_uncertain_ones_are_named() -> None:
    near = document_of(borderline_score()).cps
    assert near is not None
    assert [cutoff for cutoff, _ in near.decided] == [1.0, 10.0]
    assert (near.uncertain, near.borderline) == ((1.0,), (1.0,))
    assert near.cutoffs["1"].met is None
    clear = document_of(normal_score()).cps
    assert clear is not None
    assert (clear.uncertain, clear.borderline, clear.cutoffs["10"].met) == ((), (), True)


def test_an_estimate_without_cut_offs_has_none() -> None:
    score = scored()
    assert score.tps is not None
    assert Estimate.of_score(score.tps).cutoffs == {}


def test_reasons_stand_on_one_line() -> None:
    assert document_of(not_evaluable_score()).reasons().count("; ") == 1
    assert document_of(normal_score()).reasons() == ""


def test_the_audit_and_the_review_have_their_place() -> None:
    stratum = {"name": "tumour stained", "cells": 900, "answered": 20, "cannot_tell": 1, "in_numerator": 18,
               "in_denominator": 19}  # fmt: skip
    audited = {
        "cps": 4.2, "interval": [2.0, 9.0], "interval_tissue": [1.5, 11.0], "level": 0.95,
        "bounds": [4.1, 4.3],
        "n": 100, "cannot_tell": 1, "answers": [stratum], "tumour_cells": 20_000.5, "hidden_cells": 3.5,
        "squares": 0, "reviewer": "Dr A", "utc": "2026-11-30T09:00:00Z", "seed": 1, "events": 8,
        "head_hash": "ab" * 32, "method": "difference", "warnings": [],
        "cutoffs": {"1": cutoff("label", "met", 0.99), "10": cutoff(TRIAL, "uncertain", 0.06)},
    }  # fmt: skip
    signed = {"name": "Dr A", "utc": "2026-11-30T10:00:00+00:00", "meaning": "reviewed"}
    review = {"edits": 3, "events": 9, "head_hash": "cd" * 32, "signature": signed}
    score = document_of(normal_score() | {"audited": audited, "review": review})
    assert score.audited is not None
    assert score.audited.interval == (2.0, 9.0)
    assert score.review is not None
    assert score.review.signature is not None
    decides = score.deciding
    assert decides.basis is ScoreBasis.AUDITED
    assert decides.estimate is not None
    assert (decides.estimate.value, decides.estimate.interval_tissue) == (4.2, (1.5, 11.0))
    assert decides.estimate.uncertain == (10.0,)
    assert ScoreDocument.model_validate_json(score.text(), strict=True) == score


@pytest.mark.parametrize("name", ["interval_slide", "interval_tissue"])
@pytest.mark.parametrize("bounds", [(1e308, 100.0), (-1.0, 5.0), (20.0, 10.0), (0.0, 100.1)])
def test_an_interval_that_no_score_can_have_is_refused(name: str, bounds: tuple[float, float]) -> None:
    whole = document_of(normal_score()).cps
    assert whole is not None
    with pytest.raises(ValidationError, match=name):
        Estimate.model_validate(whole.model_dump() | {name: bounds})


def test_a_score_above_100_is_refused() -> None:
    whole = document_of(normal_score()).cps
    assert whole is not None
    with pytest.raises(ValidationError, match="value"):
        Estimate.model_validate(whole.model_dump() | {"value": 130.0})


def test_an_audit_that_leaves_too_few_tumour_cells_is_not_evaluable_and_no_zero() -> None:
    edited = {"estimate": None, "not_evaluable_because": ["too few tumour cells"], "changed": 0, "added": 0,
              "removed": 900, "reviewer": "Dr A"}  # fmt: skip
    review = {"edits": 900, "events": 9, "head_hash": "cd" * 32, "edited": edited, "signature": None}
    decides = document_of(normal_score() | {"review": review}).deciding
    assert decides.basis is ScoreBasis.EDITED
    assert decides.estimate is None
    assert decides.not_evaluable_because == ("too few tumour cells",)
    assert document_of(normal_score()).deciding.basis is ScoreBasis.NETWORK


def test_what_is_not_evaluable_stays_so_whatever_a_person_answers() -> None:
    reason = coded("not_hdab", "no DAB on the slide")
    score = normal_score() | {"evaluable": False, "cps": None, "not_evaluable_because": [reason]}
    decides = document_of(score).deciding
    assert decides.estimate is None
    assert decides.not_evaluable_because == ("no DAB on the slide",)
