"""One set of cells in every form that is read, and what is said when a file is not what it seems.
QuPath's form there and back: what QuPath writes, and what cxpath writes for it.
QuPath's measurement table as its versions and languages export it."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import uuid
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings, strategies as st

from cxpath.data.cells import COLUMNS, CellTable, CellTableFacts, Kind, Subkind, TissueRegion
from cxpath.data.slide_info import SlideInfo
from cxpath.errors import CellsFileError, MissingExtraError, MissingFileError
from cxpath.io.cell_classes import (
    CellClasses,
    ClassifiedCells,
    default_cell_classes,
    read_cell_classes,
    to_cell_table,
)
from cxpath.io.cells import write_cells
from cxpath.io.foreign_cells import (
    GivenCells,
    cells_in_columns,
    is_hdf5,
    is_table_of_cells,
    read_given_cells,
    read_h5ad,
    refuse_unknown_staining,
    write_h5ad,
)
from cxpath.io.qupath_cells import cells_in_geojson, cells_in_qupath_table, is_qupath_table
from cxpath.io.tables import read_text_table
from tests.cell_tables import write_cells_geojson
from tests.synthetic_cells import synthetic_cells

pytestmark = pytest.mark.filterwarnings(r"ignore:The '(future|mode)\..*' option")

anndata = pytest.importorskip("anndata", reason="the extra scverse is not installed")


@pytest.fixture
def cells() -> CellTable:
    return synthetic_cells("T+ T- L+\nM- P- ..")


def test_anndata_itself_reads_the_file(cells: CellTable, tmp_path: Path) -> None:
    write_h5ad(cells, tmp_path / "a.h5ad")
    assert is_hdf5(tmp_path / "a.h5ad")
    found = anndata.read_h5ad(tmp_path / "a.h5ad")
    assert found.obs["kind"].tolist() == ["tumour", "tumour", "immune", "immune", "other"]
    assert found.obsm["spatial"][0].tolist() == [6.0, 6.0]
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5ad"]


def test_what_others_add_is_passed_over(cells: CellTable, tmp_path: Path) -> None:
    found = cells.to_anndata()
    found.obs["leiden"] = ["0", "1", "0", "1", "0"]
    found.uns["colours"] = {"a": 1}
    found.obsm["X_umap"] = found.obsm["spatial"] * 2
    found.write_h5ad(tmp_path / "a.h5ad")
    assert read_h5ad(tmp_path / "a.h5ad") == cells


def test_damaged_and_foreign_files_are_named(cells: CellTable, tmp_path: Path) -> None:
    path = tmp_path / "a.h5ad"
    with pytest.raises(MissingFileError, match="no such file"):
        read_h5ad(path)
    write_h5ad(cells, path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(CellsFileError, match="not a readable AnnData file"):
        read_h5ad(path)
    foreign = cells.to_anndata()
    foreign.uns.clear()
    foreign.write_h5ad(path)
    with pytest.raises(CellsFileError, match=r'a.h5ad: uns\["cxpath"\] does not state schema'):
        read_h5ad(path)


def test_a_missing_library_is_one_line(
    cells: CellTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("cxpath.data.settings.import_module", missing)
    with pytest.raises(MissingExtraError, match=r"pip install 'cxpath\[scverse\]'"):
        write_h5ad(cells, tmp_path / "a.h5ad")


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
    rows = ["x_px,y_px,kind,stained", *["10,10,tumour,1"] * 199, "4001,10,tumour,1"]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    given = read(tmp_path / "a.csv")
    assert len(given.cells) == 199
    assert "1 cell outside the slide was dropped" in given.warnings
    (tmp_path / "b.csv").write_text("\n".join([*rows, "-1,5,tumour,1", "-1,6,tumour,0"]))
    with pytest.raises(CellsFileError, match="3 of 202 cells lie outside the slide"):
        read(tmp_path / "b.csv")


@pytest.mark.parametrize("column", ["stained", "p_tumour"])
def test_per_cent_are_refused(column: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"x_px,y_px,kind,{column}\n1,1,tumour,80\n")
    with pytest.raises(CellsFileError, match=f"{column} contains values outside 0 to 1"):
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


USUAL = {
    "x_px": "10", "y_px": "10", "kind": "tumour", "stained": "0.9", "p_tumour": "0.8", "p_immune": "0.15",
    "p_other": "0.05", "dab_membrane_od": "0.4", "hematoxylin_od": "0.3", "membrane_completeness": "0.5",
    "diameter_um": "9",
}  # fmt: skip


def one_cell(**values: str) -> str:
    return f"{','.join(USUAL)}\n{','.join((USUAL | values).values())}\n"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"dab_membrane_od": "inf"}, "impossible dab_membrane_od in 1 of 1 cells, such as inf"),
        ({"dab_membrane_od": "1e300"}, "impossible dab_membrane_od in 1 of 1 cells, such as inf"),
        ({"hematoxylin_od": "-5"}, "impossible hematoxylin_od in 1 of 1 cells, such as -5"),
        ({"diameter_um": "-1"}, "impossible diameter_um in 1 of 1 cells, such as -1"),
        ({"diameter_um": "-1e30"}, "impossible diameter_um"),
        ({"membrane_completeness": "50"}, "impossible membrane_completeness"),
        ({"p_tumour": "0", "p_immune": "0", "p_other": "0"}, "add up to 0, not 1, in 1 of 1 cells"),
        ({"p_tumour": "1", "p_immune": "1", "p_other": "1"}, "add up to 3, not 1, in 1 of 1 cells"),
        ({"stained": "1.5"}, "stained contains values outside 0 to 1"),
    ],
)
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_values_that_no_cell_can_have_are_refused(
    values: dict[str, str], said: str, form: str, tmp_path: Path
) -> None:
    path = tmp_path / f"a.{form}"
    path.write_text(one_cell(**values))
    if form == "parquet":
        table = pacsv.read_csv(path)
        pq.write_table(table, path)
    with pytest.raises(CellsFileError, match=said) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_possible_values_are_read_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(one_cell(hematoxylin_od="-0.2", p_tumour="0.795"))
    assert read(tmp_path / "a.csv").warnings == ()


def test_unknown_or_contradicting_probabilities_are_said(tmp_path: Path) -> None:
    header, row = one_cell().splitlines()
    unknown = row.replace("10,10", "20,20").replace("0.8,0.15,0.05", ",,")
    immune = row.replace("10,10", "30,30").replace("0.8,0.15,0.05", "0.1,0.8,0.1")
    (tmp_path / "a.csv").write_text("\n".join([header, row, unknown, immune]))
    warnings = read(tmp_path / "a.csv").warnings
    assert "cells without p_tumour, p_immune, p_other: 1 of 3" in warnings
    assert "cells whose probabilities suggest another class than the file's: 1" in warnings


def test_a_cell_that_is_there_twice_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x_px,y_px,kind,stained\n1,1,tumour,1\n1,1,tumour,1\n1,2,tumour,0\n")
    assert any(
        "exactly where another cell" in said and ": 1;" in said for said in read(tmp_path / "a.csv").warnings
    )


@pytest.mark.parametrize("column", ["Stained", "stained\u200b", " P_tumour", "KIND"])
def test_a_column_that_looks_like_a_known_one_is_asked_about(column: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"x_px,y_px,kind,{column}\n1,1,tumour,1\n", encoding="utf-8")
    with pytest.raises(CellsFileError, match="is almost spelled like"):
        read(tmp_path / "a.csv")


@pytest.mark.parametrize("column", ["Image", "slide"])
def test_a_table_of_several_slides_is_read_for_one(column: str, tmp_path: Path) -> None:
    rows = "1,1,tumour,1,case.mrxs\n2,1,tumour,0,case.mrxs\n3,1,tumour,0,case.mrxs copy\n"
    (tmp_path / "a.csv").write_text(f"x_px,y_px,kind,stained,{column}\n{rows}")
    given = read(tmp_path / "a.csv")
    assert given.cells.x_px.tolist() == [1, 2]
    assert given.warnings[0] == "1 row of another image was passed over"
    with pytest.raises(CellsFileError, match="none of them named like the slide"):
        read_given_cells(tmp_path / "a.csv", INFO, CLASSES, 0.5, ("other.mrxs", "other"))


def test_rows_that_end_early_and_ignored_classes_are_said(tmp_path: Path) -> None:
    text = "Centroid X px\tCentroid Y px\tClass\tNote\n1\t1\tTumor: Positive\n2\t1\tIgnore*\ta\n"
    (tmp_path / "a.tsv").write_text(text)
    warnings = read(tmp_path / "a.tsv").warnings
    assert "rows that end before the last column: 1; what is missing was taken as empty" in warnings
    assert "cells of classes to ignore were left out: 'Ignore*' (1)" in warnings


def test_a_class_may_be_ignored_whatever_the_map_says(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(
        "Centroid X px\tCentroid Y px\tClass\n1\t1\tTumor: Positive\n2\t1\tStroma\n3\t1\tMystery\n"
    )
    classes = CLASSES.ignoring(("stroma", "Mystery"))
    given = read_given_cells(tmp_path / "a.tsv", INFO, classes, 0.5)
    assert given.cells.x_px.tolist() == [101]
    assert "cells of classes to ignore were left out: 'Mystery' (1), 'Stroma' (1)" in given.warnings


def test_a_workbook_is_no_table_of_cells(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(CellsFileError, match="workbook or an archive"):
        read(tmp_path / "a.csv")


FACTS_OF_CELLS_FROM_COLUMNS = CellTableFacts(mpp=0.5, width_px=10_000, height_px=10_000)


def read_of_cells_from_columns(text: str) -> CellTable:
    return cells_in_columns(read_text_table(text.encode(), "a.csv")[0], FACTS_OF_CELLS_FROM_COLUMNS, "a.csv")


def test_the_fewest_columns() -> None:
    cells = read_of_cells_from_columns("x_px,y_px,kind,stained\n1.5,2.5,tumour,0.9\n3,4,Immune,\n")
    assert cells.facts == FACTS_OF_CELLS_FROM_COLUMNS
    assert (cells.x_px.tolist(), cells.y_px.tolist()) == ([1.5, 3], [2.5, 4])
    assert cells.kind.tolist() == [Kind.TUMOUR, Kind.IMMUNE]
    np.testing.assert_array_equal(cells.stained, np.array([0.9, np.nan], np.float32))
    assert cells.p_immune.tolist() == [0, 1]
    assert np.isnan(cells.dab_membrane_od).all()
    assert cells.tile.tolist() == [-1, -1]


def test_all_columns_and_some_more() -> None:
    cells = read_of_cells_from_columns(
        "name;x_um;y_um;kind;subkind;region;stained;dab_membrane_od\n"
        "c1;1,5;2,5;other;plasma;stroma;yes;0,25\nc2;1;1;immune;;;false;\n"
    )
    assert cells.x_px.tolist() == [3, 2]
    assert cells.subkind.tolist() == [Subkind.PLASMA, Subkind.UNKNOWN]
    assert cells.region.tolist() == [TissueRegion.STROMA, TissueRegion.UNKNOWN]
    assert cells.stained.tolist() == [1, 0]
    np.testing.assert_array_equal(cells.dab_membrane_od, [0.25, np.nan])


def test_columns_of_numbers_and_truth_values() -> None:
    table = pa.table({
        "x_px": [1, 2], "y_px": [3.0, 4.0], "kind": pa.array(["tumour", "other"]).dictionary_encode(),
        "stained": [True, None],
    })  # fmt: skip
    cells = cells_in_columns(table, FACTS_OF_CELLS_FROM_COLUMNS, "a.parquet")
    assert cells.kind.tolist() == [Kind.TUMOUR, Kind.OTHER]
    np.testing.assert_array_equal(cells.stained, [1, np.nan])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x_px,y_px,kind\n1,2,tumor\n", "column kind contains 'tumor'"),
        ("x_px,y_px,kind\n1,2,\n", "column kind contains ''"),
        ("x_px,y_px,kind,subkind\n1,2,immune,plasma\n", "plasma cells of kind immune"),
        ("x_px,y_px,kind,region\n1,2,immune,glass\n", "column region contains 'glass'"),
        ("x_px,y_px,kind\n,2,tumour\n", "cells without a place in x_px, y_px"),
        ("x_px,y_px,kind,stained\n1,2,tumour,maybe\n", "row 2: 'maybe' in column 'stained'"),
    ],
)
def test_what_is_not_allowed_is_one_line(text: str, said: str) -> None:
    with pytest.raises(CellsFileError, match=said) as caught:
        read_of_cells_from_columns(text)
    assert "a.csv" in caught.value.message


@pytest.mark.parametrize(
    ("names", "known"),
    [(["kind", "x_um", "y_um"], True), (["kind", "x_px", "y_um"], False), (["class", "x_px", "y_px"], False)],
)
def test_how_a_table_is_recognised(names: list[str], known: bool) -> None:
    assert is_table_of_cells(names) is known


@settings(deadline=None)  # the first call of arrow is slow
@given(
    st.lists(
        st.tuples(
            st.floats(0, 9999), st.floats(0, 9999), st.sampled_from(["tumour", "immune", "other"]),
            st.floats(0, 1, width=32), st.sampled_from(["nest", "stroma", "necrosis", "benign", "unknown"]),
        ),
        min_size=1,
    )
)  # fmt: skip
def test_what_a_program_writes_in_full_is_read_in_full(
    rows: list[tuple[float, float, str, float, str]],
) -> None:
    lines = [f"{x!r}\t{y!r}\t{kind}\t{stained!r}\t{region}" for x, y, kind, stained, region in rows]
    cells = read_of_cells_from_columns("\n".join(["x_px\ty_px\tkind\tstained\tregion", *lines]) + "\n")
    expected = CellTable.from_columns(
        FACTS_OF_CELLS_FROM_COLUMNS,
        x_px=[row[0] for row in rows],
        y_px=[row[1] for row in rows],
        kind=[Kind[row[2].upper()] for row in rows],
        stained=[row[3] for row in rows],
        region=[TissueRegion[row[4].upper()] for row in rows],
    )
    assert cells == expected


GOLDEN = Path(__file__).parent / "golden" / "qupath_0_5_cells.geojson"
FACTS_OF_CELLS_FROM_GEOJSON = CellTableFacts(
    mpp=0.25, width_px=30_000, height_px=30_000, slide_digest="ab" * 32
)
BOUNDS_OF_CELLS_FROM_GEOJSON = (50, 5, 20_000, 20_000)
WHOLE = (0, 0, 30_000, 30_000)


def read_of_cells_from_geojson(
    content: bytes, bounds: Any = WHOLE, classes: CellClasses = CLASSES, threshold: float = 0.5
) -> CellTable:
    found, _ = cells_in_geojson(content, bounds, classes, "a.geojson")
    return to_cell_table(found, FACTS_OF_CELLS_FROM_GEOJSON, classes, threshold, "a.geojson")


def test_a_file_as_qupath_writes_it() -> None:
    """A cell lies at its nucleus, a detection at its outline's centre; points are as many cells."""
    found, (warning, of_points) = cells_in_geojson(GOLDEN.read_bytes(), WHOLE, CLASSES, "a.geojson")
    cells = to_cell_table(found, FACTS_OF_CELLS_FROM_GEOJSON, CLASSES, 0.5, "a.geojson")
    assert list(zip(cells.x_px, cells.y_px, strict=True)) == [
        (104, 204), (310, 405), (500.25, 600.75), (700.5, 20.5), (710.5, 30.5),
    ]  # fmt: skip
    assert cells.kind.tolist() == [Kind.TUMOUR, Kind.TUMOUR, Kind.IMMUNE, Kind.OTHER, Kind.OTHER]
    assert cells.subkind.tolist() == [0, 0, 0, Subkind.PLASMA, Subkind.PLASMA]
    np.testing.assert_array_equal(cells.stained, [1, 0, 1, np.nan, np.nan])
    assert np.isnan(cells.dab_membrane_od).all()
    assert warning == (
        "objects of the file that are not cells were passed over: 1 annotation (Polygon, Region*)"
    )
    assert of_points.startswith("points of annotations were counted as cells next to the detections: 2")


