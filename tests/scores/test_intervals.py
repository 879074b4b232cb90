from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from cxpath.scores.counts import GroupedCounts
from cxpath.scores.intervals import (
    USUAL_UNEVENNESS,
    USUAL_WEIGHT,
    field_dispersion,
    sample_found,
    sample_scores,
    sample_true,
)
from cxpath.scores.settings import SlideErrorSettings, decades_of
from scripts.studies.coverage import random_plan, write_synthetic_slide
from tests.scores.tissues import FLAWLESS, GOOD, SURE, even_fields


@pytest.mark.parametrize(("fields", "positive", "low", "high"), [(10, 1, 0.48, 1.84), (200, 1, 0.87, 1.15)])
def test_counting_noise_alone_gives_the_clinical_briefs_interval(
    fields: int, positive: int, low: float, high: float
) -> None:
    """CPS 1.0 of 1,000 and of 20,000 tumour cells: 0.48 to 1.84 and 0.87 to 1.15 (exact Poisson).

    The exact interval covers more than 95 %; ours lies within it and is nearly as wide.
    """
    cps, _ = sample_scores([even_fields(fields, positive, 99)], FLAWLESS)
    own = cps.interval_tissue(0.95)
    assert low - 0.02 <= own[0] < 1.0 < own[1] <= high + 0.02
    assert own[1] - own[0] > 0.88 * (high - low)
    assert cps.interval_slide(0.95) == pytest.approx((1.0, 1.0), abs=0.02)


def test_the_same_cells_give_the_same_interval() -> None:
    fields = even_fields(12, 3, 90, 4, 20)
    first, second = (sample_scores([fields], GOOD)[0].interval_tissue(0.95) for _ in range(2))
    assert first == second


def test_clusters_widen_the_interval_of_the_tumour_and_not_that_of_the_slide() -> None:
    even, patchy = even_fields(40, 5, 95), even_fields(40, 5, 95)
    patchy.tumour_positive[:], patchy.tumour_negative[:] = 0, 100
    patchy.tumour_positive[:4], patchy.tumour_negative[:4] = 50, 50
    widths = [
        np.diff(sample_scores([counts], FLAWLESS)[0].interval_tissue(0.95))[0] for counts in (even, patchy)
    ]
    assert widths[1] > 2 * widths[0]
    assert sample_scores([patchy], FLAWLESS)[0].interval_slide(0.95) == pytest.approx((5.0, 5.0), abs=0.02)


def test_slides_that_differ_more_widen_both_intervals() -> None:
    fields = even_fields(100, 20, 180)
    uneven = GOOD.model_copy(update={"tumour_recall_spread": 1.5})
    for kind in ("interval_slide", "interval_tissue"):
        narrow, wide = (getattr(sample_scores([fields], error)[0], kind)(0.95) for error in (GOOD, uneven))
        assert wide[1] - wide[0] > 1.5 * (narrow[1] - narrow[0])


def test_missed_cells_are_in_the_interval() -> None:
    half = FLAWLESS.model_copy(update={"tumour_recall": 0.5})
    low, high = sample_scores([even_fields(50, 10, 90)], half)[0].interval_slide(0.95)
    assert low < 20.0 < high
    assert low > 18.0


def test_more_slides_of_a_case_are_surer_than_one() -> None:
    fields = even_fields(50, 10, 90)
    one, four = (np.diff(sample_scores([fields] * n, GOOD)[0].interval_slide(0.95))[0] for n in (1, 4))
    assert four < 0.75 * one


def test_the_tps_knows_no_immune_cells() -> None:
    _, without = sample_scores([even_fields(20, 4, 96)], GOOD)
    _, with_immune = sample_scores([even_fields(20, 4, 96, 50, 50)], GOOD)
    assert without.slide.mean() == pytest.approx(with_immune.slide.mean(), rel=0.02)


