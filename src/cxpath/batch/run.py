"""Run a batch: manifest, tasks, tally of outcomes, status and rebuild."""

from __future__ import annotations

import platform
from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from cxpath import __version__
from cxpath.app import ScoreRequest
from cxpath.app.score_slide import score_slide
from cxpath.batch.attempt import Attempt, Patience
from cxpath.batch.cohort import has_whole_result, read_baseline, write_cohort
from cxpath.batch.task import Engine, Event, Finished, Moved, SlideTask, Started, StateFolder, is_untouched
from cxpath.batch.workers import cluster_engine, local_engine, read_queue_settings
from cxpath.batch.worklist import Problem, contradictions, read_batch, read_worklist, save_worklist, slides_in
from cxpath.data import RESEARCH_USE
from cxpath.documents import (
    BatchManifest,
    BatchOptions,
    BatchProgress,
    BatchStatus,
    CohortRow,
    Outcome,
    SlideInHand,
    Status,
    failures_of,
)
from cxpath.errors import BatchError, ConfigurationError, CxpathError, OutputError, WorklistError
from cxpath.network import load_card, visible_gpus

# How a batch stands, from its folder alone, whether it runs or not.


def batch_status(folder: Path) -> BatchStatus:
    """Return the state of affairs; the outcomes on disk are the truth, `progress.json` adds what is in hand.

    Raises
    ------
    MissingFileError, BatchError
        When the folder contains no batch.
    """
    state, slides = StateFolder(folder), slides_in(folder)
    _, outcomes = read_batch(folder)
    counts = Counter(outcome.status for outcome in outcomes)
    progress, running = _progress(state.progress), state.is_running()
    now = progress if running else None
    return BatchStatus(
        running=running,
        slides=slides,
        left=slides - len(outcomes),
        scored=counts[Status.SCORED],
        not_evaluable=counts[Status.NOT_EVALUABLE],
        failed=counts[Status.FAILED],
        failures=failures_of(tuple(outcomes)),
        engine=progress.engine if progress else None,
        started=progress.started if progress else None,
        written=progress.written if progress else None,
        slides_per_hour=now.slides_per_hour if now else None,
        seconds_left=now.seconds_left if now else None,
        in_hand=now.in_hand if now else (),
    )


def _progress(path: Path) -> BatchProgress | None:
    """Return what a running batch said of itself; nothing depends on it."""
    try:
        return BatchProgress.read(path)
    except CxpathError:
        return None


# How far a batch is: counts, speed, time left. Pure; time comes from outside.


_RECENT = 50


@dataclass
class InHand:
    """What a worker is working on."""

    id: str
    since_s: float
    tiles_done: int = 0
    tiles: int = 0


@dataclass
class Tally:
    """Counts what happens in a batch.

    Parameters
    ----------
    total : int
        Slides of the worklist.
    kept : int
        Of them, those whose result stood already.
    started_s : float
        When scoring began, by a clock that does not jump.
    """

    total: int
    kept: int = 0
    started_s: float = 0.0
    counts: dict[Status, int] = field(default_factory=dict)
    in_hand: dict[str, InHand] = field(default_factory=dict)
    failures: list[Outcome] = field(default_factory=list)
    crashes: int = 0
    _ends_s: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))

    def take(self, event: Event, now_s: float) -> None:
        """Count one event."""
        match event:
            case Started(slide_id, worker):
                self._release(slide_id)
                self.in_hand[worker] = InHand(slide_id, now_s)
            case Moved(worker, done, total) if worker in self.in_hand:
                self.in_hand[worker].tiles_done, self.in_hand[worker].tiles = done, total
            case Finished(outcome):
                self._release(outcome.id)
                self._end(outcome, now_s)

    @property
    def done(self) -> int:
        """Slides with an outcome, those kept from earlier included."""
        return self.kept + sum(self.counts.values())

    @property
    def failed(self) -> int:
        """Slides that were tried and not scored."""
        return self.counts.get(Status.FAILED, 0)

    def slides_per_hour(self, now_s: float) -> float | None:
        """Return the speed over the last slides; None before the second."""
        if len(self._ends_s) < 2:
            return None
        first = self.started_s if len(self._ends_s) < _RECENT else self._ends_s[0]
        number = len(self._ends_s) - (len(self._ends_s) == _RECENT)
        return 3600.0 * number / max(now_s - first, 1e-9)

    def seconds_left(self, now_s: float) -> float | None:
        """Return how long the rest will take at that speed."""
        speed = self.slides_per_hour(now_s)
        return (self.total - self.done) * 3600.0 / speed if speed else None

    def progress(self, now_s: float) -> BatchProgress:
        """Return the state of affairs as `progress.json` contains it."""
        speed, left = self.slides_per_hour(now_s), self.seconds_left(now_s)
        return BatchProgress(
            slides=self.total,
            done=self.done,
            kept=self.kept,
            scored=self.counts.get(Status.SCORED, 0),
            not_evaluable=self.counts.get(Status.NOT_EVALUABLE, 0),
            failed=self.failed,
            worker_deaths=self.crashes,
            slides_per_hour=round(speed, 2) if speed else None,
            seconds_left=round(left) if left is not None else None,
            seconds=round(now_s - self.started_s, 1),
            in_hand=tuple(
                SlideInHand(
                    worker=worker,
                    id=held.id,
                    seconds=round(now_s - held.since_s, 1),
                    tiles_done=held.tiles_done,
                    tiles=held.tiles,
                )
                for worker, held in sorted(self.in_hand.items())
            ),
        )

    def _end(self, outcome: Outcome, now_s: float) -> None:
        if outcome.status is Status.RUNNING:  # its worker ended unexpectedly; it will be tried again
            self.crashes += 1
            return
        self.counts[outcome.status] = self.counts.get(outcome.status, 0) + 1
        self._ends_s.append(now_s)
        if outcome.status is Status.FAILED:
            self.failures.append(outcome)

    def _release(self, slide_id: str) -> None:
        self.in_hand = {worker: held for worker, held in self.in_hand.items() if held.id != slide_id}


