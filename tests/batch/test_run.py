"""The contract: every slide is tried, what stands is kept, what changed or is half-written is redone.
Speed and time left, by a clock that the test sets."""

from __future__ import annotations

import errno
import json
import os
import platform
from pathlib import Path

import pytest

from cxpath.app.configuration import ScoreRequest
from cxpath.batch.attempt import crashes_so_far
from cxpath.batch.cohort import rebuild_cohort
from cxpath.batch.run import InProcess, Tally, run_batch
from cxpath.batch.task import Event, Finished, Moved, Started, StateFolder
from cxpath.batch.worklist import read_worklist, save_worklist
from cxpath.documents.batch import Outcome, Status
from cxpath.errors import BatchError, OutputError
from tests.batch.fake_batches import attempt_of, by_id, run, tasks_of, write_slides
from tests.batch.fake_scoring import BROKEN, FAULTS, attempts


def test_every_slide_is_tried_and_failed_is_not_skipped(tmp_path: Path) -> None:
    kinds = {kind.replace("-", "_"): kind for kind in (*BROKEN, *FAULTS, "fine", "not-evaluable")}
    found = by_id(run(write_slides(tmp_path / "slides", **kinds), tmp_path / "out"))
    assert found["fine"].status is Status.SCORED
    assert found["not_evaluable"].status is Status.NOT_EVALUABLE
    for name in (*BROKEN, *FAULTS):
        outcome = found[name.replace("-", "_")]
        assert outcome.status is Status.FAILED
        assert outcome.reason
        assert outcome.hint
        assert outcome.error
    assert found["no_mpp"].reason == "no_mpp.fake: the file does not say its µm per pixel"
    assert found["memory"].hint.startswith("use fewer --workers")


def test_what_stands_is_kept_and_what_changed_is_scored_again(tmp_path: Path) -> None:
    slides = write_slides(tmp_path / "slides", a="fine", b="fine", c="damaged")
    run(slides, tmp_path / "out")
    (slides / "b.fake").write_text("fine\nanother slide", encoding="utf-8")
    again = run(slides, tmp_path / "out")
    assert again.kept == 1
    assert [attempts(slides / f"{name}.fake") for name in "abc"] == [1, 2, 2]


def test_a_touched_slide_of_the_same_content_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slides = write_slides(tmp_path / "slides", a="fine")
    run(slides, tmp_path / "out")
    os.utime(slides / "a.fake", (1, 1))
    monkeypatch.setattr("cxpath.batch.attempt.is_same_content", lambda task, earlier: True)
    run(slides, tmp_path / "out")
    assert attempts(slides / "a.fake") == 1
    assert run(slides, tmp_path / "out").kept == 1, "its new date is remembered"


@pytest.mark.parametrize("lost", ["score.json", "record"])
def test_half_of_a_result_is_redone(tmp_path: Path, lost: str) -> None:
    slides, out = write_slides(tmp_path / "slides", a="fine"), tmp_path / "out"
    run(slides, out)
    path = out / "a" / "score.json" if lost == "score.json" else StateFolder(out).outcomes / "a.json"
    path.unlink()
    run(slides, out)
    assert attempts(slides / "a.fake") == 2
    assert run(slides, out).kept == 1


def test_a_slide_in_hand_when_all_died_is_redone_and_leaves_nothing(tmp_path: Path) -> None:
    slides, out = write_slides(tmp_path / "slides", a="fine"), tmp_path / "out"
    run(slides, out)
    state = StateFolder(out)
    begun = state.read("a")
    assert begun is not None
    state.write(begun.updated(status=Status.RUNNING))
    (out / ".a.0123abcd.partial").mkdir()
    (out / "a" / ".a.4567cdef.partial").mkdir()
    run(slides, out)
    assert attempts(slides / "a.fake") == 2
    assert not list(out.rglob("*.partial"))


