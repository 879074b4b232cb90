"""The interval of an audited CPS: the delta method on its logarithm, widened for what was not asked.

Knows no files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from scipy import optimize, special

from cxpath.scores.audit_answers import AuditAnswer, CellAnswer, Tally, cps_of, totals_of
from cxpath.scores.audit_sample import (
    ASKED,
    IN_DENOMINATOR,
    IN_NUMERATOR,
    Array,
    AuditFrame,
    AuditQuestion,
    expected_ways,
    linear_effect,
    variances,
)
from cxpath.scores.counts import MAXIMUM

_SMOOTHING_ANSWERS = 1.0
"""Answers that the expectation counts for in the variance: agreement of few answers is no certainty."""

_SHIFT_SPREAD, _SLOPE_SPREAD = 2.0, 0.5
"""How far the log-odds of staining may be off beforehand: standard deviations of shift and of slope."""

_FEWEST_DEGREES = 6.0


def interval_of(
    frame: AuditFrame, tally: Tally, stained: Array, hidden: float, missed: tuple[float, float], level: float
) -> tuple[float, float]:
    """Return the interval: the delta method on the logarithm, one-sided extensions for what was not asked.

    Parameters
    ----------
    stained : float array, (N,)
        Recalibrated probabilities of staining.
    hidden : float
        Stained cells expected in the unstained strata.
    missed : tuple of float
        By how much missed cells change the logarithm of the CPS, and the standard error of that.
    """
    totals = totals_of(frame, tally)
    parts = _variance_parts(frame, tally, stained, linear_effect(totals)) * (1.0 - tally.explained)
    shift, shift_error = missed
    error = float(np.sqrt(parts.sum() + shift_error**2))
    numerator = float(totals @ IN_NUMERATOR)
    degrees = _degrees(parts, tally.answered)
    if numerator <= 0:
        reach = float(special.stdtrit(degrees, (1 + level) / 2)) * error
        return 0.0, _upper_without_positive(frame, tally, hidden, reach, shift, level)
    below, above = min(shift, 0.0), max(shift, 0.0) + float(np.log1p(hidden / numerator))
    reach = _quantile_of_range((above - below) / max(error, 1e-9), degrees, level) * error
    log_cps = float(np.log(cps_of(totals)))
    low, high = log_cps - reach + below, log_cps + reach + above
    return min(MAXIMUM, float(np.exp(low))), min(MAXIMUM, float(np.exp(high)))


def _quantile_of_range(width: float, degrees: float, level: float) -> float:
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

    return float(optimize.brentq(too_much, float(one_sided) - 1e-6, float(two_sided)))


def _variance_parts(frame: AuditFrame, tally: Tally, stained: Array, effect: Array) -> Array:
    """Return each stratum's part of the variance of the logarithm of the CPS, (9,)."""
    sizes, answered = frame.sizes, tally.answered
    smoothed = tally.ways + _SMOOTHING_ANSWERS * expected_ways(frame, stained)
    shares = smoothed / (answered + _SMOOTHING_ANSWERS)[:, None]
    finite = np.clip(1.0 - answered / np.maximum(sizes, 1.0), 0.0, 1.0)
    return np.asarray(sizes**2 * finite * variances(shares, effect) / np.maximum(answered, 1.0))


def _degrees(parts: Array, answered: Array) -> float:
    """Return Satterthwaite's degrees of freedom; infinite where nothing is left to vary."""
    total = float(parts.sum())
    if total <= 0:
        return np.inf
    return max(total**2 / float((parts**2 / np.maximum(answered, 1.0)).sum()), _FEWEST_DEGREES)


def _upper_without_positive(
    frame: AuditFrame, tally: Tally, hidden: float, reach: float, shift: float, level: float
) -> float:
    """Return the upper limit where no answer is in the numerator: the exact binomial limit of a stratum."""
    answered = np.maximum(tally.answered, 1.0)
    share = 1.0 - ((1.0 - level) / 2) ** (1.0 / answered)
    unseen = np.where(ASKED, (frame.sizes - tally.answered).clip(0) * share, 0.0)
    tumour = float(totals_of(frame, tally) @ IN_DENOMINATOR)
    upper = 100.0 * (float(unseen.max()) + hidden) / tumour
    return min(MAXIMUM, upper * float(np.exp(max(shift, 0.0) + min(reach, 1.0))))


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
    told = [
        (question.row, given[question.row].stained)
        for question in questions
        if question.asks_stained and given[question.row].answer in {CellAnswer.TUMOUR, CellAnswer.IMMUNE}
    ]
    rows = np.array([row for row, _ in told], dtype=np.int64)
    yes = np.array([bool(stained) for _, stained in told], dtype=np.float64)
    shift, slope = _fit_log_odds(frame.log_odds[rows], yes)
    return np.asarray(special.expit(shift + slope * frame.log_odds))


def _fit_log_odds(log_odds: Array, yes: Array) -> tuple[float, float]:
    """Return shift and slope of the log-odds: logistic regression, shrunken towards the network (0 and 1)."""
    design = np.stack([np.ones_like(log_odds), log_odds], axis=1)
    penalty = np.diag([_SHIFT_SPREAD**-2, _SLOPE_SPREAD**-2])
    network = np.array([0.0, 1.0])
    found = network.copy()
    for _ in range(60):
        probability = special.expit(design @ found)
        gradient = design.T @ (yes - probability) - penalty @ (found - network)
        curvature = (design * (probability * (1.0 - probability))[:, None]).T @ design + penalty
        step = np.clip(np.linalg.solve(curvature, gradient), -0.5, 0.5)
        found = found + step
        if np.abs(step).max() < 1e-9:
            break
    return float(found[0]), float(max(found[1], 0.0))


def hidden_cells(frame: AuditFrame, stained: Array) -> float:
    """Return how many cells of the unstained strata may be stained tumour or immune cells."""
    relevant = frame.probabilities[:, :2].sum(axis=1)
    return float((stained * relevant)[~ASKED[frame.stratum]].sum())
