from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from cxpath.errors import CellsFileError, RegionsFileError
from cxpath.io.geojson import (
    UNCLASSIFIED,
    FeatureShapeError,
    class_name,
    contains_half_characters,
    from_qupath_frame,
    label,
    measurements,
    nucleus,
    object_type,
    parse_features,
    plain,
    refuse_repeats,
    shape_of,
    to_qupath_frame,
)

NAMES = st.text("Aa*: ß", max_size=8)


def test_what_does_not_matter_in_a_name() -> None:
    assert plain(" Tumor :Positive* ") == plain("tumor: positive") == "tumor: positive"


@given(NAMES)
def test_a_plain_name_is_as_plain_as_it_gets(name: str) -> None:
    assert plain(plain(name)) == plain(name)


@given(st.lists(NAMES))
def test_names_are_refused_exactly_when_two_are_the_same(names: list[str]) -> None:
    if len({plain(name) for name in names}) == len(names):
        refuse_repeats(names)
    else:
        with pytest.raises(ValueError, match="has two meanings"):
            refuse_repeats(names)


PIXELS = st.integers(0, 200_000)


def test_the_corner_of_the_bounds_is_qupaths_origin() -> None:
    assert to_qupath_frame(1000.5, 2000.5, (1000, 2000, 300, 400)) == (0.5, 0.5)


def test_a_slide_without_bounds_does_not_move() -> None:
    assert to_qupath_frame(7.25, 8.5, (0, 0, 100, 100)) == (7.25, 8.5)


@given(PIXELS, PIXELS, PIXELS, PIXELS)
def test_there_and_back(x: int, y: int, left: int, top: int) -> None:
    bounds = (left, top, 10, 10)
    moved = to_qupath_frame(np.array([x + 0.5]), np.array([y + 0.5]), bounds)
    back = from_qupath_frame(*moved, bounds)
    assert back[0][0] == x + 0.5
    assert back[1][0] == y + 0.5


def feature(**properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": None, "properties": properties}


@pytest.mark.parametrize(
    ("held", "kind"),
    [
        (feature(objectType="Cell"), "cell"),
        (feature(object_type="detection"), "detection"),
        ({**feature(), "id": "PathCellObject"}, "cell"),
        ({**feature(), "id": "PathDetectionObject"}, "detection"),
        ({**feature(), "id": "PathTileObject"}, "tile"),
        ({**feature(), "id": "7d1f2c1e-52f1-4c44-9a5e-0a3a1e5b7c01"}, ""),
        ({"type": "Feature"}, ""),
    ],
)
def test_the_type_of_all_versions(held: dict[str, Any], kind: str) -> None:
    assert object_type(held) == kind


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"names": ["Tumor", "Positive"], "color": [1, 2, 3]}, "Tumor: Positive"),
        ({"name": "Tumor: Positive", "colorRGB": -377282}, "Tumor: Positive"),
        ("Stroma", "Stroma"),
        (None, UNCLASSIFIED),
        ({}, UNCLASSIFIED),
        ({"names": []}, UNCLASSIFIED),
        (" ", UNCLASSIFIED),
    ],
)
def test_the_class_of_all_versions(given: Any, name: str) -> None:
    assert class_name(feature(classification=given)) == name


def test_measurements_as_an_object_and_as_an_array_are_the_same() -> None:
    old = [{"name": "stained", "value": 0.25}, {"name": "Area", "value": None}, "nonsense"]
    assert measurements(feature(measurements=old)) == {"stained": 0.25, "Area": None}
    assert measurements(feature(measurements={"stained": 0.25})) == {"stained": 0.25}
    assert measurements(feature(measurements="none")) == {}
    assert measurements({"type": "Feature"}) == {}


def test_a_nucleus_stands_beside_the_geometry_or_among_the_properties() -> None:
    held = {"type": "Point", "coordinates": [1, 2]}
    assert nucleus({**feature(), "nucleusGeometry": held}) == held
    assert nucleus(feature(nucleusGeometry=held)) == held
    assert nucleus(feature()) is None


def test_what_else_a_collection_says_is_kept() -> None:
    document = {"type": "FeatureCollection", "features": [feature()], "cxpath": {"mpp": 0.25}}
    features, collection = parse_features(json.dumps(document).encode(), "a.geojson", CellsFileError)
    assert features == [feature()]
    assert collection["cxpath"] == {"mpp": 0.25}


@pytest.mark.parametrize("complaint", [CellsFileError, RegionsFileError])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{not json", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[" * 200_000, "not valid JSON"),
        (b'"text"', "not a GeoJSON FeatureCollection"),
        (b'{"type": "FeatureCollection"}', "not a GeoJSON FeatureCollection"),
        (b'[{"type": "Feature", "properties": [1]}]', "not a GeoJSON FeatureCollection"),
    ],
)
def test_the_reader_complains_in_the_callers_words(
    content: bytes, said: str, complaint: type[CellsFileError] | type[RegionsFileError]
) -> None:
    with pytest.raises(complaint, match=said):
        parse_features(content, "a.geojson", complaint)


