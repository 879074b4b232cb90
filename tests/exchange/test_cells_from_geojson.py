"""QuPath's form there and back: what QuPath writes, and what cxpath writes for it."""

from __future__ import annotations

import gzip
import json
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxpath.exchange.cell_classes import CellClasses, default_cell_classes, read_cell_classes
from cxpath.exchange.cells_from_geojson import cells_in_geojson
from cxpath.exchange.cells_geojson import write_cells_geojson
from cxpath.exchange.classified_cells import to_cell_table
from cxpath.values.cell_table import COLUMNS, CellTable, CellTableFacts, Kind, Subkind
from cxpath.values.errors import CellsFileError

GOLDEN = Path(__file__).parent / "golden" / "qupath_0_5_cells.geojson"
CLASSES = read_cell_classes(default_cell_classes())
FACTS = CellTableFacts(mpp=0.25, width_px=30_000, height_px=30_000, slide_digest="ab" * 32)
BOUNDS = (50, 5, 20_000, 20_000)
WHOLE = (0, 0, 30_000, 30_000)


def read(
    content: bytes, bounds: Any = WHOLE, classes: CellClasses = CLASSES, threshold: float = 0.5
) -> CellTable:
    found, _ = cells_in_geojson(content, bounds, classes, "a.geojson")
    return to_cell_table(found, FACTS, classes, threshold, "a.geojson")


def test_a_file_as_qupath_writes_it() -> None:
    """A cell lies at its nucleus, a detection at its outline's centre; points are as many cells."""
    found, (warning,) = cells_in_geojson(GOLDEN.read_bytes(), WHOLE, CLASSES, "a.geojson")
    cells = to_cell_table(found, FACTS, CLASSES, 0.5, "a.geojson")
    assert list(zip(cells.x_px, cells.y_px, strict=True)) == [
        (104, 204), (310, 405), (500.25, 600.75), (700.5, 20.5), (710.5, 30.5),
    ]  # fmt: skip
    assert cells.kind.tolist() == [Kind.TUMOUR, Kind.TUMOUR, Kind.IMMUNE, Kind.OTHER, Kind.OTHER]
    assert cells.subkind.tolist() == [0, 0, 0, Subkind.PLASMA, Subkind.PLASMA]
    np.testing.assert_array_equal(cells.stained, [1, 0, 1, np.nan, np.nan])
    assert np.isnan(cells.dab_membrane_od).all()
    assert warning == "1 objects of the file that are no cells were passed over"


def test_a_map_may_name_the_measurements_that_fill_columns() -> None:
    names = {"dab_membrane_od": "Membrane: DAB OD mean", "dab_cytoplasm_od": "Cytoplasm: DAB OD mean"}
    cells = read(GOLDEN.read_bytes(), classes=CLASSES.model_copy(update={"measurements": names}))
    np.testing.assert_allclose(cells.dab_membrane_od[:3], [0.431, 0.021, np.nan], rtol=1e-6)
    np.testing.assert_allclose(cells.dab_cytoplasm_od[:3], [0.207, np.nan, np.nan], rtol=1e-6)


def test_files_of_older_versions_give_the_same_cells() -> None:
    """Type in the id, one name for the class, measurements as an array, no collection around it."""
    document = json.loads(GOLDEN.read_text())
    old = [_older(feature) for feature in document["features"]]
    assert read(json.dumps(old).encode()) == read(GOLDEN.read_bytes())


def _older(feature: dict[str, Any]) -> dict[str, Any]:
    held = feature["properties"]
    named = held["classification"]
    name = named.get("name") or ": ".join(named["names"])
    types = {
        "cell": "PathCellObject",
        "detection": "PathDetectionObject",
        "annotation": "PathAnnotationObject",
    }
    measured = [{"name": key, "value": value} for key, value in held.get("measurements", {}).items()]
    properties = {"classification": {"name": name, "colorRGB": -1}, "measurements": measured}
    if "nucleusGeometry" in feature:
        properties["nucleusGeometry"] = feature["nucleusGeometry"]
    return {
        "type": "Feature",
        "id": types[held["objectType"]],
        "geometry": feature["geometry"],
        "properties": properties,
    }


def test_positions_are_moved_out_of_qupaths_frame() -> None:
    moved, whole = read(GOLDEN.read_bytes(), BOUNDS), read(GOLDEN.read_bytes())
    np.testing.assert_array_equal(moved.x_px, whole.x_px + 50)
    np.testing.assert_array_equal(moved.y_px, whole.y_px + 5)


@pytest.mark.parametrize(
    ("feature", "said"),
    [
        ({"geometry": {"type": "Point", "coordinates": [1e12, 0]}}, "coordinates are no pixels"),
        ({"geometry": {"type": "Point", "coordinates": ["left", 0]}}, "not a shape"),
        ({"geometry": {"type": "Polygon", "coordinates": []}}, "coordinates are no pixels"),
        ({"geometry": None}, "not a shape"),
        ({"geometry": {"type": "Point", "coordinates": [1, 1]}, "objectType": "tile"}, "holds no cell"),
    ],
)
def test_what_is_no_cell_is_one_line(feature: dict[str, Any], said: str) -> None:
    held = {"objectType": feature.get("objectType", "cell"), "classification": "Tumor"}
    document = [{"type": "Feature", "geometry": feature["geometry"], "properties": held}]
    with pytest.raises(CellsFileError, match=said) as caught:
        cells_in_geojson(json.dumps(document).encode(), WHOLE, CLASSES, "a.geojson")
    assert "\n" not in str(caught.value)


