"""What the answers of an audit say of a slide: totals of the four ways to enter the CPS, and the interval.

A difference estimator for unequal probabilities (Särndal, Swensson & Wretman 1992, 6): predictions for all
cells, corrected by the weighted differences of the answered ones. The interval is the delta method on the
logarithm, widened for what was not asked. Knows no files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy  # imports scipy.optimize when it is first used
from numpy.typing import NDArray
from scipy import special

from cxpath.data import Kind
from cxpath.scores.audit_answers import AnsweredCells, AuditAnswer, CellAnswer
from cxpath.scores.audit_sample import (
    IN_DENOMINATOR,
    IN_NUMERATOR,
    Array,
    AuditFrame,
    AuditQuestion,
    linear_effect,
    sums_by_stratum,
    variances,
    ways_from,
)
from cxpath.scores.counts import MAXIMUM

_PRIOR_ANSWERS = 0.5
"""Answers that the prediction counts for in each stratum."""

_SMOOTHING_ANSWERS = 2.0
"""Answers that the expectation counts for in the variance: agreement of few answers is no certainty."""

_SHIFT_SPREAD, _SLOPE_SPREAD = 2.0, 0.5
"""How far the log-odds of staining may be off beforehand: standard deviations of shift and of slope."""

_TAIL_MEAN, _TAIL_MEAN_SPREAD = 1.0, 2.0
_TAIL_SPREAD, _TAIL_LOG_SPREAD = 2.4, 0.25
"""Expected beforehand of the log-odds of staining of stained cells: mean and standard deviation, and how far
the former and the logarithm of the latter may be off."""

_MOST_HIDDEN = 2.0
_HIDDEN_ERROR = 0.6
"""Standard error of what is hidden, as a share of it."""

_FITTED = 6
"""Numbers that are fitted to the answers before their variance is taken."""

_FEWEST_DEGREES = 6.0


@dataclass(frozen=True, eq=False)
class AuditSample:
    """Answers and predictions, from which everything is estimated.

    Parameters
    ----------
    frame : AuditFrame
    answered : AnsweredCells
    predicted : float array, (N, 4)
        Probabilities with which each cell enters the CPS in each way. Where nobody answered a positive cell,
        none is predicted.
    positive : float array, (N,)
        Probability of each asked cell to be in the numerator.
    coefficient : float
        Of the predictions, 0 to 1: where they predict nothing, nothing is taken from them.
    """

    frame: AuditFrame
    answered: AnsweredCells
    predicted: Array
    positive: Array
    coefficient: float = 1.0

    @cached_property
    def totals(self) -> Array:
        """Estimated cells of each way, (4,)."""
        return np.asarray(self.by_stratum.sum(axis=0))

    @cached_property
    def by_stratum(self) -> Array:
        """Estimated cells of each way in each stratum, (9, 4); predictions alone where nobody answered."""
        answered, sizes = self.answered, self.frame.sizes
        missing = answered.ways - self.coefficient * self.predicted[answered.rows]
        correction = sums_by_stratum(answered.stratum, self.weights[:, None] * missing)
        known = self.frame.sums_of(self.predicted)
        prior = _PRIOR_ANSWERS * np.clip(1.0 - answered.numbers / np.maximum(sizes, 1.0), 0.0, 1.0)
        trusted = (answered.numbers / np.maximum(answered.numbers + prior, 1e-9))[:, None]
        untouched = (1.0 - trusted) * (1.0 - self.coefficient) * known
        return np.asarray(self.coefficient * known + trusted * correction + untouched)

    @cached_property
    def weights(self) -> Array:
        """How many cells each answered one stands for, (M,); in each stratum all its cells (Hajek 1971)."""
        stratum, stands_for = self.answered.stratum, 1.0 / self.answered.inclusion
        whole = sums_by_stratum(stratum, stands_for[:, None])[:, 0]
        return np.asarray(stands_for * (self.frame.sizes / np.maximum(whole, 1e-9))[stratum])

    @property
    def cps(self) -> float:
        """Uncapped; infinite without a viable tumour cell."""
        denominator = float(self.totals @ IN_DENOMINATOR)
        return 100.0 * float(self.totals @ IN_NUMERATOR) / denominator if denominator > 0 else np.inf

    def entering_as(self, answered: AnsweredCells) -> AuditSample:
        """Return the same with other answers."""
        return replace(self, answered=answered)

    def centred(self, values: Array) -> Array:
        """Return values of the answered cells less the weighted mean of their stratum."""
        stratum, weights = self.answered.stratum, self.weights
        sums = sums_by_stratum(stratum, np.stack([weights * values, weights], axis=1))
        return np.asarray(values - (sums[:, 0] / np.maximum(sums[:, 1], 1e-9))[stratum])

    @cached_property
    def variance_weights(self) -> Array:
        """What a squared difference counts for in the variance of a total, (M,)."""
        stratum, numbers = self.answered.stratum, self.answered.numbers
        degrees = numbers / np.maximum(numbers - 1.0, 1.0)
        return np.asarray((1.0 - self.answered.inclusion) * self.weights**2 * degrees[stratum])


def audit_sample(frame: AuditFrame, answered: AnsweredCells, staining: Array) -> AuditSample:
    """Return the sample with predictions from probabilities that are recalibrated by the answers.

    The coefficient of the predictions is estimated from the answers, one for the slide, as in
    prediction-powered inference (Angelopoulos et al. 2023).

    Parameters
    ----------
    frame : AuditFrame
    answered : AnsweredCells
    staining : float array, (N,)
        Recalibrated probabilities of staining.
    """
    recalibration = fit_classes(frame.probabilities[answered.rows], answered.kind)
    classes = recalibration(frame.probabilities)
    staining = np.where(frame.asked, staining, 0.0)
    positive = staining * classes[:, :2].sum(axis=1)
    seen_positive = answered.ways.sum(axis=0) @ IN_NUMERATOR > 0
    predicted = ways_from(classes, staining * seen_positive) * frame.inside[:, None]
    sample = AuditSample(frame, answered, predicted, positive)
    effect = linear_effect(sample.totals)
    seen, guess = (sample.centred(ways @ effect) for ways in (answered.ways, predicted[answered.rows]))
    spread = float(sample.variance_weights @ guess**2)
    coefficient = float(sample.variance_weights @ (seen * guess)) / spread if spread > 0 else 0.0
    found = replace(sample, coefficient=float(np.clip(coefficient, 0.0, 1.0)))
    least = found.totals @ IN_DENOMINATOR, found.totals @ IN_NUMERATOR if seen_positive else 1.0
    return found if min(least) > 0 else replace(sample, coefficient=0.0)


def recalibrated_staining(
    frame: AuditFrame, questions: Iterable[AuditQuestion], given: Mapping[int, AuditAnswer]
) -> Array:
    """Return the probabilities of staining, shifted and stretched in log-odds to fit the answers.

    Parameters
    ----------
    frame : AuditFrame
    questions : iterable of AuditQuestion
        Those that are used; with those that guard the unstained strata the fit speaks for cells far below the
        threshold, too.
    given : mapping of int to AuditAnswer
    """
    said = [
        (question.row, bool(given[question.row].stained))
        for question in questions
        if question.asks_stained and given[question.row].answer in {CellAnswer.TUMOUR, CellAnswer.IMMUNE}
    ]
    rows = np.array([row for row, _ in said], dtype=np.int64)
    design = np.stack([np.ones(len(rows)), frame.log_odds[rows]], axis=1)
    yes = np.array([stained for _, stained in said], dtype=bool)
    spread = np.array([_SHIFT_SPREAD, _SLOPE_SPREAD])
    shift, slope = fit_logistic(design, yes, np.array([0.0, 1.0]), spread)
    return np.asarray(special.expit(shift + max(float(slope), 0.0) * frame.log_odds))


def hidden_cells(
    sample: AuditSample, questions: Sequence[AuditQuestion], given: Mapping[int, AuditAnswer]
) -> float:
    """Return how many cells of the unstained strata may be stained tumour or immune cells.

    The log-odds of cells that were answered as positive are continued below those that were asked, as a
    normal distribution. Where nobody answered a positive cell, or a guard was answered as stained, a fit of
    staining to all answers says it, where that is more.

    Parameters
    ----------
    sample : AuditSample
    questions : sequence of AuditQuestion
        All of the draw, guards included.
    given : mapping of int to AuditAnswer
    """
    frame, numerator = sample.frame, float(sample.totals @ IN_NUMERATOR)
    tail = numerator * _share_below(sample) if numerator > 0 else 0.0
    if numerator > 0 and not any(one.guard and given[one.row].stained for one in questions):
        return tail
    staining = recalibrated_staining(frame, questions, given)
    relevant = frame.probabilities[:, :2].sum(axis=1)
    return max(tail, float((staining * relevant)[frame.inside & ~frame.asked].sum()))


def _share_below(sample: AuditSample) -> float:
    """Return positive cells below those that are asked as a share of those above: a truncated normal fit."""
    positive = sample.answered.ways @ IN_NUMERATOR > 0
    log_odds = sample.frame.log_odds[sample.answered.rows[positive]]
    weights = sample.weights[positive]
    weights = weights * weights.sum() / (weights @ weights)  # as many as they are worth
    lowest = float(sample.frame.log_odds[sample.frame.asked].min())

    def misfit(of: Array) -> float:
        """Return the negative log posterior of a truncated normal by its mean and log spread."""
        mean, spread = of[0], np.exp(of[1])
        seen = special.log_ndtr((mean - lowest) / spread)
        density = -0.5 * ((log_odds - mean) / spread) ** 2 - of[1] - seen
        return float(-(weights @ density) + _prior_misfit(of[0], of[1]))

    start = np.array([_TAIL_MEAN, np.log(_TAIL_SPREAD)])
    mean, log_spread = scipy.optimize.minimize(misfit, start, method="Nelder-Mead", options={"xatol": 1e-3}).x
    below = float(special.ndtr((lowest - mean) / np.exp(log_spread)))
    return min(below / max(1.0 - below, 1e-9), _MOST_HIDDEN)


def _prior_misfit(mean: float, log_spread: float) -> float:
    """Return minus the logarithm of what was expected beforehand of the log-odds of stained cells."""
    of_mean = ((mean - _TAIL_MEAN) / _TAIL_MEAN_SPREAD) ** 2
    of_spread = ((log_spread - np.log(_TAIL_SPREAD)) / _TAIL_LOG_SPREAD) ** 2
    return float(0.5 * (of_mean + of_spread))


# The interval.


def interval_of(
    sample: AuditSample, hidden: float, missed: tuple[float, float], level: float
) -> tuple[float, float]:
    """Return the interval: the delta method on the logarithm, one-sided extensions for what was not asked.

    Parameters
    ----------
    sample : AuditSample
    hidden : float
        Stained cells expected in the unstained strata.
    missed : tuple of float
        By how much missed cells change the logarithm of the CPS, and the standard error of that.
    level : float
    """
    parts = variance_parts(sample)
    shift, shift_error = missed
    numerator = float(sample.totals @ IN_NUMERATOR)
    if numerator <= 0:
        return 0.0, _upper_without_positive(sample, hidden, shift, level)
    unasked = float(np.log1p(hidden / numerator))
    error = float(np.sqrt(parts.sum() + shift_error**2 + (_HIDDEN_ERROR * unasked) ** 2))
    degrees = _degrees(parts, sample.answered.numbers)
    below, above = min(shift, 0.0), max(shift, 0.0) + unasked
    reach = quantile_of_range((above - below) / max(error, 1e-9), degrees, level) * error
    log_cps = float(np.log(sample.cps))
    low, high = log_cps - reach + below, log_cps + reach + above
    return min(MAXIMUM, float(np.exp(low))), min(MAXIMUM, float(np.exp(high)))


def quantile_of_range(width: float, degrees: float, level: float) -> float:
    """Return the quantile for a value that lies anywhere in a range of known width (Imbens & Manski 2004).

    What was not asked or not found puts the log CPS somewhere between two ends that the answers estimate.
    Wherever it lies, it cannot lie beyond both: where the range is wide, each end needs a one-sided limit
    only; where it is a point, the quantile is the two-sided one.

    Parameters
    ----------
    width : float
        Of the range, in standard errors.
    degrees : float
        Of Student's distribution.
    level : float
    """
    one_sided, two_sided = special.stdtrit(degrees, [level, (1 + level) / 2])
    if width <= 0 or special.stdtr(degrees, two_sided + width) - special.stdtr(degrees, -two_sided) <= level:
        return float(two_sided)

    def too_much(quantile: float) -> float:
        return float(special.stdtr(degrees, quantile + width) - special.stdtr(degrees, -quantile) - level)

    return float(scipy.optimize.brentq(too_much, float(one_sided) - 1e-6, float(two_sided)))


def variance_parts(sample: AuditSample) -> Array:
    """Return each stratum's part of the variance of the logarithm of the CPS, (9,).

    Squared differences of the answers, and the variance that the predictions expect of them, as if it rested
    on a few answers more.
    """
    answered, effect = sample.answered, linear_effect(sample.totals)
    predicted = sample.predicted[answered.rows]
    difference = sample.centred((answered.ways - sample.coefficient * predicted) @ effect)
    seen, expected = sums_by_stratum(
        answered.stratum,
        np.stack(
            [
                sample.variance_weights * difference**2,
                (1.0 - answered.inclusion) * sample.weights**2 * variances(predicted, effect),
            ],
            axis=1,
        ),
    ).T
    numbers = answered.numbers
    seen = seen * numbers.sum() / max(numbers.sum() - _FITTED, 1.0)
    parts = (numbers * seen + _SMOOTHING_ANSWERS * expected) / (numbers + _SMOOTHING_ANSWERS)
    unanswered = (numbers == 0) & (sample.frame.sizes > 0)
    alone = sample.frame.sizes * sample.frame.sums_of(variances(sample.predicted, effect)[:, None])[:, 0]
    return np.asarray(np.where(unanswered, alone, parts))


def _degrees(parts: Array, numbers: Array) -> float:
    """Return Satterthwaite's degrees of freedom; infinite where nothing is left to vary."""
    total = float(parts.sum())
    if total <= 0:
        return np.inf
    own = np.maximum(numbers + _SMOOTHING_ANSWERS - 1.0, 1.0)
    return max(total**2 / float((parts**2 / own).sum()), _FEWEST_DEGREES)


