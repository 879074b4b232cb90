"""Any table of cells that a run or a person could leave, for tests of what a file form keeps of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cxpath.data.cells import CellTable, CellTableFacts, Kind, Subkind, TissueRegion
from cxpath.io.cell_classes import fits
from cxpath.io.cells import CellsGeojsonWriter
from cxpath.io.geojson import Bounds

WIDTH_PX, HEIGHT_PX = 60_000, 40_000
_PAIRS = [(kind, subkind) for kind in Kind for subkind in Subkind if fits(kind, subkind)]
_DENSITIES = ("dab_membrane_od", "dab_cytoplasm_od", "hematoxylin_od")


@st.composite
def cell_tables(draw: st.DrawFn, *, most: int = 30, embedding: bool = False) -> CellTable:
    """Return tables of 1 to `most` cells: every class, measured or not, with or without probabilities.

    With `embedding`, some tables have one, for all or some of their cells.
    """
    number = draw(st.integers(1, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pairs = np.array(_PAIRS)[rng.integers(0, len(_PAIRS), number)]
    kind, subkind = pairs[:, 0].astype(np.uint8), pairs[:, 1].astype(np.uint8)

    def shares(low: float, high: float) -> Any:
        return _with_gaps(draw, rng, number, low, high)

    columns: dict[str, Any] = {name: shares(-1.0, 3.0) for name in _DENSITIES}
    columns |= {"stained": shares(0.0, 1.0), "membrane_completeness": shares(0.0, 1.0)}
    columns |= dict(zip(("p_tumour", "p_immune", "p_other"), _probabilities(rng, kind), strict=True))
    threshold = draw(st.none() | st.floats(0.05, 0.95))
    facts = CellTableFacts(
        mpp=draw(st.floats(0.1, 1.0)),
        width_px=WIDTH_PX,
        height_px=HEIGHT_PX,
        slide_digest=draw(st.sampled_from(["", "ab" * 32])),
        model_digest=draw(st.sampled_from(["", "cd" * 32])),
        stain_vectors=draw(st.sampled_from([(), ((0.65, 0.7, 0.29), (0.27, 0.57, 0.78))])),
        white_point=(241.5, 240.25, 243.0),
        stained_threshold=threshold,
    )
    return CellTable.from_columns(
        facts,
        x_px=draw(_places(number, WIDTH_PX)),
        y_px=draw(_places(number, HEIGHT_PX)),
        kind=kind,
        subkind=subkind,
        diameter_um=shares(2.0, 30.0),
        region=rng.integers(0, len(TissueRegion), number),
        tile=rng.integers(-1, 5000, number),
        embedding=_embedding(rng, number) if embedding and draw(st.booleans()) else None,
        **columns,
    )


def _embedding(rng: np.random.Generator, number: int) -> Any:
    known = rng.random((number, 1)) < 0.8
    return np.where(known, rng.integers(1, 256, (number, 16)), 0).astype(np.uint8)


def _places(number: int, size_px: int) -> st.SearchStrategy[Any]:
    return arrays.arrays(np.float64, number, elements=st.floats(0, size_px, exclude_max=True, width=64))


def _with_gaps(draw: st.DrawFn, rng: np.random.Generator, number: int, low: float, high: float) -> Any:
    """Return numbers of a column, of which none, some or all are unknown."""
    values = rng.uniform(low, high, number).astype(np.float32)
    unknown = rng.random(number) < draw(st.sampled_from([0.0, 0.3, 1.0]))
    return np.where(unknown, np.nan, values)


def _probabilities(rng: np.random.Generator, kind: Any) -> Any:
    """Return probabilities that speak for each cell's kind; unknown for some of the cells."""
    given = np.sort(rng.dirichlet([1.0, 1.0, 1.0], len(kind)), axis=1).astype(np.float32)  # the largest last
    order = np.stack([(kind + 1) % 3, (kind + 2) % 3, kind], axis=1)
    own = np.empty_like(given)
    np.put_along_axis(own, order.astype(np.int64), given, axis=1)
    own[rng.random(len(kind)) < 0.2] = np.nan
    return own.T


def write_cells_geojson(
    tables: Iterable[CellTable],
    path: Path,
    facts: CellTableFacts,
    bounds_px: Bounds,
    *,
    stained_threshold: float,
) -> int:
    """Write all tables and return the number of cells."""
    with CellsGeojsonWriter(path, facts, bounds_px, stained_threshold=stained_threshold) as writer:
        for cells in tables:
            writer.append(cells)
    return writer.number
