"""Cells as a pandas DataFrame and as AnnData, and back. Knows no files; both libraries are an extra."""

from __future__ import annotations

from dataclasses import asdict, fields
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cxpath.data.cells import (
    COLUMNS,
    EMBEDDING_COMPONENTS,
    SCHEMA,
    CellTable,
    CellTableFacts,
    Kind,
    Subkind,
    TissueRegion,
)
from cxpath.data.extras import import_extra

if TYPE_CHECKING:
    from anndata import AnnData
    from pandas import DataFrame

EXTRA = "scverse"

NAMED: dict[str, type[IntEnum]] = {"kind": Kind, "subkind": Subkind, "region": TissueRegion}
"""Columns that hold words."""

STAINING = "staining"
STAINING_WORDS = ("negative", "positive")
"""What `stained` means at the table's threshold; missing where nobody said it."""

FACTS_KEY, SPATIAL_KEY, EMBEDDING_KEY = "cxpath", "spatial", "embedding"
"""Names inside an AnnData: `uns["cxpath"]` states the facts, `obsm["spatial"]` the places in µm,
`obsm["embedding"]` what the network saw in each cell."""


def to_pandas(cells: CellTable) -> DataFrame:
    """Return one row a cell, with the columns of `cells.parquet`, `x_um`, `y_um` and `staining`.

    Words are categories in the order of their enumeration; `staining` is there when the table knows its
    threshold. Measured numbers that are unknown are NaN.
    """
    pandas = import_extra("pandas", EXTRA)
    columns: dict[str, Any] = {}
    for name, array in cells.columns().items():
        columns[name] = _words(pandas, array, NAMED[name]) if name in NAMED else array
    columns["x_um"], columns["y_um"] = (values * cells.facts.mpp for values in (cells.x_px, cells.y_px))
    if cells.facts.stained_threshold is not None:
        codes = staining_codes(cells.stained, cells.facts.stained_threshold)
        # Words as objects: anndata refuses to write the string arrays that newer pandas would make of them.
        words = pandas.Index(STAINING_WORDS, dtype=object)
        columns[STAINING] = pandas.Categorical.from_codes(codes, words)
    rows = pandas.Index(map(str, range(len(cells))), dtype=object)
    frame: DataFrame = pandas.DataFrame(columns, index=rows)
    return frame


def to_anndata(cells: CellTable) -> AnnData:
    """Return the cells as AnnData, from which `from_anndata` makes the same table again.

    `obs` is the frame of `to_pandas`, `obsm["spatial"]` (N, 2) the places in micrometres from the slide's top
    left corner, `uns["cxpath"]` the facts: µm per pixel, size, threshold, digests of slide and model, stains.
    Where cells have an embedding it is `obsm["embedding"]`, uint8 (N, 16), zeros for cells without. There are
    no variables: measurements are columns of `obs`.
    """
    pandas, anndata = import_extra("pandas", EXTRA), import_extra("anndata", EXTRA)
    frame = to_pandas(cells)
    places = frame[["x_um", "y_um"]].to_numpy(np.float64)
    found = anndata.AnnData(
        obs=frame.drop(columns=["x_um", "y_um"]), var=pandas.DataFrame(index=pandas.Index([], dtype=object))
    )
    found.obsm[SPATIAL_KEY] = places
    if cells.embedding is not None:
        found.obsm[EMBEDDING_KEY] = cells.embedding
    found.uns[FACTS_KEY] = _stated(cells.facts)
    return found


def from_anndata(found: AnnData) -> CellTable:
    """Return the table that `to_anndata` was made from, with what was changed in its columns since.

    Raises
    ------
    ValueError
        When it is not of cxpath's form, a word is unknown, or `staining` contradicts `stained`.
    """
    facts, obs = _facts(found.uns.get(FACTS_KEY)), found.obs
    missing = [name for name in COLUMNS if name not in obs.columns]
    if missing:
        raise ValueError(f"columns missing in obs: {', '.join(missing)}")
    columns: dict[str, Any] = {
        name: _codes(obs[name], name) if name in NAMED else obs[name].to_numpy(element)
        for name, element in COLUMNS.items()
    }
    cells = CellTable(facts, **columns, embedding=_embedding(found.obsm.get(EMBEDDING_KEY)))
    _refuse_other_places(cells, found.obsm.get(SPATIAL_KEY))
    if STAINING in obs.columns and facts.stained_threshold is not None:
        _refuse_contradiction(obs[STAINING], staining_codes(cells.stained, facts.stained_threshold))
    return cells


