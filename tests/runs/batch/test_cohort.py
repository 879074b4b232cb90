"""What a batch leaves beside its slides: tables, page, database; the same when they are made again."""

import csv
import json
import sqlite3
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cxpath.runs.batch.batch_status import batch_status
from cxpath.runs.batch.cohort import fill_database, rebuild_cohort, write_cohort
from cxpath.runs.batch.cohort_columns import COLUMNS
from cxpath.runs.batch.manifest import same_content
from cxpath.runs.batch.saved_worklist import save_worklist
from cxpath.runs.batch.state_folder import StateFolder
from cxpath.values.errors import MissingFileError
from tests.runs.batch.fake_batches import run, tasks_of, write_slides

OUTPUTS = Path(__file__).resolve().parents[3] / "docs" / "reference" / "outputs.md"


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    """A batch of four slides: two scored, one not evaluable, one failed."""
    slides, out = (
        write_slides(tmp_path / "slides", a="fine", b="damaged", c="not-evaluable", d="fine"),
        tmp_path / "out",
    )
    result, tasks = run(slides, out), tasks_of(slides, out)
    save_worklist(StateFolder(out), tasks)
    fill_database(out, write_cohort(out, tasks, result.outcomes))
    return out


def table(batch: Path) -> dict[str, dict[str, str]]:
    with (batch / "cohort.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def test_the_table_has_a_row_a_slide_and_never_a_score_of_what_failed(batch: Path) -> None:
    rows = table(batch)
    assert [row["status"] for row in rows.values()] == ["scored", "failed", "not evaluable", "scored"]
    assert rows["a"]["cps"] == str(json.loads((batch / "a" / "score.json").read_text())["cps"]["value"])
    assert rows["b"]["cps"] == rows["b"]["viable_tumour_cells"] == rows["c"]["cps"] == ""
    assert rows["b"]["hint"] == "scan it again"
    assert rows["c"]["not_evaluable_because"] == "no tissue was found"


def test_parquet_csv_and_database_agree(batch: Path) -> None:
    found = pq.read_table(batch / "cohort.parquet").to_pylist()
    assert [row["id"] for row in found] == list(table(batch))
    with sqlite3.connect(batch / "results.db") as connection:
        rows = connection.execute("SELECT id, cps, status FROM slides ORDER BY id").fetchall()
    connection.close()
    assert rows == [(row["id"], row["cps"], row["status"]) for row in found]


def test_all_is_made_again_from_the_files_alone(batch: Path) -> None:
    before = {name: (batch / name).read_bytes() for name in ("cohort.csv", "cohort.html")}
    for name in (*before, "cohort.parquet", "results.db"):
        (batch / name).unlink()
    assert len(rebuild_cohort(batch)) == 4
    assert {name: (batch / name).read_bytes() for name in before} == before
    assert (batch / "results.db").is_file()


def test_a_failed_slide_does_not_show_the_result_of_other_settings(batch: Path) -> None:
    (batch / "b").mkdir()
    (batch / "b" / "score.json").write_text((batch / "a" / "score.json").read_text())
    rebuild_cohort(batch)
    assert table(batch)["b"]["cps"] == ""


def test_status_tells_how_it_stands(batch: Path) -> None:
    found = batch_status(batch)
    assert (found["running"], found["slides"], found["left"], found["scored"]) == (False, 4, 0, 2)
    assert [one["id"] for one in found["failures"]] == ["b"]
    with StateFolder(batch).run_lock():
        assert batch_status(batch)["running"]
    (StateFolder(batch).outcomes / "a.json").unlink()
    assert batch_status(batch)["left"] == 1


def test_a_folder_without_a_batch_is_said(tmp_path: Path) -> None:
    for ask in (batch_status, rebuild_cohort):
        with pytest.raises(MissingFileError, match="holds no batch"):
            ask(tmp_path)


def test_one_slide_under_two_names_is_noticed() -> None:
    rows = [
        {"id": name, "slide_digest": digest}
        for name, digest in [("a", "1"), ("b", "2"), ("c", "1"), ("d", None)]
    ]
    assert same_content(rows) == [["a", "c"]]


def test_every_column_is_explained_in_the_reference() -> None:
    text = OUTPUTS.read_text(encoding="utf-8")
    assert [column.name for column in COLUMNS if f"| `{column.name}` |" not in text] == []
