"""Krippendorff's alpha for any number of readers, missing reads and four kinds of scale.

Cases with a single read say nothing and are left out. When all values are equal there is no disagreement
to expect, and alpha is not defined.

References
----------
Krippendorff 2011, Computing Krippendorff's Alpha-Reliability (coincidences, difference functions).
Hayes & Krippendorff 2007, Communication Methods and Measures 1:77 (interval by bootstrap).
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement.bootstrap import Draws, Weighted
from cxpath.agreement.measure import measured
from cxpath.agreement.statistic import Statistic

Floats = NDArray[np.float64]


class Metric(StrEnum):
    """How different two values are."""

    NOMINAL = "nominal"
    ORDINAL = "ordinal"
    INTERVAL = "interval"
    RATIO = "ratio"


def alpha_statistic(reads: Floats, metric: Metric) -> Weighted:
    """Return alpha as a function of case weights.

    Parameters
    ----------
    reads : float64 array, (N, R)
        Values; NaN for no read.
    metric : Metric
    """
    values = np.unique(reads[np.isfinite(reads)])
    counts = np.stack([(reads == value).sum(axis=1) for value in values], axis=1) if len(values) else None

    def undefined(weights: Floats) -> Floats:
        """Return no value for any replicate: nobody read anything."""
        return np.full(len(weights), np.nan)

    if counts is None:
        return undefined
    number = counts.sum(axis=1)
    counts = np.where(number[:, None] >= 2, counts, 0).astype(np.float64)
    inverse = 1 / np.maximum(number - 1, 1)
    return _ordinal(counts, inverse) if metric is Metric.ORDINAL else _fixed(counts, inverse, values, metric)


def _fixed(counts: Floats, inverse: Floats, values: Floats, metric: Metric) -> Weighted:
    """Alpha where the difference of two values does not depend on the others."""
    difference = _difference(values, metric)
    within = ((counts @ difference) * counts).sum(axis=1) * inverse

    def of(weights: Floats) -> Floats:
        margin = weights @ counts
        total = margin.sum(axis=1)
        expected = ((margin @ difference) * margin).sum(axis=1) / (total - 1)
        return np.where(expected > 1e-12, 1 - weights @ within / expected, np.nan)

    return of


def _difference(values: Floats, metric: Metric) -> Floats:
    a, b = values[:, None], values[None, :]
    if metric is Metric.NOMINAL:
        different: Floats = np.asarray(a != b, dtype=np.float64)
        return different
    total = np.ones_like(a + b) if metric is Metric.INTERVAL else np.where(a + b == 0, 1, a + b)
    squares: Floats = ((a - b) / total) ** 2
    return squares


def _ordinal(counts: Floats, inverse: Floats) -> Weighted:
    """Alpha where values are as far apart as there are values between them."""
    q = counts.shape[1]
    within = (counts[:, :, None] * counts[:, None, :] * inverse[:, None, None]).reshape(len(counts), q * q)

    def of(weights: Floats) -> Floats:
        margin = weights @ counts
        place = np.cumsum(margin, axis=1) - margin / 2
        difference = (place[:, :, None] - place[:, None, :]) ** 2
        total = margin.sum(axis=1)
        seen = ((weights @ within).reshape(-1, q, q) * difference).sum(axis=(1, 2))
        expected = (margin[:, :, None] * margin[:, None, :] * difference).sum(axis=(1, 2)) / (total - 1)
        return np.where(expected > 1e-12, 1 - seen / expected, np.nan)

    return of


def krippendorff_alpha(reads: Floats, metric: Metric, draws: Draws | None = None) -> Statistic:
    """Return alpha with its bootstrap interval over cases.

    Parameters
    ----------
    reads : float64 array, (N, R)
        Values or category numbers; NaN for no read.
    metric : Metric
    draws : Draws, optional
    """
    usable = int(np.count_nonzero(np.isfinite(reads).sum(axis=1) >= 2))
    found = measured(
        f"alpha_{metric.value}",
        f"Krippendorff's α, {metric.value}",
        alpha_statistic(reads, metric),
        len(reads),
        draws,
        method=f"coincidences of values, {metric.value} difference",
        source="Krippendorff 2011; interval Hayes & Krippendorff 2007",
        readers=reads.shape[1],
        undefined="not defined: all values are equal",
    )
    dropped = len(reads) - usable
    return found.noting(f"{dropped} cases with fewer than two reads") if dropped else found