# The simplest engine: one slide after the other in this process.


THIS_PROCESS = "this process"


@dataclass(frozen=True)
class InProcess:
    """Scores in this process.

    A slide that ends the process ends the run; the next run tries it after all others, and sets it aside
    after the third time.

    Parameters
    ----------
    attempt : Attempt
    """

    attempt: Attempt

    @property
    def name(self) -> str:
        """What it is."""
        return THIS_PROCESS

    def run(self, tasks: Sequence[SlideTask]) -> Generator[Event, None, None]:
        """Attempt every task in turn."""
        for task in tasks:
            yield Started(task.id, THIS_PROCESS)
            yield Finished(self.attempt.settle(task, THIS_PROCESS))


# The story of many slides: keep what stands, score the rest, leave the cohort.


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
    waiting = [task for task in tasks if not _stands(task, known[task.id])]
    waiting.sort(key=lambda task: _ended_a_process(known[task.id]))  # the others must not wait for it
    tally = Tally(len(tasks), kept=len(tasks) - len(waiting), started_s=monotonic())
    diary = _Diary(state, tally, engine.name)
    if listen:
        listen(None, tally)
    try:
        diary.write()
        with closing(engine.run(waiting)) as events:  # its workers end before an interruption is passed on
            for event in events:
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


def _stands(task: SlideTask, outcome: Outcome | None) -> bool:
    return outcome is not None and is_untouched(task, outcome) and has_whole_result(task, outcome)


