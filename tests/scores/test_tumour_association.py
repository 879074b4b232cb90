import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from cxpath.scores.tumour_association import distance_to_tumour_um, near_tumour
from cxpath.values.cell_table import CellTable, CellTableFacts, Kind
from tests.drawn_cells import drawn_cells


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(20, 900))
def test_the_quick_way_agrees_with_every_distance_measured(seed: int, reach_um: float) -> None:
    rng = np.random.default_rng(seed)
    facts = CellTableFacts(mpp=0.25, width_px=20_000, height_px=12_000)
    x, y = rng.uniform(0, 20_000, 120), rng.uniform(0, 12_000, 120)
    kind = rng.choice(3, 120, p=[0.05, 0.8, 0.15])
    cells = CellTable.from_columns(facts, x_px=x, y_px=y, kind=kind)
    immune = cells.kind == Kind.IMMUNE
    points = np.column_stack([x, y]) * 0.25
    tumour = points[cells.kind == Kind.TUMOUR]
    nearest = cdist(points, tumour).min(axis=1) if len(tumour) else np.full(120, np.inf)
    assert (near_tumour(cells, immune, reach_um) == (immune & (nearest <= reach_um))).all()
    found = distance_to_tumour_um(cells, immune, reach_um / 2, reach_um * 2)
    for limit in (reach_um / 2, reach_um, reach_um * 2):
        assert ((found <= limit) == (immune & (nearest <= limit))).all()


@pytest.mark.parametrize("picture", ["L+ M+", "T+ T-", "P+"])
def test_without_tumour_or_immune_cells_nothing_is_near(picture: str) -> None:
    cells = drawn_cells(picture)
    assert not near_tumour(cells, cells.kind == Kind.IMMUNE, 500.0).any()