def written(cells: CellTable, folder: Path, threshold: float = 0.5) -> bytes:
    path = folder / "cells.geojson.gz"
    write_cells_geojson([cells], path, cells.facts, BOUNDS, stained_threshold=threshold)
    return gzip.decompress(path.read_bytes())


probability = st.floats(0, 1, width=32)
one_cell = st.tuples(
    st.integers(0, 1_999_999), st.integers(0, 1_999_999), st.sampled_from(list(Kind)), st.integers(0, 9),
    probability | st.just(float("nan")), probability, st.integers(0, 4), probability, probability,
)  # fmt: skip


def table_of(rows: list[tuple[Any, ...]]) -> CellTable:
    columns = list(zip(*rows, strict=True))
    kind = np.array(columns[2], np.uint8)
    possible = {Kind.TUMOUR: [0], Kind.IMMUNE: [0, 1, 2], Kind.OTHER: [0, 3, 4, 5, 6, 7, 8, 9]}
    subkind = [code if code in possible[Kind(of)] else 0 for code, of in zip(columns[3], kind, strict=True)]
    certain = 0.5 + np.array(columns[7], np.float32) / 2
    given = {
        name: np.where(kind == code, certain, (1 - certain) / 2)
        for code, name in enumerate(("p_tumour", "p_immune", "p_other"))
    }
    return CellTable.from_columns(
        FACTS,
        x_px=np.array(columns[0]) / 100 + 50, y_px=np.array(columns[1]) / 100 + 5,
        kind=kind, subkind=subkind, stained=columns[4], dab_membrane_od=columns[5], region=columns[6],
        diameter_um=columns[8], **given,
    )  # fmt: skip


@settings(deadline=None)  # files on disk
@given(st.lists(one_cell, min_size=1, max_size=12), st.floats(0.05, 0.95))
def test_what_cxpath_writes_it_reads_again(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]], threshold: float
) -> None:
    """Staining to the last bit, positions to 0.005 px, all else to four digits; again changes nothing."""
    folder, cells = tmp_path_factory.mktemp("there"), table_of(rows)
    content = written(cells, folder, threshold)
    back = read(content, BOUNDS, threshold=0.5)
    for name in ("kind", "subkind", "region", "stained"):
        np.testing.assert_array_equal(getattr(back, name), getattr(cells, name), name)
    for name in ("x_px", "y_px"):
        np.testing.assert_allclose(getattr(back, name), getattr(cells, name), rtol=0, atol=0.005 + 1e-9)
    for name, element in COLUMNS.items():
        if element is np.float32:
            np.testing.assert_allclose(getattr(back, name), getattr(cells, name), rtol=6e-4, atol=1e-30)
    assert written(back, folder, threshold) == content
    assert read(written(back, folder, threshold), BOUNDS) == back


def test_what_qupath_exports_again_keeps_cells_and_corrections(tmp_path: Path) -> None:
    """QuPath keeps id, class and measurements, but not cxpath's own member of the collection."""
    cells = table_of(
        [
            (100, 100, Kind.TUMOUR, 0, 0.25, 0.5, 1, 0.9, 0.1),
            (300, 400, Kind.IMMUNE, 1, 0.75, 0.5, 2, 0.9, 0.1),
        ]
    )
    document = json.loads(written(cells, tmp_path))
    del document["cxpath"]
    same = read(json.dumps(document).encode(), BOUNDS)
    np.testing.assert_array_equal(same.stained, cells.stained)
    document["features"][0]["properties"]["classification"]["names"] = ["Tumor", "Positive"]
    document["features"][1]["properties"]["classification"]["names"] = ["Other", "Positive"]
    corrected = read(json.dumps(document).encode(), BOUNDS)
    assert corrected.stained.tolist() == [1, 0.75]
    assert corrected.kind.tolist() == [Kind.TUMOUR, Kind.OTHER]
    assert corrected.subkind.tolist() == [0, 0]
    assert corrected.p_other.tolist()[1] == 1


def test_ids_are_uuids_that_follow_slide_and_row(tmp_path: Path) -> None:
    cells = table_of([(100, 100, Kind.TUMOUR, 0, 0.25, 0.5, 1, 0.9, 0.1)] * 3)
    ids = [feature["id"] for feature in json.loads(written(cells, tmp_path))["features"]]
    assert len(set(ids)) == 3
    assert all(str(uuid.UUID(text)) == text for text in ids)
    other = replace(cells, facts=replace(FACTS, slide_digest="cd" * 32))
    assert not set(ids) & {feature["id"] for feature in json.loads(written(other, tmp_path))["features"]}
