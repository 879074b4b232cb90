"""What the report says of a person's review: the scores side by side, the answers, the record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from cxpath.documents import AuditedScore, Estimate, ReviewState, ScoreBasis, ScoreDocument
from cxpath.report.html import MISSING, arithmetic, interval, whole

Section = Mapping[str, object]


def reviewed_section(score: ScoreDocument) -> Section | None:
    """Return what a review amounts to, in words; None where none was begun."""
    if score.review is None:
        return None
    read, audited = score.deciding, score.audited
    return {
        "rows": list(_score_rows(score)),
        "basis": read.basis.words,
        "changes": _changes(score.review),
        "audit": _audit(audited) if audited else None,
        "signature": _signature(score.review),
        "events": whole(score.review.events),
        "head_hash": score.review.head_hash,
    }


def _score_rows(score: ScoreDocument) -> Iterator[Section]:
    """Yield the scores side by side, that of the network first; none is mixed with another."""
    decides = score.deciding.basis
    edited = score.review.edited if score.review else None
    yield _row("Network", score.cps, decides=decides is ScoreBasis.NETWORK)
    if score.review and (adapted := score.review.adapted):
        gains = "" if adapted.offered else ": no gain, as the network"
        yield _row(
            f"Network, adapted to {adapted.reviewer}'s answers{gains}", adapted.estimate, decides=False
        )
    if edited:
        yield _row(f"After edits by {edited.reviewer}", edited.estimate, decides=decides is ScoreBasis.EDITED)
    if audited := score.audited:
        name = f"Audited by {audited.reviewer}, {moment(audited.utc)}"
        yield _row(name, audited.estimate, decides=decides is ScoreBasis.AUDITED)


def _row(name: str, estimate: Estimate | None, *, decides: bool) -> Section:
    if estimate is None:
        return {"name": name, "cps": "not evaluable", "tissue": MISSING, "slide": MISSING, "decides": decides}
    return {
        "name": name,
        "cps": f"{estimate.reported} ({arithmetic(estimate.value)})",
        "tissue": interval(estimate.interval_tissue),
        "slide": interval(estimate.interval_slide),
        "decides": decides,
    }


def _changes(review: ReviewState) -> str:
    edited = review.edited
    if edited is None:
        return ""
    parts = ((edited.changed, "changed"), (edited.added, "added"), (edited.removed, "removed"))
    said = [f"{whole(number)} cells {what}" for number, what in parts if number]
    said += [f"{whole(edited.accepted_fields)} fields accepted"] if edited.accepted_fields else []
    said += [f"{whole(edited.regions)} regions drawn"] if edited.regions else []
    return ", ".join(said)


def _audit(audited: AuditedScore) -> Section:
    unsure = audited.cannot_tell
    return {
        "answers": whole(audited.n),
        "cannot_tell": whole(unsure) if unsure else None,
        "bounds": " and ".join(map(arithmetic, audited.bounds)) if unsure else None,
        "strata": [
            {
                "name": one.name,
                "cells": whole(one.cells),
                "answered": whole(one.answered),
                "cannot_tell": whole(one.cannot_tell),
                "in_numerator": whole(one.in_numerator),
                "in_denominator": whole(one.in_denominator),
            }
            for one in audited.answers
            if one.cells
        ],
        "seed": str(audited.seed),
        "method": audited.method,
        "warnings": list(audited.warnings),
    }


def _signature(review: ReviewState) -> str:
    signed = review.signature
    if signed is None:
        return ""
    return f"{signed.meaning} by {signed.name}, {moment(signed.utc)}"


def moment(iso: str) -> str:
    """Return "23 November 2026, 09:14 UTC"; a text that is no time stays as it is."""
    try:
        at = datetime.fromisoformat(iso).astimezone(UTC)
    except ValueError:
        return iso
    return f"{at.day} {at:%B %Y, %H:%M} UTC"