def _upper_without_positive(sample: AuditSample, hidden: float, shift: float, level: float) -> float:
    """Return the upper limit where no answer is in the numerator: so many might have been passed over.

    Positive cells lie where they are predicted; as many of them as the answers would have shown with a
    probability of half of one minus the level are not excluded (a Poisson limit).
    """
    positive, asked = sample.positive, float(sample.frame.asked.sum())
    shown = float(positive[sample.answered.rows].sum())
    unseen = -float(np.log((1.0 - level) / 2)) * float(positive.sum()) / max(shown, 1e-9)
    upper = 100.0 * (min(unseen, asked) + hidden) / float(sample.totals @ IN_DENOMINATOR)
    return min(MAXIMUM, upper * float(np.exp(max(shift, 0.0))))


# Probabilities recalibrated by a person's answers: logistic regression, shrunken to the network.
#
# Both fits are maximum a posteriori by Newton's method; the prior is the network itself, so that few answers
# change little.

_MOST_STEPS = 60
_LONGEST_STEP = 0.5
_CLOSE_ENOUGH = 1e-9

_TEMPERATURE_SPREAD, _CLASS_SHIFT_SPREAD = 0.35, 1.5
"""Expected beforehand: standard deviations of the factor on log-probabilities about 1, of shifts about 0."""

