"""Scoring from a sample of fields of a large slide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cxpath.data import CellTable, Kind, Reason
from cxpath.scores.counts import (
    MAXIMUM,
    CalledCells,
    CellCounts,
    GroupedCounts,
    call_cells,
    countable_kind,
    grouped_counts,
    parts_of_immune,
    tally_cells,
    why_inadequate,
)
from cxpath.scores.intervals import ScoreDraws, sample_scores
from cxpath.scores.other_scores import OTHER_SCORES
from cxpath.scores.score import SlideScore, estimate_cps, estimate_tps
from cxpath.scores.settings import Cutoff, SamplingSettings, ScoringSettings, slide_error_of, threshold_of

# FieldSample: what a whole slide would count, estimated from a stratified sample of its fields.
#
# Each field that was read stands for N / n fields of its stratum (Horvitz & Thompson 1952), so totals are
# unbiased whatever the strata; good strata only make the interval narrow. Pure numbers: knows no pixels.


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
        """Positive cells that half a positive field of each stratum would contain among its unread ones."""
        half = 0.5 / (self.drawn + 1.0)
        return float(((self.sizes - self.drawn) * half * self.spreads / np.sqrt(half * (1 - half))).sum())

    def interval(self, level: float) -> tuple[float, float]:
        """Return the interval of the CPS that reading the whole slide would give; it contains the estimate.

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


# FieldDrawing: which fields to read next, and when enough were read.


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


# A slide's score from a sample of its tiles: counts are estimates of what the whole slide contains.


METHOD = "; sampling: stratified Horvitz-Thompson/1"
NOT_FROM_A_SAMPLE = "only a sample of the slide was read: score it whole"


@dataclass(frozen=True, eq=False)
class SampledTiles:
    """Which tiles a slide could be read in, and which were drawn.

    Parameters
    ----------
    tile : int array, (F,)
        Numbers of the tiles with tissue to score; cells of others are context and count for nothing.
    stratum : int array, (F,)
    read : bool array, (F,)
    """

    tile: NDArray[np.int64]
    stratum: NDArray[np.int64]
    read: NDArray[np.bool_]

    def field_of(self, cells: CellTable) -> NDArray[np.int64]:
        """Return the field that each cell counts in, (N,); F where it counts in none."""
        place = np.full(max(int(self.tile.max()), int(cells.tile.max(initial=0))) + 1, len(self.tile))
        place[self.tile[self.read]] = np.flatnonzero(self.read)
        return np.where(cells.tile < 0, len(self.tile), place[cells.tile])


def sample_of(cells: CellTable, tiles: SampledTiles, settings: ScoringSettings) -> FieldSample:
    """Count what was read so far."""
    counts = _field_counts(cells, tiles, settings)
    return FieldSample(tiles.stratum, tiles.read, counts.positive, counts.tumour)


def unassociated(cells: CellTable, tiles: SampledTiles, settings: ScoringSettings) -> NDArray[np.bool_]:
    """Say which cells of sampled tiles would count if tumour lay near them, perhaps in an unread place."""
    called = _called(cells, settings)
    positive = called.positive & (countable_kind(cells) == Kind.IMMUNE)
    sampled = tiles.field_of(cells) < len(tiles.tile)
    return np.asarray(positive & ~called.counted & sampled, dtype=np.bool_)


def score_sample(
    cells: CellTable,
    tiles: SampledTiles,
    settings: ScoringSettings,
    cutoffs: Sequence[Cutoff] = (),
    already_because: Sequence[Reason] = (),
) -> SlideScore:
    """Score a slide of which only some tiles were read.

    Parameters
    ----------
    cells : CellTable
        Of the drawn tiles, and of others read only to see whether tumour lies near.
    tiles : SampledTiles
    settings : ScoringSettings
    cutoffs : sequence of Cutoff
    already_because : sequence of Reason
        Reasons found earlier that make the slide not evaluable.

    Returns
    -------
    SlideScore
        Its counts are estimates for the whole slide, to whole cells; both intervals carry the doubt of
        sampling. What needs the place of every cell is left out.
    """
    own = tiles.field_of(cells) < len(tiles.tile)
    called = _called(cells, settings)
    seen = tally_cells(called.take(own))
    because = (*already_because, *why_inadequate(seen, settings.minimum_tumour_cells))
    fields = _field_counts(cells, tiles, settings)
    sample = FieldSample(tiles.stratum, tiles.read, fields.positive, fields.tumour)
    counts = _estimated_counts(called, sample, tiles)
    missing = dict.fromkeys(OTHER_SCORES, NOT_FROM_A_SAMPLE)
    if because:
        return SlideScore(settings.minimum_tumour_cells, because, counts, null_because=missing)
    expanded = GroupedCounts(
        *(np.rint(sample.weights * column)[tiles.read].astype(np.int64) for column in vars(fields).values())
    )
    cps_draws, tps_draws = sample_scores([expanded], slide_error_of(settings))
    of_tumour = FieldSample(tiles.stratum, tiles.read, fields.tumour_positive, fields.tumour)
    cps = estimate_cps(counts, _widened(cps_draws, sample), settings, cutoffs)
    tps = estimate_tps(counts, _widened(tps_draws, of_tumour), settings)
    return SlideScore(
        settings.minimum_tumour_cells,
        counts=counts,
        cps=replace(cps, method=cps.method + METHOD) if cps else None,
        tps=replace(tps, method=tps.method + METHOD) if tps else None,
        null_because=missing,
    )


def _called(cells: CellTable, settings: ScoringSettings) -> CalledCells:
    return call_cells(cells, threshold_of(settings), settings.association_distance_um)


def _field_counts(cells: CellTable, tiles: SampledTiles, settings: ScoringSettings) -> GroupedCounts:
    number = len(tiles.tile)
    field = tiles.field_of(cells)
    found = grouped_counts(_called(cells, settings), field, number + 1)
    return GroupedCounts(*(column[:number] for column in vars(found).values()))


def _estimated_counts(called: CalledCells, sample: FieldSample, tiles: SampledTiles) -> CellCounts:
    cells, counted = called.cells, called.counted
    weight = np.append(sample.weights, 0.0)[tiles.field_of(cells)]
    kind, positive = countable_kind(cells), called.positive
    tumour, immune = kind == Kind.TUMOUR, kind == Kind.IMMUNE

    def total(chosen: NDArray[np.bool_]) -> int:
        return round(float(weight[chosen].sum()))

    parts = parts_of_immune(cells, counted & immune)
    return CellCounts(
        tumour_positive=total(tumour & positive),
        tumour_negative=total(tumour & ~positive),
        immune_positive=total(immune & counted),
        immune_negative=total(immune & ~positive),
        immune_positive_not_associated=total(immune & positive & ~counted),
        other=total(kind == Kind.OTHER),
        lymphocyte=total(parts[0]) if parts else None,
        macrophage=total(parts[1]) if parts else None,
    )


def _widened(draws: ScoreDraws, sample: FieldSample) -> ScoreDraws:
    """Add to the slide's draws that only a sample was read; intervals of the tissue contain that already.

    Where no positive cell was seen, both get what may lie in unread fields.
    """
    drawn = sample.draws(len(draws.slide))
    if sample.total_positive > 0:
        return ScoreDraws(np.minimum(MAXIMUM, draws.slide * drawn / sample.total_positive), draws.tissue)
    unseen = 100.0 * drawn / max(sample.total_tumour, 1.0)
    return ScoreDraws(np.minimum(MAXIMUM, draws.slide + unseen), np.minimum(MAXIMUM, draws.tissue + unseen))
