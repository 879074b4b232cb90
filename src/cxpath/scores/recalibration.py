"""Recalibrate a network's probabilities by a person's answers: logistic regression, shrunken to the network.

Both fits are maximum a posteriori by Newton's method; the prior is the network itself, so that few answers
change little. Knows no files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from cxpath.data import Kind

Array = NDArray[np.float64]

MOST_LOG_ODDS = 9.0
"""Stated probabilities nearer to 0 or 1 are taken as this far."""

_MOST_STEPS = 60
_LONGEST_STEP = 0.5
_CLOSE_ENOUGH = 1e-9

_TEMPERATURE_SPREAD, _CLASS_SHIFT_SPREAD = 0.35, 1.5
"""Expected beforehand: standard deviations of the factor on log-probabilities about 1, of shifts about 0."""

_COLDEST = 0.1
_LEAST_PROBABILITY = 1e-6


def log_odds_of(probabilities: Array) -> Array:
    """Return log-odds, bounded."""
    held = np.clip(probabilities, 1e-12, 1.0 - 1e-12)
    return np.asarray(np.clip(special.logit(held), -MOST_LOG_ODDS, MOST_LOG_ODDS))


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
