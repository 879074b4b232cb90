"""One attempt at one slide of a batch: score it, record the outcome, never stop the batch."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

from cxpath.app import ScoreRequest
from cxpath.batch.cohort import has_whole_result, read_record
from cxpath.batch.task import SlideTask, StateFolder, is_same_content, is_untouched, slide_stamp
from cxpath.documents import Outcome, Status
from cxpath.errors import BatchError, CxpathError, OutputError

# One attempt at one slide, wherever it runs: keep, score, try again, and write down what came of it.


_log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with the number of tiles done and the number in all."""

Scorer = Callable[[ScoreRequest, Progress | None], object]
"""Scores a slide and leaves its results folder, as `score_slide` does."""

MOST_CRASHES = 3
"""A slide during which so many processes ended is set aside."""

CRASHED = "WorkerDied"
"""`Outcome.error` of such a slide."""

_PASSING_NAMES = (
    "EIO ESTALE ETIMEDOUT EAGAIN EBUSY EINTR ENETDOWN ENETUNREACH ENETRESET ECONNRESET ECONNABORTED "
    "EHOSTDOWN EHOSTUNREACH ENOTCONN EREMOTEIO ENOLINK EPIPE"
)
_PASSING = frozenset(getattr(errno, name) for name in _PASSING_NAMES.split(" ") if hasattr(errno, name))
"""Errors of disks and networks that may be gone on the next try."""

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""Errors that every further slide would meet."""


@dataclass(frozen=True)
class Patience:
    """How often to try again after an error of disk or network, and how long to wait before.

    Parameters
    ----------
    retries : int
        Further attempts after the first.
    first_wait_s : float
        Before the first of them; doubled each time.
    """

    retries: int = 3
    first_wait_s: float = 2.0

    def waits_s(self) -> Iterator[float]:
        """Yield the waits between attempts, in seconds."""
        yield from (self.first_wait_s * 2**number for number in range(self.retries))


@dataclass(frozen=True)
class Attempt:
    """What a worker needs to score slides of a batch; goes to it as a whole.

    Parameters
    ----------
    batch : Path
        The batch's folder.
    scorer : callable
    patience : Patience
    """

    batch: Path
    scorer: Scorer
    patience: Patience = field(default_factory=Patience)

    def settle(self, task: SlideTask, worker: str, progress: Progress | None = None) -> Outcome:
        """Score a slide unless its result stands; return what came of it, which is then on disk.

        Raises
        ------
        OutputError
            When the disk is full or cannot be written: no further slide could be kept either.
        """
        state = StateFolder(self.batch)
        try:
            with state.slide_lock(task.id):
                return self._settle_held(state, task, worker, progress)
        except BatchError as error:  # somebody else has been at it for long; the other slides continue
            outcome = failed(_begun(task, worker, None), error, task)
            state.write(outcome)
            return outcome

    def _settle_held(
        self, state: StateFolder, task: SlideTask, worker: str, progress: Progress | None
    ) -> Outcome:
        earlier = state.read(task.id)
        if earlier and has_whole_result(task, earlier):
            if is_untouched(task, earlier):
                return earlier
            if is_same_content(task, earlier):
                kept = earlier.updated(slide_stamp=slide_stamp(task.request))
                state.write(kept)
                return kept
        state.clear_leftovers(task.folder)
        begun = _begun(task, worker, earlier)
        outcome = _set_aside(begun) if begun.crashes >= MOST_CRASHES else None
        if outcome is None:
            state.write(begun)  # from here on, what is in the folder counts as half-written
            outcome = self._try_unless_interrupted(state, task, begun, progress)
        state.write(outcome)
        return outcome

    def _try_unless_interrupted(
        self, state: StateFolder, task: SlideTask, begun: Outcome, progress: Progress | None
    ) -> Outcome:
        """Try a slide; an interruption or a full disk is no crash of the slide's."""
        try:
            return self._try(task, begun, progress)
        except (KeyboardInterrupt, SystemExit, OutputError):
            with suppress(OutputError):  # it would hide what happened
                state.write(begun.updated(interrupted=True))
            raise

    def _try(self, task: SlideTask, begun: Outcome, progress: Progress | None) -> Outcome:
        waits, before = self.patience.waits_s(), monotonic()
        while True:
            begun = begun.updated(attempts=begun.attempts + 1)
            try:
                self.scorer(replace(task.request, overwrite=True), progress)
                return _read_result(task, _ended(begun, before))
            except Exception as error:  # noqa: BLE001  # whatever a slide does, the next one must be tried
                _refuse_full_disk(error)
                wait_s = next(waits, None) if _may_pass(error) else None
                if wait_s is None:
                    return failed(_ended(begun, before), error, task)
                said = task.without_paths(str(error))
                _log.info("%s: %s; trying again in %g s", task.shown_name, said, wait_s)
                sleep(wait_s)