def test_errors_that_may_pass_are_tried_again(tmp_path: Path) -> None:
    slides = write_slides(tmp_path / "slides", a="flaky", b="damaged")
    found = by_id(run(slides, tmp_path / "out"))
    assert (found["a"].status, found["a"].attempts) == (Status.SCORED, 3)
    assert (found["b"].status, found["b"].attempts) == (Status.FAILED, 1)


def test_a_full_disk_stops_the_batch_and_loses_nothing(tmp_path: Path) -> None:
    slides, out = write_slides(tmp_path / "slides", a="fine", b="full", c="fine"), tmp_path / "out"
    with pytest.raises(OutputError, match=r"No space left.*1 slides are done and kept, 2 are left.*again"):
        run(slides, out)
    write_slides(slides, b="fine")
    again = run(slides, out)
    assert again.kept == 1
    assert again.count(Status.SCORED) == 3


def test_a_folder_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="cannot be written"):
        run(write_slides(tmp_path / "slides", a="fine"), tmp_path / "out")


def test_a_slide_deleted_while_queued_fails_alone(tmp_path: Path) -> None:
    slides = write_slides(tmp_path / "slides", a="fine", b="fine")
    tasks = tasks_of(slides, tmp_path / "out")
    (slides / "a.fake").unlink()
    StateFolder(tmp_path / "out").create()
    engine = InProcess(attempt_of(tmp_path / "out"))
    found = by_id(run_batch(tasks, tmp_path / "out", engine))
    assert found["a"].reason.endswith("no such file")
    assert found["b"].status is Status.SCORED


def test_a_clock_that_jumps_back_changes_no_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slides, out = write_slides(tmp_path / "slides", a="fine", b="fine"), tmp_path / "out"
    stamps = iter(f"{year}-01-01T00:00:00+00:00" for year in range(2030, 1990, -10))
    monkeypatch.setattr("cxpath.batch.attempt._now", lambda: next(stamps))
    found = by_id(run(slides, out))
    assert all(outcome.seconds >= 0 for outcome in found.values())
    assert found["a"].finished < found["a"].started
    assert run(slides, out).kept == 2


def test_state_that_cannot_be_written_stops_the_batch_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slides, out = write_slides(tmp_path / "slides", a="fine", b="fine"), tmp_path / "out"
    run(slides, out)
    (slides / "b.fake").write_text("fine\nchanged", encoding="utf-8")
    monkeypatch.setattr(Path, "replace", _read_only)
    with pytest.raises(OutputError, match=r"Read-only file system"):
        run(slides, out)
    monkeypatch.undo()
    assert run(slides, out).kept == 1


def _read_only(_self: Path, _target: Path) -> Path:
    raise OSError(errno.EROFS, "Read-only file system")


def test_a_second_run_on_the_folder_is_refused(tmp_path: Path) -> None:
    slides, out = write_slides(tmp_path / "slides", a="fine"), tmp_path / "out"
    state = StateFolder(out)
    state.create()
    with state.run_lock(), pytest.raises(BatchError, match="another cxpath batch run is using this folder"):
        run(slides, out)
    assert not state.is_running()
    assert run(slides, out).count(Status.SCORED) == 1


def test_a_slide_that_another_worker_holds_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slides, out = write_slides(tmp_path / "slides", a="fine", b="fine"), tmp_path / "out"
    monkeypatch.setattr("cxpath.batch.task.LOCK_PATIENCE_S", 0.01)
    state = StateFolder(out)
    state.create()
    with state.slide_lock("a"):
        found = by_id(run(slides, out))
    assert found["a"].reason == "a: another worker is still scoring it"
    assert found["b"].status is Status.SCORED
    assert run(slides, out).count(Status.SCORED) == 2


def test_a_damaged_record_counts_as_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    slides, out = write_slides(tmp_path / "slides", a="fine"), tmp_path / "out"
    run(slides, out)
    (StateFolder(out).outcomes / "a.json").write_text("{", encoding="utf-8")
    assert run(slides, out).count(Status.SCORED) == 1
    assert "a.json: not readable JSON" in caplog.text