def test_a_map_may_name_the_measurements_that_fill_columns() -> None:
    names = {"dab_membrane_od": "Membrane: DAB OD mean", "dab_cytoplasm_od": "Cytoplasm: DAB OD mean"}
    cells = read_of_cells_from_geojson(
        GOLDEN.read_bytes(), classes=CLASSES.model_copy(update={"measurements": names})
    )
    np.testing.assert_allclose(cells.dab_membrane_od[:3], [0.431, 0.021, np.nan], rtol=1e-6)
    np.testing.assert_allclose(cells.dab_cytoplasm_od[:3], [0.207, np.nan, np.nan], rtol=1e-6)


def test_files_of_older_versions_give_the_same_cells() -> None:
    """Type in the id, one name for the class, measurements as an array, no collection around it."""
    document = json.loads(GOLDEN.read_text())
    old = [_older(feature) for feature in document["features"]]
    assert read_of_cells_from_geojson(json.dumps(old).encode()) == read_of_cells_from_geojson(
        GOLDEN.read_bytes()
    )


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
    moved, whole = (
        read_of_cells_from_geojson(GOLDEN.read_bytes(), BOUNDS_OF_CELLS_FROM_GEOJSON),
        read_of_cells_from_geojson(GOLDEN.read_bytes()),
    )
    np.testing.assert_array_equal(moved.x_px, whole.x_px + 50)
    np.testing.assert_array_equal(moved.y_px, whole.y_px + 5)


