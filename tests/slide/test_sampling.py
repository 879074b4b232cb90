from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxpath.slide.sampling import Sampling

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
