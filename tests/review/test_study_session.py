from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from cxpath.review.events import Action, Decision, ReviewError, extended, read_events
from cxpath.review.study_design import new_token, reader_of, token_hash
from cxpath.review.study_session import (
    AnswerError,
    Stage,
    StudyGenesis,
    answer_of,
    keep_draft,
    opens_at,
    replay_reader,
    show_read,
    software_shown,
    stage_of,
    submit_read,
)
from tests.review.study_designs import SAME_SITTING, UNAIDED, Walk, answer, design


@pytest.mark.parametrize(
    ("given_answer", "question"),
    [
        ({}, "adequate"),
        (answer(adequate=None), "adequate"),
        (answer(adequate="yes"), "adequate"),
        (answer() | {"score": None, "sides": {}}, "score"),
        (answer() | {"score": "5"}, "score"),
        (answer() | {"score": True}, "score"),
        (answer() | {"score": float("nan")}, "score"),
        (answer() | {"score": 101}, "score"),
        (answer() | {"score": -0.1}, "score"),
        (answer(sides={"1": True}), "sides"),
        (answer(sides={"1": True, "10": True}), "sides"),
        (answer(sides={"1": True, "10": False, "50": False}), "sides"),
        (answer(sides=[True, False]), "sides"),
        (answer(confidence=None), "confidence"),
        (answer(confidence=0), "confidence"),
        (answer(confidence=6), "confidence"),
        (answer(confidence=True), "confidence"),
        (answer(comment="x" * 2001), "comment"),
        (answer(comment=7), "comment"),
        (answer(adequate=False), "score"),
        (answer() | {"mood": "good"}, "mood"),
    ],
)
def test_answers_are_forced_and_must_fit(given_answer: dict[str, Any], question: str) -> None:
    with pytest.raises(AnswerError) as refused:
        answer_of(design(), given_answer)
    assert refused.value.question == question


def test_a_slide_that_cannot_be_scored_has_no_score() -> None:
    found = answer_of(design(), {"adequate": False, "confidence": 5, "comment": "folded"})
    assert (found.adequate, found.score, dict(found.sides)) == (False, None, {})


def test_what_is_not_asked_is_not_forced() -> None:
    nothing = {"adequacy": False, "sides": False, "confidence": False, "comment": False}
    found = answer_of(design(questions=nothing), {"score": 3})
    assert (found.adequate, found.score, found.confidence) == (True, 3.0, None)
    with pytest.raises(AnswerError):
        answer_of(design(questions=nothing), {"score": 3, "confidence": 3})
    with pytest.raises(AnswerError):
        answer_of(design(questions=nothing), {"score": 3, "comment": "but"})


@given(st.floats(0, 100))
def test_the_sides_of_a_score_are_its_only_answer(score: float) -> None:
    assert answer_of(design(), answer(score)).score == score
    with pytest.raises(AnswerError):
        answer_of(design(), answer(score, sides={"1": score < 1, "10": score >= 10}))


def test_reads_come_in_order_and_stand() -> None:
    walk = Walk(design())
    walk.submit(answer(3))
    walk.submit(answer(4))
    state = walk.state
    assert [read.answer.score for read in state.submitted.values()] == [3, 4]
    assert state.next is not None
    assert state.next.position == 3


def test_only_the_open_slide_can_be_answered() -> None:
    walk = Walk(design())
    with pytest.raises(ReviewError, match="not the slide that is open"):
        submit_read(walk.state, walk.design, "r1", "one", walk.entered(answer()), walk.now)
    walk.show()
    other = replace(walk.entered(answer()), position=2)
    with pytest.raises(ReviewError, match="not the slide that is open"):
        submit_read(walk.state, walk.design, "r1", "one", other, walk.now)


def test_a_draft_is_kept_over_an_interruption() -> None:
    walk = Walk(design())
    walk.show()
    walk.wait(seconds=20)
    entered = walk.entered({"score": 3.5}, 18_000)
    walk.take(keep_draft(walk.state, walk.design, "r1", "one", entered, walk.now))
    walk.wait(hours=5)
    walk.show()
    draft = walk.state.draft
    assert draft is not None
    assert (draft.given, draft.shown_ms) == ({"score": 3.5}, 18_000)


def test_time_is_what_was_looked_at_and_never_more_than_has_passed() -> None:
    walk = Walk(design())
    walk.show()
    walk.wait(seconds=10)
    entered = walk.entered({}, 3_600_000)
    walk.take(keep_draft(walk.state, walk.design, "r1", "one", entered, walk.now))
    assert walk.state.draft is not None
    assert walk.state.draft.shown_ms == 12_000
    walk.wait(hours=9)
    walk.show()
    walk.wait(seconds=5)
    final = walk.entered(answer(), 17_000)
    walk.take(submit_read(walk.state, walk.design, "r1", "one", final, walk.now))
    assert walk.state.submitted[1].seconds == 17.0


