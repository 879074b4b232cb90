"""What a batch leaves next to its slides: tables, page, database; the same when they are made again.
Control limits: what is usual lies inside, a slide or a batch that drifts lies outside."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cxpath.batch.cohort import (
    Baseline,
    drift_charts,
    read_baseline,
    rebuild_cohort,
    write_cohort,
)
from cxpath.batch.run import batch_status, same_content
from cxpath.batch.task import StateFolder
from cxpath.batch.worklist import save_worklist
from cxpath.documents import CohortRow, Status
from cxpath.errors import CxpathError, MissingFileError
from cxpath.report.cohort_page import draw_chart
from tests.batch.fake_batches import run, tasks_of, write_slides
from tests.docs.pages import content
from tests.report.run_folders import NOTICE, TRIAL, cutoff

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
    with pytest.raises(CxpathError, match="is no cohort table"):
        read_baseline(tmp_path / "other.csv")