def failed(outcome: Outcome, error: Exception, task: SlideTask) -> Outcome:
    """Return the outcome with the reason and the hint of an error, on one line each and without paths."""
    foreseen = isinstance(error, CxpathError)
    message = error.message if isinstance(error, CxpathError) else str(error)
    reason = " ".join(message.split()) or type(error).__name__
    hint = error.hint if isinstance(error, CxpathError) else _hint_for(error)
    return outcome.updated(
        status=Status.FAILED,
        reason=task.without_paths(reason if foreseen else f"{type(error).__name__}: {reason}"),
        hint=task.without_paths(hint),
        error=type(error).__name__,
    )


def _set_aside(begun: Outcome) -> Outcome:
    """Give a slide up; how the processes ended is not known, since each of them wrote nothing more."""
    return begun.updated(
        status=Status.FAILED,
        reason=f"{begun.crashes} processes ended while they scored it",
        hint="it was set aside and may need more memory: try it alone with cxpath score",
        error=CRASHED,
        finished=_now(),
    )


def crashes_so_far(earlier: Outcome) -> int:
    """Return how many processes ended while they scored a slide that has no outcome yet."""
    if earlier.status is not Status.RUNNING:
        return 0
    return earlier.crashes + (not earlier.interrupted)


def _begun(task: SlideTask, worker: str, earlier: Outcome | None) -> Outcome:
    """Return the record of a slide in hand; one that says so already was left by a process that died."""
    return Outcome(
        id=task.id,
        status=Status.RUNNING,
        slide=task.shown_name,
        crashes=crashes_so_far(earlier) if earlier else 0,
        started=_now(),
        worker=worker,
        slide_stamp=slide_stamp(task.request),
    )


def _ended(begun: Outcome, before: float) -> Outcome:
    return begun.updated(finished=_now(), seconds=round(monotonic() - before, 3))


def _read_result(task: SlideTask, outcome: Outcome) -> Outcome:
    """Take the verdict from the files that the scorer left: they are the truth."""
    found = read_record(task, outcome.updated(status=Status.SCORED))
    return outcome.updated(
        status=Status.SCORED if found.evaluable else Status.NOT_EVALUABLE,
        slide_digest=found.slide_digest,
        request_digest=task.request_digest,
    )


def _may_pass(error: BaseException) -> bool:
    return any(isinstance(one, OSError) and one.errno in _PASSING for one in _causes(error))


def _refuse_full_disk(error: BaseException) -> None:
    for one in _causes(error):
        if isinstance(one, OSError) and one.errno in _NO_ROOM:
            raise OutputError(
                f"the results cannot be written: {one.strerror}",
                "free some space, then run the same command again: finished slides are kept",
            ) from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _hint_for(error: Exception) -> str:
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return "use fewer --workers, or a smaller network.batch_size"
    return "a fault of cxpath or of this file: try it alone with cxpath score, and report it"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