@pytest.mark.parametrize(
    ("feature", "said"),
    [
        ({"geometry": {"type": "Point", "coordinates": [1e12, 0]}}, "coordinates that are not pixels"),
        ({"geometry": {"type": "Point", "coordinates": ["left", 0]}}, "not a shape"),
        ({"geometry": {"type": "Polygon", "coordinates": []}}, "coordinates are not pixels"),
        ({"geometry": None}, "not a shape"),
        ({"geometry": {"type": "Point", "coordinates": [1, 1]}, "objectType": "tile"}, "contains no cell"),
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
    write_cells_geojson([cells], path, cells.facts, BOUNDS_OF_CELLS_FROM_GEOJSON, stained_threshold=threshold)
    return gzip.decompress(path.read_bytes())


probability = st.floats(0, 1, width=32)
one_cell_of_cells_from_geojson = st.tuples(
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
        FACTS_OF_CELLS_FROM_GEOJSON,
        x_px=np.array(columns[0]) / 100 + 50, y_px=np.array(columns[1]) / 100 + 5,
        kind=kind, subkind=subkind, stained=columns[4], dab_membrane_od=columns[5], region=columns[6],
        diameter_um=columns[8], **given,
    )  # fmt: skip


@settings(deadline=None)  # files on disk
@given(st.lists(one_cell_of_cells_from_geojson, min_size=1, max_size=12), st.floats(0.05, 0.95))
def test_what_cxpath_writes_it_reads_again(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]], threshold: float
) -> None:
    """Staining to the last bit, positions to 0.005 px, all else to four digits; again changes nothing."""
    folder, cells = tmp_path_factory.mktemp("there"), table_of(rows)
    content = written(cells, folder, threshold)
    back = read_of_cells_from_geojson(content, BOUNDS_OF_CELLS_FROM_GEOJSON, threshold=0.5)
    for name in ("kind", "subkind", "region", "stained"):
        np.testing.assert_array_equal(getattr(back, name), getattr(cells, name), name)
    for name in ("x_px", "y_px"):
        np.testing.assert_allclose(getattr(back, name), getattr(cells, name), rtol=0, atol=0.005 + 1e-9)
    for name, element in COLUMNS.items():
        if element is np.float32:
            np.testing.assert_allclose(getattr(back, name), getattr(cells, name), rtol=6e-4, atol=1e-30)
    assert written(back, folder, threshold) == content
    assert read_of_cells_from_geojson(written(back, folder, threshold), BOUNDS_OF_CELLS_FROM_GEOJSON) == back


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
    same = read_of_cells_from_geojson(json.dumps(document).encode(), BOUNDS_OF_CELLS_FROM_GEOJSON)
    np.testing.assert_array_equal(same.stained, cells.stained)
    document["features"][0]["properties"]["classification"]["names"] = ["Tumor", "Positive"]
    document["features"][1]["properties"]["classification"]["names"] = ["Other", "Positive"]
    corrected = read_of_cells_from_geojson(json.dumps(document).encode(), BOUNDS_OF_CELLS_FROM_GEOJSON)
    assert corrected.stained.tolist() == [1, 0.75]
    assert corrected.kind.tolist() == [Kind.TUMOUR, Kind.OTHER]
    assert corrected.subkind.tolist() == [0, 0]
    assert corrected.p_other.tolist()[1] == 1


