"""A reader's way through a study: what may be shown and answered next, as the events so far decide.

Slides come one by one in the reader's order. A submitted answer stands. Nothing else is known here of other
readers: each has a record of their own.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from cxpath.review.events import Action, Decision, Event, ReviewError, canonical_json, utc_seconds
from cxpath.review.study_design import Arm, Assignment, StudyDesign, schedule

SCHEMA = "cxpath/study-events/1"
_READ = "read"


@dataclass(frozen=True)
class StudyGenesis:
    """What a reader's record starts from: another design, or another reader, makes another chain.

    Parameters
    ----------
    study : str
        Digest of the design.
    reader : str
    """

    study: str
    reader: str

    @property
    def hash(self) -> str:
        """What the first event carries as `prev`."""
        return hashlib.sha256(canonical_json({"schema": SCHEMA} | asdict(self))).hexdigest()

    @property
    def files(self) -> str:
        """The files that the record belongs to, in words."""
        return "study.toml (it was changed after the study began) or this reader"


# Answers: what is asked is forced, and what contradicts itself is refused.


class AnswerError(ReviewError):
    """An answer that is not complete or contradicts itself; `question` says where."""

    def __init__(self, question: str, message: str) -> None:
        super().__init__(message)
        self.question = question


@dataclass(frozen=True)
class StudyAnswer:
    """What a reader said about a slide.

    Parameters
    ----------
    adequate : bool
        Whether the slide can be scored.
    score : float or None
        None exactly where it cannot.
    sides : mapping of str to bool
        For each cut-off, as "1" or "10", whether it is reached; empty where that is not asked.
    confidence : int or None
    comment : str
    """

    adequate: bool
    score: float | None
    sides: Mapping[str, bool] = field(default_factory=dict)
    confidence: int | None = None
    comment: str = ""


LONGEST_COMMENT = 2000
_KEYS = frozenset({"adequate", "score", "sides", "confidence", "comment"})


def answer_of(design: StudyDesign, given: Mapping[str, Any]) -> StudyAnswer:
    """Return a complete answer.

    Parameters
    ----------
    design : StudyDesign
    given : mapping
        JSON values by question.

    Raises
    ------
    AnswerError
        Naming the question that is missing, out of range or contradicts another.
    """
    unknown = sorted(set(given) - _KEYS)
    if unknown:
        raise AnswerError(unknown[0][:40], f"{unknown[0][:40]!r} is not asked in this study")
    adequate = given.get("adequate", None if design.questions.adequacy else True)
    if not isinstance(adequate, bool):
        raise AnswerError("adequate", "say whether the slide can be scored")
    score, sides = None, {}
    if adequate:
        score = _score(design, given.get("score"))
        sides = _sides(design, given.get("sides") or {}, score)
    elif given.get("score") is not None or given.get("sides"):
        raise AnswerError("score", "a slide that cannot be scored has no score")
    return StudyAnswer(adequate, score, sides, _confidence(design, given), _comment(design, given))


def _score(design: StudyDesign, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise AnswerError("score", f"give the {design.score} as a number")
    if not 0 <= value <= design.largest:
        raise AnswerError("score", f"the {design.score} lies between 0 and {design.largest:g}")
    return float(value)


def _sides(design: StudyDesign, given: object, score: float) -> dict[str, bool]:
    names = [f"{cutoff:g}" for cutoff in design.cutoffs] if design.questions.sides else []
    if not isinstance(given, dict) or set(given) - set(names):
        raise AnswerError("sides", "sides are answered for the cut-offs of the study")
    for name, cutoff in zip(names, design.cutoffs, strict=False):
        side = given.get(name)
        if not isinstance(side, bool):
            raise AnswerError("sides", f"say whether the {design.score} reaches {name}")
        if side is not (score >= cutoff):
            stated = "reached" if side else "not reached"
            raise AnswerError("sides", f"a {design.score} of {score:g} contradicts {name} {stated}")
    return {name: given[name] for name in names}


def _confidence(design: StudyDesign, given: Mapping[str, Any]) -> int | None:
    value = given.get("confidence")
    if not design.questions.confidence:
        if value is not None:
            raise AnswerError("confidence", "confidence is not asked in this study")
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 5:
        raise AnswerError("confidence", "give a confidence from 1 to 5")
    return value


def _comment(design: StudyDesign, given: Mapping[str, Any]) -> str:
    value = given.get("comment") or ""
    if not isinstance(value, str) or len(value) > LONGEST_COMMENT:
        raise AnswerError("comment", f"a comment has {LONGEST_COMMENT} characters at most")
    if value and not design.questions.comment:
        raise AnswerError("comment", "comments are not asked in this study")
    return value


# The state of a reader, replayed from the events of the reader's record.


@dataclass(frozen=True)
class SubmittedRead:
    """An answer that stands.

    Parameters
    ----------
    answer : StudyAnswer
    seconds : float
        How long the slide was in front of the reader.
    utc : str
    """

    answer: StudyAnswer
    seconds: float
    utc: str


@dataclass(frozen=True)
class Draft:
    """What a reader had entered when the browser last spoke, and how long they had looked."""

    given: Mapping[str, Any]
    shown_ms: int
    utc: str


@dataclass(frozen=True)
class ReaderState:
    """Where a reader stands.

    Parameters
    ----------
    assignments : tuple of Assignment
    submitted : mapping of int to SubmittedRead
        By position.
    draft : Draft or None
        Of the read that is open.
    sessions : int
        How often the reader came.
    last_utc : str
        Of the last event; empty before the first.
    """

    assignments: tuple[Assignment, ...]
    submitted: Mapping[int, SubmittedRead] = field(default_factory=dict)
    draft: Draft | None = None
    sessions: int = 0
    last_utc: str = ""

    @property
    def next(self) -> Assignment | None:
        """The read that is to be made; None when all are made."""
        number = len(self.submitted)
        return self.assignments[number] if number < len(self.assignments) else None


def replay_reader(
    events: Iterable[Event], design: StudyDesign, reader: str, before: ReaderState | None = None
) -> ReaderState:
    """Return where a reader stands after some events.

    Parameters
    ----------
    events : iterable of Event
    design : StudyDesign
    reader : str
    before : ReaderState, optional
        Where the reader stood before the first of them; at the beginning by default.

    Raises
    ------
    ReviewError
        When an event does not fit those before it.
    """
    state = before or ReaderState(schedule(design, reader))
    for event in events:
        if event.actor != reader:
            raise _misfit(event, f"is by {event.actor}, not by {reader}")
        if event.action not in _APPLIED:
            raise _misfit(event, f"is of a review ({event.action}), not of a reader study")
        state = replace(_APPLIED[event.action](state, event, design), last_utc=event.utc)
    return state


def _begin(state: ReaderState, event: Event, design: StudyDesign) -> ReaderState:
    return state


def _open(state: ReaderState, event: Event, design: StudyDesign) -> ReaderState:
    return replace(state, sessions=state.sessions + 1)


def _show(state: ReaderState, event: Event, design: StudyDesign) -> ReaderState:
    _require_next(state, event)
    if state.draft is not None:
        return replace(state, draft=replace(state.draft, utc=event.utc))
    return replace(state, draft=Draft({}, 0, event.utc))


def _draft(state: ReaderState, event: Event, design: StudyDesign) -> ReaderState:
    _require_next(state, event)
    if not isinstance(event.new, dict):
        raise _misfit(event, "is not a draft of an answer")
    return replace(state, draft=Draft(event.new, event.shown_ms or 0, event.utc))


def _submit(state: ReaderState, event: Event, design: StudyDesign) -> ReaderState:
    assignment = _require_next(state, event)
    if not isinstance(event.new, dict):
        raise _misfit(event, "is no answer")
    answer = answer_of(design, event.new)
    read = SubmittedRead(answer, (event.shown_ms or 0) / 1000, event.utc)
    return replace(state, submitted={**state.submitted, assignment.position: read}, draft=None)


_APPLIED = {
    Action.BEGIN: _begin,
    Action.OPEN: _open,
    Action.SHOW: _show,
    Action.DRAFT: _draft,
    Action.SUBMIT: _submit,
}


def _require_next(state: ReaderState, event: Event) -> Assignment:
    if state.next is None or event.target != _target(state.next):
        raise _misfit(event, f"is about {event.target}, which is not the read that was open")
    return state.next


def _misfit(event: Event, why: str) -> ReviewError:
    return ReviewError(f"event {event.n} {why}", "restore the record from a backup")


def _target(assignment: Assignment) -> str:
    return f"{_READ} {assignment.position}"


# When a read may be made.


class Stage(StrEnum):
    """What a reader can do now."""

    READING = "reading"
    WASH_OUT = "wash-out"
    DONE = "done"


def opens_at(state: ReaderState, design: StudyDesign) -> datetime | None:
    """Return when the next read may be made: the wash-out after the last read of the sitting before.

    None where there is no need to wait.
    """
    coming = state.next
    if coming is None or coming.sitting == 1 or not state.submitted:
        return None
    before = [one for one in state.assignments if one.sitting < coming.sitting]
    last = max(state.submitted[one.position].utc for one in before)
    return moment(last) + timedelta(days=design.wash_out_days)


def stage_of(state: ReaderState, design: StudyDesign, now: datetime) -> Stage:
    """Return what a reader can do now."""
    if state.next is None:
        return Stage.DONE
    opening = opens_at(state, design)
    return Stage.WASH_OUT if opening is not None and now < opening else Stage.READING


def moment(utc: str) -> datetime:
    """Return the time that an event states."""
    return datetime.strptime(utc, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


# Decisions: what a reader's browser asks for, checked against the state.


def begin_study(genesis: StudyGenesis, version: str) -> Decision:
    """Return the first decision of a reader's record."""
    return Decision(genesis.reader, Action.BEGIN, "study", new=asdict(genesis) | {"version": version})


