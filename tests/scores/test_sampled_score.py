"""A score from drawn tiles: estimates of the whole slide, and the same as ever when all are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from cxpath.scores.cutoffs import Cutoff
from cxpath.scores.sampled_score import SampledTiles, sample_of, score_sample, unassociated
from cxpath.scores.score_cells import score_cells
from cxpath.scores.settings import ScoringSettings
from cxpath.values.cell_table import CellTable, CellTableFacts, Kind, Subkind, TissueRegion

FACTS = CellTableFacts(mpp=0.25, width_px=40_000, height_px=4096)
TILES, SIDE_PX = 16, 2048.0
SETTINGS = ScoringSettings(stained_threshold=0.5)
CUTOFFS = (Cutoff(1.0, "label"),)


@pytest.fixture
def cells() -> CellTable:
    """Tiles in a row; the last four are three times as positive."""
    rng = np.random.default_rng(2)
    number = 4000
    tile = rng.integers(0, TILES, number)
    kind = np.where(rng.random(number) < 0.7, Kind.TUMOUR, Kind.IMMUNE)
    return CellTable.from_columns(
        FACTS,
        x_px=tile * SIDE_PX + rng.uniform(0, SIDE_PX, number),
        y_px=rng.uniform(0, SIDE_PX, number),
        kind=kind,
        subkind=np.where(kind == Kind.IMMUNE, Subkind.LYMPHOCYTE, Subkind.UNKNOWN),
        stained=(rng.random(number) < np.where(tile >= 12, 0.3, 0.1)).astype(float),
        region=np.full(number, TissueRegion.NEST),
        membrane_completeness=np.ones(number),
        tile=tile,
    )


def tiles(read: list[int]) -> SampledTiles:
    drawn = np.zeros(TILES, bool)
    drawn[read] = True
    return SampledTiles(np.arange(TILES), np.repeat([0, 1], [12, 4]), drawn)


def test_all_tiles_drawn_is_the_whole_slide(cells: CellTable) -> None:
    whole, sampled = score_cells(cells, SETTINGS, CUTOFFS), score_sample(cells, tiles([*range(16)]), SETTINGS)
    assert sampled.counts == whole.counts
    assert whole.cps
    assert sampled.cps
    assert sampled.cps.value == whole.cps.value


def test_a_sample_estimates_the_whole(cells: CellTable) -> None:
    read = [0, 2, 5, 8, 11, 12, 13, 14, 15]
    whole = score_cells(cells, SETTINGS, CUTOFFS)
    found = score_sample(cells.take(np.isin(cells.tile, read)), tiles(read), SETTINGS, CUTOFFS)
    assert found.counts
    assert found.cps
    assert whole.cps
    assert found.cps.value == pytest.approx(whole.cps.value, rel=0.1)
    counts = found.counts
    assert found.cps.value == pytest.approx(100 * counts.positive / counts.tumour)
    assert found.counts.tumour == pytest.approx(whole.counts.tumour if whole.counts else 0, rel=0.1)
    assert "sampling" in found.cps.method
    assert found.cps.cutoffs[0].met
    assert set(found.null_because) == {"ic_area", "ic_cells", "tap", "h_score"}
    assert found.sensitivity == ()


def test_reading_less_widens_both_intervals(cells: CellTable) -> None:
    def widths(read: list[int]) -> tuple[float, float]:
        found = score_sample(cells.take(np.isin(cells.tile, read)), tiles(read), SETTINGS)
        assert found.cps
        return float(np.ptp(found.cps.interval_slide)), float(np.ptp(found.cps.interval_tissue))

    few, many = widths([1, 7, 12, 15]), widths([*range(16)])
    assert few[0] > many[0]
    assert few[1] > many[1]


def test_tiles_read_beside_count_for_nothing_but_their_tumour_is_seen(cells: CellTable) -> None:
    """Immune cells of tile 0 stand alone; their tumour lies in tile 1, which was not drawn."""
    alone = cells.take((cells.kind == Kind.IMMUNE) & (cells.tile == 0))
    neighbours = cells.take((cells.kind == Kind.TUMOUR) & (cells.tile == 1))
    drawn = tiles([0, 12])
    assert unassociated(alone, drawn, SETTINGS).sum() == (alone.stained >= 0.5).sum() > 0
    both = CellTable.concatenate([alone, neighbours])
    near = sample_of(both, drawn, SETTINGS)
    assert sample_of(alone, drawn, SETTINGS).positive.sum() == 0
    assert near.positive[0] > 0
    assert near.tumour.sum() == 0  # not drawn: its own tumour is not counted


def test_too_few_tumour_cells_are_not_evaluable(cells: CellTable) -> None:
    few = cells.take(np.isin(cells.tile, [0, 12]) & (np.arange(len(cells)) % 8 == 0))
    found = score_sample(few, tiles([0, 12]), SETTINGS)
    assert not found.evaluable
    assert found.cps is None