def test_an_outcome_comes_back_as_it_was(tmp_path: Path) -> None:
    state, outcome = (
        StateFolder(tmp_path),
        Outcome(id="a", status=Status.FAILED, reason="µm per pixel", attempts=2),
    )
    state.create()
    state.write(outcome)
    assert state.read_all() == [outcome]


def test_counts_speed_and_time_left() -> None:
    tally = Tally(total=12, kept=2, started_s=100.0)
    assert tally.slides_per_hour(100.0) is None
    for number, status in enumerate((Status.SCORED, Status.FAILED, Status.NOT_EVALUABLE, Status.SCORED)):
        tally.take(Started(f"s{number}", "worker 1"), 100.0 + 60 * number)
        tally.take(Finished(Outcome(id=f"s{number}", status=status)), 160.0 + 60 * number)
    assert (tally.done, tally.failed) == (6, 1)
    assert tally.slides_per_hour(340.0) == 60.0
    assert tally.seconds_left(340.0) == 360.0


def test_what_is_in_hand_is_known_by_worker() -> None:
    tally = Tally(total=2)
    tally.take(Started("a", "worker 1"), 5.0)
    tally.take(Moved("worker 1", 3, 8), 6.0)
    tally.take(Started("b", "worker 2"), 7.0)
    found = tally.progress(9.0)
    assert [(held.id, held.seconds, held.tiles_done) for held in found.in_hand] == [
        ("a", 4.0, 3),
        ("b", 2.0, 0),
    ]
    tally.take(Finished(Outcome(id="a", status=Status.RUNNING, crashes=1)), 9.0)
    assert (tally.done, tally.crashes, list(tally.in_hand)) == (0, 1, ["worker 2"])


def test_a_slide_that_moves_to_another_worker_is_in_one_hand() -> None:
    tally = Tally(total=1)
    tally.take(Started("a", "lost"), 1.0)
    tally.take(Started("a", "found"), 2.0)
    assert list(tally.in_hand) == ["found"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("score.json", "[]"),
        ("score.json", "{"),
        ("score.json", ""),
        ("run.json", "null"),
        ("cells.parquet", "PAR1"),
        ("tissue.png", ""),
        ("heatmap.png", "\x89PNG"),
        ("report.html", "<html><body>"),
        ("outcome", "{}"),
        ("outcome", "[1]"),
    ],
)
def test_a_damaged_result_is_scored_again(
    tmp_path: Path, name: str, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    slides, out = write_slides(tmp_path / "slides", a="fine", b="fine"), tmp_path / "out"
    run(slides, out)
    path = StateFolder(out).outcomes / "a.json" if name == "outcome" else out / "a" / name
    path.write_text(content, encoding="utf-8")
    again = run(slides, out)
    assert again.kept == 1
    assert again.count(Status.SCORED) == 2
    assert attempts(slides / "a.fake") == 2
    assert path.name in caplog.text
    assert run(slides, out).kept == 2


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("tissue",), {}),
        (("tissue",), "4.2"),
        (("tissue", "scored_mm2"), "much"),
        (("cps", "value"), "12"),
        (("cps", "interval_tissue"), [1.0]),
        (("cps", "cutoffs"), [1, 10]),
        (("warnings",), 7),
        (("slide", "digest"), None),
        (("evaluable",), "yes"),
        (("counts", "tumour_positive"), 1.5),
    ],
)
def test_a_score_of_another_shape_counts_as_not_there_and_is_named(
    tmp_path: Path, keys: tuple[str, ...], value: object, caplog: pytest.LogCaptureFixture
) -> None:
    slides, out = write_slides(tmp_path / "slides", a="fine"), tmp_path / "out"
    run(slides, out)
    path = out / "a" / "score.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    place = document
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path.write_text(json.dumps(document), encoding="utf-8")
    assert run(slides, out).kept == 0
    assert attempts(slides / "a.fake") == 2
    assert "a: a/score.json: " in caplog.text
    assert str(tmp_path) not in caplog.text