def open_session(reader: str, session: str) -> Decision:
    """Return the decision that records that a reader came."""
    return Decision(reader, Action.OPEN, "study", session=session)


def show_read(state: ReaderState, design: StudyDesign, reader: str, session: str, now: datetime) -> Decision:
    """Return the decision that records that a slide was put in front of the reader.

    It states whether the software's score was shown with it.

    Raises
    ------
    ReviewError
        When nothing may be read now.
    """
    coming = _readable(state, design, now)
    new = {"round": coming.round, "slide": coming.slide, "code": coming.code, "practice": coming.practice}
    return Decision(
        reader,
        Action.SHOW,
        _target(coming),
        new=new | {"arm": coming.arm.value, "software": software_shown(design, coming)},
        session=session,
    )


def software_shown(design: StudyDesign, assignment: Assignment) -> float | str | None:
    """Return what the software says, in the aided arm only."""
    return design.slide(assignment.slide).software if assignment.arm is Arm.AIDED else None


@dataclass(frozen=True)
class Entered:
    """What a browser sends about the read that is open.

    Parameters
    ----------
    position : int
    given : mapping
        JSON values by question.
    shown_ms : int
        How long the slide has been looked at in all, as the browser counted it.
    """

    position: int
    given: Mapping[str, Any]
    shown_ms: int