_COLDEST = 0.1
_LEAST_PROBABILITY = 1e-6


def fit_logistic(design: Array, yes: NDArray[np.bool_], centre: Array, spread: Array) -> Array:
    """Return the coefficients of a logistic regression with a normal prior.

    Parameters
    ----------
    design : float array, (N, P)
    yes : bool array, (N,)
    centre, spread : float array, (P,)
        Mean and standard deviation of the prior.

    Returns
    -------
    float array, (P,)
    """
    precision, found = spread**-2.0, centre.astype(np.float64)
    for _ in range(_MOST_STEPS):
        share = special.expit(design @ found)
        gradient = design.T @ (yes - share) - precision * (found - centre)
        curvature = (design * (share * (1.0 - share))[:, None]).T @ design + np.diag(precision)
        step = np.clip(np.linalg.solve(curvature, gradient), -_LONGEST_STEP, _LONGEST_STEP)
        found = found + step
        if np.abs(step).max() < _CLOSE_ENOUGH:
            break
    return found


@dataclass(frozen=True)
class ClassRecalibration:
    """A temperature and two shifts of the logarithms of class probabilities.

    Parameters
    ----------
    factor : float
        Below 1 where the network is surer than it should be.
    tumour, immune : float
        Shifts against other cells.
    """

    factor: float = 1.0
    tumour: float = 0.0
    immune: float = 0.0

    def __call__(self, probabilities: Array) -> Array:
        """Return recalibrated probabilities, (N, 3), from stated ones."""
        shifts = np.array([self.tumour, self.immune, 0.0])
        return np.asarray(special.softmax(self.factor * _logarithms(probabilities) + shifts, axis=1))


