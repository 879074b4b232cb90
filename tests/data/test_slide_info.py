import numpy as np
import pytest
from hypothesis import given, strategies as st

from cxpath.data.slide_info import StainBasis, optical_density, unit

WHITE = (240.0, 235.0, 230.0)


def test_glass_has_no_density_and_brighter_than_glass_neither() -> None:
    pixels = np.array([[240, 235, 230], [255, 255, 255]], dtype=np.uint8)
    assert optical_density(pixels, WHITE).max() < 0.001


def test_a_tenth_of_the_light_is_density_one() -> None:
    tenth = np.full((1, 3), 25, dtype=np.uint8)
    assert optical_density(tenth, (255.0, 255.0, 255.0)) == pytest.approx(np.ones((1, 3)), abs=0.01)


def test_black_is_finite() -> None:
    assert np.isfinite(optical_density(np.zeros((1, 3), np.uint8), WHITE)).all()


@given(st.floats(0, 1.5), st.floats(0, 1.5))
def test_unmixing_returns_the_amounts_that_were_mixed(hematoxylin: float, dab: float) -> None:
    basis = StainBasis()
    mixed = hematoxylin * unit(basis.hematoxylin) + dab * unit(basis.dab)
    assert mixed @ basis.unmixing() == pytest.approx([hematoxylin, dab], abs=1e-9)