def keep_draft(
    state: ReaderState, design: StudyDesign, reader: str, session: str, entered: Entered, now: datetime
) -> Decision:
    """Return the decision that keeps what was entered so far."""
    coming = _open_read(state, design, entered, now)
    if len(canonical_json(dict(entered.given))) > 4 * LONGEST_COMMENT:
        raise AnswerError("comment", "this is too long to be kept")
    spent = _credible_ms(state, entered, now)
    return Decision(
        reader, Action.DRAFT, _target(coming), new=dict(entered.given), session=session, shown_ms=spent
    )


def submit_read(
    state: ReaderState, design: StudyDesign, reader: str, session: str, entered: Entered, now: datetime
) -> Decision:
    """Return the decision that submits an answer, which then stands.

    Raises
    ------
    AnswerError
        When the answer is not complete.
    ReviewError
        When this is not the read that is open.
    """
    coming = _open_read(state, design, entered, now)
    answer = answer_of(design, entered.given)
    spent = _credible_ms(state, entered, now)
    return Decision(
        reader, Action.SUBMIT, _target(coming), new=answer_value(answer), session=session, shown_ms=spent
    )


def answer_value(answer: StudyAnswer) -> dict[str, Any]:
    """Return an answer as it is written into an event."""
    return asdict(answer) | {"sides": dict(answer.sides)}


def _readable(state: ReaderState, design: StudyDesign, now: datetime) -> Assignment:
    stage = stage_of(state, design, now)
    if state.next is None or stage is Stage.DONE:
        raise ReviewError("all slides are read", "")
    if stage is Stage.WASH_OUT:
        opening = opens_at(state, design) or now
        raise ReviewError(f"the next round opens at {utc_seconds(opening)}", "come back then")
    return state.next


def _open_read(state: ReaderState, design: StudyDesign, entered: Entered, now: datetime) -> Assignment:
    coming = _readable(state, design, now)
    if entered.position != coming.position or state.draft is None:
        raise ReviewError("this is not the slide that is open", "reload the page")
    return coming


_SLACK_MS = 2000
"""Events state whole seconds."""


def _credible_ms(state: ReaderState, entered: Entered, now: datetime) -> int:
    """Return the time looked at, never less than before and never more than has passed since."""
    before = state.draft or Draft({}, 0, utc_seconds(now))
    passed = int((now - moment(before.utc)).total_seconds() * 1000) + _SLACK_MS
    return max(before.shown_ms, min(entered.shown_ms, before.shown_ms + max(passed, 0)))


def positions_of(state: ReaderState, assignments: Sequence[Assignment]) -> int:
    """Return how many of these reads are submitted."""
    return sum(one.position in state.submitted for one in assignments)
