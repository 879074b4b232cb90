"""FieldSample: what a whole slide would count, estimated from a stratified sample of its fields.

Each field that was read stands for N / n fields of its stratum (Horvitz & Thompson 1952), so totals are
unbiased whatever the strata; good strata only make the interval narrow. Pure numbers: knows no pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cxpath.scores.cps import MAXIMUM

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

DRAWS = 4_000
SEED = 20_261_125
_SMALLEST_CLUSTER = 3.0
"""Positive cells of a field that has any, where none was ever seen."""


@dataclass(frozen=True, eq=False)
class FieldSample:
    """Fields of a slide, some of which were read.

    Parameters
    ----------
    stratum : int array, (F,)
        Stratum of every field that could be read, 0 to H - 1.
    read : bool array, (F,)
        Fields that were drawn and read; of every stratum at least one.
    positive, tumour : int array, (F,)
        Numerator and denominator of the CPS in each field; what stands at unread ones does not matter.
    """

    stratum: Integers
    read: NDArray[np.bool_]
    positive: Integers
    tumour: Integers

    @cached_property
    def sizes(self) -> Integers:
        """Fields of each stratum, (H,)."""
        return np.bincount(self.stratum).astype(np.int64)

    @cached_property
    def drawn(self) -> Integers:
        """Fields read of each stratum, (H,)."""
        return np.bincount(self.stratum[self.read], minlength=len(self.sizes)).astype(np.int64)

    @cached_property
    def weights(self) -> Floats:
        """How many fields each field stands for, (F,); 0 where it was not read."""
        return np.where(self.read, (self.sizes / self.drawn)[self.stratum], 0.0)

    @property
    def share_read(self) -> float:
        """Share of the fields that were read."""
        return float(self.read.mean())

    @property
    def total_positive(self) -> float:
        """Estimate of the slide's numerator."""
        return float(self.weights @ self.positive)

    @property
    def total_tumour(self) -> float:
        """Estimate of the slide's denominator."""
        return float(self.weights @ self.tumour)

    @property
    def cps(self) -> float:
        """Estimate of the CPS that reading the whole slide would give, capped; NaN without tumour."""
        tumour = self.total_tumour
        return min(MAXIMUM, 100.0 * self.total_positive / tumour) if tumour > 0 else float("nan")

    @cached_property
    def spreads(self) -> Floats:
        """Standard deviation between fields of each stratum, (H,), in positive cells.

        Of positive - ratio x tumour (the linearised ratio, Cochran 1977, 6.4). Where few fields or none are
        positive, at least what Jeffreys' guess at their share gives: none seen is not none there.
        """
        ratio = self.total_positive / max(self.total_tumour, 1.0)
        sizes = [self._cluster(own) for own in self._read_strata()]
        seen = [size for size in sizes if size > 0]
        least = min(seen, default=_SMALLEST_CLUSTER)
        found = []
        for own, size in zip(self._read_strata(), sizes, strict=True):
            residual = self.positive[own] - ratio * self.tumour[own]
            plain = float(residual.var(ddof=1)) if own.sum() > 1 else 0.0
            share = (float((self.positive[own] > 0).sum()) + 0.5) / (float(own.sum()) + 1.0)
            found.append(np.sqrt(max(plain, (size or least) ** 2 * share * (1.0 - share))))
        return np.array(found)

    def _read_strata(self) -> list[NDArray[np.bool_]]:
        return [self.read & (self.stratum == number) for number in range(len(self.sizes))]

    def _cluster(self, own: NDArray[np.bool_]) -> float:
        """Return the mean number of positive cells in the fields that have any; 0 where none has."""
        counts = self.positive[own]
        return float(counts[counts > 0].mean()) if (counts > 0).any() else 0.0

    @cached_property
    def variances(self) -> Floats:
        """Variance of the estimated numerator from each stratum, (H,); 0 where all of it was read."""
        unread = self.sizes - self.drawn
        return np.asarray(self.sizes * unread / self.drawn * self.spreads**2, dtype=np.float64)

    @property
    def _unseen(self) -> float:
        """Positive cells that half a positive field of each stratum would hold among its unread ones."""
        half = 0.5 / (self.drawn + 1.0)
        return float(((self.sizes - self.drawn) * half * self.spreads / np.sqrt(half * (1 - half))).sum())

    def interval(self, level: float) -> tuple[float, float]:
        """Return the interval of the CPS that reading the whole slide would give; it holds the estimate.

        Parameters
        ----------
        level : float
            Coverage to aim at.
        """
        if self.total_tumour == 0:
            return self.cps, self.cps
        low, high = np.quantile(self.draws(DRAWS), [(1 - level) / 2, (1 + level) / 2])
        scale = 100.0 / self.total_tumour
        return min(self.cps, float(low * scale)), max(self.cps, min(MAXIMUM, float(high * scale)))

    def draws(self, number: int) -> Floats:
        """Draw the slide's numerator as reading all of it would give, (number,).

        From a gamma distribution of the estimate's mean and variance, the variance with Satterthwaite's
        degrees of freedom: skewed where positive fields are rare. Seeded.
        """
        variance = float(self.variances.sum())
        if variance == 0:
            return np.full(number, self.total_positive)
        rng = np.random.default_rng(SEED)
        freedom = np.maximum(self.drawn - 1, 1)
        degrees = variance**2 / float((self.variances**2 / freedom).sum())
        drawn = variance * degrees / rng.chisquare(degrees, number)
        scale = drawn / max(self.total_positive, self._unseen)
        floor = float(self.positive[self.read].sum())  # what was seen is there
        found = rng.gamma(self.total_positive / scale + 0.5) * scale
        return np.asarray(np.maximum(floor, found), dtype=np.float64)
