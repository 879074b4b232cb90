from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxpath.slide.level import Level, level_for, levels_of


def test_a_whole_factor_explains_sizes_with_dropped_rest() -> None:
    levels = levels_of([(1501, 1003), (375, 250), (93, 62)])
    assert [level.factor_x for level in levels] == [1.0, 4.0, 16.0]
    assert [level.factor_y for level in levels] == [1.0, 4.0, 16.0]


@given(st.integers(5_000, 150_000), st.integers(5_000, 150_000), st.sampled_from([2, 4, 8, 16, 32]))
def test_halving_scanners_have_whole_factors(width: int, height: int, factor: int) -> None:
    for stored in [(width // factor, height // factor), (-(-width // factor), -(-height // factor))]:
        level = levels_of([(width, height), stored])[1]
        assert (level.factor_x, level.factor_y) == (factor, factor)


def test_other_sizes_keep_their_quotients() -> None:
    level = levels_of([(1000, 800), (400, 310)])[1]
    assert level.factor_x == 2.5
    assert level.factor_y == pytest.approx(800 / 310)
    assert level.downsample == pytest.approx((2.5 + 800 / 310) / 2)


@pytest.mark.parametrize(
    ("factor", "expected"),
    [(0.5, 0), (1, 0), (3.99, 0), (4, 1), (3.9999999, 1), (15.9, 1), (16, 2), (900, 2)],
)
def test_the_coarsest_level_still_fine_enough_is_read(factor: float, expected: int) -> None:
    assert level_for([Level(1600, 1600), Level(400, 400, 4, 4), Level(100, 100, 16, 16)], factor) == expected
