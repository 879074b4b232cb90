"""From what the page asks for to decisions of the record; what does not fit the review is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from cxpath.app import CXPATH
from cxpath.data import CellTable
from cxpath.review import (
    CLASS_NAMES,
    CONFIRMED,
    REMOVED,
    Action,
    Audit,
    Decision,
    accept_decision,
    answer_decision,
    draw_decision,
    edits_decision,
    frame_to_draw,
    latest_undoable,
    region_decision,
    region_outline,
    square_decision,
    undo_of,
)
from cxpath.scores import AuditAnswer, AuditQuestion, CellAnswer, countable_kind, draw_audit, draw_squares
from cxpath.viewer.messages import (
    AddBody,
    AnswerBody,
    DrawBody,
    EditBody,
    FieldBody,
    RegionBody,
    RegionNumberBody,
    SquareBody,
    UndoBody,
)
from cxpath.viewer.session import RefusedError, ReviewSession

_FIRST_SEED = 1

# The audit.


def draw(session: ReviewSession, body: DrawBody) -> list[Decision]:
    """Return the decision that draws an audit; none where the same one is there already."""
    audit = session.state.audit
    if audit is not None and body.seed in {None, audit.draw.seed}:
        return []
    seed = _FIRST_SEED if body.seed is None else body.seed
    frame = frame_to_draw(session.network, session.settings, session.state, body.cells)
    squares = draw_squares(session.network, body.squares, seed, frame.inside)
    drawn = Audit(draw_audit(frame, body.cells, seed), squares, session.state.region_values)
    number = sum(event.action is Action.DRAW for event in session.events) + 1
    return [draw_decision(drawn, number, CXPATH)]


def answer(session: ReviewSession, reviewer: str, body: AnswerBody) -> list[Decision]:
    """Return the decision that answers a question; none where it says what was said before."""
    question = question_of(session, body.number)
    said = CellAnswer(body.answer)
    stained = body.stained if said in {CellAnswer.TUMOUR, CellAnswer.IMMUNE} else None
    if stained is None and question.asks_stained and said in {CellAnswer.TUMOUR, CellAnswer.IMMUNE}:
        raise RefusedError("bad_request", f"question {body.number} asks whether the cell is stained")
    given = AuditAnswer(question.row, said, stained)
    if session.state.answers.get((reviewer, question.row)) == given:
        return []
    return [answer_decision(given, session.state, reviewer)]


def square(session: ReviewSession, reviewer: str, body: SquareBody) -> list[Decision]:
    """Return the decision that counts the missed cells of a square."""
    audit = audit_of(session)
    if body.number > len(audit.squares):
        raise RefusedError("not_found", f"the audit has no square {body.number}")
    number = body.number - 1
    counted = replace(
        audit.squares[number],
        tumour_stained=body.tumour_stained,
        tumour_unstained=body.tumour_unstained,
        immune_stained=body.immune_stained,
    )
    if session.state.squares.get((reviewer, number)) == counted:
        return []
    return [square_decision(number, counted, reviewer)]


def audit_of(session: ReviewSession) -> Audit:
    """Return the audit that was drawn."""
    if session.state.audit is None:
        raise RefusedError("conflict", "there is no audit", "start one first")
    return session.state.audit


def question_of(session: ReviewSession, number: int) -> AuditQuestion:
    """Return a question by its number, from 1."""
    questions = audit_of(session).draw.questions
    if not 1 <= number <= len(questions):
        raise RefusedError("not_found", f"the audit has no question {number}")
    return questions[number - 1]


# Edits.


def edit(session: ReviewSession, reviewer: str, body: EditBody) -> list[Decision]:
    """Return the one decision that edits cells; an edit that states the call as it is confirms it."""
    changes = _changes(body)
    rows = _rows_of(session, list(changes))
    change_of = dict(zip(rows, (changes[cell] for cell in sorted(changes)), strict=True))
    old = _values_of(session, rows)
    called = _called(session.network, [row for row in rows if row < len(session.network)], session.threshold)
    new = {row: _confirmed(called.get(row), _edited(value, change_of[row])) for row, value in old.items()}
    held = session.state.edits
    changed = [row for row in rows if held.get(row) != new[row]]
    if not changed:
        return []
    return [edits_decision({row: old[row] for row in changed}, {row: new[row] for row in changed}, reviewer)]


class Change(NamedTuple):
    """What to change of one cell; None leaves it as it is."""

    cell_class: str | None
    stained: bool | None
    toggle_stained: bool


def _changes(body: EditBody) -> dict[int, Change]:
    """Return what to change of each cell, by its id."""
    same = Change(body.cell_class, body.stained, body.toggle_stained)
    if body.calls is None:
        if same == Change(None, None, toggle_stained=False):
            raise RefusedError("bad_request", "the edit says neither a class nor a staining")
        if same.stained is not None and same.toggle_stained:
            raise RefusedError("bad_request", "the edit both states the staining and toggles it")
        return dict.fromkeys(body.ids, same)
    if same != Change(None, None, toggle_stained=False) or len(body.calls) != len(set(body.ids)):
        raise RefusedError("bad_request", "the edit does not state one call for each cell")
    each = (Change(call.cell_class, call.stained, toggle_stained=False) for call in body.calls)
    return dict(zip(body.ids, each, strict=True))


def _rows_of(session: ReviewSession, ids: list[int]) -> list[int]:
    unique = np.unique(np.array(ids, dtype=np.int64))
    if unique[-1] >= len(session.cells):
        raise RefusedError("not_found", f"there is no cell {unique[-1]}")
    rows = session.grid.rows_of(unique)
    hidden = np.intersect1d(rows, session.hidden_rows())
    if len(hidden):
        raise RefusedError(
            "conflict",
            f"{len(hidden)} of these cells are open questions of the audit",
            "answer the audit first, or leave them out",
        )
    return [int(row) for row in rows]


Call = dict[str, Any]


def _values_of(session: ReviewSession, rows: list[int]) -> dict[int, Call]:
    """Return the calls of cells as they are, as an edit states them."""
    held, known = session.state.edits, session.cells.network_cells
    called = _called(session.cells.table, rows, session.threshold)
    return {
        row: dict(held[row]) if row in held else called[row] if row < known else {"removed": True}
        for row in rows
    }


def _called(cells: CellTable, rows: list[int], threshold: float) -> dict[int, Call]:
    """Return what cells count as: in necrosis and benign epithelium that is no tumour or immune cell."""
    chosen = cells.take(np.array(rows, dtype=np.int64))
    calls = zip(countable_kind(chosen).tolist(), (chosen.stained >= threshold).tolist(), strict=True)
    return {
        row: {"class": CLASS_NAMES[kind], "stained": stained}
        for row, (kind, stained) in zip(rows, calls, strict=True)
    }


def _edited(value: Mapping[str, Any], change: Change) -> dict[str, Any]:
    place = {name: value[name] for name in ("x_px", "y_px") if name in value}
    stated = change.cell_class or value.get("class")
    if stated is None or stated == CLASS_NAMES[REMOVED]:
        return {"removed": True} | place
    stained = bool(value.get("stained", False))
    if change.stained is not None:
        stained = change.stained
    return {"class": stated, "stained": stained != change.toggle_stained} | place


def _confirmed(called: Call | None, value: Call) -> Call:
    """Return the value, marked where it says what the network says: then a person has confirmed it."""
    return value | {CONFIRMED: True} if value == called else value


def add(session: ReviewSession, reviewer: str, body: AddBody) -> tuple[int, list[Decision]]:
    """Return the id of an added cell and the decision that adds it."""
    facts = session.network.facts
    if not (0 <= body.x_px < facts.width_px and 0 <= body.y_px < facts.height_px):
        raise RefusedError("bad_request", "the cell would lie outside the slide")
    row = len(session.cells)
    new = {"class": body.cell_class, "stained": body.stained, "x_px": body.x_px, "y_px": body.y_px}
    return row, [edits_decision({row: {"removed": True}}, {row: new}, reviewer)]


def undo(session: ReviewSession, reviewer: str, body: UndoBody) -> list[Decision]:
    """Return the decision that takes back an event: the given one, or the reviewer's latest valid one."""
    number = body.event
    if number is None:
        latest = latest_undoable(session.events, reviewer)
        if latest is None:
            raise RefusedError("conflict", "there is nothing to undo")
        number = latest.n
    return [undo_of(session.events, number, reviewer)]


# Fields and regions.


def accept(session: ReviewSession, reviewer: str, body: FieldBody) -> list[Decision]:
    """Return the decision that accepts the calls of a field, or takes that back."""
    if body.number not in session.live.lattice().numbers and body.number not in session.state.fields:
        raise RefusedError("not_found", f"there is no field {body.number}")
    if (body.number in session.state.fields) == body.accepted:
        return []
    return [accept_decision(body.number, session.state, reviewer, accepted=body.accepted)]


def add_region(session: ReviewSession, reviewer: str, body: RegionBody) -> tuple[int, list[Decision]]:
    """Return the number of a region and the decision that draws it."""
    region_outline(body.points)
    used = [int(event.target.split()[1]) for event in session.events if event.action is Action.REGION]
    number = max(used, default=0) + 1
    value = {"use": body.use, "points": body.points}
    return number, [region_decision(number, session.state, value, reviewer)]


def remove_region(session: ReviewSession, reviewer: str, body: RegionNumberBody) -> list[Decision]:
    """Return the decision that removes a region."""
    if body.number not in session.state.regions:
        raise RefusedError("not_found", f"there is no region {body.number}")
    return [region_decision(body.number, session.state, None, reviewer)]
