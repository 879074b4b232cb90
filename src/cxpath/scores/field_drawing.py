"""FieldDrawing: which fields to read next, and when enough were read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cxpath.scores.field_sample import FieldSample
from cxpath.scores.sampling_settings import SamplingSettings

Integers = NDArray[np.int64]


class FieldDrawing:
    """Draws fields of strata at random, without replacement.

    Parameters
    ----------
    stratum : int array, (F,)
        Stratum of every field.
    rare : int
        The stratum of rare positive clusters, which is read whole at once; -1 for none.
    settings : SamplingSettings
    """

    def __init__(self, stratum: Integers, rare: int, settings: SamplingSettings) -> None:
        self._settings = settings
        self._sizes = np.bincount(stratum)
        rng = np.random.default_rng(settings.seed)
        self._orders = [rng.permutation(np.flatnonzero(stratum == one)) for one in range(len(self._sizes))]
        self._drawn = np.zeros(len(self._sizes), dtype=np.int64)
        self._rare = rare

    def first(self) -> Integers:
        """Draw the fields of the first look."""
        least = self._settings.fewest_in_stratum
        wanted = np.maximum(least, np.ceil(self._settings.first_share * self._sizes)).astype(np.int64)
        if self._rare >= 0:
            wanted[self._rare] = self._sizes[self._rare]
        return self._take(np.minimum(wanted, self._sizes))

    def more(self, sample: FieldSample) -> Integers:
        """Draw more fields, most where they help most (Neyman 1934); none when all were drawn."""
        left = self._sizes - self._drawn
        number = min(int(left.sum()), max(4, round(self._settings.more_share * int(self._drawn.sum()))))
        worth = self._sizes * sample.spreads * (left > 0)
        wanted = np.zeros_like(left)
        while wanted.sum() < number:
            gain = np.where(wanted < left, worth / (self._drawn + wanted + 1), -1.0)
            wanted[int(gain.argmax())] += 1
        return self._take(wanted)

    def _take(self, wanted: Integers) -> Integers:
        taken = [
            order[start : start + number]
            for order, start, number in zip(self._orders, self._drawn, wanted, strict=True)
        ]
        self._drawn = self._drawn + wanted
        return np.sort(np.concatenate(taken)).astype(np.int64)


def why_enough(sample: FieldSample, cutoffs: Sequence[float], settings: SamplingSettings) -> str:
    """Say why no more fields need to be read; empty when more do.

    Parameters
    ----------
    sample : FieldSample
    cutoffs : sequence of float
        What the CPS is compared with.
    settings : SamplingSettings
    """
    if sample.read.all():
        return "all fields were read"
    if sample.total_tumour == 0:
        return ""
    low, high = sample.interval(settings.level)
    if high - low <= max(settings.absolute_width, settings.relative_width * sample.cps):
        return f"the {settings.level:.0%} sampling interval is narrow enough"
    low, high = sample.interval(settings.clear_level)
    if cutoffs and not any(low <= cutoff <= high for cutoff in cutoffs):
        return f"the {settings.clear_level:.0%} sampling interval is clear of every cut-off"
    return ""
