from __future__ import annotations

import pytest

from cxpath.review.events import Action, Decision, ReviewError
from cxpath.review.sign import Meaning, sign_decision
from cxpath.review.state import (
    ReviewState,
    accept_decision,
    draw_decision,
    edit_decision,
    edits_decision,
    latest_undoable,
    region_decision,
    replay,
    undo_of,
)
from cxpath.scores import AuditAnswer, CellAnswer
from tests.review.records import AUDIT, READER, after, answered, record


def test_replaying_the_events_gives_the_state() -> None:
    state = replay(record())
    assert state.audit == AUDIT
    assert dict(state.answers) == {
        (READER, 3): AuditAnswer(3, CellAnswer.IMMUNE, stained=False),
        (READER, 5): AuditAnswer(5, CellAnswer.OTHER),
    }
    assert state.answers_of(READER) == (state.answers[READER, 3], state.answers[READER, 5])
    assert state.answers_of("somebody else") == ()
    (square,) = state.squares_of(READER)
    assert (square.left_px, square.tumour_stained, square.immune_stained) == (400.0, 1, 2)
    assert dict(state.edits) == {40: {"class": "other", "stained": False}, 41: {"removed": True}}
    assert state.signature is None


def test_undo_is_the_identity_for_every_kind_of_decision() -> None:
    events = record()
    before = replay(events)
    more = answered(events, 8, CellAnswer.CANNOT_TELL, None)
    assert replay(more) != before
    assert replay(after(more, undo_of(more, len(more), READER))) == before
    for number in (4, 5, 6, 7, 8):
        shorter = tuple(events[: number - 1])
        own = events[:number]
        assert replay(after(own, undo_of(own, number, READER))) == replay(shorter)


def test_an_undo_can_be_undone() -> None:
    events = record()
    once = after(events, undo_of(events, 7, READER))
    assert 40 not in replay(once).edits
    twice = after(once, undo_of(once, len(once), READER))
    assert replay(twice) == replay(events)


def test_undo_without_end_leads_back_to_the_draw() -> None:
    events = record()
    for number in range(len(events), 2, -1):
        events = after(events, undo_of(events, number, READER))
    assert replay(events) == ReviewState(audit=AUDIT)


def test_what_cannot_be_undone_is_refused() -> None:
    events = record()
    for number, why in ((99, "does not exist"), (0, "does not exist"), (2, "cannot be undone")):
        with pytest.raises(ReviewError, match=why):
            undo_of(events, number, READER)
    with pytest.raises(ReviewError, match="a later decision rests on it"):
        undo_of(events, 3, READER)  # its answer was replaced by event 5
    once = after(events, undo_of(events, 8, READER))
    with pytest.raises(ReviewError, match="undone already"):
        undo_of(once, 8, READER)


def test_a_later_decision_or_undo_voids_the_signature() -> None:
    events = record()
    signed = after(events, sign_decision(events, READER, Meaning.APPROVED))
    signature = replay(signed).signature
    assert signature is not None
    assert (signature["name"], signature["events"]) == (READER, len(events))
    assert replay(answered(signed, 8, CellAnswer.OTHER, None)).signature is None
    assert replay(after(signed, undo_of(signed, 8, READER))).signature is None


@pytest.mark.parametrize(
    ("action", "target", "old", "new", "why"),
    [
        (Action.ANSWER, "cell 77", None, {"class": "tumour", "stained": True}, "was not drawn"),
        (Action.ANSWER, "cell 1", None, {"class": "tumor", "stained": True}, "no answer"),
        (Action.ANSWER, "cell 1", None, {"class": "tumour", "stained": "yes"}, "no answer"),
        (Action.ANSWER, "cell 3", None, {"class": "tumour", "stained": True}, "another value before"),
        (Action.ANSWER, "square 1", None, {"class": "tumour", "stained": True}, "not a cell"),
        (Action.SQUARE, "square 9", None, {"tumour_stained": 1}, "was not drawn"),
        (Action.EDIT, "cell 40", {"class": "tumour"}, {"class": "other"}, "another value before"),
        (Action.EDIT, "cell x", None, {"class": "other"}, "not a cell"),
        (Action.DRAW, "audit 2", None, {"seed": 1}, "no draw"),
    ],
)
def test_an_event_that_does_not_fit_the_state_is_named(
    action: Action, target: str, old: object, new: object, why: str
) -> None:
    events = after(record(), Decision(READER, action, target, old, new))
    with pytest.raises(ReviewError, match=why) as caught:
        replay(events)
    assert "event 9" in str(caught.value)


# Decisions that only the browser makes: many cells at once, fields, regions.

