"""Signing a review, and verifying a record and its signature. Knows no files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cxpath.review.events import Action, Decision, Event, Genesis, ReviewError, read_events
from cxpath.review.state import ReviewState, replay


class Meaning(StrEnum):
    """What a signature says."""

    REVIEWED = "reviewed"
    APPROVED = "approved"


@dataclass(frozen=True)
class Seal:
    """The head of a chain, repeated outside it: only so does a cut tail show."""

    events: int
    head_hash: str


@dataclass(frozen=True)
class Verified:
    """A record that is intact.

    Parameters
    ----------
    events : tuple of Event
    state : ReviewState
    """

    events: tuple[Event, ...]
    state: ReviewState

    @property
    def seal(self) -> Seal:
        """The head of the chain."""
        return seal_of(self.events)


def seal_of(events: Sequence[Event]) -> Seal:
    """Return number and head hash of events; at least one is needed."""
    return Seal(len(events), events[-1].hash)


def sign_decision(
    events: Sequence[Event], name: str, meaning: Meaning, read: Mapping[str, Any] | None = None
) -> Decision:
    """Return the decision that signs everything before it.

    Parameters
    ----------
    events : sequence of Event
    name : str
        Printed name.
    meaning : Meaning
    read : mapping, optional
        The value that is signed: `cps`, and by whose cells.

    Raises
    ------
    ReviewError
        When the name is empty or nothing was decided.
    """
    name = " ".join(name.split())
    if not name:
        raise ReviewError("a signature needs a printed name", "pass --reviewer NAME")
    if not any(event.action not in {Action.BEGIN, Action.DRAW, Action.SIGN} for event in events):
        raise ReviewError(
            "there is nothing to sign: no cell was answered or edited", "review the score first"
        )
    head = seal_of(events)
    new = {
        "name": name,
        "meaning": meaning.value,
        "events": head.events,
        "head_hash": head.head_hash,
    } | dict(read or {})
    return Decision(name, Action.SIGN, "review", new=new)


def verify_record(content: bytes, genesis: Genesis, seals: Sequence[tuple[str, Seal]] = ()) -> Verified:
    """Check a record line by line, its signatures, and what repeats its head elsewhere.

    Parameters
    ----------
    content : bytes
        Of `events.ndjson`.
    genesis : Genesis
        Of the files as they are now.
    seals : sequence
        Names of files and the heads that they repeat.

    Raises
    ------
    ReviewError
        Naming the first bad line, or the file whose head the record does not contain.
    """
    events = read_events(content, genesis)
    if not events:
        raise ReviewError("events.ndjson: has no event", "restore the record from a backup")
    for event in events:
        if event.action is Action.SIGN:
            _require_signed(event, events)
    for name, seal in seals:
        _require_contained(name, seal, events)
    return Verified(events, replay(events))


def _require_signed(event: Event, events: Sequence[Event]) -> None:
    before = events[event.n - 2] if event.n > 1 else None
    stated = event.new if isinstance(event.new, dict) else {}
    if before is None or (stated.get("events"), stated.get("head_hash")) != (before.n, before.hash):
        raise ReviewError(
            f"events.ndjson: line {event.n} signs other events than those before it",
            "restore the record from a backup",
        )


def _require_contained(name: str, seal: Seal, events: Sequence[Event]) -> None:
    if seal.events > len(events):
        raise ReviewError(
            f"events.ndjson: line {len(events) + 1} is missing: {name} states {seal.events} events, "
            f"the record has {len(events)}",
            "restore the record from a backup",
        )
    if seal.events < 1 or events[seal.events - 1].hash != seal.head_hash:
        raise ReviewError(
            f"events.ndjson: line {seal.events} is not the one that {name} states",
            "restore the record from a backup",
        )
