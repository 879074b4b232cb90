"""Cells → file → cells, through every form that cxpath writes: nothing is lost."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from cxpath.data.cells import CellTable, CellTableFacts, Kind
from cxpath.data.slide_info import SlideInfo
from cxpath.errors import CellsFileError
from cxpath.io.cell_classes import PROBABILITIES, default_cell_classes, read_cell_classes
from cxpath.io.cells import read_cells, write_cells
from cxpath.io.dicom import Maker, image_of_digest, read_annotations, write_annotations
from cxpath.io.foreign_cells import read_given_cells, read_h5ad, write_h5ad
from tests.cell_tables import HEIGHT_PX, WIDTH_PX, cell_tables, write_cells_geojson

pytestmark = pytest.mark.filterwarnings(r"ignore:The '(future|mode)\..*' option")

pytest.importorskip("anndata", reason="the extra scverse is not installed")
pytest.importorskip("highdicom", reason="the extra dicom is not installed")

MAKER = Maker("small", "1", "cd" * 32)
CLASSES = read_cell_classes(default_cell_classes())
BOUNDS = (1200, 300, 50_000, 39_000)


def _info(cells: CellTable) -> SlideInfo:
    facts = cells.facts
    size = (WIDTH_PX, HEIGHT_PX)
    return SlideInfo(
        "a.svs", "a", facts.slide_digest, "", *size, facts.mpp, "user", "openslide", "aperio", (1.0,), BOUNDS
    )


def _write_dicom(cells: CellTable, path: Path) -> None:
    write_annotations(cells, path, image_of_digest("ab" * 32, "slide-1"), MAKER, "PD-L1")


WRITERS: dict[str, Callable[[CellTable, Path], None]] = {
    "cells.parquet": write_cells,
    "cells.h5ad": write_h5ad,
    "cells.dcm": _write_dicom,
}
READERS: dict[str, Callable[[Path], CellTable]] = {
    "cells.parquet": read_cells,
    "cells.h5ad": read_h5ad,
    "cells.dcm": read_annotations,
}


def as_kept(name: str, cells: CellTable) -> CellTable:
    """Return what a form keeps of a table: DICOM annotations have no place for an embedding."""
    return replace(cells, embedding=None) if name == "cells.dcm" else cells


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=25)
@given(cells=cell_tables(embedding=True))
def test_a_table_comes_back_whole(
    name: str, cells: CellTable, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("trip") / name
    WRITERS[name](cells, path)
    assert READERS[name](path) == as_kept(name, cells)


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=10)
@given(cells=cell_tables(embedding=True))
def test_a_table_given_to_score_is_the_same(
    name: str, cells: CellTable, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("trip") / name
    WRITERS[name](cells, path)
    assert read_given_cells(path, _info(cells), CLASSES, 0.5).cells == as_kept(name, cells)


@settings(max_examples=50)
@given(cells=cell_tables())
def test_geojson_keeps_every_column(cells: CellTable, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Facts of the model are not kept: QuPath may have changed cells, which then are no network's."""
    path = tmp_path_factory.mktemp("trip") / "cells.geojson.gz"
    threshold = cells.facts.stained_threshold or 0.5
    write_cells_geojson([cells], path, cells.facts, BOUNDS, stained_threshold=threshold)
    found = read_given_cells(path, _info(cells), CLASSES, 0.5).cells
    assert found.facts.slide_digest == cells.facts.slide_digest
    for name in ("x_px", "y_px"):  # moved to QuPath's frame and back: a last digit may turn
        np.testing.assert_allclose(getattr(found, name), getattr(cells, name), rtol=0, atol=1e-10)
    for name, values in cells.columns().items():
        if name not in {"x_px", "y_px"}:
            np.testing.assert_array_equal(getattr(found, name), values, err_msg=name)


CORRECTIONS = {
    ("Tumor", "Positive"): (Kind.TUMOUR, True),
    ("Tumor", "Negative"): (Kind.TUMOUR, False),
    ("Immune cells", "Positive"): (Kind.IMMUNE, True),
    ("Immune cells", "Negative"): (Kind.IMMUNE, False),
    ("Other",): (Kind.OTHER, None),
}
"""Classes that a person gives in QuPath, and what such a cell then is."""


@settings(max_examples=50)
@given(cells=cell_tables(), data=st.data())
def test_classes_corrected_in_qupath_change_exactly_those_cells(
    cells: CellTable, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """QuPath keeps id, class and measurements, rounds places to 0.01 px and drops cxpath's own member."""
    path = tmp_path_factory.mktemp("trip") / "corrected.geojson.gz"
    threshold = cells.facts.stained_threshold or 0.5
    cells.x_px.clip(0, WIDTH_PX - 1, cells.x_px)  # else 0.01 px turns a cell out of the slide
    cells.y_px.clip(0, HEIGHT_PX - 1, cells.y_px)
    # As of a network: every cell has probabilities. Where QuPath's file has none, the class is certain.
    cells.stained[np.isnan(cells.stained)] = 0.0
    for kind, column in zip(Kind, (cells.p_tumour, cells.p_immune, cells.p_other), strict=True):
        column[np.isnan(column)] = cells.kind[np.isnan(column)] == kind
    write_cells_geojson([cells], path, cells.facts, BOUNDS, stained_threshold=threshold)
    features = json.loads(gzip.decompress(path.read_bytes()))["features"]
    chosen = data.draw(st.sets(st.integers(0, len(cells) - 1)))
    given_names = {row: data.draw(st.sampled_from(list(CORRECTIONS))) for row in sorted(chosen)}
    for row, feature in enumerate(features):
        geometry = feature["geometry"]
        geometry["coordinates"] = [round(place, 2) for place in geometry["coordinates"]]
        if row in given_names:
            feature["properties"]["classification"] = {"names": list(given_names[row])}
    path.write_bytes(gzip.compress(json.dumps({"type": "FeatureCollection", "features": features}).encode()))

    found = read_given_cells(path, _info(cells), CLASSES, threshold).cells
    for row, names in given_names.items():
        kind, stained = CORRECTIONS[names]
        assert found.kind[row] == kind
        assert stained is None or (found.stained[row] >= threshold) == stained
    others = np.setdiff1d(np.arange(len(cells)), list(given_names))
    for name in ("x_px", "y_px"):
        np.testing.assert_allclose(getattr(found, name), getattr(cells, name), rtol=0, atol=0.0051)
    # Without cxpath's own member the class alone says what a cell is whose probabilities are not there.
    probable = others[np.isfinite([getattr(cells, name)[others] for name in PROBABILITIES]).all(axis=0)]
    for name, values in cells.columns().items():
        if name not in {"x_px", "y_px"}:
            kept = probable if name in PROBABILITIES else others
            np.testing.assert_array_equal(getattr(found, name)[kept], values[kept], err_msg=name)


def test_cells_of_another_slide_are_refused_in_every_form(tmp_path: Path) -> None:
    facts = CellTableFacts(mpp=0.25, width_px=WIDTH_PX + 1, height_px=HEIGHT_PX)
    cells = CellTable.from_columns(facts, x_px=[1.0], y_px=[2.0], kind=[0], stained=[1.0])
    for name, write in WRITERS.items():
        write(cells, tmp_path / name)
        with pytest.raises(CellsFileError, match="60001 x 40000 px, but this one has 60000 x 40000"):
            read_given_cells(tmp_path / name, _info(cells), CLASSES, 0.5)
