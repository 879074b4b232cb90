"""What a review's events amount to: replayed in order, an undone event as if it had never been."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from cxpath.review.events import Action, Decision, Event, ReviewError
from cxpath.scores import AuditAnswer, AuditDraw, AuditQuestion, CellAnswer, MissedSquare

_CELL, _CELLS, _SQUARE, _FIELD, _REGION = "cell", "cells", "square", "field", "region"
_AUDIT, _EVENT = "audit", "event"


@dataclass(frozen=True)
class Audit:
    """An audit as it was drawn, before its first answer.

    Parameters
    ----------
    draw : AuditDraw
    squares : tuple of MissedSquare
    regions : tuple of mapping
        Uses and outlines of the regions that said where to score when it was drawn.
    """

    draw: AuditDraw
    squares: tuple[MissedSquare, ...]
    regions: tuple[Mapping[str, Any], ...] = ()

    @cached_property
    def rows(self) -> frozenset[int]:
        """Rows of the cells that were drawn."""
        return frozenset(self.draw.rows)


@dataclass(frozen=True)
class ReviewState:
    """What the events so far amount to.

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
    fields : frozenset of int
        Numbers of the fields whose calls a person accepted as they stand.
    regions : mapping
        Number of the region to its use and its outline in level-0 pixels.
    signature : mapping or None
        Name, meaning, head hash and number of events; None when unsigned or when a later decision voided it.
    """

    audit: Audit | None = None
    answers: Mapping[tuple[str, int], AuditAnswer] = field(default_factory=dict)
    squares: Mapping[tuple[str, int], MissedSquare] = field(default_factory=dict)
    edits: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    fields: frozenset[int] = frozenset()
    regions: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    signature: Mapping[str, Any] | None = None

    def answers_of(self, actor: str) -> tuple[AuditAnswer, ...]:
        """Return one reader's answers, in the order of the draw."""
        rows = self.audit.draw.rows if self.audit else ()
        return tuple(self.answers[actor, row] for row in rows if (actor, row) in self.answers)

    def squares_of(self, actor: str) -> tuple[MissedSquare, ...]:
        """Return the squares that one reader answered."""
        return tuple(one for (who, _), one in sorted(self.squares.items()) if who == actor)

    def changes_score(self) -> bool:
        """Say whether anything re-scores the cells: an edit, an accepted field, a region."""
        return bool(self.edits or self.fields or self.regions)

    @property
    def region_values(self) -> tuple[Mapping[str, Any], ...]:
        """Uses and outlines of the regions, in the order of their numbers."""
        return tuple(value for _, value in sorted(self.regions.items()))

    def same_answers(self, other: ReviewState, actor: str) -> bool:
        """Say whether a reader gave the same answers to the same audit in both states."""
        mine, theirs = ((one.audit, one.answers_of(actor), one.squares_of(actor)) for one in (self, other))
        return mine == theirs

    def same_audit(self, other: ReviewState, actor: str) -> bool:
        """Say whether a reader's audit gives the same score in both states."""
        return self.same_answers(other, actor) and self.region_values == other.region_values

    def same_score(self, other: ReviewState) -> bool:
        """Say whether the cells are scored alike in both states."""
        mine, theirs = (self.edits, self.fields, self.regions), (other.edits, other.fields, other.regions)
        return mine == theirs


def replay(events: Sequence[Event]) -> ReviewState:
    """Return the state after these events.

    Raises
    ------
    ReviewError
        When an event does not fit the state before it.
    """
    undone = undone_events(events)
    work = _Work()
    for event in events:
        if event.action not in _APPLIED:
            raise _misfit(event, f"is of a reader study ({event.action}), not of a review")
        if event.n not in undone:
            _APPLIED[event.action](work, event)
    return ReviewState(
        work.audit,
        work.answers,
        work.squares,
        work.edits,
        frozenset(work.fields),
        work.regions,
        work.signature,
    )


@dataclass
class _Work:
    """A state that is being replayed; see `ReviewState`."""

    audit: Audit | None = None
    answers: dict[tuple[str, int], AuditAnswer] = field(default_factory=dict)
    squares: dict[tuple[str, int], MissedSquare] = field(default_factory=dict)
    edits: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    fields: set[int] = field(default_factory=set)
    regions: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    signature: Mapping[str, Any] | None = None


