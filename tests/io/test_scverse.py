from __future__ import annotations

from pathlib import Path

import pytest

from cxpath.data.cells import CellTable
from cxpath.errors import CellsFileError, MissingExtraError, MissingFileError
from cxpath.io.scverse import is_hdf5, read_h5ad, write_h5ad
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

    monkeypatch.setattr("cxpath.data.extras.import_module", missing)
    with pytest.raises(MissingExtraError, match=r"pip install 'cxpath\[scverse\]'"):
        write_h5ad(cells, tmp_path / "a.h5ad")
