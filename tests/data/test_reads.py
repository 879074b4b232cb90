from __future__ import annotations

import numpy as np
import pytest

from cxpath.data.reads import ScoreMap

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
