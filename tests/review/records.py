"""Records of reviews for tests: a genesis, a drawn audit and decisions about it."""

from __future__ import annotations

from datetime import UTC, datetime

from cxpath.review.events import Decision, Event, Genesis, begin_decision, extended
from cxpath.review.state import Audit, answer_decision, draw_decision, edit_decision, replay, square_decision
from cxpath.scores import AuditAnswer, AuditDraw, AuditQuestion, CellAnswer, MissedSquare

GENESIS = Genesis("a" * 64, "b" * 64, "c" * 64, "0.9.0")
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
READER = "Dr A. Reader"

AUDIT = Audit(
    AuditDraw(7, 0.1, tuple(AuditQuestion(row, row % 9, row % 3 != 2, False, 0.25) for row in range(12))),
    (MissedSquare(0.0, 0.0, 200.0), MissedSquare(400.0, 200.0, 200.0)),
)


def after(events: tuple[Event, ...], *decisions: Decision) -> tuple[Event, ...]:
    return extended(GENESIS, events, decisions, NOON)


def answered(
    events: tuple[Event, ...], row: int, answer: CellAnswer, stained: bool | None
) -> tuple[Event, ...]:
    told = AuditAnswer(row, answer, stained)
    return after(events, answer_decision(told, replay(events), READER))


def record() -> tuple[Event, ...]:
    """Return a begun review with a draw, three answers, a square and two edits."""
    events = after((), begin_decision(GENESIS, "cxpath"), draw_decision(AUDIT, 1, "cxpath"))
    events = answered(events, 3, CellAnswer.TUMOUR, True)
    events = answered(events, 5, CellAnswer.OTHER, None)
    events = answered(events, 3, CellAnswer.IMMUNE, False)
    square = MissedSquare(400.0, 200.0, 200.0, 1, 0, 2)
    was, now = {"class": "tumour", "stained": False}, {"class": "other", "stained": False}
    return after(
        events,
        square_decision(1, square, READER),
        edit_decision(40, was, now, READER),
        edit_decision(41, was, {"removed": True}, READER),
    )


def as_file(events: tuple[Event, ...]) -> bytes:
    return "".join(f"{event.line}\n" for event in events).encode()
