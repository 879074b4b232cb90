from __future__ import annotations

import gzip
import json
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cxpath.exchange.cells_geojson import NAMESPACE, CellsGeojsonWriter, write_cells_geojson
from cxpath.values.cell_table import CellTable

BOUNDS = (50, 5, 30_000, 20_000)


def _no_constant(name: str) -> Any:
    raise AssertionError(f"{name} is not JSON")


def _document(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()), parse_constant=_no_constant)
    return loaded


def _append_and_fail(writer: CellsGeojsonWriter, cells: CellTable) -> None:
    writer.append(cells)
    raise RuntimeError


@pytest.fixture
def path(tmp_path: Path, cells: CellTable) -> Path:
    target = tmp_path / "cells.geojson.gz"
    halves = [cells.take(np.array([0, 1])), cells.take(np.array([2, 3]))]
    assert write_cells_geojson(halves, target, cells.facts, BOUNDS, stained_threshold=0.5) == 4
    return target


def test_the_form_is_what_qupath_reads(path: Path) -> None:
    document = _document(path)
    assert document["type"] == "FeatureCollection"
    feature = document["features"][0]
    assert feature["type"] == "Feature"
    assert feature["geometry"] == {"type": "Point", "coordinates": [50.5, 195.5]}
    assert feature["properties"]["objectType"] == "detection"
    assert feature["properties"]["classification"] == {"names": ["Tumor", "Positive"], "color": [213, 94, 0]}
    assert feature["properties"]["measurements"]["dab_membrane_od"] == pytest.approx(0.61)


def test_every_cell_has_its_class_in_order(path: Path) -> None:
    names = [feature["properties"]["classification"]["names"] for feature in _document(path)["features"]]
    assert names == [["Tumor", "Positive"], ["Tumor", "Negative"], ["Immune cells", "Positive"], ["Other"]]


def test_unknown_measurements_are_left_out(path: Path) -> None:
    measurements = _document(path)["features"][3]["properties"]["measurements"]
    assert "stained" not in measurements
    assert measurements["p_other"] == pytest.approx(0.9)
    assert measurements["subkind_code"] == 6


def test_the_file_names_its_frame(path: Path) -> None:
    frame = _document(path)["cxpath"]
    assert frame["frame"] == "qupath"
    assert frame["frame_origin_px"] == [50, 5]
    assert frame["mpp"] == 0.2527
    assert frame["research_use"].startswith("For Research Use Only.")


def test_ids_are_distinct_uuids_that_do_not_change(path: Path, tmp_path: Path, cells: CellTable) -> None:
    ids = [uuid.UUID(feature["id"]) for feature in _document(path)["features"]]
    assert ids == [uuid.uuid5(NAMESPACE, f"{cells.facts.slide_digest}/{row}") for row in range(4)]
    again = tmp_path / "again.geojson.gz"
    write_cells_geojson([cells], again, cells.facts, BOUNDS, stained_threshold=0.5)
    assert again.read_bytes() == path.read_bytes()


def test_no_cells_is_an_empty_collection(tmp_path: Path, cells: CellTable) -> None:
    write_cells_geojson([], tmp_path / "none.gz", cells.facts, BOUNDS, stained_threshold=0.5)
    assert _document(tmp_path / "none.gz")["features"] == []


def test_an_error_leaves_nothing(tmp_path: Path, cells: CellTable) -> None:
    with (
        pytest.raises(RuntimeError),
        CellsGeojsonWriter(tmp_path / "a.gz", cells.facts, BOUNDS, stained_threshold=0.5) as writer,
    ):
        _append_and_fail(writer, cells)
    assert not list(tmp_path.iterdir())


def test_cells_without_gaps_are_written_as_those_with(tmp_path: Path, cells: CellTable) -> None:
    whole = CellTable(cells.facts, **{name: np.nan_to_num(array) for name, array in cells.columns().items()})
    write_cells_geojson([whole], tmp_path / "a.gz", cells.facts, BOUNDS, stained_threshold=0.5)
    write_cells_geojson([cells], tmp_path / "b.gz", cells.facts, BOUNDS, stained_threshold=0.5)
    for complete, partial in zip(
        _document(tmp_path / "a.gz")["features"], _document(tmp_path / "b.gz")["features"], strict=True
    ):
        measured = complete["properties"]["measurements"]
        assert measured.items() >= partial["properties"]["measurements"].items()
        assert len(measured) == 11
