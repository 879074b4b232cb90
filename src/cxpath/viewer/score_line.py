"""The line that never leaves the screen: the scores side by side, and what the last action changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cxpath.documents import CutoffEntry, Estimate
from cxpath.review import CLASS_NAMES, Action, Event, edited_cells, latest_undoable
from cxpath.scores import (
    AuditedScore,
    CutoffVerdict,
    ScoreEstimate,
    answers_for_width,
    printed_form,
    printed_interval,
)
from cxpath.viewer.messages import (
    AuditedMessage,
    AuditMessage,
    ChangesMessage,
    CutoffMessage,
    EditedMessage,
    LastMessage,
    ScoreMessage,
    SideMessage,
    SignatureMessage,
    StateMessage,
    UndoMessage,
    WantedMessage,
)
from cxpath.viewer.session import ReviewSession

WANTED_FOLD = 1.5
"""Upper end of an interval divided by its lower end that is worth working for."""

_MOST_PATCHES = 50_000
"""More changed cells are fetched as a whole."""


def state_message(session: ReviewSession) -> StateMessage:
    """Return the score line as it is now."""
    with session.lock:
        audited, why_not = session.audited()
        return StateMessage(
            events=len(session.events),
            head_hash=session.head_hash,
            reviewer=session.reviewer,
            network=_network(session),
            edited=_edited(session),
            audited=_audited(session, audited),
            cutoffs=tuple(_cutoffs(session, audited)),
            audit=_audit(session),
            wanted=_wanted(session, audited),
            last=_last(session),
            undo=_undo(session),
            signature=_signature(session),
            warnings=tuple(_warnings(session, why_not)),
        )


def changes_message(session: ReviewSession, since: int) -> ChangesMessage:
    """Return what to patch in the page's cells to come from so many events to now."""
    with session.lock:
        now, earlier = session.marks(), session.marks_at(min(since, len(session.events)))
        ids = now.changed_since(earlier)
        fewer = len(now.class_of) < len(earlier.class_of)
        if fewer or len(ids) > _MOST_PATCHES or since > len(session.events):
            return _changes(session, since, reload=True)
        table, rows = session.cells.table, session.grid.rows_of(ids)
        columns = (ids, now.class_of[ids], now.flags[ids], table.x_px[rows], table.y_px[rows])
        cells = zip(*(column.tolist() for column in columns), strict=True)
        return _changes(session, since, tuple(cells))


def _changes(
    session: ReviewSession,
    since: int,
    cells: tuple[tuple[int, int, int, float, float], ...] = (),
    *,
    reload: bool = False,
) -> ChangesMessage:
    events, head_hash = len(session.events), session.head_hash
    return ChangesMessage(since=since, events=events, head_hash=head_hash, reload=reload, cells=cells)


def _network(session: ReviewSession) -> ScoreMessage:
    stated = session.review.scored.score
    cps, counts = stated.cps, stated.counts.as_counts() if stated.counts else None
    return ScoreMessage(
        **_numbers(cps),
        tumour=counts.tumour if counts else 0,
        positive=counts.positive if counts else 0,
        because=tuple(reason.text for reason in stated.not_evaluable_because),
    )


def _numbers(cps: Estimate | ScoreEstimate | None) -> dict[str, Any]:
    """Return the numbers of a score; null without one."""
    return {
        "cps": cps.value if cps else None,
        "reported": cps.reported if cps else None,
        "interval": cps.interval_tissue if cps else None,
        "interval_slide": cps.interval_slide if cps else None,
        "interval_reported": printed_interval(*cps.interval_tissue) if cps else None,
    }


def _edited(session: ReviewSession) -> EditedMessage | None:
    """Return the score of the cells as edited; None while nothing was."""
    if not session.state.changes_score():
        return None
    cps, counts, cells = session.estimate.cps, session.estimate.counts, session.cells
    known = cells.network_cells
    return EditedMessage(
        **_numbers(cps),
        tumour=counts.tumour,
        positive=counts.positive,
        because=tuple(reason.text for reason in session.estimate.because),
        changed=int((cells.edited & ~cells.removed)[:known].sum()),
        added=int((~cells.removed)[known:].sum()),
        removed=int(cells.removed[:known].sum()),
        accepted_fields=len(session.state.fields),
        regions=len(session.state.regions),
    )


def _audited(session: ReviewSession, score: AuditedScore | None) -> AuditedMessage | None:
    if score is None:
        return None
    of_tumour = session.audited_estimate(score).interval_tissue
    return AuditedMessage(
        cps=score.cps,
        reported=printed_form(score.cps),
        interval=of_tumour,
        interval_slide=score.interval,
        interval_reported=printed_interval(*of_tumour),
        bounds=score.bounds,
        n=score.answered,
        cannot_tell=score.cannot_tell,
        reviewer=session.reviewer or "",
        level=score.level,
        warnings=score.warnings,
    )


