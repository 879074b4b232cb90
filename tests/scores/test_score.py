"""The score of a slide from its cells, with intervals, cut-offs and sensitivity."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from cxpath.data.cells import CellTable, TissueRegion
from cxpath.data.reasons import Reason, ReasonCode
from cxpath.documents.base import Estimate
from cxpath.documents.score import Adequacy, SlideScores
from cxpath.errors import ConfigurationError
from cxpath.scores.score import ScoreEstimate, SensitivityCase, SlideScore, score_cells, score_expression
from cxpath.scores.settings import Cutoff, Decision, ScoringSettings
from tests.scores.tissues import FLAWLESS, GOOD, mixed
from tests.synthetic_cells import many, synthetic_cells


def test_a_marker_without_the_labs_cuts_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="intensity_thresholds_od"):
        score_expression(many({"T-": 200}), "her2", ScoringSettings())


def test_her2_is_read_on_membranes_and_vegf_in_cytoplasm() -> None:
    cells = many({"T-": 200})
    cells.dab_membrane_od[:], cells.dab_cytoplasm_od[:] = 0.6, 0.15
    settings = ScoringSettings(intensity_thresholds_od=(0.1, 0.2, 0.5))
    assert score_expression(cells, "her2", settings).others.get("h_score") == pytest.approx(300.0)
    assert score_expression(cells, "vegf", settings).others.get("h_score") == pytest.approx(100.0)


def test_the_percentages_behind_the_h_score_add_up_to_100() -> None:
    cells = many({"T-": 200})
    cells.dab_membrane_od[:] = 0.05
    cells.dab_membrane_od[:60], cells.dab_membrane_od[60:80], cells.dab_membrane_od[80:90] = 0.1, 0.3, 0.9
    result = score_expression(cells, "egfr", ScoringSettings(intensity_thresholds_od=(0.1, 0.2, 0.5)))
    assert result.h_score_grades == pytest.approx({"0": 55.0, "1+": 30.0, "2+": 10.0, "3+": 5.0})
    assert result.others.get("h_score") == pytest.approx(30 + 20 + 15)
    assert SlideScores.of_score(result).h_score_grades == result.h_score_grades


def test_no_pdl1_score_comes_from_another_marker() -> None:
    cells = many({"T+": 200})
    cells.dab_membrane_od[:] = 0.6
    result = score_expression(cells, "egfr", ScoringSettings(intensity_thresholds_od=(0.1, 0.2, 0.5)))
    assert result.cps is None
    assert result.tps is None
    assert result.evaluable


def test_too_few_tumour_cells_are_not_evaluable() -> None:
    result = score_expression(
        many({"T-": 20}), "her2", ScoringSettings(intensity_thresholds_od=(0.1, 0.2, 0.5))
    )
    assert not result.evaluable
    assert result.others.get("h_score") is None


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
    assert result.not_evaluable_because[0].code is ReasonCode.NO_TUMOUR
    assert SlideScores.of_score(result).cps is None


def test_99_tumour_cells_are_not_evaluable_and_100_are() -> None:
    short = score(many({"T+": 49, "T-": 50}))
    assert not short.evaluable
    (reason,) = short.not_evaluable_because
    assert reason.code is ReasonCode.TOO_FEW_TUMOUR_CELLS
    assert "only 99 viable tumour cells" in reason.text
    assert SlideScores.of_score(short).adequacy == Adequacy(viable_tumour_cells=99, required=100)
    assert score(many({"T+": 50, "T-": 50})).evaluable


def test_the_unrounded_score_is_compared_with_the_cut_off() -> None:
    """0.95 would be rounded to 1.0 and flip the slide: the mistake of a predecessor."""
    result = cps_of(score(many({"T+": 19, "T-": 1981})))
    assert result.value == pytest.approx(0.95)
    assert result.cutoffs[0].met is not True
    assert result.reported == "<1"
    assert cps_of(score(many({"T+": 20, "T-": 1980}))).cutoffs[0].met is not False


def test_near_a_cut_off_is_borderline_and_far_from_it_is_not() -> None:
    near, far = (
        score(mixed({"T+": positive, "T-": 1000 - positive}), slide_error=GOOD) for positive in (10, 500)
    )
    assert cps_of(near).cutoffs[0].borderline
    assert not cps_of(near).cutoffs[1].borderline
    assert not any(verdict.borderline for verdict in cps_of(far).cutoffs)


UPSIDE_DOWN = Reason(ReasonCode.RESOLUTION, "the slide is upside down")


def test_reasons_found_earlier_leave_counts_but_no_score() -> None:
    result = score_cells(many({"T+": 200}), already_because=(UPSIDE_DOWN,))
    assert result.not_evaluable_because == (UPSIDE_DOWN,)
    assert result.counts is not None
    assert result.cps is None


def test_the_h_score_needs_the_labs_own_cuts() -> None:
    cells = many({"T+": 100, "T-": 100})
    cells.dab_membrane_od[:100], cells.dab_membrane_od[100:] = 0.3, 0.01
    assert score(cells).others.get("h_score") is None
    assert "intensity_thresholds_od" in score(cells).null_because["h_score"]
    assert score(cells, intensity_thresholds_od=(0.1, 0.2, 0.5)).others.get("h_score") == pytest.approx(100.0)


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


def test_the_counted_score_lies_in_the_interval_of_a_flawless_reader() -> None:
    result = cps_of(score(mixed({"T+": 60, "T-": 940, "L+": 20}), slide_error=FLAWLESS))
    low, high = result.interval_tissue
    assert low < result.value < high
    assert result.interval_slide == pytest.approx((result.value, result.value), abs=0.05)


def test_calls_known_to_miss_most_are_borderline_though_the_count_is_below() -> None:
    """0.9 was counted, but of a network that finds one in five the tumour's CPS is surely above 1."""
    blind = FLAWLESS.model_copy(update={"tumour_recall": 0.2})
    cut = cps_of(score(mixed({"T+": 90, "T-": 9910}), slide_error=blind)).cutoffs[0]
    assert cut.decision is Decision.UNCERTAIN
    assert cut.probability > 0.975
    assert cut.borderline


