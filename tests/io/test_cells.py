from __future__ import annotations

import gzip
import json
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cxpath.data.cells import CellTable, TissueRegion
from cxpath.errors import CellsFileError, MissingFileError
from cxpath.io.cell_classes import NAMESPACE
from cxpath.io.cells import (
    CellsGeojsonWriter,
    TableFileError,
    read_cells,
    read_table,
    write_cells,
    write_table,
)
from cxpath.scores.counts import in_uncounted_region
from tests.cell_tables import write_cells_geojson
from tests.synthetic_cells import many

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


def test_cells_of_regions_that_are_not_scored_say_why_they_do_not_count(
    tmp_path: Path, cells: CellTable
) -> None:
    region = np.array([TissueRegion.NEST, TissueRegion.NECROSIS, TissueRegion.BENIGN, TissueRegion.UNKNOWN])
    placed = CellTable(cells.facts, **(cells.columns() | {"region": region.astype(np.uint8)}))
    write_cells_geojson([placed], tmp_path / "a.gz", cells.facts, BOUNDS, stained_threshold=0.5)
    found = [one["properties"].get("metadata") for one in _document(tmp_path / "a.gz")["features"]]
    assert found == [None, {"not_counted": "in necrosis"}, {"not_counted": "in benign epithelium"}, None]
    assert [kind is not None for kind in found] == in_uncounted_region(placed).tolist()


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
        assert len(measured) == 12


def test_many_cells_are_written_in_parts_as_at_once(
    path: Path, tmp_path: Path, cells: CellTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cxpath.io.cells._CELLS_AT_A_TIME", 3)
    monkeypatch.setattr("cxpath.io.cells._PACKED_AT_A_TIME", 100)
    parts = tmp_path / "parts.geojson.gz"
    write_cells_geojson([cells], parts, cells.facts, BOUNDS, stained_threshold=0.5)
    assert gzip.decompress(parts.read_bytes()) == gzip.decompress(path.read_bytes())


def test_each_cell_keeps_its_place_whatever_is_known_of_it(tmp_path: Path, cells: CellTable) -> None:
    unknown = [np.nan, 0.25, np.nan, 0.75]
    mixed = replace(cells, hematoxylin_od=np.array(unknown, np.float32))
    target = tmp_path / "mixed.geojson.gz"
    write_cells_geojson([mixed], target, cells.facts, BOUNDS, stained_threshold=0.5)
    found = [feature["properties"]["measurements"] for feature in _document(target)["features"]]
    assert [one.get("hematoxylin_od") for one in found] == [None, 0.25, None, 0.75]


def test_there_and_back(tmp_path: Path) -> None:
    columns = {
        "tile": np.arange(3, dtype=np.int32),
        "x_px": np.array([0.0, 512.5, 1024.0]),
        "tissue_share": np.array([0.5, 1.0, 0.0], dtype=np.float32),
        "cps": np.array([np.nan, 12.5, 0.0], dtype=np.float32),
        "excluded": np.array(["", "glass", "outside region"], dtype=object),
    }
    write_table(columns, tmp_path / "tiles.parquet", {"schema": "cxpath/tiles/1", "mpp": 0.25})
    read, metadata = read_table(tmp_path / "tiles.parquet")
    assert metadata == {"schema": "cxpath/tiles/1", "mpp": 0.25}
    assert list(read) == list(columns)
    for name, array in columns.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype, name


def test_nan_is_null_in_the_file_and_texts_may_be_numpy_strings(tmp_path: Path) -> None:
    path = tmp_path / "tiles.parquet"
    write_table({"cps": np.array([np.nan, 1.0]), "excluded": np.array(["pen", ""])}, path, {})
    table = pq.read_table(path)
    assert table["cps"].null_count == 1
    assert table["excluded"].to_pylist() == ["pen", ""]


def test_numbers_from_others_are_read_as_arrow_gives_them(tmp_path: Path) -> None:
    """In several parts, with empty places, and with true and false."""
    table = pa.table(
        {
            "float": pa.chunked_array(
                [pa.array([1.5, None], pa.float32()), pa.array([None, 2.5], pa.float32())]
            ),
            "whole": pa.chunked_array([pa.array([1, 2], pa.int16()), pa.array([3, 4], pa.int16())]),
            "empty": pa.array([1, None, 3, 4], pa.int32()),
            "flag": pa.array([True, False, True, True]),
        }
    )
    pq.write_table(table.replace_schema_metadata({"cxpath": "{}"}), tmp_path / "t.parquet", row_group_size=2)
    found, _ = read_table(tmp_path / "t.parquet")
    for name in table.column_names:
        expected = table.column(name).to_numpy()
        assert found[name].dtype == expected.dtype
        np.testing.assert_array_equal(found[name], expected)


def test_an_empty_table_keeps_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "tiles.parquet"
    write_table({"tile": np.empty(0, np.int32), "excluded": np.empty(0, object)}, path, {"mpp": 1.0})
    read, _ = read_table(path)
    assert {name: len(array) for name, array in read.items()} == {"tile": 0, "excluded": 0}


def test_unequal_columns_are_refused_and_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="differ in length"):
        write_table({"a": np.zeros(2), "b": np.zeros(3)}, tmp_path / "t.parquet", {})
    assert not list(tmp_path.iterdir())


def test_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_table({"x": np.arange(5.0)}, tmp_path / name, {"b": 1, "a": 2})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_is_no_table_is_one_line(tmp_path: Path) -> None:
    text, foreign = tmp_path / "text.parquet", tmp_path / "foreign.parquet"
    text.write_text("not parquet")
    pq.write_table(pa.table({"x": [1]}), foreign)
    with pytest.raises(TableFileError, match=r"text\.parquet: not a Parquet file"):
        read_table(text)
    with pytest.raises(TableFileError, match=r"foreign\.parquet: no readable `cxpath`"):
        read_table(foreign)
    with pytest.raises(MissingFileError, match="no such file"):
        read_table(tmp_path / "none.parquet")


@pytest.mark.parametrize("mpp", [2.0**63, 1e-9, float("inf")])
def test_an_absurd_size_of_pixels_is_refused(mpp: float, tmp_path: Path) -> None:
    cells = many({"T+": 3})
    write_cells(cells, tmp_path / "cells.parquet")
    table = pq.read_table(tmp_path / "cells.parquet")
    stated = json.loads(table.schema.metadata[b"cxpath"]) | {"mpp": mpp}
    pq.write_table(
        table.replace_schema_metadata({b"cxpath": json.dumps(stated).encode()}), tmp_path / "a.parquet"
    )
    with pytest.raises(CellsFileError, match="not the µm per pixel of a slide"):
        read_cells(tmp_path / "a.parquet")
