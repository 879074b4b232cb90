"""Stages that run at once: prefetching and profiling."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from queue import Full, Queue
from time import perf_counter
from typing import Any, TypeVar

# StageProfiler: how long one stage of a pipeline worked, and how long it waited for its neighbours.


@dataclass(frozen=True)
class StageTimes:
    """What one stage did; seconds are summed over its workers.

    Parameters
    ----------
    name : str
    workers : int
        Threads of the stage.
    elapsed_s : float
        From the stage's start to its end.
    busy_s : float
        At work.
    waited_for_input_s : float
        With nothing to do, since the stage before had not finished.
    waited_for_space_s : float
        With a result in hand, since the stage after had not taken the earlier ones.
    """

    name: str
    workers: int
    elapsed_s: float
    busy_s: float
    waited_for_input_s: float
    waited_for_space_s: float

    @property
    def busy_share(self) -> float:
        """Share of its workers' time that the stage was at work."""
        return self.busy_s / (self.workers * self.elapsed_s) if self.elapsed_s > 0 else 0.0


class StageProfiler:
    """Adds up the times of one stage; any number of its threads may report at once.

    Parameters
    ----------
    name : str
    workers : int
    """

    def __init__(self, name: str, workers: int = 1) -> None:
        self.name, self.workers = name, workers
        self._lock = threading.Lock()
        self._spent = {"busy": 0.0, "input": 0.0, "room": 0.0}
        self._first = self._last = 0.0

    def working(self) -> AbstractContextManager[None]:
        """Time a piece of work."""
        return self._adding_to("busy")

    def waiting_for_input(self) -> AbstractContextManager[None]:
        """Time a wait for the stage before."""
        return self._adding_to("input")

    def waiting_for_space(self) -> AbstractContextManager[None]:
        """Time a wait for the stage after."""
        return self._adding_to("room")

    def times(self) -> StageTimes:
        """Return the times so far; what no worker reported was spent waiting for room."""
        with self._lock:
            elapsed, spent = self._last - self._first, dict(self._spent)
        unreported = max(0.0, self.workers * elapsed - sum(spent.values()))
        return StageTimes(
            self.name, self.workers, elapsed, spent["busy"], spent["input"], spent["room"] + unreported
        )

    @contextmanager
    def _adding_to(self, what: str) -> Iterator[None]:
        started = perf_counter()
        with self._lock:
            self._first = self._first or started
        try:
            yield
        finally:
            ended = perf_counter()
            with self._lock:
                self._last = max(self._last, ended)
                self._spent[what] += ended - started


def added(goes: Sequence[Sequence[StageTimes]]) -> tuple[StageTimes, ...]:
    """Add up the times of stages that ran several times, stage by stage."""
    return tuple(
        StageTimes(
            stages[0].name,
            stages[0].workers,
            sum(stage.elapsed_s for stage in stages),
            sum(stage.busy_s for stage in stages),
            sum(stage.waited_for_input_s for stage in stages),
            sum(stage.waited_for_space_s for stage in stages),
        )
        for stages in zip(*goes, strict=True)
    )


def side_by_side(stages: Sequence[StageTimes]) -> tuple[StageTimes, ...]:
    """Return the times of stages that ran side by side, each over the time that all of them took.

    Before its first input and after its last a stage waits for input.
    """
    longest = max((stage.elapsed_s for stage in stages), default=0.0)
    return tuple(
        replace(
            stage,
            elapsed_s=longest,
            waited_for_input_s=stage.waited_for_input_s + stage.workers * (longest - stage.elapsed_s),
        )
        for stage in stages
    )


def bottleneck(stages: Sequence[StageTimes]) -> StageTimes | None:
    """Return the stage whose workers were busiest, which delayed the others; None when none worked."""
    return max(
        (one for one in stages if one.busy_s > 0), key=lambda one: one.busy_s / one.workers, default=None
    )


# One stage of a pipeline: a thread that works on what comes, a bounded number of results ahead.
#
# Stages are chained by handing one's results to the next. The bound is the back-pressure: a slow stage delays
# up the ones before it, and memory stays flat.


Item = TypeVar("Item")
Result = TypeVar("Result")

_END: Any = object()
_PATIENCE_S = 0.05
"""How soon a thread that waits for room notices that nobody wants its results any more."""


def prefetch(
    items: Iterable[Item], work: Callable[[Item], Result], profiler: StageProfiler, most_waiting: int = 2
) -> Generator[Result, None, None]:
    """Do work in a thread of its own while whoever takes the results does theirs.

    Parameters
    ----------
    items : iterable
        Taken in that thread; a generator is closed there when it is no longer wanted.
    work : callable
    clock : StageProfiler
        Receives how long the thread works and waits.
    most_waiting : int
        Results that may wait to be taken.

    Yields
    ------
    object
        The results, in the order of the items. An error of an item or of the work is raised in its place.
    """
    queue: Queue[Result] = Queue(most_waiting)
    unwanted = threading.Event()

    def give(result: Result) -> None:
        while not unwanted.is_set():
            try:
                queue.put(result, timeout=_PATIENCE_S)
            except Full:
                continue
            return

    def work_on_all() -> None:
        remaining = iter(items)
        try:
            while not unwanted.is_set():
                with profiler.waiting_for_input():
                    item = next(remaining, _END)
                if item is _END:
                    break
                with profiler.working():
                    result = work(item)
                with profiler.waiting_for_space():
                    give(result)
        finally:
            if isinstance(remaining, Generator):
                remaining.close()
            give(_END)

    with ThreadPoolExecutor(1, profiler.name) as thread:
        working = thread.submit(work_on_all)
        try:
            while (result := queue.get()) is not _END:
                yield result
            working.result()
        finally:
            unwanted.set()
