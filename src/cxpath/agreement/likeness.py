"""How alike two readers are, for many pairs of readers at once.

A measure is computed for each pair from the cases that both read; so one reader's gaps cost the others
nothing. Means over pairs leave out pairs where the measure is not defined.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement.bootstrap import Weighted

Floats = NDArray[np.float64]


class Likeness(StrEnum):
    """A measure of two readers; the first three of yes and no, the last of scores."""

    OPA = "OPA"
    KAPPA = "Cohen's kappa"
    AC1 = "AC1"
    CCC = "Lin's CCC"


@dataclass(frozen=True, eq=False)
class ReaderPairs:
    """Reads of pairs of readers.

    Parameters
    ----------
    a, b : float64 array, (N, P)
        Reads of the first and second of each pair; NaN without a read.
    """

    a: Floats
    b: Floats

    def only(self, kept: NDArray[np.bool_]) -> ReaderPairs:
        """Return the pairs on some of the cases."""
        return ReaderPairs(self.a[kept], self.b[kept])


def all_pairs(reads: Floats) -> ReaderPairs:
    """Return every two columns of reads, (N, R), as pairs, (N, R (R − 1) / 2)."""
    first, second = np.triu_indices(reads.shape[1], k=1)
    return ReaderPairs(reads[:, first], reads[:, second])


def likeness(pairs: ReaderPairs, measure: Likeness) -> Callable[[Floats], Floats]:
    """Return the measure as a function from case weights, (B, N), to values of all pairs, (B, P).

    Parameters
    ----------
    pairs : ReaderPairs
    measure : Likeness
        Codes are 0 and 1 for all but Lin's concordance.
    """
    both = np.isfinite(pairs.a) & np.isfinite(pairs.b)
    a, b = np.where(both, pairs.a, 0.0), np.where(both, pairs.b, 0.0)
    present = both.astype(np.float64)
    if measure is Likeness.CCC:
        return _concordance(a, b, present)
    agree = np.where(a == b, present, 0.0)

    def of(weights: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            n = weights @ present
            seen = weights @ agree / n
            if measure is Likeness.OPA:
                return seen
            p, q = weights @ a / n, weights @ b / n
            mean = (p + q) / 2
            chance = p * q + (1 - p) * (1 - q) if measure is Likeness.KAPPA else 2 * mean * (1 - mean)
            return np.where(1 - chance > 1e-12, (seen - chance) / (1 - chance), np.nan)

    return of


def _concordance(a: Floats, b: Floats, present: Floats) -> Callable[[Floats], Floats]:
    """Lin's coefficient of all pairs (Lin 1989), from sums."""
    squares, product = a**2 + b**2, a * b

    def of(weights: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            n = weights @ present
            mean_a, mean_b = weights @ a / n, weights @ b / n
            spread = weights @ squares / n - mean_a**2 - mean_b**2
            below = spread + (mean_a - mean_b) ** 2
            together = weights @ product / n - mean_a * mean_b
            return np.where(below > 1e-12, 2 * together / below, np.nan)

    return of


def mean_over_pairs(values: Floats) -> Floats:
    """Return means over the last axis, leaving out what is not defined; NaN where nothing is."""
    known = np.isfinite(values)
    number = known.sum(axis=-1)
    total = np.where(known, values, 0.0).sum(axis=-1)
    means: Floats = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return means


def remembered(of: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    """Return the same function, which keeps its last answer to many weights: pairs are asked for in turn."""
    kept: list[Floats] = []

    def again(weights: Floats) -> Floats:
        if len(weights) == 1:
            return of(weights)
        if not kept or kept[0] is not weights:
            kept[:] = [weights, of(weights)]
        return kept[1]

    return again


def of_pair(of: Callable[[Floats], Floats], place: int) -> Weighted:
    """Return the values of one pair, as a function of case weights."""
    return lambda weights: of(weights)[:, place]


def mean_likeness(pairs: ReaderPairs, measure: Likeness) -> Weighted:
    """Return the mean of the measure over pairs, as a function of case weights.

    Parameters
    ----------
    pairs : ReaderPairs
    measure : Likeness
    """
    of = likeness(pairs, measure)
    return lambda weights: mean_over_pairs(of(weights))


def likeness_matrix(reads: Floats, measure: Likeness) -> Floats:
    """Return the measure between every two readers, (R, R); 1 on the diagonal."""
    readers = reads.shape[1]
    matrix = np.eye(readers)
    upper = np.triu_indices(readers, k=1)
    matrix[upper] = likeness(all_pairs(reads), measure)(np.ones((1, len(reads))))[0]
    matrix.T[upper] = matrix[upper]
    return matrix
