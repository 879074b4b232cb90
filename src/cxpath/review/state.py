"""What a review's events amount to: replayed in order, an undone event as if it had never been."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cxpath.review.events import Action, Decision, Event, ReviewError
from cxpath.scores.audit import AuditAnswer, AuditDraw, AuditQuestion, CellAnswer, MissedSquare

_CELL, _SQUARE, _AUDIT, _EVENT = "cell", "square", "audit", "event"


@dataclass(frozen=True)
class Audit:
    """An audit as it was drawn, before its first answer."""

    draw: AuditDraw
    squares: tuple[MissedSquare, ...]


@dataclass(frozen=True)
class ReviewState:
    """What holds after the events so far.

    Parameters
    ----------
    audit : Audit or None
        The latest draw.
    answers : mapping
        By actor and row of the cell.
    squares : mapping
        By actor and number of the square.
    edits : mapping
        Row of the cell to its edited class and staining.
    signature : mapping or None
        Name, meaning, head hash and number of events; None when unsigned or when a later decision voided it.
    """

    audit: Audit | None = None
    answers: Mapping[tuple[str, int], AuditAnswer] = field(default_factory=dict)
    squares: Mapping[tuple[str, int], MissedSquare] = field(default_factory=dict)
    edits: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    signature: Mapping[str, Any] | None = None

    def answers_of(self, actor: str) -> tuple[AuditAnswer, ...]:
        """Return one reader's answers, in the order of the draw."""
        rows = self.audit.draw.rows if self.audit else ()
        return tuple(self.answers[actor, row] for row in rows if (actor, row) in self.answers)

    def squares_of(self, actor: str) -> tuple[MissedSquare, ...]:
        """Return the squares that one reader answered."""
        return tuple(one for (who, _), one in sorted(self.squares.items()) if who == actor)


def replay(events: Sequence[Event]) -> ReviewState:
    """Return the state after these events.

    Raises
    ------
    ReviewError
        When an event does not fit the state before it.
    """
    undone = _undone(events)
    state = ReviewState()
    for event in events:
        if event.action not in _APPLIED:
            raise _misfit(event, f"is of a reader study ({event.action}), not of a review")
        if event.n not in undone:
            state = _APPLIED[event.action](state, event)
    return state


def _undone(events: Sequence[Event]) -> frozenset[int]:
    """Return the numbers of the events that do not hold: an undo that is undone undoes nothing."""
    gone: set[int] = set()
    for event in reversed(events):
        if event.action is Action.UNDO and event.n not in gone:
            gone.add(_number(event.target, _EVENT, event.n))
    return frozenset(gone)


def undo_of(events: Sequence[Event], number: int, actor: str) -> Decision:
    """Return the decision that takes back an event.

    Raises
    ------
    ReviewError
        When there is no such event, it is undone already, or it cannot be taken back.
    """
    if not 1 <= number <= len(events):
        raise ReviewError(f"event {number} does not exist", f"the record has {len(events)} events")
    event = events[number - 1]
    if event.action in {Action.BEGIN, Action.DRAW, Action.SIGN}:
        raise ReviewError(f"event {number} ({event.action}) cannot be undone", "undo answers and edits")
    if number in _undone(events):
        raise ReviewError(f"event {number} is undone already", "")
    decision = Decision(actor, Action.UNDO, f"{_EVENT} {number}", old=event.new, new=event.old)
    _require_free(events, decision)
    return decision


def _require_free(events: Sequence[Event], decision: Decision) -> None:
    """Refuse an undo that would leave a later decision without the value that it replaced."""
    undo = Event(n=len(events) + 1, utc=events[-1].utc, prev=events[-1].hash, hash="", **vars(decision))
    try:
        replay([*events, undo])
    except ReviewError as error:
        raise ReviewError(
            f"{decision.target} cannot be undone: a later decision rests on it", "undo the later one first"
        ) from error


def _same(state: ReviewState, event: Event) -> ReviewState:
    return state


def _undo(state: ReviewState, event: Event) -> ReviewState:
    return replace(state, signature=None)


def _draw(state: ReviewState, event: Event) -> ReviewState:
    return ReviewState(audit=audit_from(event), edits=state.edits)


def _answer(state: ReviewState, event: Event) -> ReviewState:
    row = _number(event.target, _CELL, event.n)
    if state.audit is None or row not in state.audit.draw.rows:
        raise _misfit(event, f"answers cell {row}, which was not drawn")
    answer = answer_from(row, event.new, event.n)
    _require_old(event, answer_value(state.answers.get((event.actor, row))))
    return replace(state, answers={**state.answers, (event.actor, row): answer}, signature=None)