def test_ids_are_uuids_that_follow_slide_and_row(tmp_path: Path) -> None:
    cells = table_of([(100, 100, Kind.TUMOUR, 0, 0.25, 0.5, 1, 0.9, 0.1)] * 3)
    ids = [feature["id"] for feature in json.loads(written(cells, tmp_path))["features"]]
    assert len(set(ids)) == 3
    assert all(str(uuid.UUID(text)) == text for text in ids)
    other = replace(cells, facts=replace(FACTS_OF_CELLS_FROM_GEOJSON, slide_digest="cd" * 32))
    assert not set(ids) & {feature["id"] for feature in json.loads(written(other, tmp_path))["features"]}


def _square(x: float, y: float) -> list[list[list[float]]]:
    return [[[x, y], [x + 8, y], [x + 8, y + 8], [x, y + 8], [x, y]]]


def _object(geometry: dict[str, Any], **held: Any) -> dict[str, Any]:
    given = {"objectType": "detection", "classification": "Tumor: Positive"} | held
    return {"type": "Feature", "geometry": geometry, "properties": given}


def found_in(*objects: dict[str, Any]) -> tuple[int, list[str]]:
    found, warnings = cells_in_geojson(json.dumps(objects).encode(), WHOLE, CLASSES, "a.geojson")
    return len(found.x_px), warnings


