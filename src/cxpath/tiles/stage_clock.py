"""StageClock: how long one stage of a pipeline worked, and how long it waited for its neighbours."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import Any


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
    waited_for_room_s : float
        With a result in hand, since the stage after had not taken the earlier ones.
    """

    name: str
    workers: int
    elapsed_s: float
    busy_s: float
    waited_for_input_s: float
    waited_for_room_s: float

    @property
    def busy_share(self) -> float:
        """Share of its workers' time that the stage was at work."""
        return self.busy_s / (self.workers * self.elapsed_s) if self.elapsed_s > 0 else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return it as it stands in `run.json`."""
        times = {name: value for name, value in asdict(self).items() if name.endswith("_s")}
        rounded = {name: round(value, 3) for name, value in times.items()}
        return {"workers": self.workers, **rounded, "busy_share": round(self.busy_share, 4)}


class StageClock:
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

    def waiting_for_room(self) -> AbstractContextManager[None]:
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
            sum(stage.waited_for_room_s for stage in stages),
        )
        for stages in zip(*goes, strict=True)
    )


def side_by_side(stages: Sequence[StageTimes]) -> tuple[StageTimes, ...]:
    """Return the times of stages that ran beside each other, each over the time that all of them took.

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
    """Return the stage whose workers were busiest, which held up the others; None when none worked."""
    return max(
        (one for one in stages if one.busy_s > 0), key=lambda one: one.busy_s / one.workers, default=None
    )
