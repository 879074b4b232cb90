from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxpath.slide.resample import resample
from cxpath.slide.sampling import Sampling
from tests.slide.drawn_slides import RGB, exact_region, speckle


def _resampled(picture: RGB, x: float, y: float, step: float, width: int, height: int) -> RGB:
    along_y, along_x = Sampling.snapped(y, step, height), Sampling.snapped(x, step, width)
    rows = slice(along_y.first, along_y.first + along_y.length)
    columns = slice(along_x.first, along_x.first + along_x.length)
    return resample(picture[rows, columns], along_y, along_x)


@given(st.floats(0, 20), st.floats(0, 20), st.floats(1, 9))
def test_equals_the_exact_mean_to_half_a_grey_level(x: float, y: float, step: float) -> None:
    picture = speckle(120, 120)
    result = _resampled(picture, x, y, step, 11, 9)
    exact = exact_region(picture, x, y, step, 11, 9)
    assert np.abs(result - exact).max() <= 0.501


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 7])
def test_whole_factors_equal_the_exact_mean(factor: int) -> None:
    picture = speckle(84, 168)
    result = _resampled(picture, 0, 0, factor, 168 // factor, 84 // factor)
    exact = exact_region(picture, 0, 0, factor, 168 // factor, 84 // factor)
    assert np.abs(result - exact).max() <= 0.5


@pytest.mark.parametrize("step", [2.0, 2.5, 3.0, 4.0, 1.37])
def test_rounding_has_no_bias(step: float) -> None:
    picture = speckle(1024, 1024, seed=3)
    size = int(1024 / step)
    error = _resampled(picture, 0, 0, step, size, size) - exact_region(picture, 0, 0, step, size, size)
    assert abs(error.mean()) < 0.005  # ties rounded upwards would give 0.125 at a factor of two


def test_magnifying_is_linear_between_pixel_centres() -> None:
    ramp = np.repeat(np.arange(0, 200, 10, dtype=np.uint8)[None, :, None], 8, axis=0).repeat(3, axis=2)
    row = _resampled(ramp, 2, 2, 0.25, 16, 4)[0, :, 0]
    centres = 2 + (np.arange(16) + 0.5) * 0.25
    np.testing.assert_allclose(row, (centres - 0.5) * 10, atol=0.5)
