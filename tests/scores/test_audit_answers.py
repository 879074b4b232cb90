"""Answers of an audit: which are refused, how they enter the CPS, and what missed cells change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from cxpath.data.cells import CellTable, Kind
from cxpath.scores.audit_answers import (
    SQUARE_UM,
    AnsweredCells,
    AuditAnswer,
    CellAnswer,
    MissedSquare,
    answered_cells,
    draw_squares,
    found_in,
    matched_answers,
    missed_effect,
)
from cxpath.scores.audit_sample import (
    ASKED,
    OUTSIDE,
    STAINED_IMMUNE,
    STAINED_TUMOUR,
    UNCOUNTED,
    UNSTAINED_TUMOUR,
    AuditDraw,
    AuditError,
    AuditFrame,
    AuditQuestion,
    audit_frame,
)
from cxpath.scores.settings import ScoringSettings
from tests.synthetic_cells import MPP, SPACING_UM, synthetic_cells

SETTINGS = ScoringSettings(minimum_tumour_cells=1, stained_threshold=0.5)
TUMOUR_YES = AuditAnswer(0, CellAnswer.TUMOUR, stained=True)


def framed(picture: str, inside: list[bool] | None = None) -> AuditFrame:
    return audit_frame(synthetic_cells(picture), SETTINGS, None if inside is None else np.array(inside))


def all_asked(frame: AuditFrame) -> AuditDraw:
    """Return a draw that asks about every cell and its staining."""
    questions = tuple(
        AuditQuestion(row, int(stratum), asks_stained=True, guard=False, inclusion=0.5)
        for row, stratum in enumerate(frame.stratum)
    )
    return AuditDraw(seed=1, near_from=frame.near_from, questions=questions)


def answered(frame: AuditFrame, *answers: AuditAnswer) -> tuple[AnsweredCells, AnsweredCells]:
    draw = all_asked(frame)
    return answered_cells(frame, draw, matched_answers(draw, answers))


# Which answers are refused.


def test_answers_that_fit_are_returned_by_row() -> None:
    frame = framed("T+ T-")
    given_answers = [AuditAnswer(1, CellAnswer.OTHER), AuditAnswer(0, CellAnswer.TUMOUR, stained=False)]
    assert matched_answers(all_asked(frame), given_answers) == {one.row: one for one in given_answers}


@pytest.mark.parametrize(
    ("answers", "why", "hint"),
    [
        ([TUMOUR_YES, TUMOUR_YES], "answered twice", "one answer for each cell"),
        ([TUMOUR_YES, AuditAnswer(7, CellAnswer.OTHER)], "cell 7 was not sampled", "this audit only"),
        ([TUMOUR_YES], "cell 1 has no answer", "'cannot tell' included"),
        (
            [TUMOUR_YES, AuditAnswer(1, CellAnswer.TUMOUR)],
            "cell 1 has no answer about its staining",
            "yes or no",
        ),
        (
            [TUMOUR_YES, AuditAnswer(1, CellAnswer.IMMUNE)],
            "cell 1 has no answer about its staining",
            "yes or no",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_what_to_do(
    answers: list[AuditAnswer], why: str, hint: str
) -> None:
    with pytest.raises(AuditError, match=why) as refused:
        matched_answers(all_asked(framed("T+ T-")), answers)
    assert hint in str(refused.value)


@pytest.mark.parametrize("answer", [CellAnswer.OTHER, CellAnswer.NOT_A_CELL, CellAnswer.CANNOT_TELL])
def test_what_does_not_count_needs_no_staining(answer: CellAnswer) -> None:
    draw = all_asked(framed("T+"))
    assert matched_answers(draw, [AuditAnswer(0, answer)])[0].answer is answer


def test_staining_that_was_not_asked_for_is_not_missed() -> None:
    draw = all_asked(framed("T-"))
    unasked = replace(draw, questions=(replace(draw.questions[0], asks_stained=False),))
    assert matched_answers(unasked, [AuditAnswer(0, CellAnswer.TUMOUR)])


# How answers enter the CPS.


@pytest.mark.parametrize(
    ("answer", "stained", "way", "kind"),
    [
        (CellAnswer.TUMOUR, True, STAINED_TUMOUR, Kind.TUMOUR),
        (CellAnswer.TUMOUR, False, UNSTAINED_TUMOUR, Kind.TUMOUR),
        (CellAnswer.IMMUNE, True, STAINED_IMMUNE, Kind.IMMUNE),
        (CellAnswer.IMMUNE, False, UNCOUNTED, Kind.IMMUNE),
        (CellAnswer.OTHER, True, UNCOUNTED, Kind.OTHER),
        (CellAnswer.NOT_A_CELL, None, UNCOUNTED, Kind.OTHER),
    ],
)
def test_each_answer_enters_in_its_own_way(
    answer: CellAnswer, stained: bool | None, way: np.ndarray, kind: Kind
) -> None:
    cells, doubtful = answered(framed("L+ T+"), AuditAnswer(0, answer, stained), replace(TUMOUR_YES, row=1))
    assert cells.ways[0].tolist() == way.tolist()
    assert cells.kind.tolist() == [kind, Kind.TUMOUR]
    assert len(doubtful.rows) == 0


def test_a_cell_of_which_nobody_can_tell_is_set_apart() -> None:
    cells, doubtful = answered(
        framed("T+ T+"), AuditAnswer(0, CellAnswer.CANNOT_TELL), replace(TUMOUR_YES, row=1)
    )
    assert cells.rows.tolist() == [1]
    assert doubtful.rows.tolist() == [0]
    assert doubtful.ways.tolist() == [UNCOUNTED.tolist()]


def test_an_immune_cell_counts_where_the_answers_say_that_tumour_is_near() -> None:
    """The neighbour decides by its answer, not by what the network called it."""
    frame = framed("L+ T+")
    immune = AuditAnswer(0, CellAnswer.IMMUNE, stained=True)
    cells, _ = answered(frame, immune, AuditAnswer(1, CellAnswer.OTHER))
    assert cells.ways[0].tolist() == UNCOUNTED.tolist()
    as_called, _ = answered(frame, immune, AuditAnswer(1, CellAnswer.CANNOT_TELL))
    assert as_called.ways[0].tolist() == STAINED_IMMUNE.tolist()


def test_a_cell_that_only_the_answers_call_tumour_makes_immune_cells_count() -> None:
    frame = framed("L+ F-" + " .." * 40 + " T+")
    tumour_by_answer = AuditAnswer(1, CellAnswer.TUMOUR, stained=False)
    far = AuditAnswer(2, CellAnswer.TUMOUR, stained=True)
    immune = AuditAnswer(0, CellAnswer.IMMUNE, stained=True)
    cells, _ = answered(frame, immune, tumour_by_answer, far)
    assert cells.ways[0].tolist() == STAINED_IMMUNE.tolist()
    cells, _ = answered(frame, immune, AuditAnswer(1, CellAnswer.OTHER), far)
    assert cells.ways[0].tolist() == UNCOUNTED.tolist()


def test_staining_counts_only_in_strata_where_all_are_asked_about_it() -> None:
    """In an unstained stratum a guard's yes widens the interval; it must not move the score."""
    frame = framed("T- T+")
    assert [bool(ASKED[stratum]) for stratum in frame.stratum] == [False, True]
    cells, _ = answered(frame, TUMOUR_YES, replace(TUMOUR_YES, row=1))
    assert cells.ways.tolist() == [UNSTAINED_TUMOUR.tolist(), STAINED_TUMOUR.tolist()]


