import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxpath.scores.cutoffs import Cutoff
from cxpath.scores.score_cells import score_cells
from cxpath.scores.settings import ScoringSettings
from cxpath.scores.slide_score import ScoreEstimate, SlideScore
from cxpath.values.cell_table import CellTable, TissueRegion
from tests.drawn_cells import drawn_cells, many
from tests.scores.tissues import FLAWLESS, GOOD, mixed

CUTOFFS = (Cutoff(1.0, "label"), Cutoff(10.0, "trial stratum, not a label"))


def score(cells: CellTable, **options: Any) -> SlideScore:
    return score_cells(cells, ScoringSettings(**options), CUTOFFS)


def cps_of(result: SlideScore) -> ScoreEstimate:
    assert result.cps is not None
    return result.cps


def test_cps_sums_over_the_slide_and_divides_once() -> None:
    result = score(many({"T+": 20, "T-": 180, "L+": 5, "M+": 3, "P+": 50, "L-": 40}))
    assert cps_of(result).value == pytest.approx(100 * (20 + 8) / 200)
    assert result.tps is not None
    assert result.tps.value == pytest.approx(10.0)


def test_cps_is_capped_at_100_but_counted_in_full() -> None:
    result = score(many({"T+": 100, "T-": 20, "L+": 300}))
    assert cps_of(result).value == 100.0
    assert cps_of(result).reported == "100"
    assert cps_of(result).interval_tissue[1] == 100.0
    assert result.counts is not None
    assert result.counts.immune_positive == 300


def test_immune_cells_enter_neither_the_denominator_nor_the_tps() -> None:
    few, lots = score(many({"T+": 10, "T-": 190})), score(many({"T+": 10, "T-": 190, "L+": 90, "L-": 90}))
    assert few.tps is not None
    assert lots.tps is not None
    assert few.tps.value == lots.tps.value == 5.0


@pytest.mark.parametrize("cells", [{"L+": 500}, {}])
def test_no_tumour_is_not_evaluable_and_never_zero(cells: dict[str, int]) -> None:
    result = score(many(cells))
    assert not result.evaluable
    assert result.cps is None
    assert result.tps is None
    assert "no viable tumour cell" in result.not_evaluable_because[0]
    assert result.as_dict()["cps"] is None


def test_99_tumour_cells_are_not_evaluable_and_100_are() -> None:
    short = score(many({"T+": 49, "T-": 50}))
    assert not short.evaluable
    assert "only 99 viable tumour cells" in short.not_evaluable_because[0]
    assert short.as_dict()["adequacy"] == {"viable_tumour_cells": 99, "required": 100}
    assert score(many({"T+": 50, "T-": 50})).evaluable


def test_the_unrounded_score_meets_the_cut_off() -> None:
    """0.95 would be rounded to 1.0 and flip the slide: the mistake of a predecessor."""
    result = cps_of(score(many({"T+": 19, "T-": 1981})))
    assert result.value == pytest.approx(0.95)
    assert not result.cutoffs[0].met
    assert result.reported == "<1"
    assert cps_of(score(many({"T+": 20, "T-": 1980}))).cutoffs[0].met


def test_near_a_cut_off_is_borderline_and_far_from_it_is_not() -> None:
    near, far = (
        score(mixed({"T+": positive, "T-": 1000 - positive}), slide_error=GOOD) for positive in (10, 500)
    )
    assert cps_of(near).cutoffs[0].borderline
    assert not cps_of(near).cutoffs[1].borderline
    assert not any(verdict.borderline for verdict in cps_of(far).cutoffs)


def test_reasons_found_earlier_leave_counts_but_no_score() -> None:
    result = score_cells(many({"T+": 200}), already_because=("the slide is upside down",))
    assert result.not_evaluable_because == ("the slide is upside down",)
    assert result.counts is not None
    assert result.cps is None


