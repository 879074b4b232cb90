from __future__ import annotations

import gzip
import json
import subprocess
import sys
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shapely.geometry import shape

from cxpath.documents import RunFolder, read_run_folder
from cxpath.errors import DocumentError
from cxpath.report.exports import OVERLAY_NAME, OVERLAY_SCHEMA, overlay_features, write_qupath_overlay
from tests.report.run_folders import normal_score, write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return read_run_folder(write_run(tmp_path_factory.mktemp("overlay") / "run", normal_score()))


def classes_of(features: list[dict[str, Any]]) -> list[str]:
    return [feature["properties"]["classification"]["name"] for feature in features]


def test_the_file_is_geojson_that_states_its_frame(run: RunFolder, tmp_path: Path) -> None:
    path = tmp_path / OVERLAY_NAME
    number = write_qupath_overlay(run, path)
    document = json.loads(gzip.decompress(path.read_bytes()))
    assert document["type"] == "FeatureCollection"
    assert document["cxpath"]["schema"] == OVERLAY_SCHEMA
    assert document["cxpath"]["research_use"].startswith("For Research Use Only")
    assert len(document["features"]) == number
    again = tmp_path / "again.geojson.gz"
    write_qupath_overlay(run, again)
    assert again.read_bytes() == path.read_bytes()


def test_every_object_is_a_locked_annotation_with_an_identity_of_its_own(run: RunFolder) -> None:
    features = list(overlay_features(run))
    assert all(feature["properties"]["objectType"] == "annotation" for feature in features)
    assert all(feature["properties"]["isLocked"] for feature in features)
    assert all(shape(feature["geometry"]).is_valid for feature in features)
    identities = [uuid.UUID(feature["id"]) for feature in features]
    assert len(set(identities)) == len(features)


def test_tissue_fields_and_tiles_are_there_at_their_size(run: RunFolder) -> None:
    features = list(overlay_features(run))
    assert run.tiles is not None
    names = classes_of(features)
    assert names.count("Scored tissue") == 1
    assert names.count("Field") == len(run.fields)
    tumour = np.asarray(run.tiles["tumour_positive"]) + np.asarray(run.tiles["tumour_negative"])
    assert sum(name.startswith("Local CPS") for name in names) == int((tumour > 0).sum())
    read = np.asarray(run.tiles["excluded"]).astype(str) == ""
    area = (np.asarray(run.tiles["size_px"])[read] ** 2).sum()
    assert shape(features[0]["geometry"]).area == pytest.approx(area)
    field, square = run.fields[0], features[names.index("Field")]
    left, top, right, bottom = shape(square["geometry"]).bounds
    mpp = run.score.slide.mpp
    assert (right - left) * mpp == pytest.approx(field.width_um)
    assert (bottom - top) * mpp == pytest.approx(field.height_um)
    assert f"field {field.number}" in square["properties"]["name"]


def test_classes_follow_the_local_score(run: RunFolder) -> None:
    for feature in overlay_features(run):
        name = feature["properties"]["classification"]["name"]
        if not name.startswith("Local CPS"):
            continue
        value = feature["properties"]["measurements"]["local CPS"]
        expected = (
            "0" if value == 0 else "below 1" if value < 1 else "1 to below 10" if value < 10 else "10 or more"
        )
        assert name == f"Local CPS {expected}"


def test_a_slide_with_scanned_bounds_is_shifted_as_qupath_crops_it(run: RunFolder) -> None:
    moved = run.run.slide.model_copy(update={"bounds_px": (1000, 500, 100, 100)})
    shifted = replace(run, run=run.run.model_copy(update={"slide": moved}))
    for before, after in zip(overlay_features(run), overlay_features(shifted), strict=True):
        first, second = (shape(one["geometry"]).bounds[:2] for one in (before, after))
        assert np.subtract(first, second) == pytest.approx([1000, 500])


def test_a_result_without_tiles_is_refused_by_name(run: RunFolder) -> None:
    with pytest.raises(DocumentError, match=r"no tiles\.parquet"):
        list(overlay_features(replace(run, tiles=None)))


def test_a_result_without_tumour_has_no_local_scores(run: RunFolder) -> None:
    assert run.tiles is not None
    none = np.zeros(len(run.tiles["x_px"]), np.int32)
    tiles = {**run.tiles, "tumour_positive": none, "tumour_negative": none}
    assert not any(
        name.startswith("Local") for name in classes_of(list(overlay_features(replace(run, tiles=tiles))))
    )


def test_the_overlay_for_qupath_needs_no_extra() -> None:
    """The report for DICOM is written by the same module; highdicom is imported when that is asked for."""
    without = "import sys; sys.modules['highdicom'] = None; import cxpath.report.exports, cxpath.app.export"
    subprocess.run([sys.executable, "-c", without], check=True)
