"""Probabilities recalibrated by answers: few change little, many find what the network gets wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import special

from cxpath.data.cells import Kind
from cxpath.scores.audit_answers import AnsweredCells, AuditAnswer, CellAnswer
from cxpath.scores.audit_estimate import (
    AuditSample,
    ClassRecalibration,
    audit_sample,
    fit_classes,
    fit_logistic,
    hidden_cells,
    interval_of,
    recalibrated_staining,
    variance_parts,
)
from cxpath.scores.audit_sample import (
    MOST_LOG_ODDS,
    OUTSIDE,
    STAINED_IMMUNE,
    STAINED_TUMOUR,
    STRATA,
    UNCOUNTED,
    UNSTAINED_TUMOUR,
    AuditFrame,
    AuditQuestion,
    log_odds_of,
)
from tests.synthetic_cells import many

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


# Samples small enough to work out by hand. Strata 0, 1 and 2 are tumour: stained, near and unstained.

GUESS = np.array([0.5, 0.5, 0.0, 0.0])


def frame_of(stratum: list[int], stained: float = 0.5) -> AuditFrame:
    number = len(stratum)
    return AuditFrame(
        cells=many({"T+": number}),
        threshold=0.5,
        reach_um=500.0,
        near_from=0.1,
        stratum=np.array(stratum),
        probabilities=np.tile([1.0, 0.0, 0.0], (number, 1)),
        log_odds=log_odds_of(np.full(number, stained)),
        spread=np.ones(number),
    )


def answers(stratum: list[int], inclusion: list[float], ways: list[np.ndarray]) -> AnsweredCells:
    number = len(stratum)
    return AnsweredCells(
        np.arange(number), np.array(stratum), np.array(inclusion), np.zeros(number, np.int64), np.array(ways)
    )


def sample_of(
    frame: AuditFrame, answered: AnsweredCells, guess: np.ndarray = GUESS, coefficient: float = 1.0
) -> AuditSample:
    number = len(frame.stratum)
    return AuditSample(frame, answered, np.tile(guess, (number, 1)), np.full(number, 0.5), coefficient)


TWO_OF_SIX = answers([0, 0], [0.5, 0.25], [STAINED_TUMOUR, UNCOUNTED])
"""Drawn with a half and a quarter: they stand for 2 and 4 cells."""


@pytest.mark.parametrize(("cells", "weights"), [(6, [2.0, 4.0]), (12, [4.0, 8.0])])
def test_the_answers_of_a_stratum_stand_for_all_its_cells(cells: int, weights: list[float]) -> None:
    assert sample_of(frame_of([0] * cells), TWO_OF_SIX).weights == pytest.approx(weights)


@pytest.mark.parametrize("coefficient", [0.0, 0.4, 1.0])
def test_a_guess_that_is_the_same_for_all_cells_weighs_as_a_third_of_an_answer(coefficient: float) -> None:
    """By hand: 2 of 6 answered leave the guess .5 x (1 - 2/6) = 1/3 answer, so that the answers have 6/7."""
    totals = sample_of(frame_of([0] * 6), TWO_OF_SIX, coefficient=coefficient).totals
    assert totals == pytest.approx([6 / 7 * 2 + 3 / 7, 3 / 7, 0.0, 6 / 7 * 4])


def test_a_stratum_that_nobody_answered_is_as_predicted() -> None:
    sample = sample_of(frame_of([0] * 6 + [4] * 3), TWO_OF_SIX, np.array([0.1, 0.2, 0.3, 0.4]))
    assert sample.by_stratum[4] == pytest.approx([0.3, 0.6, 0.9, 1.2])
    assert sample.by_stratum[5] == pytest.approx(np.zeros(4))


@given(st.integers(0, 99), st.floats(0, 1))
def test_a_census_is_its_answers_whatever_was_predicted(seed: int, coefficient: float) -> None:
    rng = np.random.default_rng(seed)
    stratum = rng.integers(0, len(STRATA), 20).tolist()
    ways = np.eye(4)[rng.integers(0, 4, 20)]
    census = answers(stratum, [1.0] * 20, list(ways))
    sample = AuditSample(
        frame_of(stratum), census, rng.dirichlet(np.ones(4), 20), np.full(20, 0.5), coefficient
    )
    assert sample.totals == pytest.approx(ways.sum(axis=0), abs=1e-9)
    assert variance_parts(sample) == pytest.approx(np.zeros(len(STRATA)))


def test_cells_outside_the_regions_enter_no_total() -> None:
    inside, both = frame_of([0] * 6), frame_of([0] * 6 + [OUTSIDE] * 50)
    assert sample_of(both, TWO_OF_SIX).totals == pytest.approx(sample_of(inside, TWO_OF_SIX).totals)


def test_the_cps_of_a_sample_is_the_ratio_of_its_totals_and_infinite_without_tumour() -> None:
    ways = [STAINED_TUMOUR, STAINED_IMMUNE, UNSTAINED_TUMOUR, UNCOUNTED]
    assert sample_of(frame_of([0] * 4), answers([0] * 4, [1.0] * 4, ways)).cps == pytest.approx(100.0)
    no_tumour = answers([0] * 2, [1.0] * 2, [STAINED_IMMUNE, UNCOUNTED])
    assert sample_of(frame_of([0] * 2), no_tumour).cps == np.inf


def test_values_are_centred_on_the_weighted_mean_of_their_stratum() -> None:
    """Weights 2 and 4 of the values 3 and 9: the mean is 7."""
    assert sample_of(frame_of([0] * 6), TWO_OF_SIX).centred(np.array([3.0, 9.0])) == pytest.approx([-4, 2])


def test_the_variance_counts_what_was_left_to_chance() -> None:
    """(1 - p) x weight squared x n / (n - 1); a single answer of a stratum has no n - 1."""
    assert sample_of(frame_of([0] * 6), TWO_OF_SIX).variance_weights == pytest.approx(
        [0.5 * 4 * 2, 0.75 * 16 * 2]
    )
    single = answers([0], [0.25], [STAINED_TUMOUR])
    assert sample_of(frame_of([0] * 4), single).variance_weights == pytest.approx([0.75 * 16])


def test_an_unanswered_stratum_is_as_uncertain_as_a_single_answer_would_leave_it() -> None:
    """One stained and one unstained tumour answered; four more unanswered, each a coin's toss.

    Totals are 3 and 3, so that log(CPS) moves by 1/3 - 1/6 for a stained tumour cell and by -1/6 for another.
    """
    census = answers([0, 0], [1.0, 1.0], [STAINED_TUMOUR, UNSTAINED_TUMOUR])
    parts = variance_parts(sample_of(frame_of([0, 0, 1, 1, 1, 1]), census))
    assert parts[0] == 0.0
    assert parts[1] == pytest.approx(4**2 * 0.25 * (1 / 3) ** 2)


@pytest.mark.parametrize(("level", "exact"), [(0.95, 3.6889), (0.9, 2.9957)])
@pytest.mark.parametrize("hidden", [0.0, 20.0])
def test_without_a_positive_answer_the_upper_end_is_the_poisson_limit(
    level: float, exact: float, hidden: float
) -> None:
    """None of 100 answered of 1,000 alike: at most -ln(tail) of 100, so ten times that of 1,000."""
    none = answers([0] * 100, [0.1] * 100, [UNSTAINED_TUMOUR] * 100)
    sample = sample_of(frame_of([0] * 1000), none, UNSTAINED_TUMOUR)
    low, high = interval_of(sample, hidden, (0.0, 0.0), level)
    assert low == 0.0
    assert high == pytest.approx(100 * (10 * exact + hidden) / 1000, rel=1e-3)
    assert interval_of(sample, hidden, (np.log(2.0), 0.0), level)[1] == pytest.approx(2 * high)
    assert interval_of(sample, hidden, (-np.log(2.0), 0.0), level)[1] == pytest.approx(high)


def test_no_more_cells_can_be_positive_than_are_asked_about() -> None:
    """Nine in ten lie far below the threshold: the limit is the cells that are asked about."""
    one = answers([0], [0.1], [UNSTAINED_TUMOUR])
    sample = sample_of(frame_of([0] * 10 + [2] * 90), one, UNSTAINED_TUMOUR)
    assert interval_of(sample, 0.0, (0.0, 0.0), 0.95) == pytest.approx((0.0, 100 * 10 / 100))


def ask(row: int, *, asks_stained: bool = True, guard: bool = False) -> AuditQuestion:
    return AuditQuestion(row, 2 if guard else 0, asks_stained, guard, 0.5)


def test_staining_is_recalibrated_by_those_who_were_asked_about_it() -> None:
    """Answers to cells that are no tumour, or that were not asked about staining, change nothing."""
    frame = frame_of([0] * 6)
    plain = recalibrated_staining(frame, [], {})
    passed_over = {
        0: AuditAnswer(0, CellAnswer.OTHER, stained=True),
        1: AuditAnswer(1, CellAnswer.CANNOT_TELL),
        2: AuditAnswer(2, CellAnswer.TUMOUR, stained=True),
    }
    questions = [ask(0), ask(1), ask(2, asks_stained=False)]
    assert plain == pytest.approx(np.full(6, 0.5))
    assert recalibrated_staining(frame, questions, passed_over) == pytest.approx(plain)
    said = {row: AuditAnswer(row, CellAnswer.IMMUNE, stained=False) for row in range(4)}
    assert (recalibrated_staining(frame, [ask(row) for row in range(4)], said) < 0.4).all()


def test_answers_that_contradict_the_network_never_turn_its_order_round() -> None:
    frame = frame_of([0] * 80)
    frame.log_odds[:] = np.repeat([-4.0, 4.0], 40)
    said = {row: AuditAnswer(row, CellAnswer.TUMOUR, stained=row < 40) for row in range(80)}
    found = recalibrated_staining(frame, [ask(row) for row in range(80)], said)
    assert (np.diff(found) >= 0).all()


def test_a_guard_that_is_stained_hides_more_cells() -> None:
    frame = frame_of([0] * 10 + [2] * 90)
    frame.log_odds[:10], frame.log_odds[10:] = np.linspace(6.0, -1.0, 10), -2.0
    sample = sample_of(frame, answers([0, 0], [0.2, 0.2], [STAINED_TUMOUR, UNSTAINED_TUMOUR]), GUESS)
    said = {
        0: AuditAnswer(0, CellAnswer.TUMOUR, stained=True),
        1: AuditAnswer(1, CellAnswer.TUMOUR, stained=False),
    }
    asked = [ask(0), ask(1), ask(50, guard=True)]
    hidden = [
        hidden_cells(sample, asked, said | {50: AuditAnswer(50, CellAnswer.TUMOUR, stained=stained)})
        for stained in (False, True)
    ]
    assert 0 < hidden[0] < hidden[1] <= 90


def test_where_no_positive_cell_was_answered_none_is_predicted() -> None:
    frame = frame_of([0] * 8)
    unstained = answers([0] * 4, [0.5] * 4, [UNSTAINED_TUMOUR] * 4)
    sample = audit_sample(frame, unstained, np.full(8, 0.9))
    assert sample.predicted[:, [0, 2]].max() == 0.0
    assert sample.positive.min() > 0.5  # the doubt about them is kept for the interval
    assert sample.totals[0] == 0.0


def test_the_coefficient_of_the_predictions_is_a_share() -> None:
    """Predictions that are the opposite of the answers are not subtracted but left out."""
    frame = frame_of([0] * 40)
    staining = np.repeat([0.05, 0.95], 20)
    right, wrong = (
        [STAINED_TUMOUR if (row < 20) == turned else UNSTAINED_TUMOUR for row in range(40)]
        for turned in (False, True)
    )
    found = [
        audit_sample(frame, answers([0] * 40, [0.5] * 40, ways), staining).coefficient
        for ways in (right, wrong)
    ]
    assert found[0] == pytest.approx(1.0, abs=0.15)
    assert found[1] == 0.0