FAR = [_square(place, 0) for place in range(0, 600, 60)]


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "MultiPolygon", "coordinates": FAR},
        {"type": "MultiPolygon", "coordinates": FAR[:2]},
        {
            "type": "GeometryCollection",
            "geometries": [{"type": "Polygon", "coordinates": one} for one in FAR[:3]],
        },
    ],
)
def test_one_object_of_many_cells_is_refused(geometry: dict[str, Any]) -> None:
    with pytest.raises(CellsFileError, match=r"feature 1: one object of \d+ separate parts") as caught:
        found_in(_object(geometry))
    assert "an object of its own" in caught.value.hint


def test_a_cell_in_two_parts_side_by_side_is_one_and_said() -> None:
    number, warnings = found_in(
        _object({"type": "MultiPolygon", "coordinates": [_square(0, 0), _square(9, 0)]})
    )
    assert number == 1
    assert warnings == ["cells whose outline has several parts: 1; each was counted once"]


def test_what_is_passed_over_is_named_with_class_and_parts() -> None:
    number, (warning,) = found_in(
        _object({"type": "Point", "coordinates": [1, 1]}),
        _object({"type": "MultiPolygon", "coordinates": FAR}, objectType="annotation"),
        _object(
            {"type": "Polygon", "coordinates": _square(0, 0)}, objectType="tile", classification="Stroma"
        ),
        _object({"type": "LineString", "coordinates": [[1, 1], [2, 2]]}),
    )
    assert number == 1
    assert "1 annotation (MultiPolygon of 10 parts, Tumor: Positive)" in warning
    assert "1 tile (Polygon, Stroma)" in warning
    assert "1 detection (LineString, Tumor: Positive)" in warning
    with pytest.raises(CellsFileError, match=r"contains no cell; .*MultiPolygon of 10 parts"):
        found_in(_object({"type": "MultiPolygon", "coordinates": FAR}, objectType="annotation"))


@pytest.mark.parametrize("key", ["class", "label", "name", "classificationName"])
def test_a_class_in_another_property_is_named_and_not_taken(key: str) -> None:
    held = {"classification": None, key: "Tumor: Positive"}
    content = json.dumps([_object({"type": "Point", "coordinates": [1, 1]}, **held)]).encode()
    found, warnings = cells_in_geojson(content, WHOLE, CLASSES, "a.geojson")
    assert warnings == [f"cells without a class that carry another property like one: 1 with {key!r}"]
    with pytest.raises(CellsFileError, match=rf"'\(no class\)' \(1\); cells without a class .* {key!r}"):
        to_cell_table(found, FACTS_OF_CELLS_FROM_GEOJSON, CLASSES, 0.5, "a.geojson")


@pytest.mark.parametrize(
    ("value", "number", "strange"),
    [
        (0.5, 0.5, 0),
        ("0.5", 0.5, 0),
        ("NaN", np.nan, 0),
        (None, np.nan, 0),
        ("0,5", np.nan, 1),
        ([1], np.nan, 1),
    ],
)
def test_measurements_that_are_no_numbers_are_counted(value: Any, number: float, strange: int) -> None:
    content = json.dumps([_object({"type": "Point", "coordinates": [1, 1]}, measurements={"stained": value})])
    found, warnings = cells_in_geojson(content.encode(), WHOLE, CLASSES, "a.geojson")
    np.testing.assert_array_equal(found.measured["stained"], [number])
    said = "measurements 'stained' that are not numbers: 1; taken as unknown"
    assert warnings == [said] * strange


def test_a_number_beyond_all_numbers_is_infinite() -> None:
    content = json.dumps(
        [_object({"type": "Point", "coordinates": [1, 1]}, measurements={"diameter_um": 10**400})]
    )
    found, _ = cells_in_geojson(content.encode(), WHOLE, CLASSES, "a.geojson")
    assert np.isposinf(found.measured["diameter_um"]).all()


def test_objects_of_several_planes_are_said() -> None:
    planes = [
        _object({"type": "Point", "coordinates": [1, z], "plane": {"c": -1, "z": z, "t": 0}})
        for z in range(3)
    ]
    assert found_in(*planes) == (3, ["objects of 3 planes or times were combined"])


NEW = (
    "Image\tObject ID\tObject type\tName\tClassification\tParent\tROI\t"
    "Centroid X µm\tCentroid Y µm\tstained\n"
    "case.svs\t7d1f\tAnnotation\t\tRegion*\tRoot\tPolygon\t500\t500\t\n"
    "case.svs\t7d20\tDetection\t\tTumor: Positive\tRoot\tPoint\t25.0\t50.5\t0.75\n"
    "case.svs\t7d21\tCell\t\tImmune cells: Negative\tRoot\tPolygon\t100.25\t50.0\tNaN\n"
    "case.svs\t7d22\tCell\t\t\tRoot\tPolygon\t0.25\t0.5\t\n"
)


def info(mpp: float = 0.25, bounds: tuple[int, int, int, int] = (0, 0, 8000, 8000)) -> SlideInfo:
    return SlideInfo(
        "case.svs", "case", "ab" * 32, "", 8000, 8000, mpp, "user", "openslide", "aperio", (1.0,), bounds
    )


def read_of_cells_from_qupath_table(
    text: str, slide: SlideInfo | None = None, names: tuple[str, ...] = ("case.svs", "case")
) -> ClassifiedCells:
    table = read_text_table(text.encode(), "a.tsv")[0]
    return cells_in_qupath_table(table, slide or info(), names, CLASSES, "a.tsv")[0]


def classes(found: ClassifiedCells) -> list[str]:
    return [found.class_names[code] for code in found.class_code]


