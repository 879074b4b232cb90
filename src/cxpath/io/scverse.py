"""Cells as an AnnData file (`.h5ad`), for scanpy, squidpy, SpatialData and LazySlide; and read back."""

from __future__ import annotations

from pathlib import Path

from cxpath.data import CellTable, from_anndata, import_extra, to_anndata
from cxpath.data.frames import EXTRA
from cxpath.errors import CellsFileError, MissingFileError
from cxpath.io.atomic import atomic_write

H5AD_FORM = "AnnData"

_MAGIC = b"\x89HDF\r\n\x1a\n"
_HINT = "give a file of cxpath export --format h5ad, or save its obs as CSV with kind, x_px and y_px"


def is_hdf5(path: Path) -> bool:
    """Say whether a file begins as HDF5 does; False for one that cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False  # reading the content says why


def write_h5ad(cells: CellTable, path: Path) -> None:
    """Write the cells as AnnData; see `CellTable.to_anndata` for what lies where.

    Raises
    ------
    MissingExtraError
        Without anndata.
    OutputError
        When the file cannot be written.
    """
    found = to_anndata(cells)
    with atomic_write(path) as partial:
        found.write_h5ad(partial, compression="gzip")


def read_h5ad(path: Path) -> CellTable:
    """Read cells that `write_h5ad` wrote; columns and layers that others added are passed over.

    Raises
    ------
    MissingExtraError
        Without anndata.
    MissingFileError, CellsFileError
        When there is no such file, it is damaged or of another form, or its parts contradict each other.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file", "check the path")
    anndata = import_extra("anndata", EXTRA)
    try:
        found = anndata.read_h5ad(path)
    except Exception as error:  # h5py and anndata raise all kinds at damaged files
        raise CellsFileError(f"{path}: not a readable AnnData file", _HINT) from error
    try:
        return from_anndata(found)
    except (TypeError, ValueError) as error:
        raise CellsFileError(f"{path}: {error}", _HINT) from error
