from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st

from cxpath.data.reads import NO_READ, NOT_EVALUABLE, Read, ReadState, ReadValue, ScoreMap, exactly

DOUBLING = ScoreMap((0.0, 9.0, 49.0), (0.0, 19.0, 99.0))


def test_points_are_hit_and_between_them_the_map_is_straight_on_log_axes() -> None:
    np.testing.assert_allclose(DOUBLING.of(np.array([0.0, 9, 49])), [0, 19, 99], atol=1e-9)
    assert DOUBLING.of(np.array(np.sqrt(10) - 1)) == pytest.approx(np.sqrt(20) - 1)


def test_beyond_its_ends_the_map_is_level_and_says_so() -> None:
    assert DOUBLING.of(np.array(100.0)) == pytest.approx(99)
    assert [DOUBLING.covers(score) for score in (0, 49, 49.1)] == [True, True, False]


@pytest.mark.parametrize(
    ("scores", "reads"),
    [
        ((1.0,), (1.0,)),
        ((0.0, 1.0), (0.0,)),
        ((0.0, 0.0), (0.0, 1.0)),
        ((0.0, 1.0), (2.0, 1.0)),
        ((-1.0, 1.0), (0.0, 1.0)),
    ],
)
def test_what_is_no_rising_map_is_refused(scores: tuple[float, ...], reads: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"needs two|must rise|start from 0"):
        ScoreMap(scores, reads)


@given(scores=st.lists(st.floats(0, 500), min_size=2, max_size=30))
def test_a_map_never_falls(scores: list[float]) -> None:
    mapped = DOUBLING.of(np.sort(np.array(scores)))
    assert (np.diff(mapped) >= -1e-9).all()
    assert mapped.min() >= -1e-9


def test_a_map_keeps_the_shape_of_what_it_is_given() -> None:
    assert DOUBLING.of(np.zeros((2, 3))).shape == (2, 3)


@given(points=st.lists(st.floats(0, 400), min_size=2, max_size=6, unique=True))
def test_a_map_onto_the_same_scores_changes_nothing_between_its_ends(points: list[float]) -> None:
    rising = tuple(sorted(round(point, 3) for point in points))
    assume(min(np.diff(rising)) > 0)
    middle = np.array([(low + high) / 2 for low, high in pairwise(rising)])
    assert ScoreMap(rising, rising).of(middle) == pytest.approx(middle, rel=1e-9, abs=1e-9)


def test_only_a_bound_is_censored() -> None:
    below_1 = ReadValue(0.5, 0.0, 1.0, high_excluded=True)
    assert below_1.censored
    assert not exactly(1.0).censored
    assert not NO_READ.censored
    assert not NOT_EVALUABLE.censored
    assert {one.state for one in (NO_READ, NOT_EVALUABLE, exactly(3))} == set(ReadState)


def test_a_slide_of_a_case_is_one_thing_to_be_read() -> None:
    assert Read(case="17", reader="A", value=exactly(1.0)).unit == ("17", "")
    assert Read(case="17", slide="b", reader="A", value=exactly(1.0)).unit == ("17", "b")
