from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cxpath.training.judging.blocks import BlockGrid


def test_points_fall_into_their_blocks() -> None:
    grid = BlockGrid(250.0, 200.0, 100.0)
    assert (grid.columns, grid.rows, len(grid)) == (3, 2, 6)
    points = np.array([[0.0, 0.0], [99.9, 99.9], [100.0, 0.0], [249.0, 199.0], [260.0, 300.0]])
    assert grid.of(points).tolist() == [0, 0, 1, 5, 5]
    assert grid.count(points).tolist() == [2, 1, 0, 0, 0, 2]


def test_a_small_picture_is_one_block() -> None:
    assert len(BlockGrid(40.0, 100.0, 100.0)) == 1
    assert BlockGrid(40.0, 40.0, 100.0).count(np.empty((0, 2))).tolist() == [0]


@given(st.floats(1, 900), st.floats(1, 900), st.integers(0, 60))
def test_every_point_is_counted_once(width: float, height: float, number: int) -> None:
    grid = BlockGrid(width, height, 100.0)
    points = np.random.default_rng(number).uniform(0, 1, (number, 2)) * [width, height]
    assert grid.count(points).sum() == number
