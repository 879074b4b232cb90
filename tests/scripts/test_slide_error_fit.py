import math

import numpy as np
import pytest

from cxpath.scores.settings import METRIC_PREFIX, RATES, SlideErrorSettings
from scripts.studies.coverage import fit_rates, fit_slide_error


def test_middle_and_spread_of_a_rate_are_found_again() -> None:
    rng = np.random.default_rng(4)
    trials = rng.integers(50, 5_000, 400)
    rates = 1 / (1 + np.exp(-(-1.0 + 0.6 * rng.standard_normal(400))))
    found = fit_rates(rng.binomial(trials, rates), trials)
    assert found.median == pytest.approx(1 / (1 + math.e), abs=0.02)
    assert found.spread == pytest.approx(0.6, abs=0.06)
    assert found.slope == 0.0


def test_the_slope_of_a_rate_is_found_again_and_no_longer_widens_its_spread() -> None:
    rng = np.random.default_rng(5)
    trials, away = rng.integers(50, 5_000, 400), rng.uniform(-0.5, 1.5, 400)
    rates = 1 / (1 + np.exp(-(-1.0 + 1.4 * away + 0.6 * rng.standard_normal(400))))
    successes = rng.binomial(trials, rates)
    found = fit_rates(successes, trials, away)
    assert found.slope == pytest.approx(1.4, abs=0.15)
    assert found.median == pytest.approx(1 / (1 + math.e), abs=0.03)
    assert found.spread == pytest.approx(0.6, abs=0.07)
    assert fit_rates(successes, trials).spread > 0.9


def test_slides_that_differ_by_chance_alone_have_no_spread() -> None:
    rng = np.random.default_rng(4)
    trials = np.full(200, 400)
    found = fit_rates(rng.binomial(trials, 0.3), trials)
    assert found.median == pytest.approx(0.3, abs=0.01)
    assert found.spread < 0.1


def test_slides_without_a_trial_say_nothing_and_some_slide_must_have_one() -> None:
    with_empty = fit_rates(np.array([30, 0, 40]), np.array([100, 0, 100]))
    assert with_empty == fit_rates(np.array([30, 40]), np.array([100, 100]))
    with pytest.raises(ValueError, match="no held-out slide"):
        fit_rates(np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64))


def test_a_table_is_read_as_evaluation_writes_it() -> None:
    """80 of 100 stained tumour cells called so (2 of them as immune), 9 of 900 others wrongly, and so on."""
    table = np.zeros((6, 6), dtype=np.int64)
    table[0] = [78, 15, 2, 0, 0, 5]
    table[1] = [9, 876, 0, 0, 10, 5]
    table[2] = [0, 0, 30, 20, 0, 0]
    table[3] = [0, 0, 4, 396, 0, 0]
    error = fit_slide_error(np.repeat(table[None], 20, axis=0))
    assert error.tumour_recall == pytest.approx(0.80, abs=0.005)
    assert error.immune_recall == pytest.approx(0.60, abs=0.005)
    assert 1 - error.tumour_specificity == pytest.approx(9 / (9 + 15 + 876), abs=0.001)
    assert 1 - error.immune_specificity == pytest.approx(4 / (4 + 20 + 396), abs=0.001)
    assert error.tumour_found == pytest.approx((78 + 15 + 9 + 876) / 1000, abs=0.001)
    assert error.held_out_slides == 20


def test_a_model_cards_own_figures_win_when_all_are_there() -> None:
    stated = {METRIC_PREFIX + name: 0.5 for name in RATES}
    assert SlideErrorSettings().updated(stated, 90).immune_recall == 0.5
    assert SlideErrorSettings().updated(stated, 90).held_out_slides == 90
    assert SlideErrorSettings().updated(stated, 90).tumour_recall_slope == 0.0
    slope = {METRIC_PREFIX + "tumour_recall_slope": 1.5}
    assert SlideErrorSettings().updated(stated | slope, 90).tumour_recall_slope == 1.5
    stated.pop(METRIC_PREFIX + "tumour_found")
    assert SlideErrorSettings().updated(stated, 90) == SlideErrorSettings()


def test_errors_that_never_happened_are_rare_and_not_impossible() -> None:
    """Every cell called right: shares stay below 1, as the settings demand."""
    table = np.zeros((6, 6), dtype=np.int64)
    np.fill_diagonal(table, [400, 90_000, 300, 50_000, 900, 0])
    error = fit_slide_error(np.repeat(table[None], 12, axis=0))
    for name in ("tumour_recall", "tumour_specificity", "immune_recall", "immune_specificity"):
        assert 0.99 < getattr(error, name) < 1
    assert error.tumour_found == pytest.approx(1.0)


def test_slides_of_which_nothing_was_called_do_not_break_the_ratio() -> None:
    table = np.zeros((6, 6), dtype=np.int64)
    table[0], table[1] = [78, 15, 2, 0, 0, 5], [9, 876, 0, 0, 10, 5]
    table[2], table[3] = [0, 0, 30, 20, 0, 0], [0, 0, 4, 396, 0, 0]
    missed = np.zeros((6, 6), dtype=np.int64)
    missed[:4, 5] = table[:4].sum(axis=1)
    error = fit_slide_error(np.array([table] * 12 + [missed]))
    assert error.tumour_found == pytest.approx(0.978, abs=0.001)
    assert error.held_out_slides == 13
    with pytest.raises(ValueError, match=r"no held-out slide"):
        fit_slide_error(np.repeat(missed[None], 12, axis=0))
