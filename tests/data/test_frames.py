from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from cxpath.data.cells import COLUMNS, CellTable, CellTableFacts, Kind, Subkind
from cxpath.data.frames import from_anndata
from tests.cell_tables import cell_tables

# anndata 0.12 asks pandas for options that pandas 3 calls deprecated; it wants pandas 2 itself.
pytestmark = pytest.mark.filterwarnings(r"ignore:The '(future|mode)\..*' option")

pytest.importorskip("anndata", reason="the extra scverse is not installed")


@pytest.fixture
def cells() -> CellTable:
    return CellTable.from_columns(
        CellTableFacts(mpp=0.25, width_px=4000, height_px=4000, stained_threshold=0.4),
        x_px=[100.0, 220.5, 7.0],
        y_px=[40.0, 80.0, 7.5],
        kind=[Kind.TUMOUR, Kind.IMMUNE, Kind.OTHER],
        subkind=[Subkind.UNKNOWN, Subkind.LYMPHOCYTE, Subkind.PLASMA],
        stained=[0.4, 0.39, np.nan],
    )


def test_pandas_has_words_numbers_and_both_units(cells: CellTable) -> None:
    frame = cells.to_pandas()
    assert list(frame.columns) == [*COLUMNS, "x_um", "y_um", "staining"]
    assert frame["kind"].tolist() == ["tumour", "immune", "other"]
    assert frame["subkind"].tolist() == ["unknown", "lymphocyte", "plasma"]
    assert frame["x_um"].tolist() == [25.0, 55.125, 1.75]
    assert frame["staining"].tolist()[:2] == ["positive", "negative"]
    assert frame["staining"].isna().tolist() == [False, False, True]


def test_staining_is_not_invented_without_a_threshold(cells: CellTable) -> None:
    facts = CellTableFacts(mpp=0.25, width_px=4000, height_px=4000)
    assert "staining" not in CellTable(facts, **cells.columns()).to_pandas()


def test_anndata_has_places_in_micrometres_and_facts(cells: CellTable) -> None:
    found = cells.to_anndata()
    assert found.shape == (3, 0)
    np.testing.assert_array_equal(found.obsm["spatial"], [[25.0, 10.0], [55.125, 20.0], [1.75, 1.875]])
    assert found.uns["cxpath"]["mpp"] == 0.25
    assert found.uns["cxpath"]["stained_threshold"] == 0.4
    assert {"kind", "staining", "stained", "dab_membrane_od"} <= set(found.obs.columns)


@given(table=cell_tables(embedding=True))
def test_anndata_gives_the_same_table_again(table: CellTable) -> None:
    assert from_anndata(table.to_anndata()) == table


def test_a_class_changed_in_anndata_is_read(cells: CellTable) -> None:
    found = cells.to_anndata()
    found.obs["kind"] = ["tumour", "other", "other"]
    found.obs["subkind"] = ["unknown", "plasma", "plasma"]
    assert from_anndata(found).kind.tolist() == [Kind.TUMOUR, Kind.OTHER, Kind.OTHER]


def test_a_part_of_the_cells_is_read(cells: CellTable) -> None:
    part = from_anndata(cells.to_anndata()[1:].copy())
    assert part == cells.take(np.array([False, True, True]))


def test_parts_that_contradict_each_other_are_refused(cells: CellTable) -> None:
    changed = cells.to_anndata()
    changed.obs["staining"] = ["negative", "negative", None]
    with pytest.raises(ValueError, match="contradicts stained in 1 cells"):
        from_anndata(changed)
    moved = cells.to_anndata()
    moved.obsm["spatial"] = moved.obsm["spatial"] + 3
    with pytest.raises(ValueError, match="different places"):
        from_anndata(moved)


def test_the_embedding_is_a_matrix_of_its_own_or_not_there(cells: CellTable) -> None:
    assert "embedding" not in cells.to_anndata().obsm
    found = replace(cells, embedding=np.full((3, 16), 7, np.uint8)).to_anndata()
    assert found.obsm["embedding"].dtype == np.uint8
    found.obsm["embedding"] = np.full((3, 2), 0.5)
    with pytest.raises(ValueError, match="16 bytes a cell"):
        from_anndata(found)


def test_what_is_not_of_this_form_is_refused(cells: CellTable) -> None:
    unknown = cells.to_anndata()
    unknown.obs["kind"] = ["tumour", "B cell", "other"]
    with pytest.raises(ValueError, match="contains B cell; known: tumour, immune, other"):
        from_anndata(unknown)
    short = cells.to_anndata()
    del short.obs["tile"]
    with pytest.raises(ValueError, match="columns missing in obs: tile"):
        from_anndata(short)
    bare = cells.to_anndata()
    del bare.uns["cxpath"]
    with pytest.raises(ValueError, match="does not state schema cxpath/cells/1"):
        from_anndata(bare)
    torn = cells.to_anndata()
    del torn.uns["cxpath"]["width_px"]
    with pytest.raises(ValueError, match="incomplete"):
        from_anndata(torn)