TUMOUR: dict[str, object] = {"class": "tumour", "stained": False}
OTHER: dict[str, object] = {"class": "other", "stained": True}
RING: dict[str, object] = {"use": "exclude", "points": [[0.0, 0.0], [9.0, 0.0], [9.0, 9.0]]}


def test_many_cells_are_edited_by_one_event_and_taken_back_by_one() -> None:
    events = record()
    before = replay(events)
    old = {50: TUMOUR, 51: TUMOUR, 52: OTHER}
    new: dict[int, dict[str, object]] = {50: OTHER, 51: {"removed": True}, 52: OTHER}
    more = after(events, edits_decision(old, new, READER))
    assert len(more) == len(events) + 1
    assert more[-1].target == "cells 3"
    assert dict(replay(more).edits) == {**before.edits, **new}
    assert replay(after(more, undo_of(more, len(more), READER))) == before


def test_an_edit_of_one_cell_is_written_as_it_always_was() -> None:
    assert edits_decision({4: TUMOUR}, {4: OTHER}, READER) == edit_decision(4, TUMOUR, OTHER, READER)


def test_an_edit_of_many_cells_must_state_what_held() -> None:
    events = after(record(), edits_decision({50: TUMOUR, 51: TUMOUR}, {50: OTHER, 51: OTHER}, READER))
    again = edits_decision({50: TUMOUR, 60: TUMOUR}, {50: TUMOUR, 60: OTHER}, READER)
    with pytest.raises(ReviewError, match="another value before"):
        replay(after(events, again))


@pytest.mark.parametrize(
    ("target", "new"),
    [
        ("cells 2", [[TUMOUR, [1]]]),
        ("cells 1", [[TUMOUR, ["1"]]]),
        ("cells 1", [["tumour", [1]]]),
        ("cells 1", TUMOUR),
        ("cells 1", None),
        ("cells 1", [[TUMOUR, [-1]]]),
        ("cells 1", [[TUMOUR, 1]]),
    ],
)
def test_an_edit_of_many_cells_that_says_nothing_is_named(target: str, new: object) -> None:
    with pytest.raises(ReviewError, match="event 9"):
        replay(after(record(), Decision(READER, Action.EDIT, target, [], new)))


def test_a_field_is_accepted_and_no_longer() -> None:
    events = record()
    accepted = after(events, accept_decision(12, replay(events), READER, accepted=True))
    assert replay(accepted).fields == {12}
    back = after(accepted, accept_decision(12, replay(accepted), READER, accepted=False))
    assert replay(back) == replay(events)
    assert replay(after(accepted, undo_of(accepted, len(accepted), READER))) == replay(events)
    with pytest.raises(ReviewError, match="another value before"):
        replay(after(accepted, Decision(READER, Action.ACCEPT, "field 12", old=False, new=True)))
    with pytest.raises(ReviewError, match="neither accepts"):
        replay(after(events, Decision(READER, Action.ACCEPT, "field 12", old=False, new="yes")))


def test_a_region_is_drawn_and_removed() -> None:
    events = record()
    drawn = after(events, region_decision(1, replay(events), RING, READER))
    assert dict(replay(drawn).regions) == {1: RING}
    removed = after(drawn, region_decision(1, replay(drawn), None, READER))
    assert replay(removed) == replay(events)
    with pytest.raises(ReviewError, match="is no region"):
        replay(after(events, Decision(READER, Action.REGION, "region 1", new={"use": "exclude"})))


def test_what_re_scores_the_cells_outlives_a_new_audit_and_voids_a_signature() -> None:
    events = record()
    events = after(events, accept_decision(3, replay(events), READER, accepted=True))
    events = after(events, region_decision(1, replay(events), RING, READER))
    signed = after(events, sign_decision(events, READER, Meaning.REVIEWED))
    assert replay(signed).signature is not None
    again = replay(after(signed, draw_decision(AUDIT, 2, "cxpath")))
    assert again.same_score(replay(signed))
    assert again.changes_score()
    assert again.signature is None
    assert not ReviewState().changes_score()


def test_the_latest_decision_of_a_reader_is_the_one_to_undo() -> None:
    events = record()
    assert latest_undoable(events, "Dr B") is None
    for number in (8, 7, 6, 5, 4, 3):
        latest = latest_undoable(events, READER)
        assert latest is not None
        assert latest.n == number
        events = after(events, undo_of(events, latest.n, READER))
    assert latest_undoable(events, READER) is None


def test_answers_of_an_earlier_audit_are_not_undone() -> None:
    events = after(record(), draw_decision(AUDIT, 2, "cxpath"))
    latest = latest_undoable(events, READER)
    assert latest is not None
    assert latest.action is Action.EDIT
