"""How far a batch is: counts, speed, time left. Pure; time comes from outside."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from cxpath.runs.batch.engine import Event, Finished, Moved, Started
from cxpath.runs.batch.outcome import Outcome, Status

SCHEMA = "cxpath/batch-progress/1"
_RECENT = 50


@dataclass
class InHand:
    """What a worker has in hand."""

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

    def as_dict(self, now_s: float) -> dict[str, Any]:
        """Return the state of affairs as `progress.json` holds it."""
        speed, left = self.slides_per_hour(now_s), self.seconds_left(now_s)
        return {
            "schema": SCHEMA,
            "slides": self.total,
            "done": self.done,
            "kept": self.kept,
            "scored": self.counts.get(Status.SCORED, 0),
            "not_evaluable": self.counts.get(Status.NOT_EVALUABLE, 0),
            "failed": self.failed,
            "worker_deaths": self.crashes,
            "slides_per_hour": round(speed, 2) if speed else None,
            "seconds_left": round(left) if left is not None else None,
            "seconds": round(now_s - self.started_s, 1),
            "in_hand": [
                {
                    "worker": worker,
                    "id": held.id,
                    "seconds": round(now_s - held.since_s, 1),
                    "tiles_done": held.tiles_done,
                    "tiles": held.tiles,
                }
                for worker, held in sorted(self.in_hand.items())
            ],
        }

    def _end(self, outcome: Outcome, now_s: float) -> None:
        if outcome.status is Status.RUNNING:  # its worker died; it will be tried again
            self.crashes += 1
            return
        self.counts[outcome.status] = self.counts.get(outcome.status, 0) + 1
        self._ends_s.append(now_s)
        if outcome.status is Status.FAILED:
            self.failures.append(outcome)

    def _release(self, slide_id: str) -> None:
        self.in_hand = {worker: held for worker, held in self.in_hand.items() if held.id != slide_id}
