from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from cxpath.data.cells import COLUMNS, CellTable, CellTableFacts, Kind, Subkind, from_anndata
from tests.cell_tables import cell_tables
from tests.synthetic_cells import synthetic_cells


def test_unknown_columns_are_refused() -> None:
    facts = CellTableFacts(mpp=0.5, width_px=10, height_px=10)
    with pytest.raises(ValueError, match="pd_l1"):
        CellTable.from_columns(facts, x_px=[1.0], y_px=[1.0], pd_l1=[1])


def test_columns_left_out_are_unknown_and_a_named_kind_is_certain() -> None:
    cells = synthetic_cells("T+ L- P+")
    assert np.isnan(cells.diameter_um).all()
    assert cells.p_tumour.tolist() == [1.0, 0.0, 0.0]
    assert cells.p_immune.tolist() == [0.0, 1.0, 0.0]


def test_taking_and_joining_is_the_identity() -> None:
    cells = synthetic_cells("T+ L- P+ T-")
    first = np.array([True, True, False, False])
    assert CellTable.concatenate([cells.take(first), cells.take(~first)]) == cells
    assert cells.take(first) != cells


def embedded(rows: list[int]) -> CellTable:
    """Return cells whose embeddings are all of one byte each; 0 is an unknown one."""
    facts = CellTableFacts(mpp=0.5, width_px=10, height_px=10)
    bytes_of = np.repeat(np.array(rows, np.uint8)[:, None], 16, axis=1)
    return CellTable.from_columns(
        facts, x_px=np.arange(len(rows)), y_px=np.arange(len(rows)), embedding=bytes_of
    )


def test_an_embedding_follows_its_cells() -> None:
    cells = embedded([3, 9, 0, 5])
    assert cells.embedded.tolist() == [True, True, False, True]
    first = np.array([True, False, True, False])
    taken = cells.take(first)
    assert taken.embedding is not None
    assert taken.embedding[:, 0].tolist() == [3, 0]
    assert CellTable.concatenate([cells.take(slice(0, 2)), cells.take(slice(2, None))]) == cells


def test_cells_without_an_embedding_stay_without_one_among_others() -> None:
    cells = embedded([3, 9])
    bare = replace(cells, embedding=None)
    assert bare != cells
    assert bare.embedded.tolist() == [False, False]
    joined = CellTable.concatenate([bare, cells])
    assert joined.embedded.tolist() == [False, False, True, True]
    assert CellTable.concatenate([bare, bare]).embedding is None


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 15), np.uint8), np.zeros((3, 16), np.uint8), np.zeros((2, 16))]
)
def test_an_embedding_of_another_form_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"uint8 \(2, 16\)"):
        replace(embedded([3, 9]), embedding=wrong)


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
