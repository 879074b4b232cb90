from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from shapely.geometry import Polygon, box

from cxpath.data.slide_info import (
    Region,
    RegionMeaning,
    Regions,
    RegionUse,
    StainBasis,
    optical_density,
    unit,
)

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


INNER = Region("Exclude", RegionUse.EXCLUDE, box(40, 40, 60, 60))
OUTER = Region("ROI", RegionUse.INCLUDE, box(20, 20, 80, 80))


def inside(regions: Regions, x_px: float, y_px: float) -> bool:
    return bool(regions.contains(np.array([x_px]), np.array([y_px]), 100, 100)[0])


def test_nothing_drawn_scores_everything() -> None:
    assert inside(Regions(), 5, 5)


def test_only_an_exclusion_scores_all_else() -> None:
    regions = Regions((INNER,))
    assert inside(regions, 5, 5)
    assert not inside(regions, 50, 50)


def test_exclusion_wins_inside_an_inclusion() -> None:
    regions = Regions((OUTER, INNER))
    assert inside(regions, 30, 30)
    assert not inside(regions, 50, 50)
    assert not inside(regions, 5, 5)


def test_a_hole_is_outside() -> None:
    ring = Polygon(box(20, 20, 80, 80).exterior, [box(40, 40, 60, 60).exterior])
    assert not inside(Regions((Region("ROI", RegionUse.INCLUDE, ring),)), 50, 50)


BED = Region.meaning_of("Tumor bed", RegionMeaning.TUMOUR_BED, box(20, 20, 80, 80))
NECROSIS = Region.meaning_of("Necrosis", RegionMeaning.NECROSIS, box(40, 40, 60, 60))


def test_the_use_follows_from_the_meaning() -> None:
    assert (BED.use, NECROSIS.use) == (RegionUse.INCLUDE, RegionUse.EXCLUDE)
    assert [meaning for meaning in RegionMeaning if meaning.use is RegionUse.INCLUDE] == [
        RegionMeaning.INCLUDE,
        RegionMeaning.TUMOUR_BED,
    ]


def test_a_region_of_known_use_alone_holds_just_that() -> None:
    assert (OUTER.effective_meaning, INNER.effective_meaning) == (
        RegionMeaning.INCLUDE,
        RegionMeaning.EXCLUDE,
    )


def test_areas_are_found_by_meaning() -> None:
    regions = Regions((OUTER, BED, NECROSIS))
    assert regions.with_meaning(RegionMeaning.NECROSIS) == (NECROSIS,)
    x_px = np.array([30.0, 50.0, 90.0])
    assert regions.within(RegionMeaning.TUMOUR_BED, x_px, x_px).tolist() == [True, True, False]
    assert regions.within(RegionMeaning.NECROSIS, x_px, x_px).tolist() == [False, True, False]
    assert not regions.within(RegionMeaning.CONTROL, x_px, x_px).any()