def _cutoffs(session: ReviewSession, audited: AuditedScore | None) -> Iterator[CutoffMessage]:
    stated = session.review.scored.score.cps
    network = {value: _side_stated(entry) for value, entry in stated.decided} if stated else {}
    cps = session.estimate.cps if session.state.changes_score() else None
    edited = _sides(cps)
    by_answers = _sides(session.audited_estimate(audited)) if audited else {}
    for cutoff in session.cutoffs:
        yield CutoffMessage(
            value=cutoff.value,
            basis=cutoff.basis,
            network=network.get(cutoff.value),
            edited=edited.get(cutoff.value),
            audited=by_answers.get(cutoff.value),
        )


def _sides(cps: ScoreEstimate | None) -> Mapping[float, SideMessage]:
    return {verdict.cutoff.value: _side(verdict) for verdict in cps.cutoffs} if cps else {}


def _side(verdict: CutoffVerdict) -> SideMessage:
    return SideMessage(decision=verdict.decision.value, probability=verdict.probability)


def _side_stated(entry: CutoffEntry) -> SideMessage:
    return SideMessage(decision=entry.decision.value, probability=entry.probability)


def _audit(session: ReviewSession) -> AuditMessage | None:
    state, reviewer = session.state, session.reviewer or ""
    if state.audit is None:
        return None
    questions, squares = len(state.audit.draw.questions), len(state.audit.squares)
    answered, counted = len(state.answers_of(reviewer)), len(state.squares_of(reviewer))
    return AuditMessage(
        name=session.audit_label(),
        seed=state.audit.draw.seed,
        questions=questions,
        answered=answered,
        squares=squares,
        squares_answered=counted,
        complete=answered == questions and counted == squares,
    )


def _wanted(session: ReviewSession, audited: AuditedScore | None) -> WantedMessage:
    """Return how many answers are left: the open questions, then what the interval still wants."""
    audit = _audit(session)
    if audit is None:
        return WantedMessage(fold=WANTED_FOLD, left=None, total=None)
    if audited is None:
        return WantedMessage(fold=WANTED_FOLD, left=audit.questions - audit.answered, total=audit.questions)
    cells = sum(one.cells for one in audited.strata)
    total = answers_for_width(audited.answered, audited.interval, WANTED_FOLD, cells)
    left = None if total is None else total - audited.answered
    return WantedMessage(fold=WANTED_FOLD, left=left, total=total)


def _last(session: ReviewSession) -> LastMessage | None:
    if not session.events:
        return None
    event = session.events[-1]
    return LastMessage(
        event=event.n,
        action=event.action.value,
        text=describe(event, session.events),
        before=session.value_at(event.n - 1),
        after=session.value_at(event.n),
    )


def _undo(session: ReviewSession) -> UndoMessage | None:
    found = latest_undoable(session.events, session.reviewer) if session.reviewer else None
    return UndoMessage(event=found.n, text=describe(found, session.events)) if found else None


def _signature(session: ReviewSession) -> SignatureMessage | None:
    stated = session.state.signature
    if stated is None:
        return None
    signed = next(one for one in reversed(session.events) if one.action is Action.SIGN)
    return SignatureMessage(
        name=stated["name"],
        utc=signed.utc,
        meaning=stated["meaning"],
        events=stated["events"],
        head_hash=stated["head_hash"],
    )


def _warnings(session: ReviewSession, why_not: str) -> Iterator[str]:
    if why_not:
        yield f"no audited score: {why_not}"
    if session.review.scored.score.notice:
        yield session.review.scored.score.notice


# Events in words.


def describe(event: Event, events: tuple[Event, ...]) -> str:
    """Return what an event did, in a few words; of an answer nothing that tells which cell it is about."""
    words = {
        Action.BEGIN: "the review was begun",
        Action.DRAW: "an audit was sampled",
        Action.ANSWER: "an answer of the audit",
        Action.SQUARE: "missed cells of a square were counted",
        Action.SIGN: "the review was signed",
    }
    if event.action in words:
        return words[event.action]
    if event.action is Action.UNDO:
        undone = events[int(event.target.split()[1]) - 1]
        return f"undone: {describe(undone, events)}"
    if event.action is Action.ACCEPT:
        return f"{event.target} {'accepted' if event.new else 'no longer accepted'}"
    if event.action is Action.REGION:
        return f"{event.target} removed" if event.new is None else f"{event.target}: {event.new['use']}"
    return _edit_words(event)


def _edit_words(event: Event) -> str:
    values = edited_cells(event, event.new)
    said = {_value_words(value) for value in values.values()}
    number = "1 cell" if len(values) == 1 else f"{len(values):,} cells"
    return f"{number}: {said.pop()}" if len(said) == 1 else f"{number} edited"


def _value_words(value: Mapping[str, object]) -> str:
    if value.get("removed"):
        return CLASS_NAMES[-1]
    return f"{value.get('class')}, {'stained' if value.get('stained') else 'unstained'}"