def fit_classes(probabilities: Array, kind: NDArray[np.int64]) -> ClassRecalibration:
    """Fit the recalibration of class probabilities to answers.

    Parameters
    ----------
    probabilities : float array, (N, 3)
        As stated.
    kind : int array, (N,)
        `Kind` by the answers.
    """
    logarithms, answered = _logarithms(probabilities), np.eye(len(Kind))[kind]
    centre = np.array([1.0, 0.0, 0.0])
    precision = np.array([_TEMPERATURE_SPREAD, _CLASS_SHIFT_SPREAD, _CLASS_SHIFT_SPREAD]) ** -2.0
    design = np.zeros((len(kind), len(Kind), 3))
    design[:, :, 0], design[:, Kind.TUMOUR, 1], design[:, Kind.IMMUNE, 2] = logarithms, 1.0, 1.0
    found = centre.copy()
    for _ in range(_MOST_STEPS):
        share = special.softmax(design @ found, axis=1)
        gradient = np.einsum("nk,nkp->p", answered - share, design) - precision * (found - centre)
        spread = share[:, :, None] * (np.eye(len(Kind)) - share[:, None, :])
        curvature = np.einsum("nkp,nkl,nlq->pq", design, spread, design) + np.diag(precision)
        step = np.clip(np.linalg.solve(curvature, gradient), -_LONGEST_STEP, _LONGEST_STEP)
        found = found + step
        if np.abs(step).max() < _CLOSE_ENOUGH:
            break
    return ClassRecalibration(max(float(found[0]), _COLDEST), float(found[1]), float(found[2]))


def _logarithms(probabilities: Array) -> Array:
    return np.asarray(np.log(np.clip(probabilities, _LEAST_PROBABILITY, 1.0)))
