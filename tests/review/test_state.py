from __future__ import annotations

from dataclasses import replace

import pytest

from cxpath.review.events import Action, Decision, ReviewError
from cxpath.review.sign import Meaning, sign_decision
from cxpath.review.state import (
    ReviewState,
    accept_decision,
    audit_from,
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
        (Action.ANSWER, "cell 77", None, {"class": "tumour", "stained": True}, "was not sampled"),
        (Action.ANSWER, "cell 1", None, {"class": "tumor", "stained": True}, "no answer"),
        (Action.ANSWER, "cell 1", None, {"class": "tumour", "stained": "yes"}, "no answer"),
        (Action.ANSWER, "cell 3", None, {"class": "tumour", "stained": True}, "another value before"),
        (Action.ANSWER, "square 1", None, {"class": "tumour", "stained": True}, "not a cell"),
        (Action.SQUARE, "square 9", None, {"tumour_stained": 1}, "was not sampled"),
        (Action.EDIT, "cell 40", {"class": "tumour"}, {"class": "other"}, "another value before"),
        (Action.EDIT, "cell x", None, {"class": "other"}, "not a cell"),
        (Action.DRAW, "audit 2", None, {"seed": 1}, "not the sample"),
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


# What an event must state, whoever wrote it: a record with a sound chain may still say nonsense.

COUNTS: dict[str, object] = {"tumour_stained": 1, "tumour_unstained": 0, "immune_stained": 2}


@pytest.mark.parametrize("wrong", ["7", 1.5, -1, True, None])
def test_a_square_is_counted_in_whole_cells(wrong: object) -> None:
    counted = Decision(READER, Action.SQUARE, "square 0", new=COUNTS | {"immune_stained": wrong})
    with pytest.raises(ReviewError, match="event 9 counts square 0 by what is not a number of cells"):
        replay(after(record(), counted))


@pytest.mark.parametrize("new", [None, [1, 0, 2], {"tumour_stained": 1}, COUNTS | {"other": 1}])
def test_a_square_has_its_three_counts_and_no_others(new: object) -> None:
    with pytest.raises(ReviewError, match="event 9 counts square 1, which was not sampled"):
        replay(after(record(), Decision(READER, Action.SQUARE, "square 1", new=new)))


def test_a_square_that_is_counted_again_is_replaced_and_belongs_to_its_reader() -> None:
    again = Decision(READER, Action.SQUARE, "square 1", new=COUNTS | {"immune_stained": 9})
    other = Decision("Dr B", Action.SQUARE, "square 0", new=COUNTS)
    state = replay(after(record(), again, other))
    assert [square.immune_stained for square in state.squares_of(READER)] == [9]
    assert [square.left_px for square in state.squares_of("Dr B")] == [0.0]


DRAW: dict[str, object] = {
    "seed": 7,
    "near_from": 0.1,
    "regions": [],
    "questions": [[3, 1, True, False, 0.25]],
    "squares": [[0.0, 0.0, 200.0]],
}


def test_a_draw_reads_back_as_it_was_written() -> None:
    state = replay(after(record(), draw_decision(AUDIT, 2, "cxpath")))
    assert state.audit == AUDIT
    assert state.audit.rows == frozenset(range(12))
    assert (state.answers, state.squares) == ({}, {}), "answers of the draw before are gone"
    assert replay(after(record(), Decision("cxpath", Action.DRAW, "audit 2", new=DRAW))).audit is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"questions": [[3, 1, True, False, 0.0]]},
        {"questions": [[3, 1, True, False, 1.01]]},
        {"questions": [[3, 1, True, False, float("inf")]]},
        {"questions": [[3, 1, True, False]]},
        {"questions": [["three", 1, True, False, 0.5]]},
        {"questions": 7},
        {"squares": [[0.0, 0.0]]},
        {"seed": None},
        {"near_from": "near"},
        {"regions": [{"use": "exclude"}]},
    ],
)
def test_a_draw_that_states_no_sample_is_named(changes: dict[str, object]) -> None:
    """A question that was drawn with probability 0 would weigh without end."""
    events = record()
    event = after(events, Decision("cxpath", Action.DRAW, "audit 2", new=DRAW))[-1]
    with pytest.raises(ReviewError, match=r"event 9 is (not the sample of an audit|no region)"):
        audit_from(replace(event, new=DRAW | changes))


@pytest.mark.parametrize("new", [None, [], "other"])
def test_an_edit_of_one_cell_says_how(new: object) -> None:
    with pytest.raises(ReviewError, match="event 9 edits a cell without saying how"):
        replay(after(record(), Decision(READER, Action.EDIT, "cell 50", new=new)))


@pytest.mark.parametrize("action", [Action.OPEN, Action.SHOW, Action.DRAFT, Action.SUBMIT])
def test_an_event_of_a_reader_study_is_none_of_a_review(action: Action) -> None:
    with pytest.raises(ReviewError, match=f"event 9 is of a reader study \\({action}\\)"):
        replay(after(record(), Decision(READER, action, "read 1")))


@pytest.mark.parametrize("target", ["cell", "cell ", "cell -1", "cell ²", "cell 1.0", "cells 3", "7"])
def test_a_target_is_a_kind_and_a_number(target: str) -> None:
    with pytest.raises(ReviewError, match="event 9: its target is"):
        replay(after(record(), Decision(READER, Action.ANSWER, target, new={"class": "other"})))


# When two states give the same score.


def test_the_same_audit_needs_the_same_draw_answers_and_regions() -> None:
    state = replay(record())
    assert state.same_answers(state, READER)
    answered_more = replay(answered(record(), 8, CellAnswer.CANNOT_TELL, None))
    assert not state.same_answers(answered_more, READER)
    assert state.same_answers(answered_more, "somebody else"), "whose answers are the same: none"
    with_region = replace(state, regions={1: RING})
    assert state.same_answers(with_region, READER)
    assert not state.same_audit(with_region, READER), "a region changes which cells the audit speaks for"
    assert not state.same_score(with_region)


def test_answers_alone_do_not_change_the_score_of_the_cells() -> None:
    plain = ReviewState()
    audited = replay(answered(after(record()), 8, CellAnswer.OTHER, None))
    assert not plain.changes_score()
    for changed in (
        replace(plain, edits={1: {"removed": True}}),
        replace(plain, fields=frozenset({3})),
        replace(plain, regions={1: RING}),
    ):
        assert changed.changes_score()
        assert not changed.same_score(plain)
    assert audited.same_score(replace(plain, edits=audited.edits))


def test_regions_are_given_in_the_order_of_their_numbers() -> None:
    other = RING | {"use": "include"}
    assert ReviewState(regions={7: RING, 2: other}).region_values == (other, RING)


def test_many_edits_are_grouped_by_what_they_say_in_the_order_of_their_rows() -> None:
    same = dict.fromkeys((9, 4, 7), TUMOUR)
    decision = edits_decision(same, {9: OTHER, 4: TUMOUR, 7: OTHER}, READER)
    assert decision.old == [[TUMOUR, [4, 7, 9]]]
    assert decision.new == [[TUMOUR, [4]], [OTHER, [7, 9]]]