def _ended_a_process(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.status is Status.RUNNING and not outcome.interrupted


def _settled(outcome: Outcome | None, task: SlideTask) -> Outcome:
    if outcome is None or outcome.status is Status.RUNNING:
        raise BatchError(f"{task.id}: was not settled", "run the same command again, and report this")
    return outcome


def _stopped(folder: Path, tally: Tally, error: OutputError) -> OutputError:
    left = tally.total - tally.done
    kept = f"{tally.done} slides are done and kept, {left} are left"
    hint = "free some space or repair the folder, then run the same command again"
    return OutputError(f"{folder}: the batch stopped: {error.message}; {kept}", hint)


class _Diary:
    """Writes `progress.json`, for people at other terminals."""

    def __init__(self, state: StateFolder, tally: Tally, engine: str) -> None:
        self._state, self._tally, self._engine = state, tally, engine
        self._started = datetime.now(UTC).isoformat(timespec="seconds")
        self._written_s = float("-inf")

    def write_now_and_then(self) -> None:
        """Write the state if the last time is long enough ago."""
        if monotonic() - self._written_s >= _WRITE_EVERY_S:
            self.write()

    def write(self) -> None:
        """Write how far the batch is."""
        self._written_s = monotonic()
        progress = self._tally.progress(monotonic())
        now = datetime.now(UTC).isoformat(timespec="seconds")
        progress.updated(engine=self._engine, started=self._started, written=now).write(self._state.progress)


# `batch.json`: how a batch was run, enough to run it again, and what came of it.


NAME = "batch.json"


def write_manifest(
    folder: Path,
    template: ScoreRequest,
    result: BatchResult,
    rows: Sequence[CohortRow],
    engine: str,
    started: datetime,
) -> BatchManifest:
    """Write and return the manifest of a run of a batch.

    Parameters
    ----------
    folder : Path
        The batch's folder.
    template : ScoreRequest
        Options that apply to all slides; a worklist may have overruled some of them.
    result : BatchResult
    rows : sequence of CohortRow
        The cohort table.
    engine : str
    started : datetime
    """
    manifest = BatchManifest(
        research_use=RESEARCH_USE,
        cxpath=__version__,
        python=platform.python_version(),
        started=started.isoformat(timespec="seconds"),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=result.seconds,
        engine=engine,
        options=_options(template),
        configuration=template.configuration.model_dump(mode="json"),
        configuration_digest=template.configuration.digest(),
        slides=len(result.outcomes),
        kept=result.kept,
        scored=result.count(Status.SCORED),
        not_evaluable=result.count(Status.NOT_EVALUABLE),
        failed=result.count(Status.FAILED),
        worker_deaths=result.worker_deaths,
        failures=failures_of(result.outcomes),
        same_content=same_content(rows),
    )
    manifest.write(folder / NAME)
    return manifest


def _options(template: ScoreRequest) -> BatchOptions:
    return BatchOptions(
        assay=template.assay,
        tumour=template.tumour,
        marker=template.marker,
        research=template.research,
        mpp=template.mpp,
        model=Path(template.model).name,
        device=template.device,
        pseudonym=template.pseudonym,
    )


def same_content(rows: Sequence[CohortRow]) -> tuple[tuple[str, ...], ...]:
    """Return the ids of slides whose files are the same under different names: one too many in a study."""
    counts = Counter(row.slide_digest for row in rows if row.slide_digest)
    twice = [digest for digest, number in counts.items() if number > 1]
    return tuple(tuple(row.id for row in rows if row.slide_digest == digest) for digest in twice)


# A batch from what the user asked for to what it leaves: plan it, run it, sum it up.


@dataclass(frozen=True)
class BatchRequest:
    """Many slides and how to score them.

    Parameters
    ----------
    source : str
        Folder, pattern, table or slide.
    out : Path
        The batch's folder.
    template : ScoreRequest
        How to score a slide whose row does not say otherwise.
    workers : int
        Worker processes on this machine; 1 scores in this process.
    dask : str
        Address of a Dask scheduler, or "slurm"; empty for this machine alone.
    dask_config : Path, optional
        Queue settings.
    patience : Patience
    baseline : Path, optional
        Cohort that drift is measured against.
    """

    source: str
    out: Path
    template: ScoreRequest
    workers: int = 1
    dask: str = ""
    dask_config: Path | None = None
    patience: Patience = field(default_factory=Patience)
    baseline: Path | None = None

    def engine(self) -> Engine:
        """Return where the slides are to be scored.

        Raises
        ------
        ConfigurationError
            When the number of workers or the queue's settings make no sense.
        """
        attempt = Attempt(self.out.absolute(), score_slide, self.patience)
        if self.dask:
            return cluster_engine(
                attempt, self.dask, read_queue_settings(self.dask_config), self.template.device
            )
        if self.workers < 1:
            raise ConfigurationError(f"--workers {self.workers} is not possible", "give 1 or more")
        if self.workers == 1:
            return InProcess(attempt)
        return local_engine(attempt, self.workers, visible_gpus() if self.template.device != "cpu" else ())


def plan_batch(request: BatchRequest) -> tuple[list[SlideTask], list[Problem]]:
    """Read the worklist; return its slides and what keeps it from starting.

    Raises
    ------
    MissingFileError, WorklistError, ModelError
        When there is no worklist to speak of, or no such model.
    """
    digest = load_card(request.template.model).digest
    tasks = read_worklist(request.source, request.template, request.out, digest)
    return tasks, contradictions(tasks)


def run_tasks(
    request: BatchRequest, tasks: Sequence[SlideTask], listen: Listener | None = None
) -> BatchManifest:
    """Run a batch and leave its cohort; returns the manifest.

    Raises
    ------
    WorklistError
        When a results folder of the worklist contains something else.
    OutputError, BatchError
        As `run_batch` does.
    """
    engine, started, state = request.engine(), datetime.now(UTC), StateFolder(request.out)
    baseline = read_baseline(request.baseline) if request.baseline else None
    state.create()
    with state.run_lock():
        _refuse_foreign_results(state, tasks)
        save_worklist(state, tasks)
        result = run_batch(tasks, request.out, engine, listen)
        rows = write_cohort(request.out, tasks, result.outcomes, baseline)
        return write_manifest(request.out, request.template, result, rows, engine.name, started)


def _refuse_foreign_results(state: StateFolder, tasks: Sequence[SlideTask]) -> None:
    """Refuse to overwrite results that no batch made."""
    for task in tasks:
        if (task.folder / "score.json").exists() and not state.knows(task.id):
            raise WorklistError(
                f"{task.folder}: contains a result that this batch did not make", "choose another --out"
            )
