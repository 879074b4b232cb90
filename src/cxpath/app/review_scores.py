"""From a review's record to its scores: the audited one of a reader, and the one of the edited cells.

Both follow from the record and the files of the run alone, so that they can be made again at any time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxpath.app.review_folder import ReviewFolder
from cxpath.data import CellTable, Kind, TissueRegion
from cxpath.documents import AnsweredBy, AuditedEntry, EditedEntry, Estimate, ScoredFolder
from cxpath.review.events import Action, Event, ReviewError
from cxpath.review.queue import audit_queue
from cxpath.review.sign import Verified
from cxpath.review.state import ReviewState
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


@dataclass(frozen=True, eq=False)
class EditedCells:
    """A table that a person edited, next to the network's.

    Parameters
    ----------
    cells : CellTable
        As edited; cells of a person carry certain classes.
    by_person : bool array, (N,)
        Cells whose class or staining a person changed, or that he added.
    original : int array, (N,)
        Row in the network's table; -1 for added cells.
    removed : int array
        Rows of the network's table that are gone.
    """

    cells: CellTable
    by_person: NDArray[np.bool_]
    original: NDArray[np.int64]
    removed: NDArray[np.int64]


def edited_cells(network: CellTable, edits: Mapping[int, Mapping[str, Any]], threshold: float) -> EditedCells:
    """Return the network's table after the edits of a record.

    Parameters
    ----------
    network : CellTable
    edits : mapping
        Row of the cell to its class and staining, or `{"removed": True}`; rows beyond the network's are
        added cells, with their place.
    threshold : float
        Staining probability from which a cell is stained.

    Raises
    ------
    ReviewError
        When an edit does not say what became of its cell.
    """
    removed = sorted(row for row, value in edits.items() if value.get("removed") and row < len(network))
    kept = {row: value for row, value in sorted(edits.items()) if not value.get("removed")}
    said = {row: _said(row, value) for row, value in kept.items()}
    changed = {row: value for row, value in said.items() if row < len(network)}
    table, by_person = _changed(network, changed, threshold)
    added = [row for row in said if row >= len(network)]
    if added:
        new_cells = _added(network, {row: (kept[row], said[row]) for row in added})
        table = CellTable.concatenate([table, new_cells])
    original = np.concatenate([np.arange(len(network)), np.full(len(added), -1)])
    stays = np.ones(len(table), dtype=bool)
    stays[removed] = False
    by_person = np.concatenate([by_person, np.ones(len(added), dtype=bool)])[stays]
    return EditedCells(
        certain_cells(table.take(stays), by_person, threshold),
        by_person,
        original[stays],
        np.array(removed, dtype=np.int64),
    )


def _said(row: int, value: Mapping[str, Any]) -> tuple[Kind, bool]:
    try:
        return Kind[str(value["class"]).upper()], {True: True, False: False}[value["stained"]]
    except (KeyError, TypeError) as error:
        raise ReviewError(
            f"the edit of cell {row} states no class and staining: {dict(value)}",
            "check the record with cxpath review verify",
        ) from error


def _changed(
    network: CellTable, said: Mapping[int, tuple[Kind, bool]], threshold: float
) -> tuple[CellTable, NDArray[np.bool_]]:
    """Return the table with the changed cells, and which they are: to say what is so changes nothing."""
    kind, region, stained = network.kind.copy(), network.region.copy(), network.stained.copy()
    counted, by_person = countable_kind(network), np.zeros(len(network), dtype=bool)
    for row, (now, positive) in said.items():
        if (counted[row], bool(stained[row] >= threshold)) == (now, positive):
            continue
        by_person[row] = True
        kind[row], region[row], stained[row] = now, TissueRegion.UNKNOWN, float(positive)
    return replace(network, kind=kind, region=region, stained=stained), by_person


def _added(network: CellTable, edits: Mapping[int, tuple[Mapping[str, Any], tuple[Kind, bool]]]) -> CellTable:
    try:
        places = np.array([[float(value["x_px"]), float(value["y_px"])] for value, _ in edits.values()])
    except (KeyError, TypeError, ValueError) as error:
        hint = "check the record with cxpath review verify"
        raise ReviewError("an added cell has no place", hint) from error
    kind = np.array([now for _, (now, _) in edits.values()], dtype=np.uint8)
    stained = np.array([positive for _, (_, positive) in edits.values()], dtype=np.float32)
    return CellTable.from_columns(
        network.facts, x_px=places[:, 0], y_px=places[:, 1], kind=kind, stained=stained
    )


def certain_cells(cells: CellTable, chosen: NDArray[np.bool_], threshold: float) -> CellTable:
    """Return the cells with certain class and staining where a person said so."""
    columns = {name: getattr(cells, name).copy() for name in ("p_tumour", "p_immune", "p_other", "stained")}
    for kind, name in zip(Kind, ("p_tumour", "p_immune", "p_other"), strict=True):
        columns[name][chosen] = cells.kind[chosen] == kind
    columns["stained"][chosen] = cells.stained[chosen] >= threshold
    return replace(cells, **columns)


def edited_entry(
    review: ReviewFolder, found: Verified, warnings: tuple[str, ...] = ()
) -> tuple[EditedEntry, SlideScore, EditedCells]:
    """Return the score of the network's cells after the edits that contain now; those carry no error of its.

    Parameters
    ----------
    review : ReviewFolder
    found : Verified
    warnings : tuple of str
        About the table that the edits were read from.
    """
    scored = review.scored
    edited = edited_cells(scored.cells(), found.state.edits, threshold_of(scored.scoring))
    score = score_cells(edited.cells, scored.scoring, cutoffs_of(scored), by_person=edited.by_person)
    added = int((edited.original < 0).sum())
    entry = EditedEntry(
        events=found.seal.events,
        head_hash=found.seal.head_hash,
        estimate=Estimate.of_score(score.cps) if score.cps else None,
        tps=score.tps.value if score.tps else None,
        not_evaluable_because=tuple(reason.text for reason in score.not_evaluable_because),
        counts=vars(score.counts) if score.counts else {},
        changed=int(edited.by_person.sum()) - added,
        added=added,
        removed=len(edited.removed),
        reviewer=_last_editor(found),
        warnings=(*warnings, *(warning.text for warning in score.warnings)),
    )
    return entry, score, edited


def _last_editor(found: Verified) -> str:
    return next(
        (event.actor for event in reversed(found.events) if event.action in {Action.EDIT, Action.UNDO}), ""
    )
