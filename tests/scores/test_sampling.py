"""A sample of a slide's fields says what the whole slide would, with an interval that covers.
A score from synthetic tiles: estimates of the whole slide, and the same as ever when all are drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from cxpath.data.cells import CellTable, CellTableFacts, Kind, Subkind, TissueRegion
from cxpath.data.reasons import Reason, ReasonCode
from cxpath.scores.sampling import (
    FieldDrawing,
    FieldSample,
    SampledTiles,
    sample_of,
    score_sample,
    unassociated,
    why_enough,
)
from cxpath.scores.score import score_cells
from cxpath.scores.settings import Cutoff, SamplingSettings, ScoringSettings, SlideErrorSettings
from scripts.studies.coverage import SlidePlan, write_synthetic_slide

SETTINGS = SamplingSettings()


def sample(stratum: list[int], read: list[int], positive: list[int], tumour: list[int]) -> FieldSample:
    return FieldSample(np.array(stratum), np.array(read, bool), np.array(positive), np.array(tumour))


def test_each_field_stands_for_its_stratum() -> None:
    """By hand: stratum 0 has 4 fields of which 2 were read, stratum 1 one of one."""
    found = sample([0, 0, 0, 0, 1], [1, 0, 1, 0, 1], [2, 99, 4, 99, 30], [100, 0, 50, 0, 60])
    assert found.weights.tolist() == [2, 0, 2, 0, 1]
    assert (found.total_positive, found.total_tumour) == (42, 360)
    assert found.cps == pytest.approx(100 * 42 / 360)
    assert found.share_read == 0.6


def test_the_estimate_is_unbiased_over_all_samples() -> None:
    """Every sample of 2 out of 4 fields: the mean of the estimated totals is the total."""
    positive, tumour = [0, 7, 1, 12], [50, 80, 20, 30]
    pairs = [(a, b) for a in range(4) for b in range(a)]
    found = [sample([0] * 4, [int(at in pair) for at in range(4)], positive, tumour) for pair in pairs]
    assert np.mean([one.total_positive for one in found]) == pytest.approx(sum(positive))
    assert np.mean([one.total_tumour for one in found]) == pytest.approx(sum(tumour))


def test_all_read_is_no_sample() -> None:
    found = sample([0, 0, 1], [1, 1, 1], [1, 0, 5], [10, 20, 30])
    assert found.interval(0.95) == (found.cps, found.cps)
    assert found.draws(3).tolist() == [6, 6, 6]
    assert why_enough(found, [1.0], SETTINGS) == "all fields were read"


def test_no_positive_cell_seen_is_not_none_there() -> None:
    read = [1] * 8 + [0] * 72
    found = sample([0] * 80, read, [0] * 80, [100] * 80)
    low, high = found.interval(0.95)
    assert (found.cps, low) == (0, 0)
    assert 0 < high < 2.5
    more = sample([0] * 80, [1] * 40 + [0] * 40, [0] * 80, [100] * 80)
    assert more.interval(0.95)[1] < high


def test_the_score_is_capped() -> None:
    found = sample([0] * 4, [1, 1, 0, 0], [300, 500, 0, 0], [100, 200, 0, 0])
    assert found.cps == 100
    assert found.interval(0.95)[1] == 100


def test_no_tumour_is_no_score() -> None:
    found = sample([0] * 4, [1, 1, 0, 0], [0] * 4, [0] * 4)
    assert np.isnan(found.cps)
    assert not why_enough(found, [1.0], SETTINGS)


def test_what_was_seen_is_there() -> None:
    found = sample([0] * 20, [1] * 10 + [0] * 10, [0] * 9 + [40] + [0] * 10, [100] * 20)
    assert found.interval(0.99)[0] >= 100 * 40 / 2000


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**31))
def test_fields_are_drawn_once_until_all_are(first: int, second: int, seed: int) -> None:
    stratum = np.array([0] * first + [1] * second)
    rng = np.random.default_rng(seed)
    drawing = FieldDrawing(stratum, 1, SETTINGS)
    read = np.zeros(len(stratum), bool)
    drawn = drawing.first()
    assert set(np.flatnonzero(stratum == 1)) <= set(drawn)  # the rare stratum is read whole
    while len(drawn):
        assert not read[drawn].any()
        read[drawn] = True
        counts = np.where(read, rng.integers(0, 9, len(read)), 0)
        drawn = drawing.more(FieldSample(stratum, read.copy(), counts, counts + 50))
    assert read.all()


def test_more_is_drawn_where_fields_differ_more() -> None:
    stratum = np.repeat([0, 1], 60)
    drawing = FieldDrawing(stratum, -1, SETTINGS)
    read = np.zeros(120, bool)
    read[drawing.first()] = True
    uneven = np.where(stratum == 1, np.arange(120) % 7 * 10, 1)
    more = drawing.more(FieldSample(stratum, read, np.where(read, uneven, 0), np.full(120, 100)))
    assert (stratum[more] == 1).sum() > 2 * (stratum[more] == 0).sum()


def test_reading_stops_when_narrow_or_clear() -> None:
    even = sample([0] * 40, [1] * 20 + [0] * 20, [20, 21] * 20, [100] * 40)
    assert "narrow enough" in why_enough(even, [20.5], SETTINGS)
    positive = np.random.default_rng(1).integers(0, 80, 40).tolist()
    uneven = sample([0] * 40, [1] * 10 + [0] * 30, positive, [100] * 40)
    assert "clear of every cut-off" in why_enough(uneven, [1.0], SETTINGS)
    assert not why_enough(uneven, [1.0, uneven.cps], SETTINGS)


def test_intervals_cover_on_simulated_slides() -> None:
    """60 patchy slides, looked at from afar badly: 95 % asked for, at least 88 % demanded of so few."""
    rng = np.random.default_rng(3)
    hits, shares = [], []
    for _ in range(60):
        plan = SlidePlan(144, 300.0, float(rng.uniform(0.2, 30)), 1.0, 2.0, 90.0)
        counts = write_synthetic_slide(plan, SlideErrorSettings(), rng).counts
        brown = (counts.positive + 2) * np.exp(rng.normal(0, 0.7, len(counts.positive)))
        stratum = np.digitize(brown, np.quantile(brown, [0.31, 0.61, 0.92]))
        drawing, read = FieldDrawing(stratum, 3, SETTINGS), np.zeros(len(stratum), bool)
        read[drawing.first()] = True
        while True:
            seen = FieldSample(stratum, read, counts.positive * read, counts.tumour * read)
            if why_enough(seen, (1.0, 10.0), SETTINGS):
                break
            read = read.copy()
            read[drawing.more(seen)] = True
        truth = min(100.0, 100.0 * counts.positive.sum() / counts.tumour.sum())
        low, high = seen.interval(SETTINGS.level)
        hits.append(low <= truth <= high)
        shares.append(seen.share_read)
    assert np.mean(hits) >= 0.88
    assert np.mean(shares) < 0.6


FACTS = CellTableFacts(mpp=0.25, width_px=40_000, height_px=4096)
TILES, SIDE_PX = 16, 2048.0
SETTINGS_OF_SAMPLED_SCORE = ScoringSettings(stained_threshold=0.5)
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
    whole, sampled = (
        score_cells(cells, SETTINGS_OF_SAMPLED_SCORE, CUTOFFS),
        score_sample(cells, tiles([*range(16)]), SETTINGS_OF_SAMPLED_SCORE),
    )
    assert sampled.counts == whole.counts
    assert whole.cps
    assert sampled.cps
    assert sampled.cps.value == whole.cps.value


def test_a_sample_estimates_the_whole(cells: CellTable) -> None:
    read = [0, 2, 5, 8, 11, 12, 13, 14, 15]
    whole = score_cells(cells, SETTINGS_OF_SAMPLED_SCORE, CUTOFFS)
    found = score_sample(
        cells.take(np.isin(cells.tile, read)), tiles(read), SETTINGS_OF_SAMPLED_SCORE, CUTOFFS
    )
    assert found.counts
    assert found.cps
    assert whole.cps
    assert found.cps.value == pytest.approx(whole.cps.value, rel=0.1)
    counts = found.counts
    assert found.cps.value == pytest.approx(100 * counts.positive / counts.tumour)
    assert found.counts.tumour == pytest.approx(whole.counts.tumour if whole.counts else 0, rel=0.1)
    assert "sampling" in found.cps.method
    assert found.cps.cutoffs[0].probability == pytest.approx(whole.cps.cutoffs[0].probability, abs=0.05)
    assert set(found.null_because) == {"ic_area", "ic_cells", "tap", "h_score"}
    assert found.sensitivity == ()


def test_reading_less_widens_both_intervals(cells: CellTable) -> None:
    def widths(read: list[int]) -> tuple[float, float]:
        found = score_sample(cells.take(np.isin(cells.tile, read)), tiles(read), SETTINGS_OF_SAMPLED_SCORE)
        assert found.cps
        return float(np.ptp(found.cps.interval_slide)), float(np.ptp(found.cps.interval_tissue))

    few, many = widths([1, 7, 12, 15]), widths([*range(16)])
    assert few[0] > many[0]
    assert few[1] > many[1]


def test_tiles_read_beside_count_for_nothing_but_their_tumour_is_seen(cells: CellTable) -> None:
    """Immune cells of tile 0 stand alone; their tumour lies in tile 1, which was not sampled."""
    alone = cells.take((cells.kind == Kind.IMMUNE) & (cells.tile == 0))
    neighbours = cells.take((cells.kind == Kind.TUMOUR) & (cells.tile == 1))
    drawn = tiles([0, 12])
    assert unassociated(alone, drawn, SETTINGS_OF_SAMPLED_SCORE).sum() == (alone.stained >= 0.5).sum() > 0
    both = CellTable.concatenate([alone, neighbours])
    near = sample_of(both, drawn, SETTINGS_OF_SAMPLED_SCORE)
    assert sample_of(alone, drawn, SETTINGS_OF_SAMPLED_SCORE).positive.sum() == 0
    assert near.positive[0] > 0
    assert near.tumour.sum() == 0  # not drawn: its own tumour is not counted


def test_too_few_tumour_cells_are_not_evaluable(cells: CellTable) -> None:
    few = cells.take(np.isin(cells.tile, [0, 12]) & (np.arange(len(cells)) % 8 == 0))
    found = score_sample(few, tiles([0, 12]), SETTINGS_OF_SAMPLED_SCORE)
    assert not found.evaluable
    assert found.cps is None


def test_strata_differ_as_their_residuals_do() -> None:
    """Ratio 10 of 200; residuals of stratum 0 are 4 - 100/20 = -1 and 6 - 5 = 1: variance 2.

    Jeffreys' guess is less there: mean size 5, share (2 + .5) / (2 + 1), so 25 x 5/6 x 1/6 = 3.47 is more.
    """
    found = sample([0] * 4, [1, 1, 0, 0], [4, 6, 0, 0], [100, 100, 0, 0])
    assert found.spreads == pytest.approx([np.sqrt(25 * 5 / 6 / 6)])
    wide = sample([0] * 4, [1, 1, 0, 0], [1, 9, 0, 0], [100, 100, 0, 0])
    assert wide.spreads == pytest.approx([np.sqrt(32)])
    assert wide.variances == pytest.approx([4 * 2 / 2 * 32])


def test_a_stratum_without_a_positive_cell_takes_the_smallest_cluster_seen_elsewhere() -> None:
    """None of 3 fields positive: share (0 + .5) / (3 + 1) = 1/8, clusters of 6 as in the other stratum."""
    found = sample([0] * 6 + [1] * 2, [1, 1, 1, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 0, 6, 0], [100] * 8)
    assert found.spreads[0] == pytest.approx(np.sqrt(36 / 8 * 7 / 8))
    assert found.variances[1] == 0.0  # read whole


def test_where_none_was_ever_seen_a_cluster_is_of_three_cells() -> None:
    found = sample([0] * 6, [1, 1, 1, 0, 0, 0], [0] * 6, [100] * 6)
    assert found.spreads == pytest.approx([np.sqrt(9 * 1 / 8 * 7 / 8)])


def test_draws_have_the_mean_and_the_spread_of_the_estimate() -> None:
    positive = np.random.default_rng(5).integers(20, 60, 100).tolist()
    found = sample([0] * 100, [1] * 50 + [0] * 50, positive, [100] * 100)
    drawn = found.draws(40_000)
    assert drawn.mean() == pytest.approx(found.total_positive, rel=0.02)
    assert drawn.std() == pytest.approx(np.sqrt(found.variances.sum()), rel=0.1)
    assert found.draws(10).tolist() == found.draws(10).tolist()


def test_the_first_look_takes_a_share_and_no_fewer_than_the_least() -> None:
    stratum = np.repeat([0, 1, 2], [200, 30, 5])
    drawing = FieldDrawing(stratum, 1, SamplingSettings(first_share=0.1, fewest_in_stratum=8))
    assert np.bincount(stratum[drawing.first()]).tolist() == [20, 30, 5]


def test_what_is_drawn_next_is_a_share_of_what_was_read_and_four_at_least() -> None:
    stratum = np.zeros(100, dtype=np.int64)
    for first_share, more_share, expected in ((0.2, 0.5, 10), (0.08, 0.1, 4)):
        settings = SamplingSettings(first_share=first_share, fewest_in_stratum=2, more_share=more_share)
        drawing, read = FieldDrawing(stratum, -1, settings), np.zeros(100, bool)
        read[drawing.first()] = True
        counts = np.arange(100) % 5
        assert len(drawing.more(FieldSample(stratum, read, counts, counts + 50))) == expected


def test_a_drawing_is_repeated_by_its_seed() -> None:
    stratum = np.zeros(50, dtype=np.int64)
    one, same, other = (FieldDrawing(stratum, -1, SamplingSettings(seed=seed)).first() for seed in (1, 1, 2))
    assert one.tolist() == same.tolist()
    assert one.tolist() != other.tolist()


def test_without_a_cut_off_only_a_narrow_interval_is_enough() -> None:
    positive = np.random.default_rng(1).integers(0, 80, 40).tolist()
    uneven = sample([0] * 40, [1] * 10 + [0] * 30, positive, [100] * 40)
    assert why_enough(uneven, [], SETTINGS) == ""
    assert "95% sampling interval is narrow" in why_enough(uneven, [], SamplingSettings(relative_width=5.0))


def test_cells_of_no_drawn_tile_belong_to_no_field(cells: CellTable) -> None:
    drawn = tiles([3, 12])
    field = drawn.field_of(cells)
    assert set(np.unique(field)) == {3, 12, TILES}
    assert (field[cells.tile == 3] == 3).all()
    lost = cells.take(np.arange(3))
    lost.tile[:] = [-1, 500, 12]
    assert drawn.field_of(lost).tolist() == [TILES, TILES, 12]


def test_an_unread_tile_is_estimated_and_a_tile_beside_is_not_scored(cells: CellTable) -> None:
    """Half of the 12 quiet tiles and all 4 others: every cell of a quiet one stands for two."""
    read = [0, 1, 2, 3, 4, 5, 12, 13, 14, 15]
    found = score_sample(cells.take(np.isin(cells.tile, read)), tiles(read), SETTINGS_OF_SAMPLED_SCORE)
    tumour = (cells.kind == Kind.TUMOUR) & np.isin(cells.tile, read)
    assert found.counts is not None
    assert found.counts.tumour == pytest.approx(
        2 * (tumour & (cells.tile < 12)).sum() + (tumour & (cells.tile >= 12)).sum(), abs=1
    )
    assert found.counts.macrophage == 0
    assert found.counts.lymphocyte == found.counts.immune_positive


def test_where_no_positive_cell_was_read_both_intervals_rise(cells: CellTable) -> None:
    cells.stained[:] = 0.0
    read = [0, 12]
    sampled = score_sample(cells.take(np.isin(cells.tile, read)), tiles(read), SETTINGS_OF_SAMPLED_SCORE)
    whole = score_cells(cells, SETTINGS_OF_SAMPLED_SCORE)
    assert sampled.cps is not None
    assert whole.cps is not None
    assert sampled.cps.value == 0.0
    assert sampled.cps.interval_slide[1] > whole.cps.interval_slide[1]
    assert sampled.cps.interval_tissue[1] > whole.cps.interval_tissue[1]


def test_reasons_found_earlier_leave_estimated_counts(cells: CellTable) -> None:
    reason = Reason(ReasonCode.RESOLUTION, "the slide is upside down")
    found = score_sample(cells, tiles([*range(TILES)]), SETTINGS_OF_SAMPLED_SCORE, (), (reason,))
    assert found.not_evaluable_because == (reason,)
    assert found.cps is None
    assert found.counts is not None
    assert found.null_because["tap"] == "only a sample of the slide was read: score it whole"