def test_cells_outside_the_regions_are_left_out() -> None:
    frame = framed("T+ T+ T+", inside=[True, False, True])
    assert frame.stratum[1] == OUTSIDE
    cells, doubtful = answered(frame, *(replace(TUMOUR_YES, row=row) for row in range(3)))
    assert cells.rows.tolist() == [0, 2]
    assert cells.numbers.sum() == 2
    assert len(doubtful.rows) == 0


def test_a_draw_from_other_strata_is_refused() -> None:
    frame = framed("T+ T-")
    draw = all_asked(frame)
    moved = replace(draw.questions[0], stratum=int(frame.stratum[1]))
    other = replace(draw, questions=(moved, draw.questions[1]))
    answers = matched_answers(other, [TUMOUR_YES, replace(TUMOUR_YES, row=1)])
    with pytest.raises(AuditError, match="sampled from other strata"):
        answered_cells(frame, other, answers)


def test_cells_are_joined_and_numbered_by_stratum() -> None:
    first, _ = answered(framed("T+ T- L+"), *(replace(TUMOUR_YES, row=row) for row in range(3)))
    both = first.and_also(first)
    assert both.numbers.tolist() == (2 * first.numbers).tolist()
    assert both.rows.tolist() == [0, 1, 2, 0, 1, 2]
    other_way = first.entering_as(np.tile(UNCOUNTED, (3, 1)))
    assert other_way.ways.tolist() == [UNCOUNTED.tolist()] * 3
    assert other_way.rows is first.rows


