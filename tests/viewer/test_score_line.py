"""What an event did, in a few words, and never which cell an answer is about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cxpath.review.events import Action, Decision, Event, Genesis, extended
from cxpath.viewer.score_line import describe

GENESIS = Genesis("c" * 64, "s" * 64, "m" * 64, "0.2.0")


def told(action: Action, target: str = "review", new: Any = None, *earlier: Decision) -> str:
    """Return the words for an event after others."""
    events = extended(
        GENESIS, (), [*earlier, Decision("Dr A", action, target, new=new)], datetime(2026, 11, 30, tzinfo=UTC)
    )
    return describe(events[-1], events)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (Action.BEGIN, "the review was begun"),
        (Action.DRAW, "an audit was sampled"),
        (Action.ANSWER, "an answer of the audit"),
        (Action.SQUARE, "missed cells of a square were counted"),
        (Action.SIGN, "the review was signed"),
    ],
)
def test_steps_of_a_review(action: Action, words: str) -> None:
    assert told(action, "cell 12") == words


def test_an_answer_does_not_tell_its_cell_even_when_it_is_undone() -> None:
    answer = Decision("Dr A", Action.ANSWER, "cell 4711", new={"answer": "tumour"})
    said = told(Action.UNDO, "event 1", None, answer)
    assert said == "undone: an answer of the audit"
    assert "4711" not in said


def test_an_undone_edit_is_told_in_its_own_words() -> None:
    edit = Decision("Dr A", Action.EDIT, "cell 3", new={"class": "tumour", "stained": True})
    assert told(Action.UNDO, "event 1", None, edit) == "undone: 1 cell: tumour, stained"


@pytest.mark.parametrize(
    ("new", "words"), [(True, "field 81 accepted"), (False, "field 81 no longer accepted")]
)
def test_fields_are_accepted_and_no_longer(new: bool, words: str) -> None:
    assert told(Action.ACCEPT, "field 81", new) == words


def test_regions_are_drawn_and_removed() -> None:
    assert told(Action.REGION, "region 2", {"use": "exclude", "points": []}) == "region 2: exclude"
    assert told(Action.REGION, "region 2") == "region 2 removed"


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ({"class": "tumour", "stained": True}, "1 cell: tumour, stained"),
        ({"class": "immune", "stained": False}, "1 cell: immune, unstained"),
        ({"class": "other"}, "1 cell: other, unstained"),
        ({"removed": True}, "1 cell: not a cell"),
    ],
)
def test_one_edited_cell(new: dict[str, Any], words: str) -> None:
    assert told(Action.EDIT, "cell 3", new) == words


def test_many_cells_are_counted_and_told_alike_only_where_they_are() -> None:
    stained, unstained = {"class": "tumour", "stained": True}, {"class": "tumour", "stained": False}
    rows = list(range(1_200))
    assert told(Action.EDIT, "cells 1200", [[stained, rows]]) == "1,200 cells: tumour, stained"
    assert told(Action.EDIT, "cells 3", [[stained, [1, 2]], [unstained, [7]]]) == "3 cells edited"


def test_events_before_do_not_change_the_words() -> None:
    begin = Decision("Dr A", Action.BEGIN, "review")
    event: Event = extended(GENESIS, (), [begin], datetime(2026, 11, 30, tzinfo=UTC))[0]
    assert describe(event, ()) == "the review was begun"