def test_time_never_runs_backwards() -> None:
    walk = Walk(design())
    walk.show()
    walk.wait(seconds=30)
    walk.take(keep_draft(walk.state, walk.design, "r1", "one", walk.entered({}, 30_000), walk.now))
    walk.take(submit_read(walk.state, walk.design, "r1", "one", walk.entered(answer(), 0), walk.now))
    assert walk.state.submitted[1].seconds == 30.0


def read_round(walk: Walk, reads: int = 4) -> None:
    """Submit so many reads."""
    for _ in range(reads):
        walk.submit()


def test_the_wash_out_is_enforced_from_the_last_read() -> None:
    walk = Walk(design(wash_out_days=14))
    read_round(walk)
    last = walk.now
    assert stage_of(walk.state, walk.design, walk.now) is Stage.WASH_OUT
    assert opens_at(walk.state, walk.design) == last + timedelta(days=14)
    walk.wait(days=13, hours=23)
    with pytest.raises(ReviewError, match="the next round opens at 2026-12-14T09:02:00Z"):
        walk.show()
    walk.wait(hours=1)
    walk.show()
    assert walk.state.draft is not None


def test_a_reader_is_done_after_the_last_read() -> None:
    walk = Walk(design(wash_out_days=0))
    read_round(walk, 8)
    assert stage_of(walk.state, walk.design, walk.now) is Stage.DONE
    with pytest.raises(ReviewError, match="all slides are read"):
        show_read(walk.state, walk.design, "r1", "one", walk.now)


def test_software_is_shown_in_the_aided_arm_alone() -> None:
    walk = Walk(design(rounds=[UNAIDED, SAME_SITTING]))
    walk.submit()
    walk.submit()
    shown = [event.new["software"] for event in walk.events if event.action is Action.SHOW]
    assert shown[0] is None
    assert shown[1] == software_shown(walk.design, walk.state.assignments[1])
    assert isinstance(shown[1], float)


def test_the_aided_read_waits_for_the_unaided_one() -> None:
    walk = Walk(design(rounds=[UNAIDED, SAME_SITTING]))
    walk.show()
    assert walk.events[-1].new["arm"] == "unaided"
    walk.show()
    assert walk.events[-1].new["arm"] == "unaided"


def test_a_record_can_be_read_back() -> None:
    walk = Walk(design())
    read_round(walk, 2)
    content = "".join(f"{event.line}\n" for event in walk.events).encode()
    assert replay_reader(read_events(content, walk.genesis), walk.design, "r1") == walk.state


@pytest.mark.parametrize("genesis", [StudyGenesis("0" * 64, "r1"), StudyGenesis(design().digest, "r2")])
def test_another_design_or_reader_is_another_chain(genesis: StudyGenesis) -> None:
    walk = Walk(design())
    content = "".join(f"{event.line}\n" for event in walk.events).encode()
    with pytest.raises(ReviewError, match=r"line 1 does not follow from this study.toml"):
        read_events(content, genesis)


def test_a_flipped_byte_is_found() -> None:
    walk = Walk(design())
    walk.submit(answer(3))
    content = "".join(f"{event.line}\n" for event in walk.events).encode()
    with pytest.raises(ReviewError, match=f"line {len(walk.events)} was changed"):
        read_events(content.replace(b'"score":3.0', b'"score":4.0'), walk.genesis)


def test_events_of_others_or_of_reviews_are_refused() -> None:
    walk = Walk(design())
    for decision, why in (
        (Decision("r2", Action.OPEN, "study"), "is by r2"),
        (Decision("r1", Action.EDIT, "cell 3"), "is of a review"),
        (Decision("r1", Action.SUBMIT, "read 2", new={}), "not the read that was open"),
        (Decision("r1", Action.SUBMIT, "read 1", new=None), "is no answer"),
        (Decision("r1", Action.DRAFT, "read 1", new=3), "is not a draft"),
    ):
        events = extended(walk.genesis, walk.events, [decision], walk.now)
        with pytest.raises(ReviewError, match=why):
            replay_reader(events, walk.design, "r1")


def test_a_draft_that_is_too_long_is_refused() -> None:
    walk = Walk(design())
    walk.show()
    with pytest.raises(AnswerError, match="too long"):
        keep_draft(walk.state, walk.design, "r1", "one", walk.entered({"comment": "x" * 9000}), walk.now)


def test_a_token_is_its_readers_and_is_not_stored() -> None:
    tokens = {"a": new_token(), "b": new_token()}
    hashes = {reader: token_hash(token) for reader, token in tokens.items()}
    assert reader_of(tokens["b"], hashes) == "b"
    assert reader_of(tokens["b"] + "x", hashes) is None
    assert reader_of("", hashes) is None
    assert not set(tokens.values()) & set(hashes.values())
