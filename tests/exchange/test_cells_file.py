"""One set of cells in every form that is read, and what is said when a file is not what it seems."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cxpath.exchange.cell_classes import default_cell_classes, read_cell_classes
from cxpath.exchange.cells_file import GivenCells, read_given_cells, refuse_unknown_staining
from cxpath.exchange.cells_geojson import write_cells_geojson
from cxpath.exchange.cells_parquet import write_cells
from cxpath.values.cell_table import CellTable, CellTableFacts, Kind
from cxpath.values.errors import CellsFileError, MissingFileError
from cxpath.values.slide_info import SlideInfo

BOUNDS = (100, 50, 3000, 3000)
INFO = SlideInfo(
    "case.mrxs", "case", "ab" * 32, "", 4000, 4000, 0.25, "user", "openslide", "mirax", (1.0,), BOUNDS
)
FACTS = CellTableFacts(0.25, 4000, 4000, "ab" * 32)
CLASSES = read_cell_classes(default_cell_classes())
NAMES = {Kind.TUMOUR: "Tumor", Kind.IMMUNE: "Immune cells", Kind.OTHER: "Other"}

CELLS = CellTable.from_columns(
    FACTS,
    x_px=[200.5, 300.25, 400.0, 500.75],
    y_px=[200.5, 300.25, 400.0, 500.75],
    kind=[Kind.TUMOUR, Kind.TUMOUR, Kind.IMMUNE, Kind.OTHER],
    stained=[1, 0, 1, 0],
)


def _class(row: int) -> str:
    return f"{NAMES[Kind(CELLS.kind[row])]}: {'Positive' if CELLS.stained[row] else 'Negative'}"


def as_parquet(path: Path) -> None:
    write_cells(CELLS, path)


def as_plain_parquet(path: Path) -> None:
    kinds = [Kind(kind).name.lower() for kind in CELLS.kind]
    columns = {"x_px": CELLS.x_px, "y_px": CELLS.y_px, "kind": kinds, "stained": CELLS.stained}
    pq.write_table(pa.table(columns), path)


def as_csv(path: Path) -> None:
    rows = [
        f"{CELLS.x_px[row]},{CELLS.y_px[row]},{Kind(CELLS.kind[row]).name.lower()},{CELLS.stained[row]:g}"
        for row in range(4)
    ]
    path.write_text("\n".join(["x_px,y_px,kind,stained", *rows]))


def as_own_geojson(path: Path) -> None:
    write_cells_geojson([CELLS], path, FACTS, BOUNDS, stained_threshold=0.5)


def as_qupath_geojson(path: Path) -> None:
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [CELLS.x_px[row] - 100, CELLS.y_px[row] - 50]},
            "properties": {"objectType": "detection", "classification": {"names": _class(row).split(": ")}},
        }
        for row in range(4)
    ]
    path.write_bytes(gzip.compress(json.dumps(features).encode()))


def as_qupath_table(path: Path) -> None:
    rows = [
        f"{(CELLS.x_px[row] - 100) / 4:.6f};{(CELLS.y_px[row] - 50) / 4:.6f};{_class(row)}".replace(".", ",")
        for row in range(4)
    ]
    path.write_text("\n".join(["Centroid X µm;Centroid Y µm;Class", *rows]), encoding="cp1252")


FORMS: dict[str, Callable[[Path], None]] = {
    "Parquet": as_parquet,
    "Parquet without facts": as_plain_parquet,
    "table of cells": as_csv,
    "QuPath GeoJSON of cxpath": as_own_geojson,
    "QuPath GeoJSON": as_qupath_geojson,
    "QuPath measurement table": as_qupath_table,
}


def read(path: Path, info: SlideInfo = INFO) -> GivenCells:
    return read_given_cells(path, info, CLASSES, 0.5, (info.name,))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_cells(form: str, tmp_path: Path) -> None:
    path = tmp_path / "cells.txt"
    FORMS[form](path)
    given = read(path)
    assert given.form in form
    assert given.cells == CELLS
    assert any("plain yes or no" in warning for warning in given.warnings)
    assert any("no optical densities" in warning for warning in given.warnings)


def test_probabilities_and_densities_are_not_warned_about(tmp_path: Path) -> None:
    write_cells(
        replace(CELLS, stained=np.full(4, 0.7, np.float32), dab_membrane_od=CELLS.p_tumour), tmp_path / "a"
    )
    assert read(tmp_path / "a").warnings == ()


@pytest.mark.parametrize("write", [as_parquet, as_own_geojson])
def test_cells_of_another_file_are_said(write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path / "a")
    warnings = read(tmp_path / "a", replace(INFO, digest="cd" * 32)).warnings
    assert any("made from another file" in warning for warning in warnings)


def test_cells_of_a_slide_of_another_size_are_refused(tmp_path: Path) -> None:
    as_parquet(tmp_path / "a")
    with pytest.raises(CellsFileError, match="4000 x 4000 px, but this one has 5000 x 4000"):
        read(tmp_path / "a", replace(INFO, width_px=5000))


def test_few_cells_off_the_slide_are_dropped_and_many_refused(tmp_path: Path) -> None:
    rows = ["x_px,y_px,kind,stained", *["10,10,tumour,1"] * 199, "4000,10,tumour,1"]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    given = read(tmp_path / "a.csv")
    assert len(given.cells) == 199
    assert "1 cells outside the slide were dropped" in given.warnings
    (tmp_path / "b.csv").write_text("\n".join([*rows, "-1,5,tumour,1", "-1,6,tumour,0"]))
    with pytest.raises(CellsFileError, match="3 of 202 cells lie outside the slide"):
        read(tmp_path / "b.csv")


@pytest.mark.parametrize("column", ["stained", "p_tumour"])
def test_per_cent_are_refused(column: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"x_px,y_px,kind,{column}\n1,1,tumour,80\n")
    with pytest.raises(CellsFileError, match=f"{column} holds values outside 0 to 1"):
        read(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"PAR1 and nothing else", "not a Parquet file"),
        (b"a,b\n1,2\n", "no table of cells: it has neither"),
        (b'{"type": "Topology"}', "not a GeoJSON FeatureCollection"),
        (gzip.compress(b"[]" * 1000, mtime=0)[:-9], "cannot be read"),
    ],
)
def test_other_files_are_one_line(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "cells.txt"
    path.write_bytes(content)
    with pytest.raises(CellsFileError, match=said) as caught:
        read(path)
    assert str(path) in caught.value.message
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        read(tmp_path / "none.csv")


def test_a_parquet_file_of_something_else_is_one_line(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a")
    with pytest.raises(CellsFileError, match="no table of cells"):
        read(tmp_path / "a")


def test_nobody_is_negative_for_want_of_a_word(tmp_path: Path) -> None:
    stained = np.array([np.nan, 0, np.nan, np.nan], np.float32)
    with pytest.raises(CellsFileError, match="1 tumour cells and 1 immune cells without staining"):
        refuse_unknown_staining(replace(CELLS, stained=stained), tmp_path)
    refuse_unknown_staining(replace(CELLS, stained=np.array([1, 0, 0, np.nan], np.float32)), tmp_path)