@pytest.mark.parametrize(
    "held", [{"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}, {"type": "Cube"}, {}]
)
def test_what_is_no_shape_is_said(held: dict[str, Any]) -> None:
    with pytest.raises(FeatureShapeError) as caught:
        shape_of(held)
    assert caught.value.message


SQUARE = [[9, 9], [99, 9], [99, 99], [9, 9]]


@pytest.mark.parametrize(
    "held",
    [
        {"type": "Polygon", "coordinates": [SQUARE, []]},
        {"type": "Polygon", "coordinates": [SQUARE, {}]},
        {"type": "Polygon", "coordinates": [SQUARE, None]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]},
        {"type": "Polygon", "coordinates": [[[10**400, 0], [1, 1], [2, 2], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[[float("nan"), 0], [1, 1], [2, 2], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[[float("inf"), 0], [1, 1], [2, 2], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[["1", "0"], ["1", "1"], ["2", "2"]]]},
        {"type": "Polygon", "coordinates": [[[1], [2], [3]]]},
        {"type": "Polygon", "coordinates": [[1, 2, 3]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1, 1], [2, 2]]]},
        {"type": "Polygon"},
        {"type": "MultiPolygon", "coordinates": [[SQUARE], [[]]]},
        {"type": "MultiPolygon", "coordinates": {"0": [SQUARE]}},
        {"type": "LineString", "coordinates": [[1, 1]]},
        {"type": "Point", "coordinates": [1]},
        {"type": "Circle", "coordinates": [1, 1]},
        {"type": "GeometryCollection", "geometries": [None]},
        {"type": "GeometryCollection", "geometries": "many"},
    ],
)
def test_no_geometry_reaches_the_library_unseen(held: dict[str, Any]) -> None:
    with pytest.raises(FeatureShapeError) as caught:
        shape_of(held)
    assert "\n" not in str(caught.value)


def test_collections_within_collections_end_somewhere() -> None:
    held: dict[str, Any] = {"type": "Point", "coordinates": [1, 2]}
    for _ in range(8):
        held = {"type": "GeometryCollection", "geometries": [held]}
    assert shape_of(held).bounds == (1, 2, 1, 2)
    with pytest.raises(FeatureShapeError, match="too deeply"):
        shape_of({"type": "GeometryCollection", "geometries": [held]})


def test_an_open_ring_is_closed_and_a_plane_left_out() -> None:
    shape = shape_of({"type": "Polygon", "coordinates": [[[0, 0, 5], [2, 0, 5], [2, 2, 5]]]})
    assert (shape.area, shape.has_z) == (2, False)


@pytest.mark.parametrize("kind", [["x"], {"a": 1}, 7])
def test_a_type_that_is_no_text_is_no_feature(kind: Any) -> None:
    document = [{"type": "Feature", "geometry": {"type": kind, "coordinates": []}, "properties": {}}]
    with pytest.raises(CellsFileError, match="not a GeoJSON FeatureCollection"):
        parse_features(json.dumps(document).encode(), "a.geojson", CellsFileError)


@pytest.mark.parametrize(
    ("held", "found"),
    [
        ({"name": "Necrosis"}, ("name", "Necrosis")),
        ({"Class": " Necrosis "}, ("Class", "Necrosis")),
        ({"Classification": "Necrosis"}, ("Classification", "Necrosis")),
        ({"type": {"name": "Necrosis"}}, ("type", "Necrosis")),
        ({"classificationName": "Necrosis", "objectType": "annotation"}, ("classificationName", "Necrosis")),
        ({"objectType": "annotation", "name": "", "area": "big", "label": True}, ("", "")),
    ],
)
def test_what_an_object_is_called_besides_its_class(held: dict[str, Any], found: tuple[str, str]) -> None:
    assert label({"type": "Feature", "properties": held}) == found


@pytest.mark.parametrize(
    "name", [r"\ud800", r"\udc00", r"a\ud83d", r"\ude42\ud83d", r"\ud83dx\ude42", r"\\\ud800"]
)
def test_half_a_character_is_refused_before_anything_is_counted(name: str) -> None:
    """Such a name could be counted, but in no result be written."""
    content = f'{{"type": "FeatureCollection", "features": [], "name": "{name}"}}'.encode()
    assert contains_half_characters(content)
    with pytest.raises(CellsFileError, match="half a character"):
        parse_features(content, "a.geojson", CellsFileError)


@pytest.mark.parametrize("name", [r"\ud83d\ude42", r"\\ud800", r"\u00fc", "🙂", r"\\\\udfff"])
def test_whole_characters_and_escaped_backslashes_are_read(name: str) -> None:
    content = f'{{"type": "FeatureCollection", "features": [], "name": "{name}"}}'.encode()
    assert not contains_half_characters(content)
    _, collection = parse_features(content, "a.geojson", CellsFileError)
    assert collection["name"].encode()


def test_coordinates_that_no_array_holds_are_named_plainly() -> None:
    with pytest.raises(FeatureShapeError, match="not pairs of numbers") as caught:
        shape_of({"type": "Point", "coordinates": [[1, 2], [3]]})
    assert "array" not in caught.value.message


@pytest.mark.parametrize(
    ("feature", "found"),
    [
        (
            {"properties": {"metadata": {"ANNOTATION_DESCRIPTION": "Necrosis"}}},
            ("ANNOTATION_DESCRIPTION", "Necrosis"),
        ),
        ({"properties": {"metadata": {"label": "Necrosis"}}}, ("label", "Necrosis")),
        ({"properties": {"tissue_type": "Necrosis"}}, ("tissue_type", "Necrosis")),
        ({"properties": {"text": " Necrosis "}}, ("text", "Necrosis")),
        ({"properties": {"label": 3}}, ("label", "3")),
        ({"properties": {"labels": ["Necrosis", {"name": "fold"}]}}, ("labels", "Necrosis, fold")),
        ({"class": "Necrosis", "properties": {}}, ("class", "Necrosis")),
        ({"class": "Necrosis"}, ("class", "Necrosis")),
        (
            {"type": "Feature", "id": "label", "properties": {"objectType": "annotation", "isLocked": True}},
            ("", ""),
        ),
        (
            {"properties": {"measurements": {"type": "x"}, "label": True, "name": [[1]], "text": None}},
            ("", ""),
        ),
    ],
)
def test_a_label_is_found_wherever_a_program_writes_it(
    feature: dict[str, Any], found: tuple[str, str]
) -> None:
    assert label(feature) == found
