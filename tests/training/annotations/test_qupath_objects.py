from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from cxpath.exchange.class_names import UNCLASSIFIED
from cxpath.training.annotations.qupath_objects import AnnotationsError, read_objects
from tests.training.annotations.annotated_pictures import feature, point, rectangle, write_geojson

WHOLE = (0, 0, 1000, 1000)


def polygon(*rings: list[list[float]]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def square(left: float, top: float, side: float) -> list[list[float]]:
    right, bottom = left + side, top + side
    return [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]


def test_points_have_their_place_and_class(tmp_path: Path) -> None:
    path = write_geojson(tmp_path / "a.geojson", [point(3.5, 4.5, "Tumor: Positive"), point(1, 2, None)])
    first, second = read_objects(path, WHOLE)
    assert (first.class_name, first.centres(), first.is_points) == ("Tumor: Positive", [(3.5, 4.5)], True)
    assert second.class_name == UNCLASSIFIED
    assert first.where == f"{path}: feature 1"


def test_the_points_tool_makes_one_object_of_many_cells(tmp_path: Path) -> None:
    many = {"type": "MultiPoint", "coordinates": [[1, 2], [3, 4], [5, 6]]}
    (marked,) = read_objects(write_geojson(tmp_path / "a.geojson", [feature(many, "Tumor")]), WHOLE)
    assert marked.centres() == [(1, 2), (3, 4), (5, 6)]


def test_the_centre_of_an_outline_is_its_centroid_with_holes_too(tmp_path: Path) -> None:
    with_hole = polygon(square(10, 10, 8), square(12, 12, 4)[::-1])
    path = write_geojson(tmp_path / "a.geojson", [feature(with_hole, "Tumor", "detection")])
    (marked,) = read_objects(path, WHOLE)
    assert marked.centres() == [(14, 14)]
    assert not marked.drawn


def test_a_cell_lies_where_its_nucleus_lies(tmp_path: Path) -> None:
    cell = feature(polygon(square(0, 0, 20)), "Tumor", "cell")
    cell["nucleusGeometry"] = polygon(square(2, 4, 6))
    (marked,) = read_objects(write_geojson(tmp_path / "a.geojson", [cell]), WHOLE)
    assert marked.centres() == [(5, 7)]


def test_several_parts_are_one_cell(tmp_path: Path) -> None:
    parts = {"type": "MultiPolygon", "coordinates": [[square(0, 0, 2)], [square(4, 0, 2)]]}
    (marked,) = read_objects(write_geojson(tmp_path / "a.geojson", [feature(parts, "Tumor")]), WHOLE)
    assert marked.centres() == [(3, 1)]


def test_an_outline_that_crosses_itself_keeps_a_centre(tmp_path: Path) -> None:
    bow_tie = polygon([[0, 0], [4, 4], [4, 0], [0, 4], [0, 0]])
    (marked,) = read_objects(write_geojson(tmp_path / "a.geojson", [feature(bow_tie, "Tumor")]), WHOLE)
    assert marked.centres() == [pytest.approx((2, 2))]


def test_positions_are_moved_by_the_bounds_that_qupath_crops_to(tmp_path: Path) -> None:
    path = write_geojson(tmp_path / "a.geojson", [point(3, 4, "Tumor")])
    (marked,) = read_objects(path, (100, 200, 500, 500))
    assert marked.centres() == [(103, 204)]


def test_older_exports_name_type_and_class_elsewhere(tmp_path: Path) -> None:
    old = {
        "type": "Feature", "id": "PathCellObject", "geometry": polygon(square(0, 0, 4)),
        "properties": {"classification": {"name": "Tumor: Negative", "colorRGB": -1}},
    }  # fmt: skip
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps([old]), encoding="utf-8")
    (marked,) = read_objects(path, WHOLE)
    assert (marked.class_name, marked.drawn) == ("Tumor: Negative", False)


def test_gzipped_and_single_features_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson.gz"
    path.write_bytes(gzip.compress(json.dumps(point(1, 1, "Tumor")).encode()))
    assert len(read_objects(path, WHOLE)) == 1


def test_cores_tiles_and_lines_are_passed_over_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    line = feature({"type": "LineString", "coordinates": [[0, 0], [1, 1]]}, "Tumor")
    core = feature(polygon(square(0, 0, 90)), "A-1", "tmaCore")
    path = write_geojson(tmp_path / "a.geojson", [line, core, point(1, 1, "Tumor")])
    with caplog.at_level(logging.WARNING):
        assert len(read_objects(path, WHOLE)) == 1
    assert "feature 1 passed over" in caplog.text
    assert "feature 2 passed over: tmacore" in caplog.text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"{", "not valid JSON"),
        (b'{"type": "Topology"}', "not a GeoJSON FeatureCollection"),
        (b'{"type": "FeatureCollection", "features": []}', "holds no point or outline"),
        (b"\x1f\x8bbroken", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.geojson"
    path.write_bytes(content)
    with pytest.raises(AnnotationsError, match=said) as caught:
        read_objects(path, WHOLE)
    assert str(path) in caught.value.message


@pytest.mark.parametrize("place", [[1e12, 0], [float("nan"), 0], ["left", "top"], []])
def test_coordinates_that_are_no_pixels_are_named(tmp_path: Path, place: list[Any]) -> None:
    broken = feature({"type": "Point", "coordinates": place}, "Tumor")
    path = write_geojson(tmp_path / "a.geojson", [rectangle(0, 0, 1, 1, "Region*"), broken])
    with pytest.raises(AnnotationsError, match="feature 2"):
        read_objects(path, WHOLE)
