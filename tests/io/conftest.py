from __future__ import annotations

import numpy as np
import pytest

from cxpath.data.cells import CellTable, CellTableFacts


@pytest.fixture
def facts() -> CellTableFacts:
    return CellTableFacts(
        mpp=0.2527,
        width_px=40_000,
        height_px=30_000,
        slide_digest="ab" * 32,
        model_digest="cd" * 32,
        stain_vectors=((0.7, 0.64, 0.31), (0.33, 0.53, 0.78)),
        white_point=(243.0, 242.5, 241.0),
    )


@pytest.fixture
def cells(facts: CellTableFacts) -> CellTable:
    return CellTable.from_columns(
        facts,
        x_px=[100.5, 2000.25, 31_000.75, 5.0],
        y_px=[200.5, 100.0, 29_000.125, 6.0],
        kind=[0, 0, 1, 2],
        subkind=[0, 0, 1, 6],
        p_tumour=[0.9, 0.8, 0.1, 0.0],
        p_immune=[0.1, 0.1, 0.8, 0.1],
        p_other=[0.0, 0.1, 0.1, 0.9],
        stained=[0.97, 0.02, 0.5, np.nan],
        dab_membrane_od=[0.61, 0.01, 0.3, np.nan],
        region=[1, 1, 2, 0],
        tile=[0, 3, 3, 7],
    )
