"""The score of a slide from its cells, with intervals, cut-offs and sensitivity."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from cxpath.data.cells import CellTable, TissueRegion
from cxpath.data.reasons import Reason, ReasonCode
from cxpath.documents.base import Estimate
from cxpath.documents.score import Adequacy, SlideScores
from cxpath.errors import ConfigurationError
from cxpath.scores.counts import call_cells
from cxpath.scores.score import (
    ScoreEstimate,
    SensitivityCase,
    SlideScore,
    call_within,
    immune_distance_um,
    score_cells,
    score_expression,
    score_fields,
)
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


def test_a_choice_that_lifts_the_score_over_a_cut_off_flips_it_too() -> None:
    """Nine of 100 stained, a tenth and an eleventh just below: the lower threshold reaches 10."""
    cells = many({"T-": 100})
    cells.stained[:9], cells.stained[9:11] = 0.95, 0.56
    case = panel(cells)["staining threshold", 0.54]
    assert case.cps == pytest.approx(11.0)
    assert case.flips == (10.0,)


def test_the_panel_is_capped_as_the_score_is() -> None:
    cases = panel(many({"T+": 60, "T-": 40, "L+": 300}))
    assert {case.cps for case in cases.values() if case.cps is not None} == {100.0}


def test_cells_in_necrosis_enter_no_case_of_the_panel() -> None:
    cells = many({"T+": 20, "T-": 80})
    cells.membrane_completeness[:] = 1.0
    cells.region[:20] = TissueRegion.NECROSIS
    assert {case.cps for case in panel(cells).values() if case.choice != "membrane completeness"} == {0.0}


@pytest.mark.parametrize("seed", range(5))
def test_one_distance_serves_the_call_and_the_panel(seed: int) -> None:
    """The shared measurement, exact from half to twice the reach, calls as the plain way does."""
    rng = np.random.default_rng(seed)
    cells = mixed({"T-": 4, "L+": 60, "M-": 30, "P+": 10}, spacing_um=90.0, seed=seed)
    cells.stained[:] = rng.random(len(cells))
    reach_um = float(rng.uniform(60.0, 400.0))
    within = call_within(cells, 0.5, immune_distance_um(cells, reach_um), reach_um)
    assert within.counted.tolist() == call_cells(cells, 0.5, reach_um).counted.tolist()


def test_a_cell_at_exactly_the_association_distance_counts() -> None:
    cells = synthetic_cells("T- .. .. .. .. L+")  # 60 µm apart
    for reach_um, counted in ((60.0, 1), (59.9, 0)):
        assert call_within(cells, 0.5, immune_distance_um(cells, reach_um), reach_um).counted.sum() == counted


def test_a_slide_that_a_person_classified_whole_has_no_error_of_calls() -> None:
    cells = mixed({"T+": 60, "T-": 940, "L+": 20})
    every = np.ones(len(cells), dtype=bool)
    plain, by_person = (
        cps_of(score_cells(cells, ScoringSettings(), CUTOFFS, by_person=chosen)) for chosen in (None, every)
    )
    assert by_person.value == plain.value == pytest.approx(8.0)
    assert by_person.interval_slide == pytest.approx((8.0, 8.0), abs=0.05)
    assert plain.interval_slide[1] - plain.interval_slide[0] > 1.0
    half = cps_of(score_cells(cells, ScoringSettings(), CUTOFFS, by_person=np.arange(len(cells)) % 2 == 0))
    widths = [one.interval_slide[1] - one.interval_slide[0] for one in (by_person, half, plain)]
    assert widths == sorted(widths)


def test_the_threshold_that_the_cells_carry_is_used_and_the_laboratorys_goes_before_it() -> None:
    cells = many({"T-": 100})
    cells.stained[:30], cells.stained[30:40] = 0.4, 0.8
    carrying = replace(cells, facts=replace(cells.facts, stained_threshold=0.3))
    assert cps_of(score_cells(carrying)).value == pytest.approx(40.0)
    assert cps_of(score_cells(carrying, ScoringSettings(stained_threshold=0.6))).value == pytest.approx(10.0)
    assert cps_of(score_cells(cells)).value == pytest.approx(10.0)


def test_fields_add_up_to_the_counts_of_the_score() -> None:
    cells = mixed({"T+": 30, "T-": 170, "L+": 40, "L-": 10}, spacing_um=120.0)
    settings = ScoringSettings(minimum_tumour_cells=1, association_distance_um=150.0)
    counts, lattice = score_cells(cells, settings).counts, score_fields(cells, settings)
    assert counts is not None
    assert lattice.counts.tumour.sum() == counts.tumour
    assert lattice.counts.positive.sum() == counts.positive
    assert lattice.side_px == 500.0 / cells.facts.mpp


def test_another_marker_without_a_measured_membrane_has_no_h_score() -> None:
    settings = ScoringSettings(intensity_thresholds_od=(0.1, 0.2, 0.5))
    result = score_expression(many({"T-": 200}), "her2", settings)
    assert result.others == {}
    assert result.h_score_grades is None
    assert result.evaluable


def test_another_marker_keeps_earlier_reasons_and_counts_no_cell_as_positive() -> None:
    cells = many({"T+": 200, "L+": 30})
    cells.dab_cytoplasm_od[:] = 0.3
    settings = ScoringSettings(intensity_thresholds_od=(0.1, 0.2, 0.5))
    result = score_expression(cells, "vegf", settings, (UPSIDE_DOWN,))
    assert result.not_evaluable_because == (UPSIDE_DOWN,)
    assert result.others == {}
    assert result.h_score_grades is None
    assert result.counts is not None
    assert (result.counts.positive, result.counts.tumour) == (0, 200)
    assert set(result.null_because) == {"ic_area", "ic_cells", "tap"}
    assert [warning.code for warning in result.warnings] == [ReasonCode.OTHER_MARKER]


def test_the_hint_about_missing_cuts_can_be_pasted() -> None:
    with pytest.raises(ConfigurationError) as error:
        score_expression(many({"T-": 200}), "egfr", ScoringSettings())
    assert "--set 'scoring.intensity_thresholds_od=[0.1, 0.25, 0.5]'" in (error.value.hint or "")