def test_the_h_score_needs_the_labs_own_cuts() -> None:
    cells = many({"T+": 100, "T-": 100})
    cells.dab_membrane_od[:100], cells.dab_membrane_od[100:] = 0.3, 0.01
    assert score(cells).h_score is None
    assert "intensity_cuts_od" in score(cells).null_because["h_score"]
    assert score(cells, intensity_cuts_od=(0.1, 0.2, 0.5)).h_score == pytest.approx(100.0)


@settings(deadline=None)  # thousands of draws each
@given(
    positive=st.integers(0, 60),
    negative=st.integers(100, 300),
    immune=st.integers(0, 100),
    excluded=st.integers(0, 50),
)
def test_invariants(positive: int, negative: int, immune: int, excluded: int) -> None:
    result = score(many({"T+": positive, "T-": negative, "L+": immune, "P+": excluded}))
    cps, tps = cps_of(result), result.tps
    assert tps is not None
    assert 0 <= tps.value <= cps.value <= 100
    for estimate in (cps, tps):
        for low, high in (estimate.interval_slide, estimate.interval_tissue):
            assert 0 <= low <= high <= 100
    assert all(0 <= verdict.probability <= 1 for verdict in cps.cutoffs)
    assert not any(math.isnan(verdict.probability) for verdict in cps.cutoffs)
    assert cps.cutoffs[0].probability >= cps.cutoffs[1].probability


def test_score_json_has_every_key_of_the_design() -> None:
    document = score(many({"T+": 10, "T-": 190})).as_dict()
    assert set(document) == {
        "evaluable",
        "not_evaluable_because",
        "adequacy",
        "counts",
        "cps",
        "tps",
        "ic_area",
        "ic_cells",
        "tap",
        "h_score",
        "h_score_grades",
        "null_because",
        "influence",
        "heterogeneity",
        "sensitivity",
    }
    assert set(document["cps"]) == {
        "value",
        "interval_slide",
        "interval_tissue",
        "level",
        "method",
        "reported",
        "cutoffs",
    }
    assert document["cps"]["cutoffs"]["10"]["basis"] == "trial stratum, not a label"


def test_the_counted_score_lies_in_the_interval_of_a_flawless_reader() -> None:
    result = cps_of(score(mixed({"T+": 60, "T-": 940, "L+": 20}), slide_error=FLAWLESS))
    low, high = result.interval_tissue
    assert low < result.value < high
    assert result.interval_slide == pytest.approx((result.value, result.value), abs=0.05)


def test_calls_known_to_miss_most_are_borderline_though_the_count_is_below() -> None:
    """0.9 was counted, but of a network that finds one in five the tumour's CPS is surely above 1."""
    blind = FLAWLESS.model_copy(update={"tumour_recall": 0.2})
    cut = cps_of(score(mixed({"T+": 90, "T-": 9910}), slide_error=blind)).cutoffs[0]
    assert not cut.met
    assert cut.probability > 0.975
    assert cut.borderline


def test_borderline_carries_its_sentence_and_ten_its_name() -> None:
    cuts = score(mixed({"T+": 10, "T-": 990}), slide_error=GOOD).as_dict()["cps"]["cutoffs"]
    assert cuts["1"]["review"] == "near the cut-off: pathologist review"
    assert "review" not in cuts["10"]
    assert cuts["10"]["basis"] == "trial stratum, not a label"


def test_whatever_lies_in_necrosis_or_benign_epithelium_never_counts() -> None:
    cells = drawn_cells("T+ T- L+ M+ L-\n" + "T- " * 100)
    everywhere = score(cells).counts
    assert everywhere is not None
    for region in (TissueRegion.NECROSIS, TissueRegion.BENIGN):
        cells.region[:5] = region
        counts = score(cells).counts
        assert counts is not None
        assert (counts.positive, counts.tumour, counts.other) == (0, 100, 5)
    assert (everywhere.positive, everywhere.tumour, everywhere.other) == (3, 102, 0)


def test_tumour_in_necrosis_keeps_no_immune_cell_with_it() -> None:
    cells = drawn_cells("T+ L+")
    cells.region[0] = TissueRegion.NECROSIS
    counts = score(cells).counts
    assert counts is not None
    assert (counts.immune_positive, counts.immune_positive_not_associated) == (0, 1)
