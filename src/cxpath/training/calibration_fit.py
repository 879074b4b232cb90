"""Fitting a model's calibration on held-out truth, so that its probabilities add up to counts.

Temperatures minimise the log loss (Guo et al. 2017). The stain biases are then set on fields with few
positive cells, where a small error in the logit is a large error in the score: there the probabilities
must add up to the number of truly positive cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.special import log_softmax

from cxpath.training.fine_labels import UNLABELLED, fine_labels
from cxpath.training.observation import Observation
from cxpath.values.calibration import Calibration
from cxpath.values.cell_peaks import FINE_CLASSES, STAIN_CLASSES
from cxpath.values.cell_table import Kind

_FEWEST_OF_A_CLASS = 20
"""A class with fewer cells gets no bias of its own."""

_FEWEST_POSITIVE = 100
"""A bias is not refitted on fewer positive cells than this."""


class LabelledLogits(NamedTuple):
    """Logits with truth; `rare` marks those from fields with few positive cells."""

    logit: NDArray[np.float64]
    positive: NDArray[np.bool_]
    rare: NDArray[np.bool_]


def fit_calibration(observations: Sequence[Observation], low_cps: float) -> Calibration:
    """Fit all numbers on judged pairs.

    Parameters
    ----------
    observations : sequence of Observation
        At the centre threshold that will be used.
    low_cps : float
        Fields with a smaller true CPS are those with few positive cells.
    """
    membrane_temperature, membrane_bias = fit_stain(stain_pairs(observations, low_cps, "membrane"))
    any_temperature, any_bias = fit_stain(stain_pairs(observations, low_cps, "any"))
    kind_temperature, kind_biases = fit_kinds(observations)
    return Calibration(
        kind_temperature=kind_temperature,
        kind_biases=kind_biases,
        membrane_temperature=membrane_temperature,
        membrane_bias=membrane_bias,
        any_temperature=any_temperature,
        any_bias=any_bias,
    )


def fit_kinds(observations: Sequence[Observation]) -> tuple[float, tuple[float, ...]]:
    """Return temperature and biases that make the true fine classes most likely.

    Cells whose fine class is not known leave them alone, and so does a class that few cells have. The
    biases add up to 0.
    """
    logits, fine = _fine_pairs(observations)
    free = np.flatnonzero(np.bincount(fine, minlength=len(FINE_CLASSES)) >= _FEWEST_OF_A_CLASS)
    if len(free) < 2:
        return 1.0, ()

    def biases(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        each = np.zeros(len(FINE_CLASSES))
        each[free] = parameters[1:] - parameters[1:].mean()
        return each

    def log_loss(parameters: NDArray[np.float64]) -> float:
        likely = log_softmax(logits * np.exp(-parameters[0]) + biases(parameters), axis=1)
        # A faint pull to 0, so that a class which is never mistaken does not run away.
        return float(-likely[np.arange(len(fine)), fine].mean() + 1e-3 * (parameters**2).mean())

    bounds = [(-1.5, 1.5)] + [(-3.0, 3.0)] * len(free)
    best = minimize(log_loss, np.zeros(1 + len(free)), method="L-BFGS-B", bounds=bounds).x
    return float(np.exp(best[0])), tuple(round(float(value), 4) for value in biases(best))


def _fine_pairs(observations: Sequence[Observation]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    logits, fine = [], []
    for seen in observations:
        pairs = seen.pairs[seen.judged_truth[seen.pairs[:, 0]]]
        label = fine_labels(seen.truth.kind, seen.truth.subkind)[pairs[:, 0]]
        known = label != UNLABELLED
        logits.append(seen.peaks.kind_logits[pairs[known, 1]].astype(np.float64))
        fine.append(label[known])
    return np.concatenate(logits), np.concatenate(fine)


def fit_stain(seen: LabelledLogits) -> tuple[float, float]:
    """Return temperature and bias for one stain logit; (1, 0) when one of the two answers is missing."""
    if seen.positive.all() or not seen.positive.any():
        return 1.0, 0.0

    def log_loss(parameters: NDArray[np.float64]) -> float:
        logit = seen.logit * np.exp(-parameters[0]) + parameters[1]
        return float(np.logaddexp(0.0, np.where(seen.positive, -logit, logit)).mean())

    slope, bias = minimize(log_loss, np.zeros(2), method="L-BFGS-B", bounds=[(-2.0, 2.0), (-5.0, 5.0)]).x
    temperature = float(np.exp(slope))
    if seen.positive[seen.rare].sum() >= _FEWEST_POSITIVE:
        bias = _counting_bias(seen.logit[seen.rare] / temperature, int(seen.positive[seen.rare].sum()))
    return temperature, float(bias)


def stain_pairs(observations: Sequence[Observation], low_cps: float, stain: str) -> LabelledLogits:
    """Collect the logits of one stain head over judged pairs whose true kind is decided by it.

    `membrane` decides tumour cells, `any` the immune ones.
    """
    decided, column = (Kind.TUMOUR if stain == "membrane" else Kind.IMMUNE), STAIN_CLASSES.index(stain)
    logit, positive, rare = [], [], []
    for seen in observations:
        pairs = seen.pairs[seen.judged_truth[seen.pairs[:, 0]]]
        pairs = pairs[seen.truth.kind[pairs[:, 0]] == decided]
        logit.append(seen.peaks.stain_logits[pairs[:, 1], column].astype(np.float64))
        positive.append(seen.truth.positive[pairs[:, 0]])
        rare.append(np.full(len(pairs), seen.truth.true_cps() < low_cps))
    return LabelledLogits(np.concatenate(logit), np.concatenate(positive), np.concatenate(rare))


def _counting_bias(logit: NDArray[np.float64], positives: int) -> float:
    def surplus(bias: float) -> float:
        return float((1 / (1 + np.exp(-np.clip(logit + bias, -60, 60)))).sum() - positives)

    return float(brentq(surplus, -30.0, 30.0))
