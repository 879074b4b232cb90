from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from cxpath.exchange.regions_geojson import DEFAULT_CLASSES, read_regions
from cxpath.values.errors import MissingFileError, RegionsFileError
from cxpath.values.regions import RegionUse

SQUARE = [[0, 0], [100, 0], [100, 100], [0, 100], [0, 0]]
HOLE = [[20, 20], [40, 20], [40, 40], [20, 40], [20, 20]]


def _feature(classification: Any = None, geometry: Any = None, **properties: Any) -> dict[str, Any]:
    if classification is not None:
        properties["classification"] = classification
    geometry = geometry or {"type": "Polygon", "coordinates": [SQUARE]}
    return {"type": "Feature", "geometry": geometry, "properties": {"objectType": "annotation", **properties}}


def _file(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "regions.geojson"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize("form", ["collection", "array", "single", "gzipped"])
def test_all_forms_of_the_file(tmp_path: Path, form: str) -> None:
    feature = _feature({"name": "Tumor", "color": [200, 0, 0]})
    forms: dict[str, Any] = {"array": [feature], "single": feature}
    path = _file(tmp_path, forms.get(form, {"type": "FeatureCollection", "features": [feature]}))
    if form == "gzipped":
        path.write_bytes(gzip.compress(path.read_bytes()))
    (area,) = read_regions(path).areas
    assert (area.name, area.use, area.shape.area) == ("Tumor", RegionUse.INCLUDE, 10_000)


@pytest.mark.parametrize(
    ("classification", "use"),
    [
        (None, RegionUse.INCLUDE),
        ({"name": "TUMOUR"}, RegionUse.INCLUDE),
        ({"names": ["Region*"]}, RegionUse.INCLUDE),
        ("roi", RegionUse.INCLUDE),
        ("Tumor bed", RegionUse.INCLUDE),
        ("Ignore*", RegionUse.EXCLUDE),
        ({"name": "ignore"}, RegionUse.EXCLUDE),
        ("necrosis", RegionUse.EXCLUDE),
        ("Negative control", RegionUse.EXCLUDE),
        ("Artefact", RegionUse.EXCLUDE),
        ({"name": "Artifact"}, RegionUse.EXCLUDE),
    ],
)
def test_what_a_class_means(tmp_path: Path, classification: Any, use: RegionUse) -> None:
    (area,) = read_regions(_file(tmp_path, _feature(classification))).areas
    assert area.use is use


@pytest.mark.parametrize("classification", ["Stroma", {"names": ["Tumor", "Positive"]}])
def test_an_unknown_class_is_an_error_that_lists_the_known(tmp_path: Path, classification: Any) -> None:
    content = [_feature("Tumor"), _feature(classification)]
    with pytest.raises(RegionsFileError, match="feature 2 has the unknown class") as caught:
        read_regions(_file(tmp_path, content))
    assert all(name in str(caught.value) for name in DEFAULT_CLASSES)


def test_a_mapping_gives_classes_their_meaning(tmp_path: Path) -> None:
    path = _file(tmp_path, [_feature("Stroma")])
    (area,) = read_regions(path, classes={"stroma": RegionUse.EXCLUDE}).areas
    assert area.use is RegionUse.EXCLUDE


def test_holes_and_several_polygons_are_kept(tmp_path: Path) -> None:
    far = [[x + 500, y] for x, y in SQUARE]
    geometry = {"type": "MultiPolygon", "coordinates": [[SQUARE, HOLE], [far]]}
    (area,) = read_regions(_file(tmp_path, _feature("Tumor", geometry))).areas
    assert area.shape.area == 20_000 - 400
    assert area.shape.geom_type == "MultiPolygon"


def test_a_crossing_outline_is_repaired(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bowtie = [[0, 0], [100, 100], [100, 0], [0, 100], [0, 0]]
    with caplog.at_level(logging.WARNING):
        (area,) = read_regions(
            _file(tmp_path, _feature("Tumor", {"type": "Polygon", "coordinates": [bowtie]}))
        ).areas
    assert area.shape.is_valid
    assert area.shape.area == pytest.approx(5_000)
    assert "crosses itself" in caplog.text


def test_positions_are_moved_out_of_qupaths_frame(tmp_path: Path) -> None:
    (area,) = read_regions(_file(tmp_path, _feature("Tumor")), bounds_px=(1000, 50, 4000, 3000)).areas
    assert area.shape.bounds == (1000, 50, 1100, 150)


def test_other_geometries_and_objects_are_ignored_aloud(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = [
        _feature("Tumor"),
        _feature("Tumor", {"type": "Point", "coordinates": [1, 1]}),
        _feature("Stroma", {"type": "LineString", "coordinates": [[1, 1], [2, 2]]}),
        _feature("Positive", objectType="cell"),
        {"type": "Feature", "geometry": None, "properties": None},
    ]
    with caplog.at_level(logging.WARNING):
        assert len(read_regions(_file(tmp_path, content))) == 1
    assert [f"feature {number} ignored" in caplog.text for number in (1, 2, 3, 4, 5)] == [
        False,
        True,
        True,
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "the file is empty"),
        ("  \n", "the file is empty"),
        ("{not json", "not valid JSON"),
        ("[" * 200_000, "not valid JSON"),
        ('"text"', "not a GeoJSON FeatureCollection"),
        ('{"type": "Topology"}', "not a GeoJSON FeatureCollection"),
        ({"type": "FeatureCollection", "features": []}, "no drawn area"),
        ([_feature("Tumor", {"type": "Point", "coordinates": [1, 1]})], "no drawn area"),
        (
            [_feature("Tumor", {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]})],
            "feature 1: not a polygon",
        ),
        ([_feature("Tumor", {"type": "Polygon", "coordinates": "?"})], "feature 1: not a polygon"),
        ([_feature("Tumor", {"type": "Polygon"})], "feature 1: not a polygon"),
        (
            [
                _feature(
                    "Tumor", {"type": "Polygon", "coordinates": [[[0, 0], [1e300, 0], [0, 1e300], [0, 0]]]}
                )
            ],
            "coordinates are no pixels",
        ),
    ],
)
def test_unusable_files_are_one_line(tmp_path: Path, content: Any, problem: str) -> None:
    path = _file(tmp_path, content)
    with pytest.raises(RegionsFileError, match=problem) as caught:
        read_regions(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cut_gzip_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "cut.geojson.gz"
    path.write_bytes(gzip.compress(json.dumps([_feature("Tumor")]).encode())[:-12])
    with pytest.raises(RegionsFileError, match="cannot be read"):
        read_regions(path)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        read_regions(tmp_path / "none.geojson")