def test_draws_are_capped_and_probabilities_fall() -> None:
    cps, _ = sample_scores([even_fields(20, 50, 50, 200, 10)], SlideErrorSettings())
    assert cps.slide.max() == 100.0
    chances = [cps.probability_at_least(cutoff) for cutoff in (1.0, 10.0, 50.0)]
    assert chances == sorted(chances, reverse=True)


def test_nearly_nothing_is_left_of_what_is_usual_where_many_fields_speak() -> None:
    """300 even fields of 4: own variance 0 of 299 degrees; usual 1200 + 0.3 x 1200^2 / 300 of 6."""
    even = field_dispersion(np.full(300, 4), np.full(300, 100))
    assert even.degrees == 299 + USUAL_WEIGHT
    assert even.variance == pytest.approx(USUAL_WEIGHT / 305 * (1200 + USUAL_UNEVENNESS * 1200**2 / 300))
    assert even.variance < 1200


def test_one_hot_field_leaves_one_degree_of_its_own() -> None:
    hot = np.zeros(30, dtype=np.int64)
    hot[0] = 120
    spread = field_dispersion(hot, np.full(30, 100))
    usual = 120 + USUAL_UNEVENNESS * 120**2 / 30
    own = (spread.variance * spread.degrees - usual * USUAL_WEIGHT) / (spread.degrees - USUAL_WEIGHT)
    assert own == pytest.approx(116.0**2 + 29 * 16, rel=0.06)
    assert spread.degrees == pytest.approx(1.0 + USUAL_WEIGHT, abs=0.1)


def test_a_single_field_has_the_usual_doubt_and_no_positive_cell_none() -> None:
    single = field_dispersion(np.array([50]), np.array([400]))
    assert (single.variance, single.degrees) == (50 + USUAL_UNEVENNESS * 50**2, USUAL_WEIGHT)
    assert field_dispersion(np.zeros(4, dtype=np.int64), np.full(4, 100)).variance == 0.0


def test_few_tumour_cells_without_a_positive_one_leave_doubt_about_1_and_many_leave_none() -> None:
    """Of 120 cells none: a CPS of 1 cannot be ruled out. Of 1,200 it can."""
    chances = [
        sample_scores([even_fields(4, 0, cells)], FLAWLESS)[0].probability_at_least(1.0)
        for cells in (30, 300)
    ]
    assert chances[0] > 0.025
    assert chances[1] < 0.001


BUNDLED = SlideErrorSettings(
    tumour_recall=0.53734, tumour_recall_spread=1.163378, tumour_specificity=0.998106,
    tumour_specificity_spread=1.784299, immune_recall=0.438039, immune_recall_spread=0.68001,
    immune_specificity=0.991917, immune_specificity_spread=0.902569, tumour_found=1.081977,
    tumour_found_spread=0.149287,
)  # fmt: skip
"""Of the model `small` 0.5, whose errors differ much between slides."""