def test_micrometres_become_pixels_of_the_slide() -> None:
    found = read_of_cells_from_qupath_table(NEW)
    assert found.x_px.tolist() == [100, 401, 1]
    assert found.y_px.tolist() == [202, 200, 2]
    assert read_of_cells_from_qupath_table(NEW, info(mpp=0.5)).x_px.tolist() == [50, 200.5, 0.5]


def test_bounds_move_the_cells_into_the_files_frame() -> None:
    assert read_of_cells_from_qupath_table(NEW, info(bounds=(1000, 40, 4000, 4000))).x_px.tolist() == [
        1100,
        1401,
        1001,
    ]


def test_classes_and_measurements_follow_their_rows() -> None:
    found = read_of_cells_from_qupath_table(NEW)
    assert classes(found) == ["Tumor: Positive", "Immune cells: Negative", "(no class)"]
    np.testing.assert_array_equal(found.measured["stained"], [0.75, np.nan, np.nan])


def test_annotations_are_passed_over_aloud() -> None:
    table = read_text_table(NEW.encode(), "a.tsv")[0]
    _, warnings = cells_in_qupath_table(table, info(), ("case.svs",), CLASSES, "a.tsv")
    assert warnings == ["1 row that is not a cell was passed over"]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("µ", "μ"),
        lambda text: text.replace("µ", "Âµ"),
        lambda text: text.replace("µ", "\ufffd"),
        lambda text: text.replace("X µm", "X (um)").replace("Y µm", "Y (um)"),
        lambda text: text.replace("Classification", "Class"),
        lambda text: text.replace("\t", ";"),
        lambda text: re.sub(r"(\d)\.(\d)", r"\1,\2", text),
        lambda text: re.sub(r"(\d)\.(\d)", r"\1,\2", text).replace("\t", ";"),
    ],
)
def test_spellings_of_programs_and_languages(change: Callable[[str], str]) -> None:
    found, plain = read_of_cells_from_qupath_table(change(NEW)), read_of_cells_from_qupath_table(NEW)
    np.testing.assert_array_equal(found.x_px, plain.x_px)
    np.testing.assert_array_equal(found.y_px, plain.y_px)
    np.testing.assert_array_equal(found.measured["stained"], plain.measured["stained"])
    assert classes(found) == classes(plain)


def test_pixels_are_taken_as_they_are() -> None:
    found = read_of_cells_from_qupath_table(
        "Centroid X px\tCentroid Y px\tClass\n10.5\t20.5\tTumor\n", info(mpp=0.5)
    )
    assert (found.x_px.tolist(), found.y_px.tolist()) == ([10.5], [20.5])


def test_of_several_images_only_the_slides_rows_count() -> None:
    both = NEW + "other.svs\t7d30\tCell\t\tTumor: Negative\tRoot\tPolygon\t1\t1\t\n"
    assert len(read_of_cells_from_qupath_table(both).x_px) == 3
    series = both.replace("case.svs", "case.svs - Series 0")
    assert len(read_of_cells_from_qupath_table(series).x_px) == 3
    with pytest.raises(CellsFileError, match="cells of 2 images, none of them named like the slide"):
        read_of_cells_from_qupath_table(both, names=("third.svs",))
    with pytest.raises(CellsFileError, match="cells of 1 image, which is not named like the slide"):
        read_of_cells_from_qupath_table(NEW, names=("renamed.svs",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Centroid X px\tCentroid Y px\n1\t1\n", "no column Class or Classification"),
        ("Centroid X px\tCentroid Y px\tClass\n", "contains no cell"),
        ("Centroid X px\tCentroid Y px\tClass\n\t1\tTumor\n", "cells without a centroid"),
        ("Centroid X px\tCentroid Y px\tClass\nleft\t1\tTumor\n", "row 2: 'left' in column 'Centroid X px'"),
        ("Object type\tCentroid X px\tCentroid Y px\tClass\nTile\t1\t1\tTumor\n", "contains no cell"),
    ],
)
def test_unusable_tables_are_one_line(text: str, said: str) -> None:
    with pytest.raises(CellsFileError, match=said):
        read_of_cells_from_qupath_table(text)


@pytest.mark.parametrize(
    ("names", "known"),
    [
        (["Centroid X µm", "Centroid Y µm"], True),
        (["centroid x px", "centroid y px", "Class"], True),
        (["Centroid X µm", "Centroid Y px"], False),
        (["x_px", "y_px", "kind"], False),
    ],
)
def test_how_a_table_is_recognised_of_cells_from_qupath_table(names: list[str], known: bool) -> None:
    assert is_qupath_table(names) is known


def of_images(*images: str) -> str:
    rows = "".join(f"{image}\t{place}\t1\tTumor\n" for place, image in enumerate(images, start=1))
    return f"Image\tCentroid X px\tCentroid Y px\tClass\n{rows}"


@pytest.mark.parametrize(
    ("other", "slide"),
    [
        ("case 1 B.svs", "case 1.svs"),
        ("case 1.svs copy", "case 1.svs"),
        ("case 1 - B.svs", "case 1.svs"),
        ("case 1.svs - copy", "case 1.svs"),
        ("case 1", "case 1.svs"),
        ("CASE 1.svs", "case 1.svs"),
        ("", "case 1.svs"),
    ],
)
def test_rows_of_images_with_longer_or_other_names_are_not_the_slides(other: str, slide: str) -> None:
    table = read_text_table(of_images(slide, other, slide).encode(), "a.tsv")[0]
    found, warnings = cells_in_qupath_table(table, info(), (slide, slide[:-4]), CLASSES, "a.tsv")
    assert found.x_px.tolist() == [1, 3]
    assert warnings == ["1 row of another image was passed over"]


