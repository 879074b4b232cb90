import numpy as np
from shapely.geometry import Polygon, box

from cxpath.data.regions import Region, RegionMeaning, Regions, RegionUse

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