# Squares in which a person looks for missed cells.


@pytest.mark.parametrize("number", [0, -3])
def test_no_square_is_drawn_unasked(number: int) -> None:
    assert draw_squares(synthetic_cells("T+"), number, seed=1) == ()


def spread_cells() -> CellTable:
    """A hundred cells, 12 µm apart in each direction: they lie in 9 squares of 50 µm, in part."""
    return synthetic_cells("\n".join([" ".join(["T+"] * 10)] * 10))


@given(number=st.integers(1, 20), seed=st.integers(0, 5))
def test_squares_are_different_contain_a_cell_and_are_repeated_by_the_seed(number: int, seed: int) -> None:
    cells = spread_cells()
    squares = draw_squares(cells, number, seed)
    assert squares == draw_squares(cells, number, seed)
    assert len(set(squares)) == len(squares) == min(number, 9)
    for one in squares:
        assert one.side_px == SQUARE_UM / MPP
        held = (cells.x_px >= one.left_px) & (cells.x_px < one.left_px + one.side_px)
        held &= (cells.y_px >= one.top_px) & (cells.y_px < one.top_px + one.side_px)
        assert held.any()


def test_squares_lie_where_to_score() -> None:
    cells = spread_cells()
    inside = cells.x_px < SQUARE_UM / MPP
    assert {one.left_px for one in draw_squares(cells, 20, 1, inside)} == {0.0}


def test_cells_of_a_square_are_counted_with_its_left_and_without_its_right_edge() -> None:
    frame = framed("T+ L+ T- N-")
    step = SPACING_UM / MPP
    assert found_in(frame, MissedSquare(0, 0, 100 * step)) == (2.0, 2.0)
    assert found_in(frame, MissedSquare(0.5 * step, 0, step)) == (1.0, 1.0)
    assert found_in(frame, MissedSquare(1.5 * step, 0, step)) == (1.0, 0.0)
    assert found_in(frame, MissedSquare(0, 5 * step, step)) == (0.0, 0.0)


def square(stained: int | None, unstained: int | None, immune: int | None) -> MissedSquare:
    return MissedSquare(0, 0, 100, stained, unstained, immune)


def test_without_squares_or_missed_cells_nothing_changes() -> None:
    assert missed_effect([], []) == (0.0, 0.0)
    assert missed_effect([square(0, 0, 0)], [(3.0, 30.0)]) == (0.0, 0.0)
    assert missed_effect([square(None, None, None)], [(3.0, 30.0)]) == (0.0, 0.0)


def test_missed_unstained_tumour_lowers_the_score_and_missed_immune_cells_raise_it() -> None:
    found = [(20.0, 100.0)]
    lower, error_below = missed_effect([square(0, 10, 0)], found)
    higher, error_above = missed_effect([square(0, 0, 4)], found)
    assert lower < 0 < higher
    assert min(error_below, error_above) > 0


def test_the_effect_is_that_of_the_formula() -> None:
    """10 of 100 tumour cells missed, 2 of 20 positive: ratios .1 and (2 + 5 x .1) / (20 + 5) = .1."""
    effect, error = missed_effect([square(2, 8, 0)], [(20.0, 100.0)])
    assert effect == pytest.approx(np.log1p(0.1) - np.log1p(0.1), abs=1e-12)
    of_positive = np.sqrt(max(0.1 * 25, (2 - 0.1 * 20) ** 2)) / 25 / 1.1
    of_tumour = np.sqrt(max(0.1 * 100, (10 - 0.1 * 100) ** 2)) / 100 / 1.1
    assert error == pytest.approx(np.hypot(of_positive, of_tumour))


@given(
    st.lists(st.tuples(*[st.integers(0, 9)] * 3), min_size=1, max_size=6),
    st.floats(0, 50),
    st.floats(0, 200),
)
def test_the_error_grows_with_differences_between_squares_and_is_never_less_than_of_single_cells(
    missed: list[tuple[int, int, int]], positive: float, others: float
) -> None:
    squares = [square(*one) for one in missed]
    found = [(positive, positive + others)] * len(squares)
    effect, error = missed_effect(squares, found)
    assert np.isfinite([effect, error]).all()
    assert error >= 0
    assert (error == 0) == (not any(map(any, missed)))