def test_borderline_carries_its_sentence_and_ten_its_name() -> None:
    cuts = Estimate.of_score(cps_of(score(mixed({"T+": 10, "T-": 990}), slide_error=GOOD))).cutoffs
    assert cuts["1"].review == "near the cut-off: pathologist review"
    assert cuts["10"].review is None
    assert cuts["10"].basis == "trial stratum, not a label"


def test_whatever_lies_in_necrosis_or_benign_epithelium_never_counts() -> None:
    cells = synthetic_cells("T+ T- L+ M+ L-\n" + "T- " * 100)
    everywhere = score(cells).counts
    assert everywhere is not None
    for region in (TissueRegion.NECROSIS, TissueRegion.BENIGN):
        cells.region[:5] = region
        counts = score(cells).counts
        assert counts is not None
        assert (counts.positive, counts.tumour, counts.other) == (0, 100, 5)
    assert (everywhere.positive, everywhere.tumour, everywhere.other) == (3, 102, 0)


def test_tumour_in_necrosis_keeps_no_immune_cell_with_it() -> None:
    cells = synthetic_cells("T+ L+")
    cells.region[0] = TissueRegion.NECROSIS
    counts = score(cells).counts
    assert counts is not None
    assert (counts.immune_positive, counts.immune_positive_not_associated) == (0, 1)


def panel(cells: CellTable) -> dict[tuple[str, float], SensitivityCase]:
    settings = ScoringSettings(stained_threshold=0.6, minimum_tumour_cells=1)
    cases = score_cells(cells, settings, CUTOFFS).sensitivity
    return {(case.choice, round(case.setting, 3)): case for case in cases}


def test_a_threshold_ten_percent_lower_or_higher() -> None:
    cells = many({"T-": 100})
    cells.stained[:3] = [0.55, 0.62, 0.95]
    found = panel(cells)
    assert found["staining threshold", 0.54].cps == pytest.approx(3.0)
    assert found["staining threshold", 0.66].cps == pytest.approx(1.0)
    assert found["staining threshold", 0.66].flips == ()


def test_a_flip_of_a_cut_off_is_named() -> None:
    cells = many({"T-": 100})
    cells.stained[0] = 0.62
    assert panel(cells)["staining threshold", 0.66].flips == (1.0,)


def test_the_stricter_membrane_rule_drops_what_is_barely_stained_and_no_immune_cell() -> None:
    cells = many({"T+": 20, "T-": 78, "L+": 2})
    cells.membrane_completeness[:] = 0.02
    cells.membrane_completeness[:8] = 0.5
    case = panel(cells)["membrane completeness", 0.1]
    assert case.cps == pytest.approx(100 * (8 + 2) / 98)
    cells.membrane_completeness[:7] = np.nan  # not measured is not excluded
    assert panel(cells)["membrane completeness", 0.1].cps == pytest.approx(100 * (8 + 2) / 98)


def test_cells_without_measured_membranes_say_so() -> None:
    case = panel(many({"T+": 20, "T-": 80}))["membrane completeness", 0.1]
    assert case.cps is None
    assert "no membrane was measured" in case.because


def test_half_and_double_the_association_distance() -> None:
    """Stained lymphocytes at 120, 360 and 720 µm from the tumour cell."""
    cells = synthetic_cells("T- " + ".. " * 9 + "L+ " + ".. " * 19 + "L+ " + ".. " * 29 + "L+")
    found = panel(cells)
    assert [found["association distance", um].cps for um in (250.0, 1000.0)] == [100.0, 100.0]
    many_tumour = synthetic_cells("T- " * 50 + ".. " * 9 + "L+ " + ".. " * 19 + "L+ " + ".. " * 29 + "L+")
    found = panel(many_tumour)
    scores = [found["association distance", um].cps for um in (250.0, 1000.0)]
    assert scores == pytest.approx([100 / 50, 300 / 50])


def test_the_panel_can_be_written() -> None:
    result = score_cells(many({"T+": 5, "T-": 195, "L+": 3}), ScoringSettings(), CUTOFFS)
    assert SlideScores.of_score(result).sensitivity[0].choice == "staining threshold"
