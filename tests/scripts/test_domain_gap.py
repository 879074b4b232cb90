from __future__ import annotations

import numpy as np
import pytest

from scripts.studies.domain_gap import compare, measure_picture

MPP = 0.5
GLASS, BLUE, BROWN = (235, 235, 235), (120, 130, 190), (150, 105, 60)


def _discs(colour: tuple[int, int, int], spacing_px: int, radius_px: float) -> tuple[np.ndarray, np.ndarray]:
    rgb = np.full((240, 240, 3), GLASS, np.uint8)
    centres = np.arange(spacing_px / 2, 240, spacing_px)
    y, x = np.mgrid[:240, :240] + 0.5
    points = np.array([(a, b) for b in centres for a in centres])
    for a, b in points:
        rgb[(x - a) ** 2 + (y - b) ** 2 <= radius_px**2] = colour
    return rgb, points


def test_spacing_and_contrast_are_those_drawn() -> None:
    rgb, points = _discs(BLUE, 30, 7)
    found = measure_picture(rgb, MPP, points)
    assert found["spacing_um"] == pytest.approx(15.0)
    expected = np.mean(np.log10(np.array(GLASS) / np.array(BLUE)))
    assert found["contrast"] == pytest.approx(expected, rel=0.1)


def test_colours_lean_to_their_side() -> None:
    blue, brown = (
        measure_picture(_discs(colour, 30, 7)[0], MPP, np.empty((0, 2))) for colour in (BLUE, BROWN)
    )
    assert blue["blueness"] > 0.2
    assert np.isnan(blue["brownness"])
    assert brown["brownness"] > 0.2
    assert "contrast" not in blue


def test_larger_discs_have_longer_waves() -> None:
    small, large = (
        measure_picture(_discs(BLUE, gap, r)[0], MPP, np.empty((0, 2))) for gap, r in ((10, 2), (40, 9))
    )
    assert small["structure_2_4"] > large["structure_2_4"]
    assert large["structure_8_16"] > small["structure_8_16"]
    assert sum(value for name, value in large.items() if name.startswith("structure")) == pytest.approx(1.0)


def test_the_comparison_says_who_lies_within() -> None:
    drawn = [{"stain": value} for value in np.linspace(0, 1, 101)]
    real = [{"stain": 0.5, "spacing_um": 9.0}, {"stain": 0.99}]
    (one,) = compare(real, drawn)
    assert one.measure == "stain"
    assert one.drawn == pytest.approx((0.05, 0.5, 0.95))
    assert one.within == 0.5
    assert one.real == pytest.approx(0.745)


def test_nothing_drawn_compares_with_nothing() -> None:
    assert compare([{"stain": 1.0}], []) == []