def undone_events(events: Sequence[Event]) -> frozenset[int]:
    """Return the numbers of the events that are not in force: an undo that is undone undoes nothing."""
    gone: set[int] = set()
    for event in reversed(events):
        if event.action is Action.UNDO and event.n not in gone:
            gone.add(_number(event.target, _EVENT, event.n))
    return frozenset(gone)


def latest_undoable(events: Sequence[Event], actor: str) -> Event | None:
    """Return a reader's latest valid decision that can be taken back; None when there is none.

    Answers of an audit before the latest draw are gone with it.
    """
    undone = undone_events(events)
    drawn = max((event.n for event in events if event.action is Action.DRAW), default=0)
    for event in reversed(events):
        stale = event.action in {Action.ANSWER, Action.SQUARE} and event.n < drawn
        undoable = event.action in _UNDOABLE and event.n not in undone
        if undoable and event.actor == actor and not stale:
            return event
    return None


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
    if event.action not in {*_UNDOABLE, Action.UNDO}:
        raise ReviewError(f"event {number} ({event.action}) cannot be undone", "undo answers and edits")
    if number in undone_events(events):
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


_UNDOABLE = frozenset({Action.ANSWER, Action.SQUARE, Action.EDIT, Action.ACCEPT, Action.REGION})


def _begin(work: _Work, event: Event) -> None:
    pass  # what the chain starts from is checked by its hash


def _undo(work: _Work, event: Event) -> None:
    work.signature = None


def _draw(work: _Work, event: Event) -> None:
    work.audit, work.answers, work.squares, work.signature = audit_from(event), {}, {}, None


def _answer(work: _Work, event: Event) -> None:
    row = _number(event.target, _CELL, event.n)
    if work.audit is None or row not in work.audit.rows:
        raise _misfit(event, f"answers cell {row}, which was not sampled")
    answer = answer_from(row, event.new, event.n)
    _require_old(event, event.old, answer_value(work.answers.get((event.actor, row))))
    work.answers[event.actor, row], work.signature = answer, None


def _square(work: _Work, event: Event) -> None:
    number = _number(event.target, _SQUARE, event.n)
    drawn = work.audit.squares if work.audit else ()
    if not 0 <= number < len(drawn) or not isinstance(event.new, dict) or set(event.new) != set(MISSED):
        raise _misfit(event, f"counts square {number}, which was not sampled")
    if not all(type(count) is int and count >= 0 for count in event.new.values()):
        raise _misfit(event, f"counts square {number} by what is not a number of cells")
    counted = replace(drawn[number], **event.new)
    work.squares[event.actor, number], work.signature = counted, None


def _edit(work: _Work, event: Event) -> None:
    new = edited_cells(event, event.new)
    if held := {row: dict(work.edits[row]) for row in new if row in work.edits}:
        old = edited_cells(event, event.old)
        _require_old(event, {row: old.get(row) for row in held}, held)
    work.edits.update(new)
    work.signature = None


def _accept(work: _Work, event: Event) -> None:
    number = _number(event.target, _FIELD, event.n)
    if not isinstance(event.new, bool):
        raise _misfit(event, "neither accepts a field nor takes that back")
    _require_old(event, event.old, number in work.fields)
    (work.fields.add if event.new else work.fields.discard)(number)
    work.signature = None


def _region(work: _Work, event: Event) -> None:
    number = _number(event.target, _REGION, event.n)
    _require_old(event, event.old, work.regions.get(number))
    if event.new is None:
        work.regions.pop(number, None)
    else:
        work.regions[number] = _region_value(event, event.new)
    work.signature = None


def _region_value(event: Event, value: Any) -> Mapping[str, Any]:
    if isinstance(value, dict) and set(value) == {"use", "points"}:
        return value
    raise _misfit(event, "is no region")


def _sign(work: _Work, event: Event) -> None:
    work.signature = dict(event.new)


_APPLIED = {
    Action.BEGIN: _begin,
    Action.DRAW: _draw,
    Action.ANSWER: _answer,
    Action.SQUARE: _square,
    Action.EDIT: _edit,
    Action.ACCEPT: _accept,
    Action.REGION: _region,
    Action.UNDO: _undo,
    Action.SIGN: _sign,
}

