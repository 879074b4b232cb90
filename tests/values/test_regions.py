import numpy as np
from shapely.geometry import Polygon, box

from cxpath.values.regions import Region, Regions, RegionUse

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