def test_a_slide_with_a_very_long_name_is_scored_like_the_others(tmp_path: Path) -> None:
    kinds = {"a": "fine", "L" * 236: "fine", "L" * 235 + "M": "damaged", "病" * 78: "fine"}
    found = by_id(run(write_slides(tmp_path / "slides", **kinds), tmp_path / "out"))
    scored = [found[name].status is Status.SCORED for name in kinds]
    assert scored == [True, True, False, True]
    assert run(tmp_path / "slides", tmp_path / "out").kept == 3


def test_a_name_that_is_no_utf_8_is_scored_like_the_others(tmp_path: Path) -> None:
    slides, out = write_slides(tmp_path / "slides", a="fine"), tmp_path / "out"
    odd = slides / os.fsdecode(b"M\xfcller 4711.svs")
    odd.write_text("fine")
    (slides / "a.fake").rename(slides / "a.svs")
    tasks = read_worklist(str(slides), ScoreRequest(Path("unused")), out, "weights")
    state = StateFolder(out)
    state.create()
    save_worklist(state, tasks)
    for kept in (0, 2):
        result = run_batch(tasks, out, InProcess(attempt_of(out)))
        assert (result.count(Status.SCORED), result.kept) == (2, kept)
    assert [row.slide for row in rebuild_cohort(out)] == ["M\ufffdller 4711.svs", "a.svs"]


def test_a_slide_that_ended_the_process_comes_last_and_is_set_aside_after_three_times(tmp_path: Path) -> None:
    slides, out = write_slides(tmp_path / "slides", a="crash", b="fine"), tmp_path / "out"
    state = StateFolder(out)
    state.create()
    begun = Outcome(id="a", status=Status.RUNNING, crashes=2)
    state.write(begun.updated(interrupted=True))
    assert crashes_so_far(begun.updated(interrupted=True)) == 2, "Ctrl-C is no crash of the slide's"
    state.write(begun)
    seen: list[str] = []
    with state.run_lock():
        engine = InProcess(attempt_of(out))
        tasks = tasks_of(slides, out)
        result = run_batch(tasks, out, engine, lambda event, _: seen.extend(_ids(event)))
    assert seen == ["b", "a"]
    assert by_id(result)["a"].reason == "3 processes ended while they scored it"
    assert attempts(slides / "a.fake") == 0


def _ids(event: Event | None) -> list[str]:
    return [event.id] if isinstance(event, Started) else []


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_slide_has_not_crashed(
    tmp_path: Path, end: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    slides, out = write_slides(tmp_path / "slides", a="fine"), tmp_path / "out"

    def interrupt(_seconds: float) -> None:
        raise end

    monkeypatch.setattr("tests.batch.fake_scoring.time.sleep", interrupt)
    with pytest.raises(end):
        run(slides, out)
    monkeypatch.undo()
    outcome = StateFolder(out).read("a")
    assert outcome is not None
    assert (outcome.status, outcome.interrupted) == (Status.RUNNING, True)
    assert not list(out.rglob("*.partial"))
    assert by_id(run(slides, out))["a"].crashes == 0


def test_results_name_neither_the_computer_nor_the_process(tmp_path: Path) -> None:
    slides, out = write_slides(tmp_path / "slides", a="fine", b="damaged"), tmp_path / "out"
    run(slides, out)
    state = out / "batch-state"
    for path in [*state.glob("outcomes/*.json"), state / "progress.json"]:
        document = json.loads(path.read_text(encoding="utf-8"))
        assert not {"host", "process"} & document.keys()
        assert platform.node() not in (document.get("worker") or ""), path
        assert str(os.getpid()) not in (document.get("worker") or ""), path