@pytest.mark.parametrize(
    "image", ["case 1.svs", "case 1", "case 1.svs - Series 1", "case 1.svs - 20x_01", "case 1.svs #2"]
)
def test_names_that_qupath_gives_are_the_slides(image: str) -> None:
    assert read_of_cells_from_qupath_table(
        of_images(image), names=("case 1.svs", "case 1")
    ).x_px.tolist() == [1]


def test_a_name_in_another_normal_form_is_the_same_file() -> None:
    assert (
        len(
            read_of_cells_from_qupath_table(
                of_images("Rene\u0301.svs"), names=("Ren\u00e9.svs", "Ren\u00e9")
            ).x_px
        )
        == 1
    )


@pytest.mark.parametrize("image", ["case 1 - Series 1", "case 1 B.svs", "case 12.svs", "other.svs"])
def test_an_import_without_a_row_of_the_slide_is_refused(image: str) -> None:
    with pytest.raises(CellsFileError, match="1 image, which is not named like the slide"):
        read_of_cells_from_qupath_table(of_images(image), names=("case 1.svs", "case 1"))


def test_a_name_that_differs_in_case_alone_is_asked_about() -> None:
    with pytest.raises(CellsFileError, match="one differs in case, spacing or invisible characters alone"):
        read_of_cells_from_qupath_table(of_images("CASE 1.svs"), names=("case 1.svs", "case 1"))


def test_two_images_of_one_file_are_not_mixed() -> None:
    with pytest.raises(CellsFileError, match="cells of 2 images of this slide's file"):
        read_of_cells_from_qupath_table(of_images("case.svs - Series 1", "case.svs - Series 2"))


@pytest.mark.parametrize(
    "head", ["x_um,y_um,kind,stained", "Class,Centroid X µm,Centroid Y µm,Image"], ids=["columns", "QuPath"]
)
def test_a_place_beyond_all_numbers_lies_outside_the_slide(head: str, tmp_path: Path) -> None:
    """In µm it is a number; in pixels it is none any more."""
    path = tmp_path / "cells.csv"
    if head.startswith("x_um"):
        rows = ["1e308,5,tumour,1", *["50,50,tumour,1"] * 300]
    else:
        rows = ["Tumor: Positive,1e308,5,case.mrxs", *["Tumor: Positive,50,50,case.mrxs"] * 300]
    path.write_text("\n".join([head, *rows, ""]), encoding="utf-8")
    given = read_given_cells(path, INFO, CLASSES, 0.5, ("case.mrxs",))
    assert len(given.cells) == 300
    assert "1 cell outside the slide was dropped" in given.warnings


def cells_of_files(column: str, names: list[str], folder: Path) -> GivenCells:
    rows = [f"{name},{10 * number},{10 * number},tumour,1" for number, name in enumerate(names)]
    path = folder / "cells.csv"
    path.write_text("\n".join([f"{column},x_px,y_px,kind,stained", *rows, ""]), encoding="utf-8")
    return read_given_cells(path, INFO, CLASSES, 0.5, ("case.mrxs", "case"))


@pytest.mark.parametrize("column", ["filename", "File", "image_name", "slide_id", "path", "wsi"])
def test_rows_of_other_files_are_passed_over_whatever_the_column_is_called(
    column: str, tmp_path: Path
) -> None:
    given = cells_of_files(column, ["case.mrxs", "other.mrxs", "case.mrxs"], tmp_path)
    assert given.cells.x_px.tolist() == [0, 20]
    assert "1 row of another image was passed over" in given.warnings


def test_folders_in_front_of_a_file_do_not_matter(tmp_path: Path) -> None:
    given = cells_of_files("path", ["/a/case.mrxs", "D:\\\\b\\\\other.mrxs"], tmp_path)
    assert given.cells.x_px.tolist() == [0]


def test_files_of_other_slides_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CellsFileError, match="cells of 2 images, none of them named like the slide"):
        cells_of_files("filename", ["a.mrxs", "b.mrxs"], tmp_path)


def test_one_code_for_all_rows_proves_nothing(tmp_path: Path) -> None:
    assert len(cells_of_files("slide_id", ["17", "17"], tmp_path).cells) == 2


@pytest.mark.parametrize(
    ("x_um", "agrees"), [("25", True), ("25.4", True), ("50", False), ("-25", False), ("", True)]
)
def test_places_in_pixels_and_micrometres_must_say_the_same(x_um: str, agrees: bool, tmp_path: Path) -> None:
    path = tmp_path / "cells.csv"
    path.write_text(f"x_px,y_px,x_um,y_um,kind,stained\n100,100,{x_um},25,tumour,1\n")
    if agrees:
        assert read_given_cells(path, INFO, CLASSES, 0.5).cells.x_px.tolist() == [100]
    else:
        with pytest.raises(CellsFileError, match=r"µm per pixel, but the slide has 0\.25"):
            read_given_cells(path, INFO, CLASSES, 0.5)


def test_a_table_of_no_cells_is_refused_as_a_file_of_no_cells_is(tmp_path: Path) -> None:
    """Else the slide would be said to contain no tumour."""
    path = tmp_path / "cells.csv"
    path.write_text("x_px,y_px,kind,stained\n", encoding="utf-8")
    classes = read_cell_classes(default_cell_classes())
    with pytest.raises(CellsFileError, match=r"cells\.csv: contains no cell"):
        read_given_cells(path, INFO, classes, 0.5)


