"""What the pathologist drew, measured on tissue whose every pixel is known."""

from __future__ import annotations

import numpy as np
import pytest
from shapely.affinity import scale
from shapely.geometry import box

from cxpath.runs.drawn_regions import areas_with_regions, region_warnings, regions_document
from cxpath.tissue.tissue import Tissue
from cxpath.values.regions import Region, RegionMeaning, Regions
from cxpath.values.stains import StainBasis

PIXEL_MM2 = 0.01**2


def tissue() -> Tissue:
    """100 x 100 overview pixels of 10 µm; tissue is the left half, its upper half is left out as pen."""
    found = np.zeros((100, 100), bool)
    found[:, :50] = True
    pen = found.copy()
    pen[50:] = False
    overview = np.full((100, 100, 3), 230, np.uint8)
    return Tissue(overview, 10.0, found, found & ~pen, {"pen": pen}, StainBasis(), (), slide_mpp=0.5)


def drawn(*areas: tuple[RegionMeaning, tuple[int, int, int, int]]) -> Regions:
    """Regions given in overview pixels; one is 20 level-0 pixels wide."""
    return Regions(
        tuple(
            Region.meaning_of(meaning.value, meaning, scale(box(*edges), 20, 20, origin=(0, 0)))
            for meaning, edges in areas
        ),
        warnings=("annotation 1 was repaired",),
        form="ASAP XML",
        digest="ab" * 32,
    )


def test_the_tumour_bed_is_its_scored_tissue() -> None:
    areas = areas_with_regions(tissue(), drawn((RegionMeaning.TUMOUR_BED, (40, 40, 60, 60))))
    assert areas.drawn_mm2 == {"tumour bed": pytest.approx(10 * 20 * PIXEL_MM2)}
    assert areas.tumour_bed_mm2 == pytest.approx(10 * 10 * PIXEL_MM2)


def test_areas_of_one_meaning_that_overlap_count_once() -> None:
    twice = drawn((RegionMeaning.NECROSIS, (0, 0, 10, 10)), (RegionMeaning.NECROSIS, (5, 0, 15, 10)))
    areas = areas_with_regions(tissue(), twice)
    assert areas.drawn_mm2 == {"necrosis": pytest.approx(150 * PIXEL_MM2)}
    assert areas.tumour_bed_mm2 is None


def test_without_regions_nothing_is_drawn() -> None:
    areas = areas_with_regions(tissue(), None)
    assert areas == tissue().areas
    assert (areas.drawn_mm2, areas.tumour_bed_mm2) == ({}, None)
    assert region_warnings(None) == ()
    assert regions_document(None, 0.5) is None


def test_the_run_says_what_was_drawn_and_not_in_which_file() -> None:
    regions = drawn((RegionMeaning.TUMOUR_BED, (0, 0, 100, 50)))
    assert regions_document(regions, 0.5) == {
        "form": "ASAP XML",
        "digest": "ab" * 32,
        "areas": [
            {"name": "tumour bed", "meaning": "tumour bed", "use": "include", "area_mm2": pytest.approx(0.5)}
        ],
    }
    assert region_warnings(regions) == ("regions: annotation 1 was repaired",)