def _square(state: ReviewState, event: Event) -> ReviewState:
    number = _number(event.target, _SQUARE, event.n)
    drawn = state.audit.squares if state.audit else ()
    if not 0 <= number < len(drawn) or not isinstance(event.new, dict) or set(event.new) != set(MISSED):
        raise _misfit(event, f"counts square {number}, which was not drawn")
    told = replace(drawn[number], **{name: int(count) for name, count in event.new.items()})
    return replace(state, squares={**state.squares, (event.actor, number): told}, signature=None)


def _edit(state: ReviewState, event: Event) -> ReviewState:
    row = _number(event.target, _CELL, event.n)
    if not isinstance(event.new, dict):
        raise _misfit(event, "edits a cell without saying how")
    before = state.edits.get(row)
    if before is not None:
        _require_old(event, dict(before))
    return replace(state, edits={**state.edits, row: event.new}, signature=None)


def _sign(state: ReviewState, event: Event) -> ReviewState:
    return replace(state, signature=dict(event.new))


_APPLIED = {
    Action.BEGIN: _same,
    Action.DRAW: _draw,
    Action.ANSWER: _answer,
    Action.SQUARE: _square,
    Action.EDIT: _edit,
    Action.UNDO: _undo,
    Action.SIGN: _sign,
}

MISSED = ("tumour_stained", "tumour_unstained", "immune_stained")
"""What is counted of the missed cells of a square."""


def _require_old(event: Event, holds: Any) -> None:
    if event.old != holds:
        raise _misfit(event, "states another value before it than the one that held")


def _number(target: str, kind: str, event: int) -> int:
    word, _, digits = target.partition(" ")
    if word != kind or not digits.isascii() or not digits.isdigit():
        raise ReviewError(f"event {event}: its target is {target!r}, not a {kind}", "")
    return int(digits)


def _misfit(event: Event, why: str) -> ReviewError:
    return ReviewError(f"event {event.n} {why}", "check the record with cxpath review verify")


# Audits and answers as JSON values of events.


def draw_decision(audit: Audit, number: int, actor: str) -> Decision:
    """Return the decision that records a draw, before its first answer."""
    draw = audit.draw
    questions = [[one.row, one.stratum, one.asks_stained, one.guard] for one in draw.questions]
    squares = [[one.left_px, one.top_px, one.side_px] for one in audit.squares]
    new = {"seed": draw.seed, "questions": questions, "squares": squares}
    return Decision(actor, Action.DRAW, f"{_AUDIT} {number}", new=new)


def audit_from(event: Event) -> Audit:
    """Return the audit that an event recorded."""
    try:
        questions = tuple(
            AuditQuestion(int(row), int(stratum), bool(stained), bool(guard))
            for row, stratum, stained, guard in event.new["questions"]
        )
        squares = tuple(
            MissedSquare(float(left_px), float(top_px), float(side_px))
            for left_px, top_px, side_px in event.new["squares"]
        )
        return Audit(AuditDraw(int(event.new["seed"]), questions), squares)
    except (KeyError, TypeError, ValueError) as error:
        raise _misfit(event, "is no draw of an audit") from error


def answer_decision(answer: AuditAnswer, state: ReviewState, actor: str) -> Decision:
    """Return the decision that records an answer, with the one that it replaces."""
    before = answer_value(state.answers.get((actor, answer.row)))
    return Decision(actor, Action.ANSWER, f"{_CELL} {answer.row}", old=before, new=answer_value(answer))


def square_decision(number: int, square: MissedSquare, actor: str) -> Decision:
    """Return the decision that records the missed cells of a square."""
    counts = {name: getattr(square, name) for name in MISSED}
    return Decision(actor, Action.SQUARE, f"{_SQUARE} {number}", new=counts)


def edit_decision(row: int, old: Mapping[str, Any], new: Mapping[str, Any], actor: str) -> Decision:
    """Return the decision that changes the class or the staining of a cell."""
    return Decision(actor, Action.EDIT, f"{_CELL} {row}", old=dict(old), new=dict(new))


def answer_value(answer: AuditAnswer | None) -> dict[str, Any] | None:
    """Return an answer as it is written into an event."""
    return None if answer is None else {"class": answer.answer.value, "stained": answer.stained}


def answer_from(row: int, value: Any, event: int) -> AuditAnswer:
    """Return the answer that an event's value states."""
    try:
        stained = {None: None, True: True, False: False}[value["stained"]]
        return AuditAnswer(row, CellAnswer(value["class"]), stained)
    except (KeyError, TypeError, ValueError) as error:
        raise ReviewError(f"event {event}: is no answer about a cell", "") from error
