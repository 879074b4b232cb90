"""The story of many slides: keep what stands, score the rest, leave the cohort."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from cxpath.runs.batch.engine import Engine, Event, Finished
from cxpath.runs.batch.outcome import Outcome, Status
from cxpath.runs.batch.same_result import is_untouched
from cxpath.runs.batch.slide_task import SlideTask
from cxpath.runs.batch.state_folder import StateFolder
from cxpath.runs.batch.tally import Tally
from cxpath.values.errors import BatchError, OutputError

Listener = Callable[[Event | None, Tally], None]
"""Called with every event, None at the start, and the state of affairs after it."""

_WRITE_EVERY_S = 1.0
"""How often `progress.json` is written at most: other terminals read it, nothing depends on it."""


@dataclass(frozen=True)
class BatchResult:
    """What became of a batch.

    Parameters
    ----------
    outcomes : tuple of Outcome
        One for each slide of the worklist, in its order.
    kept : int
        Of them, those whose result stood before.
    worker_deaths : int
    seconds : float
    """

    outcomes: tuple[Outcome, ...]
    kept: int
    worker_deaths: int
    seconds: float

    def count(self, status: Status) -> int:
        """Return the number of slides with this outcome."""
        return sum(outcome.status is status for outcome in self.outcomes)


def run_batch(
    tasks: Sequence[SlideTask], folder: Path, engine: Engine, listen: Listener | None = None
) -> BatchResult:
    """Attempt every slide whose result does not stand; each outcome is on disk when it happens.

    The caller holds `StateFolder(folder).run_lock()`.

    Raises
    ------
    OutputError
        When results can no longer be kept; what is done is kept.
    BatchError
        When the engine fails.
    """
    state, begun = StateFolder(folder), monotonic()
    known = {task.id: state.read(task.id) for task in tasks}
    waiting = [task for task in tasks if not is_untouched(task, known[task.id])]
    tally = Tally(len(tasks), kept=len(tasks) - len(waiting), started_s=monotonic())
    diary = _Diary(state, tally, engine.name)
    if listen:
        listen(None, tally)
    try:
        diary.write()
        for event in engine.run(waiting):
            tally.take(event, monotonic())
            diary.write_now_and_then()
            if listen:
                listen(event, tally)
            if isinstance(event, Finished):
                known[event.outcome.id] = event.outcome
    except OutputError as error:
        raise _stopped(folder, tally, error) from error
    diary.write()
    outcomes = tuple(_settled(known[task.id], task) for task in tasks)
    return BatchResult(outcomes, tally.kept, tally.crashes, round(monotonic() - begun, 3))


def _settled(outcome: Outcome | None, task: SlideTask) -> Outcome:
    if outcome is None or outcome.status is Status.RUNNING:
        raise BatchError(f"{task.id}: was not settled", "run the same command again, and report this")
    return outcome


def _stopped(folder: Path, tally: Tally, error: OutputError) -> OutputError:
    left = tally.total - tally.done
    kept = f"{tally.done} slides are done and kept, {left} are left"
    hint = "make room or mend the folder, then run the same command again"
    return OutputError(f"{folder}: the batch stopped: {error.message}; {kept}", hint)


class _Diary:
    """Writes `progress.json`, for people at other terminals."""

    def __init__(self, state: StateFolder, tally: Tally, engine: str) -> None:
        self._state, self._tally, self._engine = state, tally, engine
        self._started = datetime.now(UTC).isoformat(timespec="seconds")
        self._written_s = float("-inf")

    def write_now_and_then(self) -> None:
        if monotonic() - self._written_s >= _WRITE_EVERY_S:
            self.write()

    def write(self) -> None:
        self._written_s = monotonic()
        about = {
            "engine": self._engine,
            "host": platform.node(),
            "process": os.getpid(),
            "started": self._started,
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self._state.write_document(self._state.progress, self._tally.as_dict(monotonic()) | about)
