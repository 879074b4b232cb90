"""One attempt at a slide: waits and retries, what counts as passing, and what the outcome says."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from cxpath.app.configuration import ScoreRequest
from cxpath.batch import attempt as attempts_module
from cxpath.batch.attempt import CRASHED, MOST_CRASHES, Attempt, Patience, crashes_so_far, failed
from cxpath.batch.task import SlideTask, StateFolder
from cxpath.documents.batch import Outcome, Status
from cxpath.errors import OutputError, UnreadableSlideError
from tests.batch.fake_batches import QUICK, tasks_of, write_slides
from tests.batch.fake_scoring import fake_score


@pytest.fixture
def task(tmp_path: Path) -> SlideTask:
    (one,) = tasks_of(write_slides(tmp_path / "slides", a="fine"), tmp_path / "out")
    return one


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    folder = StateFolder(tmp_path / "out")
    folder.create()
    return folder


def raising(*errors: BaseException) -> Callable[[ScoreRequest, object], None]:
    """Return a scorer that raises one error after the other, then scores."""
    left = list(errors)

    def score(request: ScoreRequest, progress: object) -> None:
        if left:
            raise left.pop(0)
        fake_score(request, progress)

    return score


def settled(task: SlideTask, state: StateFolder, scorer: Callable[[ScoreRequest, object], None]) -> Outcome:
    return Attempt(state.batch, scorer, QUICK).settle(task, "worker 1")


# Waiting.


@given(st.integers(0, 8), st.floats(0.001, 100))
def test_each_wait_is_twice_the_one_before(retries: int, first: float) -> None:
    waits = list(Patience(retries, first).waits_s())
    assert len(waits) == retries
    assert waits[:1] == [first][:retries]
    assert all(later == 2 * earlier for earlier, later in pairwise(waits))


def test_it_waits_between_attempts_as_patience_says(
    task: SlideTask, state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(attempts_module, "sleep", waited.append)
    stale = [OSError(errno.ESTALE, "Stale file handle") for _ in range(2)]
    outcome = Attempt(state.batch, raising(*stale), Patience(3, 2.0)).settle(task, "worker 1")
    assert waited == [2.0, 4.0]
    assert (outcome.status, outcome.attempts) == (Status.SCORED, 3)


def test_patience_ends(task: SlideTask, state: StateFolder) -> None:
    stale = [OSError(errno.EIO, "Input/output error") for _ in range(9)]
    outcome = settled(task, state, raising(*stale))
    assert (outcome.status, outcome.attempts, outcome.error) == (Status.FAILED, 1 + QUICK.retries, "OSError")


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ECONNRESET, errno.EBUSY])
def test_errors_of_disk_and_network_may_pass_even_behind_others(
    number: int, task: SlideTask, state: StateFolder
) -> None:
    behind = UnreadableSlideError("a.fake: cannot be read")
    behind.__cause__ = OSError(number, "gone for now")
    outcome = settled(task, state, raising(behind))
    assert (outcome.status, outcome.attempts) == (Status.SCORED, 2)


@pytest.mark.parametrize(
    "error",
    [
        UnreadableSlideError("a.fake: damaged", "scan it again"),
        OSError(errno.ENOENT, "No such file"),
        OSError(errno.EACCES, "Permission denied"),
        ValueError("odd"),
        MemoryError(),
    ],
)
def test_what_will_not_pass_is_tried_once(error: Exception, task: SlideTask, state: StateFolder) -> None:
    outcome = settled(task, state, raising(error))
    assert (outcome.status, outcome.attempts) == (Status.FAILED, 1)
    assert state.read(task.id) == outcome


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_disk_without_room_stops_the_batch_and_is_no_fault_of_the_slide(
    number: int, task: SlideTask, state: StateFolder
) -> None:
    with pytest.raises(OutputError, match="the results cannot be written") as stopped:
        settled(task, state, raising(OSError(number, "no room")))
    assert "free some space" in str(stopped.value)
    left = state.read(task.id)
    assert left is not None
    assert (left.status, left.interrupted) == (Status.RUNNING, True)
    assert crashes_so_far(left) == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)])
def test_an_interruption_is_noted_and_goes_on_up(
    error: BaseException, task: SlideTask, state: StateFolder
) -> None:
    with pytest.raises(type(error)):
        settled(task, state, raising(error))
    left = state.read(task.id)
    assert left is not None
    assert left.interrupted


# What stands, and what is set aside.


def test_a_result_that_stands_is_not_scored_again(task: SlideTask, state: StateFolder) -> None:
    first = settled(task, state, fake_score)
    again = settled(task, state, raising(AssertionError("scored again")))
    assert again == first


def test_another_request_scores_again(task: SlideTask, state: StateFolder) -> None:
    settled(task, state, fake_score)
    other = replace(task, request_digest="asked otherwise")
    assert settled(other, state, fake_score).request_digest == "asked otherwise"


@pytest.mark.parametrize("crashes", [MOST_CRASHES - 1, MOST_CRASHES, MOST_CRASHES + 1])
def test_a_slide_that_ended_processes_is_set_aside_unscored(
    crashes: int, task: SlideTask, state: StateFolder
) -> None:
    state.write(Outcome(id=task.id, status=Status.RUNNING, crashes=crashes - 1))
    outcome = settled(task, state, fake_score)
    if crashes < MOST_CRASHES:
        assert outcome.status is Status.SCORED
    else:
        assert (outcome.status, outcome.error) == (Status.FAILED, CRASHED)
        assert outcome.reason == f"{crashes} processes ended while they scored it"
        assert not task.folder.exists()


@given(st.integers(0, 5), st.sampled_from(Status), st.booleans())
def test_only_a_record_in_hand_that_was_not_interrupted_counts_a_crash(
    crashes: int, status: Status, interrupted: bool
) -> None:
    earlier = Outcome(id="a", status=status, crashes=crashes, interrupted=interrupted)
    expected = crashes + (not interrupted) if status is Status.RUNNING else 0
    assert crashes_so_far(earlier) == expected


# What the outcome says.


def said(error: Exception, task: SlideTask) -> Outcome:
    return failed(Outcome(id=task.id, status=Status.RUNNING), error, task)


def test_a_foreseen_error_gives_its_reason_and_hint_without_paths(task: SlideTask) -> None:
    outcome = said(UnreadableSlideError(f"{task.request.slide}:\n is damaged", "scan it\n again"), task)
    assert (outcome.reason, outcome.error) == ("a.fake: is damaged", "UnreadableSlideError")
    assert str(task.request.slide.parent) not in f"{outcome.reason} {outcome.hint}"


def test_an_unforeseen_error_gives_its_kind_and_asks_for_a_report(task: SlideTask) -> None:
    outcome = said(ZeroDivisionError("division\nby zero"), task)
    assert outcome.reason == "ZeroDivisionError: division by zero"
    assert "report it" in outcome.hint
    assert said(ValueError(""), task).reason == "ValueError: ValueError"


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")]
)
def test_want_of_memory_says_what_to_do(error: Exception, task: SlideTask) -> None:
    assert said(error, task).hint == "use fewer --workers, or a smaller network.batch_size"
