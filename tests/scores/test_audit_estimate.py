"""Probabilities recalibrated by answers: few change little, many find what the network gets wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import special

from cxpath.data.cells import Kind
from cxpath.scores.audit_estimate import ClassRecalibration, fit_classes, fit_logistic
from cxpath.scores.audit_sample import MOST_LOG_ODDS, log_odds_of

CENTRE, SPREAD = np.array([0.0, 1.0]), np.array([2.0, 0.5])


def _design(log_odds: np.ndarray) -> np.ndarray:
    return np.stack([np.ones_like(log_odds), log_odds], axis=1)


def test_no_answer_leaves_the_network() -> None:
    assert fit_logistic(_design(np.zeros(0)), np.zeros(0, dtype=bool), CENTRE, SPREAD) == pytest.approx(
        CENTRE
    )
    none = np.zeros((0, 3))
    assert fit_classes(none, np.zeros(0, dtype=np.int64)) == ClassRecalibration()


@pytest.mark.parametrize(("shift", "scale"), [(-2.0, 1.0), (0.0, 0.6), (1.5, 1.3)])
def test_many_answers_find_shift_and_scale(shift: float, scale: float) -> None:
    rng = np.random.default_rng(2)
    log_odds = rng.normal(0.0, 2.0, 20_000)
    yes = rng.random(20_000) < special.expit(shift + scale * log_odds)
    assert fit_logistic(_design(log_odds), yes, CENTRE, SPREAD) == pytest.approx([shift, scale], abs=0.1)


def test_the_fit_is_the_maximum_of_likelihood_and_prior() -> None:
    """At the maximum the score of the likelihood balances the pull of the prior."""
    rng = np.random.default_rng(3)
    design = _design(rng.normal(0.0, 2.0, 40))
    yes = rng.random(40) < 0.4
    found = fit_logistic(design, yes, CENTRE, SPREAD)
    pull = (found - CENTRE) / SPREAD**2
    assert design.T @ (yes - special.expit(design @ found)) == pytest.approx(pull, abs=1e-6)


@given(st.lists(st.tuples(st.floats(-9, 9), st.booleans()), max_size=30))
def test_answers_that_all_agree_give_finite_coefficients(answers: list[tuple[float, bool]]) -> None:
    log_odds = np.array([one for one, _ in answers])
    yes = np.array([one for _, one in answers], dtype=bool)
    assert np.isfinite(fit_logistic(_design(log_odds), yes, CENTRE, SPREAD)).all()


def test_a_network_that_is_too_sure_and_sees_too_much_tumour_is_found_out() -> None:
    rng = np.random.default_rng(4)
    true = special.softmax(rng.normal(0.0, 2.0, (30_000, 3)), axis=1)
    kind = (rng.random((30_000, 1)) > true.cumsum(axis=1)).sum(axis=1)
    stated = special.softmax(1.5 * np.log(true) + np.array([1.0, -0.5, 0.0]), axis=1)
    found = fit_classes(stated, kind.astype(np.int64))
    assert found.factor == pytest.approx(1 / 1.5, abs=0.03)
    assert (found.tumour, found.immune) == pytest.approx((-1.0 / 1.5, 0.5 / 1.5), abs=0.06)
    assert np.abs(found(stated) - true).mean() < 0.01
    assert found(stated)[:, Kind.TUMOUR].mean() == pytest.approx(true[:, Kind.TUMOUR].mean(), abs=0.01)


def test_log_odds_are_bounded_and_undo_the_logistic_function() -> None:
    assert log_odds_of(np.array([0.0, 1.0])).tolist() == [-MOST_LOG_ODDS, MOST_LOG_ODDS]
    assert special.expit(log_odds_of(np.array([0.25, 0.9]))) == pytest.approx([0.25, 0.9])
