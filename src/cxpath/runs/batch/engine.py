"""What every engine does: take tasks, give events as they come. One worker or a cluster, the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from cxpath.runs.batch.outcome import Outcome
from cxpath.runs.batch.slide_task import SlideTask


@dataclass(frozen=True)
class Started:
    """A worker took a slide in hand."""

    id: str
    worker: str


@dataclass(frozen=True)
class Moved:
    """A worker has done some tiles of its slide."""

    worker: str
    done: int
    total: int


@dataclass(frozen=True)
class Finished:
    """What came of a slide; it is on disk already. *Running* means that it will be tried again."""

    outcome: Outcome


Event = Started | Moved | Finished


class Engine(Protocol):
    """Scores slides somewhere."""

    @property
    def name(self) -> str:
        """What it is, such as "2 local workers"."""

    def run(self, tasks: Sequence[SlideTask]) -> Iterator[Event]:
        """Attempt every task; yields what happens.

        Raises
        ------
        OutputError
            When results can no longer be kept.
        BatchError
            When the engine itself fails: no worker starts, the cluster is gone.
        """
