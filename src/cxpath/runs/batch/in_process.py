"""The simplest engine: one slide after the other in this process. A slide that crashes it ends the batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cxpath.runs.batch.attempt import Attempt, worker_name
from cxpath.runs.batch.engine import Event, Finished, Started
from cxpath.runs.batch.slide_task import SlideTask


@dataclass(frozen=True)
class InProcess:
    """Scores in this process.

    Parameters
    ----------
    attempt : Attempt
    """

    attempt: Attempt

    @property
    def name(self) -> str:
        """What it is."""
        return "this process"

    def run(self, tasks: Sequence[SlideTask]) -> Iterator[Event]:
        """Attempt every task in turn."""
        for task in tasks:
            yield Started(task.id, worker_name())
            yield Finished(self.attempt.settle(task, worker_name()))
