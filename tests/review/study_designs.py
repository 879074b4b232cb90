"""Designs of reader studies, and a reader's way through them, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cxpath.review.events import Decision, Event, extended
from cxpath.review.study_design import StudyDesign
from cxpath.review.study_session import (
    Entered,
    ReaderState,
    StudyGenesis,
    begin_study,
    open_session,
    replay_reader,
    show_read,
    submit_read,
)

START = datetime(2026, 11, 30, 9, 0, 0, tzinfo=UTC)
UNAIDED, AIDED = {"arm": "unaided"}, {"arm": "aided"}
SAME_SITTING = {"arm": "aided", "start": "same sitting"}


Rows = list[dict[str, Any]]


def design(slides: int | Rows = 4, readers: int | Rows = 2, **changed: Any) -> StudyDesign:
    """Return a crossed study whose software says 1, 2, 3, ... of its slides."""
    if isinstance(slides, int):
        slides = [
            {"id": f"s{number}", "file": f"slides/s{number}.svs", "software": float(number)}
            for number in range(1, slides + 1)
        ]
    if isinstance(readers, int):
        readers = [{"id": f"r{number}"} for number in range(1, readers + 1)]
    stated = {"name": "Test study", "seed": 7, "rounds": [UNAIDED, AIDED]}
    return StudyDesign.model_validate(stated | {"slides": slides, "readers": readers} | changed)


def answer(score: float = 5.0, **changed: Any) -> dict[str, Any]:
    """Return a complete answer to the questions of `design`."""
    sides = {"1": score >= 1, "10": score >= 10}
    return {"adequate": True, "score": score, "sides": sides, "confidence": 4, "comment": ""} | changed


class Walk:
    """A reader who goes through a study."""

    def __init__(self, of: StudyDesign, reader: str = "r1", now: datetime = START) -> None:
        self.design, self.reader, self.now = of, reader, now
        self.genesis = StudyGenesis(of.digest, reader)
        self.events: tuple[Event, ...] = ()
        self.take(begin_study(self.genesis, "0"))
        self.take(open_session(reader, "one"))

    @property
    def state(self) -> ReaderState:
        """Where the reader stands."""
        return replay_reader(self.events, self.design, self.reader)

    def take(self, decision: Decision) -> None:
        """Append a decision."""
        self.events = extended(self.genesis, self.events, [decision], self.now)

    def show(self) -> None:
        """Open the next slide."""
        self.take(show_read(self.state, self.design, self.reader, "one", self.now))

    def entered(self, given: Mapping[str, Any], shown_ms: int = 0) -> Entered:
        """Return what the browser sends about the next read."""
        assert self.state.next is not None
        return Entered(self.state.next.position, given, shown_ms)

    def submit(self, given: Mapping[str, Any] | None = None, seconds: int = 30) -> None:
        """Open the next slide, look for some time, and submit."""
        self.show()
        self.wait(seconds=seconds)
        entered = self.entered(answer() if given is None else given, seconds * 1000)
        self.take(submit_read(self.state, self.design, self.reader, "one", entered, self.now))

    def wait(self, **span: float) -> None:
        """Let time pass."""
        self.now += timedelta(**span)