@pytest.mark.parametrize(("shift_px", "said"), [(0.4, True), (3.0, True), (20.0, False)])
def test_many_cells_nearer_than_nuclei_can_lie_are_said(
    tmp_path: Path,
    shift_px: float,
    said: bool,
) -> None:
    """Two exports of one part differ by less than a nucleus; neighbours do not."""
    places = [(x, y) for x in range(10, 800, 60) for y in range(10, 800, 60)]
    rows = [f"{x + by},{y},tumour,1" for by in (0.0, shift_px) for x, y in places]
    (tmp_path / "a.csv").write_text("\n".join(["x_px,y_px,kind,stained", *rows]), encoding="utf-8")
    assert said == any("nearer than 1.5 µm" in one for one in read(tmp_path / "a.csv").warnings)


def _as_it_is(x: float, y: float) -> tuple[float, float]:
    return x, y


def _lattice(
    folder: Path, of: Callable[[float, float], tuple[float, float]] = _as_it_is, times: int = 1
) -> Path:
    """Write 400 tumour cells, 40 px apart; each as often as said, moved by a part of a pixel."""
    path = folder / "cells.csv"
    places = [of(20 + 40 * (n % 20), 20 + 40 * (n // 20)) for n in range(400)]
    rows = [f"{x + 0.3 * again},{y + 0.2 * again},tumour,1" for again in range(times) for x, y in places]
    path.write_text("\n".join(["x_px,y_px,kind,stained", *rows]) + "\n", encoding="utf-8")
    return path


def test_places_that_are_no_pixels_of_the_slide_crowd_and_are_refused(tmp_path: Path) -> None:
    assert len(read(_lattice(tmp_path)).cells) == 400
    for wrong in (lambda x, y: (x / 1000, y / 1000), lambda x, y: (x % 80, y % 80)):
        with pytest.raises(CellsFileError, match="more than is possible"):
            read(_lattice(tmp_path, wrong))


def test_cells_that_are_nearly_where_others_are_are_named(tmp_path: Path) -> None:
    assert not any("to another cell of the file" in one for one in read(_lattice(tmp_path)).warnings)
    assert any(
        "nearer than 1.5 µm to another cell of the file: about 400" in one
        for one in read(_lattice(tmp_path, times=2)).warnings
    )


def test_each_axis_is_compared_with_the_slide_s_scale(tmp_path: Path) -> None:
    path = tmp_path / "cells.csv"
    rows = [f"{x},{x},{x * 0.25},{x},tumour,1" for x in (100, 300, 500)]
    path.write_text("\n".join(["x_px,y_px,x_um,y_um,kind,stained", *rows]) + "\n", encoding="utf-8")
    with pytest.raises(CellsFileError, match="y_um and y_px say 1 µm per pixel"):
        read(path)


def _of_geojson(folder: Path, *objects: dict[str, Any]) -> GivenCells:
    path = folder / "cells.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(objects)}), encoding="utf-8")
    return read(path)


def _named_cell(x: float, y: float, half: float = 10.0, kind: str = "detection") -> dict[str, Any]:
    left, top, right, bottom = x - half, y - half, x + half, y + half
    ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
    held = {"objectType": kind, "classification": {"name": "Tumor: Positive"}}
    return {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": held}


def test_points_of_a_person_next_to_detections_are_named(tmp_path: Path) -> None:
    detections = [_named_cell(100 * n, 100) for n in range(1, 6)]
    points = _named_cell(0, 0, kind="annotation") | {
        "geometry": {"type": "MultiPoint", "coordinates": [[300, 300], [400, 400]]}
    }
    words = "points of annotations were counted as cells next to the detections: 2"
    assert any(words in one for one in _of_geojson(tmp_path, *detections, points).warnings)
    assert not any(words in one for one in _of_geojson(tmp_path, points).warnings)
    assert not any("next to the detections" in one for one in _of_geojson(tmp_path, *detections).warnings)


def test_an_area_that_was_written_as_a_detection_is_named(tmp_path: Path) -> None:
    detections = [_named_cell(100 * n, 100) for n in range(1, 6)]
    assert any(
        "cells more than 10 times as wide as most: 1" in one
        for one in _of_geojson(tmp_path, *detections, _named_cell(1500, 1500, 600)).warnings
    )
    assert not any("times as wide" in one for one in _of_geojson(tmp_path, *detections).warnings)


def test_yes_and_no_are_no_coordinates(tmp_path: Path) -> None:
    point = _named_cell(0, 0) | {"geometry": {"type": "Point", "coordinates": [True, False]}}
    with pytest.raises(CellsFileError, match="not pairs of numbers"):
        _of_geojson(tmp_path, point)


@pytest.mark.parametrize(("other", "refused"), [("Tumor: Negative", True), ("Tumor: Positive", False)])
def test_two_columns_of_classes_must_agree(tmp_path: Path, other: str, refused: bool) -> None:
    path = tmp_path / "table.tsv"
    head = "Class\tClassification\tCentroid X px\tCentroid Y px"
    path.write_text(f"{head}\n{other}\tTumor: Positive\t30\t40\n", encoding="utf-8")
    if refused:
        with pytest.raises(CellsFileError, match="columns Class and Classification state different classes"):
            read(path)
    else:
        assert len(read(path).cells) == 1


def test_places_beyond_every_number_are_refused_without_a_warning_of_numpy(tmp_path: Path) -> None:
    places = [(1e308, 1e308), (-1e308, -1e308), *((20.0 * n, 20.0) for n in range(60))]
    rows = [f"{x},{y},tumour,1" for x, y in places]
    (tmp_path / "a.csv").write_text("\n".join(["x_px,y_px,kind,stained", *rows]), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with contextlib.suppress(CellsFileError):
            read(tmp_path / "a.csv")