def stained_by_one_kind(counted: float, cells: int, *, immune: bool = False) -> GroupedCounts:
    """Return 25 even fields in which one kind alone is stained, and half as many cells of the other."""
    stained, all_cells, others = (
        np.diff(np.arange(26) * number // 25) for number in (round(counted * cells / 100), cells, cells // 2)
    )
    nothing = np.zeros(25, dtype=np.int64)
    if immune:
        return GroupedCounts(nothing, all_cells, stained, others, nothing)
    return GroupedCounts(stained, all_cells - stained, nothing, others, nothing)


@pytest.mark.parametrize(("counted", "truly"), [(50.0, 0.994), (20.0, 0.973), (5.0, 0.865)])
@pytest.mark.parametrize("cells", [200, 650, 2_000, 20_000])
def test_more_cells_do_not_make_a_stained_tumour_less_credible(
    counted: float, truly: float, cells: int
) -> None:
    """Of slides that count so much, this share truly reaches 1
    (`scripts/studies/measure_counted_score.py`)."""
    cps, tps = sample_scores([stained_by_one_kind(counted, cells)], BUNDLED)
    assert cps.probability_at_least(1.0) == pytest.approx(truly, abs=0.01 if counted > 10 else 0.05)
    assert tps.probability_at_least(1.0) == pytest.approx(truly, abs=0.02 if counted > 10 else 0.05)


def test_a_tumour_stained_by_its_own_cells_alone_has_an_interval_of_its_own_order() -> None:
    for cells in (1_000, 20_000):
        cps, _ = sample_scores([stained_by_one_kind(50, cells)], BUNDLED)
        assert cps.interval_tissue(0.95)[0] > 5.0
        assert cps.probability_at_least(10.0) > 0.97


def test_stained_immune_cells_alone_do_not_lose_credit_with_their_number_either() -> None:
    chances = [
        sample_scores([stained_by_one_kind(20, cells, immune=True)], BUNDLED)[0].probability_at_least(1.0)
        for cells in (300, 3_000, 30_000)
    ]
    assert min(chances) > 0.98


def test_a_low_count_stays_as_doubtful_as_it_is() -> None:
    """Of simulated slides that count 0.5 by tumour cells alone 19 % (2,000 cells) truly reach 1."""
    cps, _ = sample_scores([stained_by_one_kind(0.5, 2_000)], BUNDLED)
    assert cps.probability_at_least(1.0) == pytest.approx(0.19, abs=0.04)


def test_several_slides_of_a_low_case_do_not_add_up_to_a_high_one() -> None:
    """Half of false calls on each of four slides are no evidence of a CPS of 1: each slide says 0.5."""
    low = stained_by_one_kind(0.5, 2_000)
    one, four = (sample_scores([low] * n, BUNDLED)[0].probability_at_least(1.0) for n in (1, 4))
    assert four < one


def test_a_case_stained_on_one_slide_alone_keeps_its_credit_however_many_cells_it_has() -> None:
    chances = []
    for cells in (400, 20_000):
        slides = [stained_by_one_kind(share, cells) for share in (50.0, 0.0, 0.0)]
        chances.append(sample_scores(slides, BUNDLED)[0].probability_at_least(1.0))
    assert min(chances) > 0.97


def test_intervals_of_cases_of_three_slides_hold_the_tissue() -> None:
    """60 simulated cases whose slides err independently; without the split three in four were held."""
    rng = np.random.default_rng(9)
    held: list[bool] = []
    while len(held) < 60:
        plan = random_plan(rng)
        slides = [write_synthetic_slide(plan, BUNDLED, rng) for _ in range(3)]
        if min(int(slide.counts.tumour.sum()) for slide in slides) < 100:
            continue
        low, high = sample_scores([slide.counts for slide in slides], BUNDLED)[0].interval_tissue(0.95)
        held.append(low <= slides[0].tissue_cps <= high)
    assert np.mean(held) >= 0.9


def test_none_called_is_none_found() -> None:
    assert sample_found(0, 1_000, 1_000, 0.99, 0.5, np.random.default_rng(1), 50).tolist() == [0.0] * 50


def test_sure_calls_are_all_true() -> None:
    found = sample_found(37, 10_000, 10_000, SURE, 0.0, np.random.default_rng(1), 2_000)
    assert found.mean() == pytest.approx(37, abs=0.1)


@pytest.mark.parametrize(("called", "base"), [(120, 2_000), (7_000, 100_000)])
def test_false_positives_are_taken_off_as_rogan_and_gladen_did(called: int, base: int) -> None:
    """A recall of one and a known specificity leave called - odds x negatives, whatever the numbers' size."""
    found = sample_found(called, base, base, 0.99, 0.01, np.random.default_rng(1), 20_000)
    expected = called - (0.01 / 0.99) * (base - called)
    assert found.mean() == pytest.approx(expected, rel=0.03)
    assert found.std() == pytest.approx(np.sqrt(called - expected), rel=0.2)


def test_found_cells_are_never_more_than_called_ones_nor_fewer_than_none() -> None:
    found = sample_found(5, 100_000, 100_000, 0.9, 2.0, np.random.default_rng(1), 5_000)
    assert found.min() >= 0
    assert found.max() <= 5


@pytest.mark.parametrize(("called", "exact"), [(500, 0.0069), (650, 0.0064), (10_000, 0.00107)])
def test_the_chance_that_none_is_true_is_the_exact_one_where_only_some_numbers_are_tried(
    called: int, exact: float
) -> None:
    """Half of the tumour cells called; the exact chances sum over every number of false positives."""
    found = sample_found(called, 2 * called, 2 * called, 0.9957, 2.0134, np.random.default_rng(1), 60_000)
    assert np.mean(found == 0) == pytest.approx(exact, abs=4 * np.sqrt(exact / 60_000))


def test_a_slide_cleaner_than_any_held_out_one_is_no_error() -> None:
    found = sample_found(1, 1_000_000, 1_000_000, 0.9, 0.1, np.random.default_rng(1), 500)
    assert np.isfinite(found).all()


def test_missed_cells_are_added_back() -> None:
    rng = np.random.default_rng(1)
    middle = np.full(20_000, special.logit(0.8))
    true = sample_true(np.full(20_000, 80.0), middle, rng)
    assert true.mean() == pytest.approx(100.6, rel=0.02)  # (80 + 1/2) / 0.8
    spread = sample_true(np.full(20_000, 80.0), middle + rng.standard_normal(20_000), rng)
    assert spread.std() > 2 * true.std()


SLOPED = BUNDLED.model_copy(
    update={
        "tumour_recall_slope": 1.3, "tumour_specificity_slope": -3.0, "immune_recall_slope": -0.4,
        "tumour_recall_spread": 1.0, "tumour_specificity_spread": 1.1,
    }
)  # fmt: skip
"""Where more is stained more of it is found, and more is called stained that is not."""


def test_slopes_that_are_next_to_nothing_change_next_to_nothing() -> None:
    faint = BUNDLED.model_copy(update={"tumour_recall_slope": 1e-9})
    fields = even_fields(20, 5, 50, 200, 10)
    with_slopes, without = (sample_scores([fields], one)[0].interval_tissue(0.95) for one in (faint, BUNDLED))
    assert with_slopes == pytest.approx(without, rel=0.12)


def test_what_a_slope_says_of_a_score_narrows_its_interval() -> None:
    wide = SLOPED.model_copy(
        update={
            "tumour_recall_slope": 0.0, "tumour_specificity_slope": 0.0, "immune_recall_slope": 0.0,
            "tumour_recall_spread": 1.3, "tumour_specificity_spread": 2.0,
        }
    )  # fmt: skip
    fields = stained_by_one_kind(5, 5_000)
    low, high = (sample_scores([fields], one)[0].interval_tissue(0.95) for one in (SLOPED, wide))
    assert low[1] / low[0] < 0.5 * high[1] / high[0]


def test_intervals_of_slides_whose_rates_depend_on_the_score_hold_the_truth() -> None:
    """150 simulated slides of any score; an interval of 95 % that is honest holds 136 to 149 of them."""
    rng = np.random.default_rng(12)
    held: list[bool] = []
    while len(held) < 150:
        slide = write_synthetic_slide(random_plan(rng), SLOPED, rng)
        if int(slide.counts.tumour.sum()) < 100:
            continue
        low, high = sample_scores([slide.counts], SLOPED)[0].interval_slide(0.95)
        held.append(low <= slide.slide_cps <= high)
    assert 136 <= sum(held) <= 149


def test_a_slide_that_a_person_classified_whole_carries_no_error_with_slopes_either() -> None:
    fields = even_fields(20, 5, 50, 200, 10)
    cps, _ = sample_scores([fields], SLOPED, certain=fields)
    assert np.ptp(cps.slide) < 1e-9


def test_a_rate_has_its_median_at_a_cps_of_3() -> None:
    at_three = SLOPED.logit_at("tumour_recall", decades_of(np.array([3.0])))
    assert special.expit(at_three) == pytest.approx(SLOPED.tumour_recall)
    rising = SLOPED.logit_at("tumour_recall", decades_of(np.array([0.0, 1.0, 10.0, 100.0])))
    assert (np.diff(rising) > 0).all()
