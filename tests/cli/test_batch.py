"""`cxpath batch` on real files: a slide, a broken one, one that is not evaluable.
Progress of a batch: a picture on a terminal, lines elsewhere."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from cxpath.batch.run import Tally
from cxpath.batch.task import Finished, Moved, Started
from cxpath.cli.batch import ProgressForm, _picture, batch_progress, duration
from cxpath.documents.batch import Outcome, Status
from tests.cli.command import Done, cxpath
from tests.conftest import SyntheticSlide

QUICK = ("--set", "tiles.core_px=512", "--device", "cpu", "--progress", "plain")


@pytest.fixture(scope="module")
def slides(synthetic_slide: SyntheticSlide, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slides")
    shutil.copy(synthetic_slide.path, folder / "good.svs")
    (folder / "text.svs").write_text("no slide")
    return folder


@pytest.fixture(scope="module")
def night(slides: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, Path]:
    """A finished batch and what its command left."""
    out = tmp_path_factory.mktemp("batch") / "night"
    return cxpath("batch", "run", slides, "--out", out, "--assay", "22c3", *QUICK), out


def test_a_batch_ends_with_3_and_says_what_failed(night: tuple[Done, Path]) -> None:
    done, out = night
    assert done.returncode == 3
    assert "failed   1\n         text: text.svs: not a slide or a picture" in done.stdout
    assert "cxpath: will fail: text: " in done.stderr
    assert "[2/2]" in done.stderr
    assert {path.name for path in out.iterdir()} == {
        "batch-state",
        "batch.json",
        "cohort.csv",
        "cohort.html",
        "cohort.parquet",
        "good",
    }
    assert (out / "good" / "report.html").is_file()


def test_the_same_command_keeps_what_is_done(night: tuple[Done, Path], slides: Path) -> None:
    _, out = night
    before = (out / "good" / "score.json").stat().st_mtime_ns
    again = cxpath("batch", "run", slides, "--out", out, "--assay", "22c3", "--json", *QUICK)
    document = json.loads(again.stdout)
    assert (again.returncode, document["kept"], document["scored"], document["failed"]) == (3, 1, 1, 1)
    assert document["failures"][0]["error"] == "UnreadableSlideError"
    assert (out / "good" / "score.json").stat().st_mtime_ns == before


def test_status_and_rebuild_work_from_the_folder_alone(night: tuple[Done, Path]) -> None:
    _, out = night
    assert "done     not running, nothing left" in cxpath("batch", "status", out).stdout
    assert json.loads(cxpath("batch", "status", out, "--json").stdout)["failed"] == 1
    assert "(2 slides)" in cxpath("batch", "rebuild", out).stdout


def test_a_cohort_is_exported_with_one_command(night: tuple[Done, Path], tmp_path: Path) -> None:
    _, out = night
    done = cxpath("batch", "export", out, "--sql", tmp_path / "lab 1%20?.db", "--table", "slides")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"exported 2 slides to table slides of {tmp_path / 'lab 1%20?.db'}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["lab 1%20?.db"]
    assert "names no database" in cxpath("batch", "export", out).only_line


def test_with_a_pseudonym_nothing_that_a_batch_leaves_names_a_folder_or_a_file(
    slides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXPATH_PSEUDONYM_KEY", "a key of the laboratory")
    home = tmp_path / "PLANTFOLDER ROE_JANE 8675309"
    home.mkdir()
    for name in ("PLANTA.svs", "PLANTB.svs", "PLANTC.svs"):
        shutil.copy(slides / "good.svs", home / name)
    (home / "PLANTTEXT.svs").write_text("no slide")
    (home / "PLANTCELLS.csv").write_text("x_px,y_px,kind,stained\nnonsense,1,tumour,1\n")
    (home / "PLANTBADROI.geojson").write_text('{"type": "FeatureCollection", "features": 7}')
    rows = [
        "PLANTA.svs,PLANTBADROI.geojson,",
        "PLANTB.svs,PLANTNOFILE.geojson,",
        "PLANTC.svs,,PLANTCELLS.csv",
    ]
    (home / "wl.csv").write_text("\n".join(["slide,regions,cells", *rows, "PLANTTEXT.svs,,", ""]))
    out = tmp_path / "out"
    done = cxpath("batch", "run", home / "wl.csv", "--pseudonym", "--out", out, *QUICK)
    check = cxpath("batch", "run", home / "wl.csv", "--pseudonym", "--out", out, "--check")
    assert (done.returncode, check.returncode) == (3, 3)
    assert "failed   4" in done.stdout
    left = [path.read_bytes() for path in out.rglob("*") if path.is_file()]
    said = [(done.stdout + done.stderr + check.stdout + check.stderr).encode()]
    for word in (b"PLANT", b"ROE_JANE", b"8675309"):
        assert not [content for content in left + said if word in content]


def test_check_says_what_would_fail_and_starts_nothing(slides: Path, tmp_path: Path) -> None:
    done = cxpath("batch", "run", slides, "--out", tmp_path / "out", "--check")
    assert done.returncode == 3
    assert "fails    text: " in done.stdout
    assert "verdict  can be run; 1 slide would fail" in done.stdout
    assert not (tmp_path / "out").exists()


def test_a_worklist_that_contradicts_itself_does_not_start(slides: Path, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(f"slide\n{slides / 'good.svs'}\n{slides / 'good.svs'}\n")
    done = cxpath("batch", "run", tmp_path / "list.csv", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "wrong    good: 'good' would be the name of the results of 2 slides" in done.stdout
    assert not (tmp_path / "out").exists()


def test_events_are_json_on_request(night: tuple[Done, Path], slides: Path) -> None:
    _, out = night
    words = ("batch", "run", slides, "--out", out, "--assay", "22c3", *QUICK)
    done = cxpath(*words, "--progress", "json")
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert [line["event"] for line in lines] == ["begun", "started", "finished"]
    assert lines[-1]["progress"]["failed"] == 1


def test_a_result_that_no_batch_made_is_not_overwritten(slides: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "good").mkdir(parents=True)
    (tmp_path / "out" / "good" / "score.json").write_text("{}")
    done = cxpath("batch", "run", slides, "--out", tmp_path / "out", *QUICK)
    assert done.returncode == 1
    assert "contains a result that this batch did not make" in done.stderr


def half_done() -> Tally:
    tally = Tally(total=4, kept=1)
    tally.take(Started("case-1", "worker 1"), 0.0)
    tally.take(Finished(Outcome(id="case-1", status=Status.FAILED, reason="is damaged")), 30.0)
    tally.take(Started("case-2", "worker 1"), 30.0)
    tally.take(Moved("worker 1", 12, 80), 40.0)
    return tally


def test_the_picture_shows_share_workers_and_failures() -> None:
    page = io.StringIO()
    Console(file=page, width=100).print(_picture(half_done()))
    text = page.getvalue()
    assert "2 of 4 slides  50 %   1 failed" in text
    assert "worker 1" in text
    assert "case-2" in text
    assert "12/80 tiles" in text
    assert "failed  case-1: is damaged" in text


def test_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    tally, outcome = half_done(), Outcome(id="case-2", status=Status.RUNNING, crashes=1)
    with batch_progress(ProgressForm.AUTO) as listen:
        listen(None, tally)
        listen(Finished(outcome), tally)
        listen(Finished(Outcome(id="case-3", status=Status.FAILED, reason="no such file")), tally)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "4 slides, 1 of them done before"
    assert lines[1].startswith("[2/4] case-2  its worker ended unexpectedly; it will be tried again")
    assert lines[2].startswith("[2/4] case-3  failed: no such file")


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, "–"), (41.2, "41 s"), (200, "3 min"), (18_720, "5 h 12 min")]
)
def test_durations_in_words(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words
