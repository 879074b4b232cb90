from __future__ import annotations

import json
from typing import Any

import pytest

from cxpath.exchange.class_names import UNCLASSIFIED
from cxpath.exchange.regions_geojson import drawn_in_geojson
from cxpath.values.errors import RegionsFileError

WHOLE = (0, 0, 0, 0)
SQUARE = [[0, 0], [100, 0], [100, 100], [0, 100], [0, 0]]
HOLE = [[20, 20], [40, 20], [40, 40], [20, 40], [20, 20]]


def _feature(classification: Any = None, geometry: Any = None, **properties: Any) -> dict[str, Any]:
    if classification is not None:
        properties["classification"] = classification
    geometry = geometry or {"type": "Polygon", "coordinates": [SQUARE]}
    return {"type": "Feature", "geometry": geometry, "properties": {"objectType": "annotation", **properties}}


def _content(document: Any) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize("form", ["collection", "array", "single", "byte order mark"])
def test_all_forms_of_the_file(form: str) -> None:
    feature = _feature({"name": "Tumor", "color": [200, 0, 0]})
    forms: dict[str, Any] = {"array": [feature], "single": feature}
    content = _content(forms.get(form, {"type": "FeatureCollection", "features": [feature]}))
    if form == "byte order mark":
        content = b"\xef\xbb\xbf" + content
    (area,), warnings = drawn_in_geojson(content, WHOLE, "a.geojson")
    assert (area.class_name, area.shape.area, area.where) == ("Tumor", 10_000, "annotation 1 (Tumor)")
    assert warnings == []


@pytest.mark.parametrize(
    ("classification", "name"),
    [
        (None, UNCLASSIFIED),
        ({"name": None}, UNCLASSIFIED),
        ("roi", "roi"),
        ({"names": ["Region*"]}, "Region*"),
        ({"names": ["Tumor", "Positive"]}, "Tumor: Positive"),
    ],
)
def test_where_the_class_stands(classification: Any, name: str) -> None:
    (area,), _ = drawn_in_geojson(_content(_feature(classification)), WHOLE, "a.geojson")
    assert area.class_name == name


def test_holes_and_several_polygons_are_kept() -> None:
    far = [[x + 500, y] for x, y in SQUARE]
    geometry = {"type": "MultiPolygon", "coordinates": [[SQUARE, HOLE], [far]]}
    (area,), _ = drawn_in_geojson(_content(_feature("Tumor", geometry)), WHOLE, "a.geojson")
    assert area.shape.area == 20_000 - 400
    assert area.shape.geom_type == "MultiPolygon"


def test_of_a_mixed_geometry_the_polygons_are_taken() -> None:
    """An area to leave out must not be lost because a stray point was merged with it."""
    parts = [{"type": "Point", "coordinates": [1, 1]}, {"type": "Polygon", "coordinates": [SQUARE]}]
    geometry = {"type": "GeometryCollection", "geometries": parts}
    (area,), _ = drawn_in_geojson(_content(_feature("Necrosis", geometry)), WHOLE, "a.geojson")
    assert area.shape.area == 10_000


def test_positions_are_moved_out_of_qupaths_frame() -> None:
    (area,), _ = drawn_in_geojson(_content(_feature("Tumor")), (1000, 50, 4000, 3000), "a.geojson")
    assert area.shape.bounds == (1000, 50, 1100, 150)


def test_other_geometries_and_objects_are_passed_over_aloud() -> None:
    document = [
        _feature("Tumor"),
        _feature("Tumor", {"type": "Point", "coordinates": [1, 1]}),
        _feature("Stroma", {"type": "LineString", "coordinates": [[1, 1], [2, 2]]}),
        _feature("Positive", objectType="cell"),
        _feature("Positive", objectType="cell"),
        {"type": "Feature", "geometry": None, "properties": None},
    ]
    areas, (warning,) = drawn_in_geojson(_content(document), WHOLE, "a.geojson")
    assert len(areas) == 1
    assert warning.endswith("were passed over: 1 LineString, 1 Point, 2 cell, 1 no geometry")


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (
            [_feature("Tumor", {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]})],
            "annotation 1 \\(Tumor\\) is not a polygon",
        ),
        ([_feature("Tumor", {"type": "Polygon", "coordinates": "?"})], "is not a polygon"),
        ([_feature("Tumor", {"type": "Polygon"})], "is not a polygon"),
        ([_feature("Tumor", {"type": "Polygon", "coordinates": []})], "is empty"),
        ([_feature("Tumor", {"type": "GeometryCollection", "geometries": []})], "is empty"),
        (
            [_feature("CIN", {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [2, 2], [0, 0]]]})],
            "annotation 1 \\(CIN\\) has no area",
        ),
        (
            [
                _feature(
                    "CIN", {"type": "Polygon", "coordinates": [[[0, 0], [9, 9], [9, float("nan")], [0, 0]]]}
                )
            ],
            "coordinates that are no pixels",
        ),
        (
            [_feature("CIN", {"type": "Polygon", "coordinates": [[[0, 0], [1e300, 0], [0, 1e300], [0, 0]]]})],
            "coordinates that are no pixels",
        ),
    ],
)
def test_unusable_areas_are_one_line(document: Any, problem: str) -> None:
    with pytest.raises(RegionsFileError, match=problem) as caught:
        drawn_in_geojson(_content(document), WHOLE, "a.geojson")
    assert "a.geojson" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_deep_nesting_is_one_line() -> None:
    with pytest.raises(RegionsFileError, match="not valid JSON"):
        drawn_in_geojson(b"[" * 200_000, WHOLE, "a.geojson")
