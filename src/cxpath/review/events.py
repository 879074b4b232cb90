"""Events of a review: one decision a line, each chained to the one before by SHA-256 over canonical JSON.

The chain begins with the digests of what is reviewed. It makes a record tamper-evident: a changed byte breaks
it, and the head hash with the number of events, repeated elsewhere, shows a tail that was cut off. Knows no
files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol

from cxpath.errors import CxpathError

SCHEMA = "cxpath/review-events/1"


class ReviewError(CxpathError, ValueError):
    """A review's record is broken, or an action does not fit what was decided before."""


class Action(StrEnum):
    """What a person, or cxpath on a person's behalf, did."""

    BEGIN = "begin"
    DRAW = "draw"
    ANSWER = "answer"
    SQUARE = "square"
    EDIT = "edit"
    ACCEPT = "accept"
    REGION = "region"
    UNDO = "undo"
    SIGN = "sign"
    OPEN = "open"
    SHOW = "show"
    DRAFT = "draft"
    SUBMIT = "submit"


class ChainStart(Protocol):
    """What a record is about: the chain of its events starts from the hash of it."""

    @property
    def hash(self) -> str:
        """What the first event carries as `prev`."""

    @property
    def files(self) -> str:
        """The files that the record belongs to, in words."""


@dataclass(frozen=True)
class Genesis:
    """What a review is about; the chain starts from it.

    Parameters
    ----------
    cells, score, model : str
        SHA-256 of `cells.parquet`, of the score without what a review adds, and of the model's weights.
    version : str
        Of cxpath.
    """

    cells: str
    score: str
    model: str
    version: str

    @property
    def hash(self) -> str:
        """What the first event carries as `prev`."""
        return hashlib.sha256(canonical_json({"schema": SCHEMA} | asdict(self))).hexdigest()

    @property
    def files(self) -> str:
        """The files that the record belongs to, in words."""
        return "cells.parquet and score.json"

    @property
    def review_id(self) -> str:
        """The name of the review's folder: another score begins another review, another version does not."""
        reviewed = {"cells": self.cells, "score": self.score, "model": self.model}
        return hashlib.sha256(canonical_json(reviewed)).hexdigest()[:12]


@dataclass(frozen=True)
class Event:
    """One line of the record.

    Parameters
    ----------
    n : int
        From 1.
    utc : str
        ISO 8601 with seconds, ending in Z.
    actor, session : str
    action : Action
    target : str
        What it is about: "cell 12", "cells 340", "square 0", "field 81", "region 2", "audit 1", "event 7".
    old, new
        JSON values before and after.
    shown_ms : int or None
        How long the person looked, where it is known.
    prev, hash : str
        SHA-256 of the event before (of the genesis for the first) and of this one.
    """

    n: int
    utc: str
    actor: str
    session: str
    action: Action
    target: str
    old: Any
    new: Any
    shown_ms: int | None
    prev: str
    hash: str

    @property
    def line(self) -> str:
        """The event as it is written, without a line end."""
        return canonical_json(vars(self)).decode("utf-8")


@dataclass(frozen=True)
class Decision:
    """An event before it has a place in the chain."""

    actor: str
    action: Action
    target: str
    old: Any = None
    new: Any = None
    session: str = ""
    shown_ms: int | None = None


def begin_decision(genesis: Genesis, actor: str) -> Decision:
    """Return the first decision of a record: it states what the chain starts from."""
    return Decision(actor, Action.BEGIN, "review", new=asdict(genesis))