MISSED = ("tumour_stained", "tumour_unstained", "immune_stained")
"""What is counted of the missed cells of a square."""


def _require_old(event: Event, stated: Any, current: Any) -> None:
    if stated != current:
        raise _misfit(event, "states another value before it than the one in force")


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
    questions = [[one.row, one.stratum, one.asks_stained, one.guard, one.inclusion] for one in draw.questions]
    squares = [[one.left_px, one.top_px, one.side_px] for one in audit.squares]
    new = {
        "seed": draw.seed,
        "near_from": draw.near_from,
        "regions": [dict(one) for one in audit.regions],
        "questions": questions,
        "squares": squares,
    }
    return Decision(actor, Action.DRAW, f"{_AUDIT} {number}", new=new)


def audit_from(event: Event) -> Audit:
    """Return the audit that an event recorded."""
    try:
        questions = tuple(
            AuditQuestion(int(row), int(stratum), bool(stained), bool(guard), _probability(inclusion))
            for row, stratum, stained, guard, inclusion in event.new["questions"]
        )
        squares = tuple(
            MissedSquare(float(left_px), float(top_px), float(side_px))
            for left_px, top_px, side_px in event.new["squares"]
        )
        draw = AuditDraw(int(event.new["seed"]), float(event.new["near_from"]), questions)
        return Audit(draw, squares, tuple(_region_value(event, one) for one in event.new["regions"]))
    except (KeyError, TypeError, ValueError) as error:
        raise _misfit(event, "is not the sample of an audit") from error


def _probability(stated: Any) -> float:
    probability = float(stated)
    if not 0.0 < probability <= 1.0:
        raise ValueError(stated)
    return probability


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


def edits_decision(
    old: Mapping[int, Mapping[str, Any]], new: Mapping[int, Mapping[str, Any]], actor: str
) -> Decision:
    """Return the one decision that changes many cells at once: their rows grouped by value.

    Parameters
    ----------
    old, new : mapping of int to mapping
        The value of each row before, and now; the same rows.
    actor : str
    """
    if len(new) == 1:
        ((row, value),) = new.items()
        return edit_decision(row, old[row], value, actor)
    target = f"{_CELLS} {len(new)}"
    return Decision(actor, Action.EDIT, target, old=_by_value(old), new=_by_value(new))


def _by_value(values: Mapping[int, Mapping[str, Any]]) -> list[list[Any]]:
    groups: dict[tuple[Any, ...], list[Any]] = {}
    for row in sorted(values):
        value = values[row]
        groups.setdefault(tuple(value.items()), [dict(value), []])[1].append(row)
    return sorted(groups.values(), key=lambda group: int(group[1][0]))


def edited_cells(event: Event, stated: Any) -> dict[int, Mapping[str, Any]]:
    """Return rows and values of an edit, from its `old` or its `new`.

    Raises
    ------
    ReviewError
        When they are none.
    """
    if event.target.startswith(f"{_CELL} "):
        if not isinstance(stated, dict):
            raise _misfit(event, "edits a cell without saying how")
        return {_number(event.target, _CELL, event.n): stated}
    number = _number(event.target, _CELLS, event.n)
    try:
        found = {row: value for value, rows in stated for row in rows}
        sound = all(type(row) is int and row >= 0 for row in found)
        sound = sound and all(isinstance(value, dict) for value, _ in stated)
    except (TypeError, ValueError):
        sound, found = False, {}
    if not sound or len(found) != number:
        raise _misfit(event, "edits cells without saying how")
    return found


def accept_decision(number: int, state: ReviewState, actor: str, *, accepted: bool) -> Decision:
    """Return the decision that accepts every call in a field as it stands, or takes that back."""
    return Decision(actor, Action.ACCEPT, f"{_FIELD} {number}", old=number in state.fields, new=accepted)


def region_decision(number: int, state: ReviewState, value: Mapping[str, Any] | None, actor: str) -> Decision:
    """Return the decision that draws a region, or removes one where `value` is None."""
    before = state.regions.get(number)
    return Decision(
        actor,
        Action.REGION,
        f"{_REGION} {number}",
        old=None if before is None else dict(before),
        new=None if value is None else dict(value),
    )


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
