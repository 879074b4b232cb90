from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cxpath.exchange.qupath_frame import from_qupath_frame, to_qupath_frame

PIXELS = st.integers(0, 200_000)


def test_the_corner_of_the_bounds_is_qupaths_origin() -> None:
    assert to_qupath_frame(1000.5, 2000.5, (1000, 2000, 300, 400)) == (0.5, 0.5)


def test_a_slide_without_bounds_does_not_move() -> None:
    assert to_qupath_frame(7.25, 8.5, (0, 0, 100, 100)) == (7.25, 8.5)


@given(PIXELS, PIXELS, PIXELS, PIXELS)
def test_there_and_back(x: int, y: int, left: int, top: int) -> None:
    bounds = (left, top, 10, 10)
    moved = to_qupath_frame(np.array([x + 0.5]), np.array([y + 0.5]), bounds)
    back = from_qupath_frame(*moved, bounds)
    assert back[0][0] == x + 0.5
    assert back[1][0] == y + 0.5