def stated_version(content: bytes) -> str | None:
    """Return the version of cxpath that a record was begun with; None where its first line states none."""
    try:
        version = json.loads(content.partition(b"\n")[0])["new"]["version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return version if isinstance(version, str) else None


def canonical_json(document: Mapping[str, Any]) -> bytes:
    """Return JSON with sorted keys, no spaces and no NaN, in UTF-8: one form for one content."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", errors="strict")


def extended(
    genesis: ChainStart, events: Sequence[Event], decisions: Iterable[Decision], now: datetime | None = None
) -> tuple[Event, ...]:
    """Return the events with decisions appended.

    Raises
    ------
    ReviewError
        When the clock says that it is earlier than the last event.
    """
    chain = list(events)
    utc = utc_seconds(now or datetime.now(UTC))
    if chain and utc < chain[-1].utc:
        raise ReviewError(
            f"the record's last event is of {chain[-1].utc}, later than now ({utc})", "set the clock right"
        )
    for decision in decisions:
        prev = chain[-1].hash if chain else genesis.hash
        chain.append(_event(decision, len(chain) + 1, utc, prev))
    return tuple(chain)


def utc_seconds(moment: datetime) -> str:
    """Return a moment as ISO 8601 in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _event(decision: Decision, number: int, utc: str, prev: str) -> Event:
    content: dict[str, Any] = {"n": number, "utc": utc, "prev": prev} | vars(decision)
    return Event(**content, hash=_hash(content))


def _hash(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of everything in an event but its own hash."""
    return hashlib.sha256(canonical_json(content)).hexdigest()


# Reading a record back: every line is checked, and the first bad one is named.


_TYPES: dict[str, type | tuple[type, ...]] = {
    "n": int,
    "utc": str,
    "actor": str,
    "session": str,
    "action": str,
    "target": str,
    "shown_ms": (int, type(None)),
    "prev": str,
    "hash": str,
}
_NAMES = frozenset(field.name for field in fields(Event))


def read_events(content: bytes, genesis: ChainStart, before: Sequence[Event] = ()) -> tuple[Event, ...]:
    """Return the events of a record.

    Parameters
    ----------
    content : bytes
        Of `events.ndjson`; its lines after those of `before`.
    genesis : ChainStart
        Of the files as they are now.
    before : sequence of Event
        What was read and checked already; it is returned with what follows.

    Raises
    ------
    ReviewError
        Naming the first line that was changed, moved, left out, or that belongs to another score.
    """
    if content and not content.endswith(b"\n"):
        raise _bad_line(len(before) + content.count(b"\n") + 1, "breaks off")
    events = list(before)
    prev = events[-1].hash if events else genesis.hash
    for number, line in enumerate(content.split(b"\n")[:-1], start=len(before) + 1):
        event = _checked(line, number)
        if event.prev != prev:
            raise _bad_line(number, _why_unchained(number, genesis))
        if events and event.utc < events[-1].utc:
            raise _bad_line(number, "is earlier than the line before")
        events.append(event)
        prev = event.hash
    return tuple(events)


def _checked(line: bytes, number: int) -> Event:
    try:
        content = json.loads(line.decode("utf-8"))
        canonical = canonical_json(content)
    except (ValueError, TypeError, RecursionError) as error:
        raise _bad_line(number, "is not JSON") from error
    if not isinstance(content, dict) or set(content) != _NAMES or not _well_typed(content):
        raise _bad_line(number, "is not an event")
    stated = content.pop("hash")
    if canonical != line or _hash(content) != stated:
        raise _bad_line(number, "was changed: its hash does not fit its content")
    if content["n"] != number:
        raise _bad_line(number, f"carries number {content['n']}: lines are missing or moved")
    return Event(**content | {"action": Action(content["action"]), "hash": stated})


def _well_typed(content: Mapping[str, Any]) -> bool:
    typed = all(isinstance(content[name], kind) for name, kind in _TYPES.items())
    return typed and content["action"] in set(Action)


def _why_unchained(number: int, genesis: ChainStart) -> str:
    if number == 1:
        return f"does not follow from this {genesis.files}: not those of the record"
    return "does not follow from the line before"


def _bad_line(number: int, why: str) -> ReviewError:
    return ReviewError(f"events.ndjson: line {number} {why}", "restore the record from a backup")
