from __future__ import annotations

import pytest

from cxpath.review.events import Action, Decision, ReviewError
from cxpath.review.queue import audit_queue
from cxpath.review.sign import Meaning, sign_decision
from cxpath.review.state import ReviewState, replay, undo_of
from cxpath.scores.audit import AuditAnswer, CellAnswer
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


def test_the_queue_holds_what_a_reader_has_not_answered() -> None:
    queue = audit_queue(replay(record()), READER)
    assert (queue.answered, len(queue.open), queue.done) == (2, 10, False)
    assert [question.row for question in queue.open] == [0, 1, 2, 4, 6, 7, 8, 9, 10, 11]
    assert audit_queue(replay(record()), "somebody else").answered == 0
    assert audit_queue(ReviewState(), READER).done
