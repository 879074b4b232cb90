"""From a review's record to its scores: the audited one of a reader, and the one of the edited cells.

Both follow from the record and the files of the run alone, so that they can be made again at any time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cxpath.app.review_folder import ReviewFolder
from cxpath.data import CellTable
from cxpath.documents import AnsweredBy, AuditedEntry, EditedEntry, Estimate, ScoredFolder
from cxpath.review import (
    Action,
    Event,
    ReviewedCells,
    ReviewError,
    ReviewState,
    Verified,
    audit_queue,
    reviewed_cells,
)
from cxpath.scores import (
    Cutoff,
    SlideScore,
    audited_estimate,
    countable_kind,
    estimate_audit,
    score_cells,
    threshold_of,
)
from cxpath.scores.audit import audit_frame

# The audited score.


def auditor(found: Verified) -> str | None:
    """Return the reader whose answers are the audited score: of those who answered all, the latest."""
    state = found.state
    complete = {actor for actor, _ in state.answers if has_answered_all(state, actor)}
    last = {actor: event.n for actor in complete for event in _answers_of(found, actor)}
    return max(last, key=lambda actor: last[actor]) if last else None


def has_answered_all(state: ReviewState, actor: str) -> bool:
    """Say whether a reader answered every cell and every square of the audit that was drawn last."""
    if state.audit is None or not audit_queue(state, actor).done:
        return False
    return len(state.squares_of(actor)) == len(state.audit.squares)


def _answers_of(found: Verified, actor: str) -> Iterator[Event]:
    for event in found.events:
        if event.actor == actor and event.action in {Action.ANSWER, Action.SQUARE}:
            yield event


def audited_entry(review: ReviewFolder, found: Verified, actor: str) -> AuditedEntry:
    """Return the audited score by one reader's answers.

    Raises
    ------
    ReviewError, AuditError
        When he has not answered all, or the answers leave no tumour cell.
    """
    state, scored = found.state, review.scored
    if state.audit is None or not has_answered_all(state, actor):
        raise ReviewError(f"{scored.path}: {actor} has not answered the whole audit", "answer every cell")
    frame = audit_frame(scored.cells(), scored.scoring)
    answers, squares = state.answers_of(actor), state.squares_of(actor)
    score = estimate_audit(frame, state.audit.draw, answers, squares, scored.scoring.level)
    estimate = audited_estimate(score, scored.fields().counts, scored.scoring, cutoffs_of(scored))
    utc = list(_answers_of(found, actor))[-1].utc
    answered = AnsweredBy(actor, utc, state.audit.draw.seed, found.seal.events, found.seal.head_hash)
    return AuditedEntry.of_score(score, estimate, answered)


def cutoffs_of(scored: ScoredFolder) -> list[Cutoff]:
    """Return the cut-offs that the network's score was compared with."""
    stated = scored.score.cps.cutoffs if scored.score.cps else {}
    return [Cutoff(float(value), cutoff.basis) for value, cutoff in stated.items()]


# The score of the edited cells.


def edited_entry(
    review: ReviewFolder, found: Verified, warnings: tuple[str, ...] = ()
) -> tuple[EditedEntry, SlideScore, CellTable]:
    """Return the score of the cells as a person left them; what he decided carries no error of the network.

    Parameters
    ----------
    review : ReviewFolder
    found : Verified
    warnings : tuple of str
        About the table that the edits were read from.

    Returns
    -------
    EditedEntry, SlideScore, CellTable
        The table is the one that was scored.
    """
    scored, state = review.scored, found.state
    scoring = scored.scoring
    network, threshold = scored.cells(), threshold_of(scoring)
    cells = reviewed_cells(network, state, threshold, scoring.field_um)
    table, by_person = cells.to_score()
    score = score_cells(table, scoring, cutoffs_of(scored), by_person=by_person)
    known, held = cells.network_cells, cells.edited & ~cells.removed
    entry = EditedEntry(
        events=found.seal.events,
        head_hash=found.seal.head_hash,
        estimate=Estimate.of_score(score.cps) if score.cps else None,
        tps=score.tps.value if score.tps else None,
        not_evaluable_because=tuple(reason.text for reason in score.not_evaluable_because),
        counts=vars(score.counts) if score.counts else {},
        changed=_changed(network, cells, threshold),
        added=int(held[known:].sum()),
        removed=int(cells.removed[:known].sum()),
        accepted_fields=len(state.fields),
        regions=len(state.regions),
        reviewer=_last_editor(found),
        warnings=(*warnings, *(warning.text for warning in score.warnings)),
    )
    return entry, score, table


def _changed(network: CellTable, cells: ReviewedCells, threshold: float) -> int:
    """Return how many of the network's cells count otherwise by now; one that was put back does not."""
    now = cells.table.take(np.arange(len(network)))
    other = countable_kind(now) != countable_kind(network)
    other |= (now.stained >= threshold) != (network.stained >= threshold)
    return int((other & ~cells.removed[: len(network)]).sum())


_SCORING = frozenset({Action.EDIT, Action.ACCEPT, Action.REGION, Action.UNDO})


def _last_editor(found: Verified) -> str:
    return next((event.actor for event in reversed(found.events) if event.action in _SCORING), "")
