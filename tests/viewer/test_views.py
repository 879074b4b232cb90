from __future__ import annotations

import json
from pathlib import Path

import pytest
import shapely

from cxpath.io.regions import RegionClasses, read_regions
from cxpath.review.cells import REGION_USES, regions_of
from cxpath.review.state import ReviewState
from cxpath.viewer.views import REGIONS, regions_geojson, write_regions

BOUNDS = (100, 50, 4_000, 3_000)
RINGS = {
    number: {"use": use, "points": [[x, 200.0], [x + 300, 200.0], [x + 300, 900.0], [x, 900.0]]}
    for number, (use, x) in enumerate(zip(REGION_USES, (200.0, 1_000.0, 2_000.0), strict=True), start=1)
}
STATE = ReviewState(regions=RINGS)


def test_the_file_reads_back_as_what_was_drawn(tmp_path: Path) -> None:
    path = write_regions(tmp_path / "new", STATE, BOUNDS)
    assert path is not None
    found = read_regions(path, BOUNDS, classes=RegionClasses(), size_px=(5_000, 4_000))
    assert found.warnings == ()
    drawn = regions_of(STATE)
    assert [area.use for area in found.areas] == [area.use for area in drawn.areas]
    for read, own in zip(found.areas, drawn.areas, strict=True):
        assert read.shape.symmetric_difference(own.shape).area == pytest.approx(0.0, abs=1e-6)


def test_places_are_in_qupath_s_frame() -> None:
    feature = regions_geojson(STATE, BOUNDS)["features"][0]
    left, top, _, _ = shapely.geometry.shape(feature["geometry"]).bounds
    assert (left, top) == (200.0 - 100, 200.0 - 50)
    assert feature["properties"]["objectType"] == "annotation"


def test_a_file_without_regions_goes(tmp_path: Path) -> None:
    write_regions(tmp_path, STATE, BOUNDS)
    assert json.loads((tmp_path / REGIONS).read_text())["type"] == "FeatureCollection"
    assert write_regions(tmp_path, ReviewState(), BOUNDS) is None
    assert not (tmp_path / REGIONS).exists()