def staining_codes(stained: NDArray[np.float32], threshold: float) -> NDArray[np.int8]:
    """Return 1 for positive, 0 for negative and -1 where it is not known."""
    return np.where(np.isfinite(stained), (stained >= threshold).astype(np.int8), -1).astype(np.int8)


def _words(pandas: Any, codes: NDArray[np.uint8], members: type[IntEnum]) -> Any:
    words = pandas.Index([member.name.lower() for member in members], dtype=object)
    return pandas.Categorical.from_codes(codes.astype(np.int8), words)


def _codes(column: Any, name: str) -> NDArray[np.uint8]:
    codes = {member.name.lower(): int(member) for member in NAMED[name]}
    words = column.astype(object).to_numpy()
    strange = sorted({str(word) for word in set(words.tolist()) if word not in codes})
    if strange:
        raise ValueError(f"column {name} of obs contains {', '.join(strange[:5])}; known: {', '.join(codes)}")
    return np.array([codes[word] for word in words.tolist()], np.uint8)


def _stated(facts: CellTableFacts) -> dict[str, Any]:
    """Return facts that HDF5 can store: no None, and tuples of colours as arrays."""
    stated = {name: value for name, value in asdict(facts).items() if value is not None}
    stated["stain_vectors"] = np.array(facts.stain_vectors, np.float64).reshape(-1, 3)
    stated["white_point"] = np.array(facts.white_point, np.float64)
    return stated


def _facts(stated: Any) -> CellTableFacts:
    if not hasattr(stated, "items") or str(stated.get("schema")) != SCHEMA:
        raise ValueError(f'uns["{FACTS_KEY}"] does not state schema {SCHEMA}')
    known = {field.name for field in fields(CellTableFacts)}
    given = {name: value for name, value in stated.items() if name in known}
    try:
        values: dict[str, Any] = {name: str(value) for name, value in given.items()}
        values |= {name: float(given[name]) for name in ("mpp", "stained_threshold") if name in given}
        values |= {name: int(given[name]) for name in ("width_px", "height_px")}
        vectors = np.asarray(given["stain_vectors"]).reshape(-1, 3)
        values["stain_vectors"] = tuple(_colour(vector) for vector in vectors)
        values["white_point"] = _colour(np.asarray(given["white_point"]))
        facts = CellTableFacts(**values)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f'the facts in uns["{FACTS_KEY}"] are incomplete') from error
    if not 0 < facts.mpp < float("inf"):
        raise ValueError(f"mpp is {facts.mpp}, not a number of µm per pixel")
    return facts


def _embedding(stated: Any) -> NDArray[np.uint8] | None:
    if stated is None:
        return None
    found = np.asarray(stated)
    if found.dtype != np.uint8 or found.shape[1:] != (EMBEDDING_COMPONENTS,):
        raise ValueError(f'obsm["{EMBEDDING_KEY}"] is not {EMBEDDING_COMPONENTS} bytes a cell')
    return found


def _colour(numbers: NDArray[Any]) -> tuple[float, float, float]:
    first, second, third = (float(number) for number in numbers)
    return first, second, third


def _refuse_other_places(cells: CellTable, places: Any) -> None:
    """Refuse places in µm that are not those in pixels: cells were moved in one of the two."""
    if places is None:
        return
    own = np.column_stack([cells.x_px, cells.y_px]) * cells.facts.mpp
    if np.shape(places)[1:] != (2,) or not np.allclose(places, own, rtol=1e-6, atol=1e-3):
        raise ValueError(f'obsm["{SPATIAL_KEY}"] and x_px, y_px of obs say different places')


def _refuse_contradiction(column: Any, codes: NDArray[np.int8]) -> None:
    expected = {"negative": 0, "positive": 1}
    stated = np.array([expected.get(word, -1) for word in column.astype(object).tolist()])
    wrong = int((stated != codes).sum())
    if wrong:
        raise ValueError(f"column {STAINING} of obs contradicts stained in {wrong} cells: change stained")
