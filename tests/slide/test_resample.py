""""""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from cxpath.slide.resample import Sampling, resample
from tests.slide.synthetic_slides import RGB, exact_region, speckle


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


STARTS = st.floats(-500, 500)
STEPS = st.floats(0.05, 40)
NUMBERS = st.integers(1, 60)


@given(STARTS, STEPS, NUMBERS)
def test_every_output_pixel_weighs_one(start: float, step: float, number: int) -> None:
    weights = Sampling.snapped(start, step, number).weights().toarray()
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)


@given(STARTS, STEPS, NUMBERS)
def test_every_output_pixel_has_its_centre_of_mass_in_place(start: float, step: float, number: int) -> None:
    sampling = Sampling.snapped(start, step, number)
    source_centres = sampling.first + np.arange(sampling.length) + 0.5
    wanted = sampling.start + (np.arange(number) + 0.5) * sampling.step
    # a footprint that ends inside a source pixel takes that pixel's light as a whole: within a quarter pixel
    slack = 1e-3 if step < 1 or sampling.whole_factor else 0.26 / step + 1e-3
    assert np.abs(sampling.weights() @ source_centres - wanted).max() <= slack


@given(STARTS, STEPS, st.integers(2, 60))
def test_halves_continue_each_other(start: float, step: float, number: int) -> None:
    whole = Sampling.snapped(start, step, number)
    first, second = whole.halves()
    assert first.number + second.number == number
    for part, rows in ((first, slice(0, first.number)), (second, slice(first.number, number))):
        shift = part.first - whole.first
        dense = np.zeros((part.number, whole.length + 2), dtype=np.float32)
        dense[:, shift : shift + part.length] = part.weights().toarray()
        np.testing.assert_allclose(dense[:, : whole.length], whole.weights().toarray()[rows], atol=1e-5)


def test_area_weights_by_hand() -> None:
    weights = Sampling(0.5, 2.5, 2).weights().toarray()
    np.testing.assert_allclose(weights, np.array([[0.5, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 0.5]]) / 2.5)


def test_linear_weights_by_hand() -> None:
    sampling = Sampling(0, 0.5, 4)
    assert sampling.first == -1
    expected = [[0.25, 0.75, 0, 0], [0, 0.75, 0.25, 0], [0, 0.25, 0.75, 0], [0, 0, 0.75, 0.25]]
    np.testing.assert_allclose(sampling.weights().toarray(), expected)


@pytest.mark.parametrize(
    ("start", "step", "factor"),
    [(3, 2, 2), (3.0000000001, 1.9999999999, 2), (3.5, 2, None), (3, 2.5, None), (3, 1, 1), (3, 0.5, None)],
)
def test_whole_factor_only_on_whole_blocks(start: float, step: float, factor: int | None) -> None:
    assert Sampling.snapped(start, step, 5).whole_factor == factor
