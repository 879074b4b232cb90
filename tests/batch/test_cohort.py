"""What a batch leaves next to its slides: tables, page, database; the same when they are made again.
Control limits: what is usual lies inside, a slide or a batch that drifts lies outside."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cxpath.app.configuration import ScoreRequest
from cxpath.batch.cohort import (
    MEASURES,
    Baseline,
    SlideRecord,
    drift_charts,
    read_baseline,
    rebuild_cohort,
    row_of,
    write_cohort,
    write_tables,
)
from cxpath.batch.run import batch_status, same_content
from cxpath.batch.task import SlideTask, StateFolder
from cxpath.batch.worklist import save_worklist
from cxpath.documents import CohortRow, Outcome, RunDocument, Status
from cxpath.errors import CxpathError, MissingFileError
from cxpath.report.cohort_page import draw_chart
from tests.batch.fake_batches import run, tasks_of, write_slides
from tests.docs.pages import content
from tests.report.run_folders import (
    NOTICE,
    RUN,
    TRIAL,
    cutoff,
    document_of,
    normal_score,
    not_evaluable_score,
)

OUTPUTS = Path(__file__).resolve().parents[2] / "docs" / "reference" / "outputs.md"


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    """A batch of four slides: two scored, one not evaluable, one failed."""
    slides, out = (
        write_slides(tmp_path / "slides", a="fine", b="damaged", c="not-evaluable", d="fine"),
        tmp_path / "out",
    )
    result, tasks = run(slides, out), tasks_of(slides, out)
    save_worklist(StateFolder(out), tasks)
    write_cohort(out, tasks, result.outcomes)
    return out


def table(batch: Path) -> dict[str, dict[str, str]]:
    with (batch / "cohort.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def test_an_audited_slide_is_in_the_table_with_whose_score_it_is_and_who_signed(batch: Path) -> None:
    path = batch / "a" / "score.json"
    score = json.loads(path.read_text())
    audited = {
        "cps": 4.2, "interval": [2.0, 9.0], "interval_tissue": [1.5, 11.0], "level": 0.95,
        "bounds": [4.2, 4.2], "n": 100, "cannot_tell": 0, "answers": [], "tumour_cells": 20_000.5,
        "hidden_cells": 3.5, "squares": 0, "reviewer": "Dr A", "utc": "2026-11-30T09:00:00Z", "seed": 1,
        "events": 8, "head_hash": "ab" * 32, "method": "difference", "warnings": [],
        "cutoffs": {"1": cutoff("label", "met", 0.99), "10": cutoff(TRIAL, "uncertain", 0.06)},
    }  # fmt: skip
    signed = {"name": "Dr B", "utc": "2026-11-30T10:00:00Z", "meaning": "approved"}
    review = {"edits": 0, "events": 9, "head_hash": "cd" * 32, "signature": signed}
    path.write_text(json.dumps(score | {"audited": audited, "review": review}))
    rebuild_cohort(batch)
    rows = table(batch)
    row = rows["a"]
    assert (row["cps"], row["cps_basis"], row["cps_network"]) == (
        "4.2",
        "audited",
        str(score["cps"]["value"]),
    )
    assert (row["cps_low"], row["cps_high"], row["cps_slide_low"]) == ("1.5", "11.0", "2.0")
    assert (row["cps_at_least_1"], row["cps_at_least_10"]) == ("yes", "")
    assert (row["reviewer"], row["signed_by"], row["signed_utc"]) == ("Dr A", "Dr B", signed["utc"])
    assert (rows["d"]["cps_basis"], rows["d"]["signed_by"]) == ("network", "")
    assert (rows["c"]["cps_basis"], rows["c"]["reviewer"]) == ("", "")


def test_the_table_has_a_row_a_slide_and_never_a_score_of_what_failed(batch: Path) -> None:
    rows = table(batch)
    assert [row["status"] for row in rows.values()] == ["scored", "failed", "not evaluable", "scored"]
    assert rows["a"]["cps"] == str(json.loads((batch / "a" / "score.json").read_text())["cps"]["value"])
    assert rows["b"]["cps"] == rows["b"]["viable_tumour_cells"] == rows["c"]["cps"] == ""
    assert rows["b"]["hint"] == "scan it again"
    assert rows["c"]["not_evaluable_because"] == "no tissue was found"


def test_parquet_and_csv_agree(batch: Path) -> None:
    found = pq.read_table(batch / "cohort.parquet").to_pylist()
    assert [(row["id"], row["status"]) for row in found] == [
        (row["id"], row["status"]) for row in table(batch).values()
    ]


def test_all_is_made_again_from_the_files_alone(batch: Path) -> None:
    before = {name: (batch / name).read_bytes() for name in ("cohort.csv", "cohort.html")}
    for name in (*before, "cohort.parquet"):
        (batch / name).unlink()
    assert len(rebuild_cohort(batch)) == 4
    assert {name: (batch / name).read_bytes() for name in before} == before
    assert (batch / "cohort.parquet").is_file()


def test_a_failed_slide_does_not_show_the_result_of_other_settings(batch: Path) -> None:
    (batch / "b").mkdir()
    (batch / "b" / "score.json").write_text((batch / "a" / "score.json").read_text())
    rebuild_cohort(batch)
    assert table(batch)["b"]["cps"] == ""


def test_a_damaged_result_stands_in_the_table_as_failed_with_what_is_wrong(batch: Path) -> None:
    (batch / "a" / "score.json").write_text("[]")
    rebuild_cohort(batch)
    row = table(batch)["a"]
    assert (row["status"], row["cps"]) == ("failed", "")
    assert row["reason"].startswith("a/score.json: ")
    assert "again" in row["hint"]
    assert table(batch)["d"]["status"] == "scored"


def test_the_notice_has_its_column_and_other_warnings_theirs(batch: Path) -> None:
    rows = table(batch)
    assert rows["a"]["notice"] == NOTICE
    assert NOTICE not in rows["a"]["warnings"]
    assert rows["a"]["warnings"] == "the file contains 2 pictures; the first one is read"
    assert (rows["b"]["notice"], rows["b"]["warnings"]) == ("", "")
    assert NOTICE[1:] in (batch / "cohort.html").read_text(encoding="utf-8")


def test_a_cut_off_is_met_not_met_or_left_open(batch: Path) -> None:
    score = json.loads((batch / "a" / "score.json").read_text())
    score["cps"]["cutoffs"]["10"] = cutoff(TRIAL, "uncertain", 0.3, borderline=True)
    (batch / "a" / "score.json").write_text(json.dumps(score))
    rebuild_cohort(batch)
    row = table(batch)["a"]
    assert (row["cps_at_least_1"], row["cps_at_least_10"]) == ("yes", "")
    assert (row["borderline"], row["uncertain_cutoffs"]) == ("yes", "CPS ≥ 10")
    assert (table(batch)["d"]["borderline"], table(batch)["d"]["uncertain_cutoffs"]) == ("no", "")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text[:100], "a/score.json: not readable JSON"),
        (lambda text: text.replace('"adequacy"', '"adequasy"'), "a/score.json: adequacy: is missing"),
        (lambda text: text.replace("score/2", "score/1"), "a/score.json: schema is 'cxpath/score/1'"),
    ],
)
def test_a_result_that_cannot_be_read_is_said_in_its_row(
    batch: Path, damage: Callable[[str], str], said: str
) -> None:
    path = batch / "a" / "score.json"
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    rebuild_cohort(batch)
    row = table(batch)["a"]
    assert row["reason"].startswith(said)
    assert row["cps"] == ""
    assert table(batch)["d"]["cps"] != ""


def test_status_tells_how_it_stands(batch: Path) -> None:
    found = batch_status(batch)
    assert (found.running, found.slides, found.left, found.scored) == (False, 4, 0, 2)
    assert [one.id for one in found.failures] == ["b"]
    with StateFolder(batch).run_lock():
        assert batch_status(batch).running
    (StateFolder(batch).outcomes / "a.json").unlink()
    assert batch_status(batch).left == 1


def test_a_folder_without_a_batch_is_said(tmp_path: Path) -> None:
    for ask in (batch_status, rebuild_cohort):
        with pytest.raises(MissingFileError, match="contains no batch"):
            ask(tmp_path)


def test_one_slide_under_two_names_is_noticed() -> None:
    rows = [
        CohortRow(id=name, slide=name, status=Status.SCORED, slide_digest=digest)
        for name, digest in [("a", "1"), ("b", "2"), ("c", "1"), ("d", None)]
    ]
    assert same_content(rows) == (("a", "c"),)


def test_every_column_is_explained_in_the_reference() -> None:
    text = content(OUTPUTS)
    assert [column.name for column in CohortRow.columns() if f"| `{column.name}` |" not in text] == []


def rows(*values: float | None, batch: str | None = None) -> list[CohortRow]:
    return [
        CohortRow(id=f"{batch}{n}", slide="a.svs", status=Status.SCORED, batch=batch, hematoxylin_red=value)
        for n, value in enumerate(values)
    ]


USUAL = rows(*(0.70 + 0.01 * (number % 5 - 2) for number in range(20)), batch="monday")


def test_a_slide_outside_three_standard_deviations_is_marked() -> None:
    (chart,) = drift_charts([*USUAL, *rows(0.80, batch="tuesday")], Baseline("last year", USUAL))
    assert chart.title == "Haematoxylin, red part"
    assert [point.id for point in chart.points if point.outside] == ["tuesday0"]
    assert chart.baseline == "last year, 20 slides"
    assert chart.centre == pytest.approx(0.70)


def test_a_baseline_that_contains_the_cohort_says_so() -> None:
    same = [row.model_copy(update={"slide_digest": f"d{number}"}) for number, row in enumerate(USUAL)]
    (chart,) = drift_charts(same[:5], Baseline("last year", same))
    assert chart.baseline == "last year (5 of it in this cohort), 20 slides"


def test_a_batch_whose_slides_all_lean_one_way_is_marked_though_none_of_them_is() -> None:
    (chart,) = drift_charts([*USUAL, *rows(*[0.72] * 9, batch="tuesday")], Baseline("last year", USUAL))
    assert chart.outside == 0
    assert [(group.name, group.outside) for group in chart.groups] == [("monday", False), ("tuesday", True)]


def test_too_small_a_baseline_gives_no_limits() -> None:
    (chart,) = drift_charts(rows(0.7, 0.9), None)
    assert (chart.centre, chart.low, chart.outside) == (None, None, 0)


def test_slides_without_a_measure_are_left_out() -> None:
    assert drift_charts(rows(None)) == []


def test_places_of_a_chart_stay_inside_it() -> None:
    (chart,) = drift_charts([*USUAL, *rows(0.9, batch="tuesday")])
    drawn = draw_chart(chart)
    assert all(0 <= mark.y <= 150 and 0 <= mark.x <= 640 for mark in drawn.marks)
    assert [band.name for band in drawn.bands] == ["monday", "tuesday"]
    assert [name for _, name, _ in drawn.lines] == ["upper limit", "mean", "lower limit"]


def test_a_baseline_is_an_earlier_cohort(tmp_path: Path) -> None:
    (tmp_path / "cohort.csv").write_text(
        "id,slide,status,white_red,borderline,seconds,note\na,a.svs,scored,240,yes,,mine\n",
        encoding="utf-8-sig",
    )
    (row,) = read_baseline(tmp_path).rows
    assert (
        row.entries()
        == CohortRow(id="a", slide="a.svs", status=Status.SCORED, white_red=240.0, borderline=True).entries()
    )
    assert read_baseline(tmp_path).name == tmp_path.name, "its folders may tell a person's name"
    assert read_baseline(tmp_path / "cohort.csv").name == "cohort.csv"
    with pytest.raises(MissingFileError, match="no such file"):
        read_baseline(tmp_path / "gone.csv")
    (tmp_path / "comma.csv").write_text('id,slide,status,white_red\na,a.svs,scored,"240,5"\n')
    with pytest.raises(CxpathError, match=r"comma\.csv: line 2: white_red: .*number"):
        read_baseline(tmp_path / "comma.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(CxpathError, match="is not a cohort table"):
        read_baseline(tmp_path / "other.csv")


# A row by itself.


def record(
    score: dict[str, Any] | None = None, run_: dict[str, Any] | None = None, **facts: str
) -> SlideRecord:
    request = ScoreRequest(Path("a.svs"), Path("out") / "a", assay="22c3")
    outcome = Outcome(id="a", status=Status.SCORED, attempts=1)
    return SlideRecord(
        SlideTask("a", request, facts),
        outcome,
        document_of(score) if score else None,
        RunDocument.model_validate(run_) if run_ else None,
    )


def test_a_slide_without_a_result_has_what_the_worklist_and_the_attempt_say_and_nothing_else() -> None:
    row = row_of(record(case="17", scanner="AT2", note_lab="north"))
    stated = {name: value for name, value in row.entries().items() if value is not None}
    assert stated == {
        "id": "a",
        "slide": "a.svs",
        "case": "17",
        "scanner": "AT2",
        "status": "scored",
        "assay": "22c3",
        "tumour": "cervix",
        "marker": "pdl1",
        "attempts": 1,
    }
    assert row.notes == {"note_lab": "north"}


def test_every_column_is_filled_by_a_whole_result_and_from_where_it_belongs() -> None:
    row = row_of(record(normal_score() | {"h_score": 41.0}, RUN))
    assert (row.cps, row.cps_reported, row.cps_basis, row.cps_network) == (
        12.341069,
        "12",
        "network",
        12.341069,
    )
    assert (row.cps_low, row.cps_high, row.cps_slide_low, row.cps_slide_high) == (10.13, 14.92, 11.04, 13.83)
    assert (row.tps, row.tps_low, row.tps_high, row.h_score) == (8.508, 6.9, 10.2, 41.0)
    assert (row.tumour_positive, row.tumour_negative, row.immune_positive) == (4_102, 44_111, 1_848)
    assert row.scored_mm2 == 38.42
    assert row.excluded_mm2 == pytest.approx(0.81 + 1.64 + 0.12)
    assert row.in_focus_percent == pytest.approx(100 * 38.42 / (38.42 + 1.64))
    assert row.tumour_cells_per_mm2 == pytest.approx(48_213 / 38.42)
    assert (row.white_red, row.white_green, row.white_blue) == (243.0, 242.1, 240.6)
    assert (row.hematoxylin_red, row.hematoxylin_green, row.hematoxylin_blue) == (0.70, 0.64, 0.31)
    assert (row.dab_red, row.dab_green, row.dab_blue) == (0.33, 0.53, 0.78)
    assert (row.model, row.cxpath, row.mpp, row.mpp_source) == (
        "first-light",
        "0.1.0",
        0.25,
        "openslide.mpp-x",
    )
    assert row.scanner == "aperio", "the file's own word, where the worklist has none"


def test_a_slide_that_is_not_evaluable_has_no_score_and_is_neither_borderline_nor_clear() -> None:
    row = row_of(record(not_evaluable_score(), RUN))
    assert (row.cps, row.cps_basis, row.borderline, row.uncertain_cutoffs) == (None, None, None, None)
    assert row.not_evaluable_because is not None
    assert row.not_evaluable_because.count(";") == 1
    assert row.viable_tumour_cells == 37


def test_a_score_without_cutoffs_is_not_said_to_be_clear() -> None:
    plain = normal_score()
    plain["cps"] = plain["cps"] | {"cutoffs": {}}
    row = row_of(record(plain))
    assert (row.cps_at_least_1, row.cps_at_least_10, row.borderline) == (None, None, None)


@pytest.mark.parametrize(
    ("properties", "scanner"),
    [
        ({"tiff.Model": "X1", "leica.device-model": "Leica GT450"}, "Leica GT450"),
        ({"tiff.Model": "X1", "leica.device-model": ""}, "X1"),
        ({"dicom.ManufacturerModelName": "P1000"}, "P1000"),
        ({}, "aperio"),
    ],
)
def test_the_scanner_is_that_of_the_file_unless_the_worklist_says(
    properties: dict[str, str], scanner: str
) -> None:
    run_ = RUN | {"slide": RUN["slide"] | {"properties": properties}}
    assert row_of(record(normal_score(), run_)).scanner == scanner
    assert row_of(record(normal_score(), run_, scanner="ours")).scanner == "ours"


def test_tissue_that_was_never_seen_has_no_share_in_focus_and_no_density() -> None:
    nothing = normal_score()
    nothing["tissue"] = nothing["tissue"] | {"scored_mm2": 0.0, "excluded_mm2": {"pen": 1.0}}
    row = row_of(record(nothing))
    assert (row.in_focus_percent, row.tumour_cells_per_mm2, row.excluded_mm2) == (None, None, 1.0)


def test_a_measure_of_several_columns_needs_all_of_them() -> None:
    (brightness,) = (one for one in MEASURES if one.title == "Background brightness")
    row = row_of(record(normal_score(), RUN))
    assert brightness.value(row) == pytest.approx((243.0 + 242.1 + 240.6) / 3)
    assert brightness.value(row.model_copy(update={"white_blue": None})) is None


def test_slides_are_grouped_by_scanner_only_where_no_batch_is_stated() -> None:
    of_scanner = [row.model_copy(update={"batch": None, "scanner": "AT2"}) for row in USUAL]
    (chart,) = drift_charts(of_scanner)
    assert (chart.grouped_by, [group.name for group in chart.groups]) == ("scanner", ["AT2"])
    (mixed,) = drift_charts([*of_scanner, *USUAL])
    assert mixed.grouped_by == "batch"
    assert [group.name for group in mixed.groups] == ["not stated", "monday"]


def test_a_measure_that_never_varies_marks_what_differs_and_nothing_else() -> None:
    steady = rows(*[0.7] * 10, batch="monday")
    (chart,) = drift_charts([*steady, *rows(0.7 + 1e-12, 0.71, batch="tuesday")], Baseline("b", steady))
    assert [point.id for point in chart.points if point.outside] == ["tuesday1"]
    assert (chart.low, chart.high) == (chart.centre, chart.centre)


# What a damaged result looks like.


@pytest.mark.parametrize("name", ["tissue.png", "heatmap.png", "report.html", "fields/fields.json"])
def test_a_file_that_breaks_off_makes_the_slide_a_failure_that_is_scored_again(
    batch: Path, name: str
) -> None:
    path = batch / "a" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"half")
    rebuild_cohort(batch)
    row = table(batch)["a"]
    assert (row["status"], row["reason"], row["cps"]) == ("failed", f"a/{name}: is incomplete", "")
    assert "the slide is scored again" in row["hint"]


def test_a_table_of_cells_that_is_not_there_or_not_whole_is_named(batch: Path) -> None:
    path = batch / "a" / "cells.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    rebuild_cohort(batch)
    assert table(batch)["a"]["reason"] == "a/cells.parquet: is incomplete"
    path.unlink()
    rebuild_cohort(batch)
    assert table(batch)["a"]["reason"] == "a/cells.parquet: no such file"


def test_a_result_without_a_digest_of_its_slide_is_no_result(batch: Path) -> None:
    path = batch / "a" / "score.json"
    score = json.loads(path.read_text(encoding="utf-8"))
    score["slide"]["digest"] = ""
    path.write_text(json.dumps(score), encoding="utf-8")
    rebuild_cohort(batch)
    assert table(batch)["a"]["reason"] == "a/score.json: slide.digest: is empty"


def test_notes_of_the_worklist_are_columns_of_both_tables(tmp_path: Path) -> None:
    noted = CohortRow(id="a", slide="a.svs", status=Status.SCORED, notes={"note_site": "=1+1"})
    plain = CohortRow(id="b", slide="b.svs", status=Status.FAILED, borderline=False)
    write_tables(tmp_path, [noted, plain])
    found = pq.read_table(tmp_path / "cohort.parquet").to_pylist()
    assert [row["note_site"] for row in found] == ["=1+1", None]
    assert [row["borderline"] for row in found] == [None, False]
    lines = list(csv.DictReader((tmp_path / "cohort.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert [line["borderline"] for line in lines] == ["", "no"]
    assert not lines[0]["note_site"].startswith("="), "a spreadsheet would compute it"
