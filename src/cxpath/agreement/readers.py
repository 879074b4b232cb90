"""Readers as a group: the matrix of reads, pairwise measures and variance components.

References
----------
Rao 1971, J Multivariate Analysis 1:445; Hartley, Rao & LaMotte 1978, Biometrics 34:233 (MIVQUE(0)).
Efron & Stein 1981, Annals of Statistics 9:586 (jackknife, here over patients).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as t_distribution

from cxpath.agreement.base import (
    AgreementSettings,
    Draws,
    Floats,
    Interval,
    Statistic,
    Weighted,
    Weighting,
    blind_to_rare_disagreements,
    carried_interval,
    effective_cases,
    measured,
    smoothed,
    wilson_interval,
)
from cxpath.agreement.categorical import Chance, Metric, category_counts, chance_corrected, krippendorff_alpha
from cxpath.agreement.continuous import Form, Scale, icc
from cxpath.agreement.planning import Missing, OnestCurve, onest_curve
from cxpath.agreement.reads import ReadMatrix, level_names

# How alike two readers are, for many pairs of readers at once.
#
# A measure is computed for each pair from the cases that both read; so one reader's gaps cost the others
# nothing. Means over pairs leave out pairs where the measure is not defined.


_VALUES_AT_A_TIME = 1 << 18
"""Values of pairs that are computed at once: they stay in the processor's cache."""
_DRAWS_AT_A_TIME = 256
"""Draws that are summed at once: enough for a quick product of matrices, and memory stays flat."""
_EXACT_IN_FLOAT32 = 1 << 24


class PairwiseMeasure(StrEnum):
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
    readers : tuple of arrays, optional
        Reads of R readers, (N, R), and which of them is the first and the second of each pair, (P,), where
        few readers make many pairs: sums over cases are then needed once a reader.
    """

    a: Floats
    b: Floats
    readers: tuple[Floats, NDArray[np.intp], NDArray[np.intp]] | None = None

    def only(self, kept: NDArray[np.bool_]) -> ReaderPairs:
        """Return the pairs on some of the cases."""
        return ReaderPairs(self.a[kept], self.b[kept])


def all_pairs(reads: Floats) -> ReaderPairs:
    """Return every two columns of reads, (N, R), as pairs, (N, R (R − 1) / 2)."""
    first, second = np.triu_indices(reads.shape[1], k=1)
    return ReaderPairs(reads[:, first], reads[:, second], (reads, first, second))


def pairwise_measure(pairs: ReaderPairs, measure: PairwiseMeasure) -> Callable[[Floats], Floats]:
    """Return the measure as a function from case weights, (B, N), to values of all pairs, (B, P).

    Parameters
    ----------
    pairs : ReaderPairs
    measure : PairwiseMeasure
        Codes are 0 and 1 for all but Lin's concordance.
    """
    sums, value = _sums_of(pairs, measure), _VALUE_OF.get(measure, partial(_corrected, measure))

    def of(weights: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return value(*(part[:] for part in sums(weights)))

    return of


class _PairSums(Protocol):
    """Sums over cases, (B, P): an array, or what makes one for some rows."""

    def __getitem__(self, rows: slice, /) -> Floats: ...


class _ReaderSums:
    """Sums of each reader, (B, R), laid out for pairs when they are asked for; of both readers, added up."""

    def __init__(self, sums: Floats, *places: NDArray[np.intp]) -> None:
        self._sums, self._places = sums, places

    def __getitem__(self, rows: slice, /) -> Floats:
        return np.asarray(sum(self._sums[rows][:, place] for place in self._places), dtype=np.float64)


_Sum = Callable[[Floats], _PairSums]


def _sums_of(pairs: ReaderPairs, measure: PairwiseMeasure) -> Callable[[Floats], tuple[_PairSums, ...]]:
    """Return what a measure needs of the cases, as a function of their weights."""
    both = np.asarray(np.isfinite(pairs.a) & np.isfinite(pairs.b))
    number = _weighed_number(both)
    if measure is PairwiseMeasure.CCC:
        means = [_of_reads(pairs, both, lambda reads: reads, side) for side in ((0,), (1,))]
        squares = _of_reads(pairs, both, lambda reads: reads**2, (0, 1))
        product = _weighed(_without_gaps(pairs.a * pairs.b, both))
        needed = [number, *means, squares, product]
    else:
        needed = [number, _weighed_number(both & (pairs.a == pairs.b))]
        if measure is not PairwiseMeasure.OPA:
            needed += _yes_sums(pairs, both)
    return lambda weights: tuple(of(weights) for of in needed)


def _yes_sums(pairs: ReaderPairs, both: NDArray[np.bool_]) -> list[_Sum]:
    """Return the weight of the first reads that are yes, and of the second."""
    if pairs.readers is None or not both.all():
        return [_weighed_number(both & (reads > 0)) for reads in (pairs.a, pairs.b)]
    return [_of_reads(pairs, both, lambda reads: (reads > 0).astype(np.float64), (side,)) for side in (0, 1)]


def _of_reads(
    pairs: ReaderPairs, both: NDArray[np.bool_], of: Callable[[Floats], Floats], sides: tuple[int, ...]
) -> _Sum:
    """Return the sum over cases of something of the first reads, the second, or both, added up."""
    if pairs.readers is None or not both.all():
        own = (pairs.a, pairs.b)
        return _weighed(np.asarray(sum(_without_gaps(of(own[side]), both) for side in sides)))
    reads, *places = pairs.readers
    table, wanted = of(reads), [place for side, place in enumerate(places) if side in sides]
    return lambda weights: _ReaderSums(weights @ table, *wanted)


def _weighed(table: Floats) -> _Sum:
    return lambda weights: weights @ table


def _without_gaps(reads: Floats, both: NDArray[np.bool_]) -> Floats:
    return reads if both.all() else np.where(both, reads, 0.0)


def _weighed_number(marked: NDArray[np.bool_]) -> _Sum:
    """Return the weight of the marked cases of each pair, as a function of case weights.

    Replicates contain cases whole times. Sums of whole numbers are exact in float32, too, which needs half
    the memory and half the time; where all cases are marked, one sum serves all pairs.
    """
    if marked.all():
        return lambda weights: np.broadcast_to(
            weights.sum(axis=1, keepdims=True), (len(weights), marked.shape[1])
        )
    table = marked.astype(np.float32)

    def of(weights: Floats) -> Any:
        whole = bool((weights == np.rint(weights)).all()) and weights.sum(axis=1).max() < _EXACT_IN_FLOAT32
        return weights.astype(np.float32) @ table if whole else weights @ table.astype(np.float64)

    return of


def _share(number: Floats, agree: Floats) -> Floats:
    return np.divide(agree, number, dtype=np.float64)


def _corrected(measure: PairwiseMeasure, number: Floats, agree: Floats, a: Floats, b: Floats) -> Floats:
    """Return agreement corrected for chance, from the weight of cases, of those that agree, of each yes."""
    seen, chance = _share(number, agree), _chance(_share(number, a), _share(number, b), measure)
    return np.where(1 - chance > 1e-12, (seen - chance) / (1 - chance), np.nan)


def _concordance(number: Floats, a: Floats, b: Floats, squares: Floats, product: Floats) -> Floats:
    """Return Lin's coefficient (Lin 1989) from sums of reads, of their squares and of their product."""
    mean_a, mean_b = a / number, b / number
    spread = squares / number - mean_a**2 - mean_b**2
    below = spread + (mean_a - mean_b) ** 2
    together = product / number - mean_a * mean_b
    return np.where(below > 1e-12, 2 * together / below, np.nan)


_VALUE_OF: Mapping[PairwiseMeasure, Callable[..., Floats]] = {
    PairwiseMeasure.OPA: _share,
    PairwiseMeasure.CCC: _concordance,
}


def _chance(p: Floats, q: Floats, measure: PairwiseMeasure) -> Floats:
    """Return the agreement by chance of two readers with these shares of yes; none for plain agreement."""
    if measure is PairwiseMeasure.OPA:
        return np.zeros_like(p)
    mean = (p + q) / 2
    return p * q + (1 - p) * (1 - q) if measure is PairwiseMeasure.KAPPA else 2 * mean * (1 - mean)


def carried_likeness(
    pairs: ReaderPairs, measure: PairwiseMeasure, draws: Draws | None, level: float = 0.95
) -> Interval | None:
    """Return Wilson's interval of the mean agreement over pairs, carried to the measure; None of scores.

    Parameters
    ----------
    pairs : ReaderPairs
        Codes.
    measure : PairwiseMeasure
    draws : Draws or None
        Of the same cases, for their patients and the level.
    level : float
        Without draws.
    """
    both = np.isfinite(pairs.a) & np.isfinite(pairs.b)
    read = np.asarray(both.any(axis=1), dtype=bool)
    if measure is PairwiseMeasure.CCC or not read.any():
        return None
    agree, present = ((both & (pairs.a == pairs.b))[read], both[read])
    own = agree.sum(axis=1) / present.sum(axis=1)
    slope = chance_slope(pairs, measure)
    value = mean_pairwise_measure(pairs, measure)(np.ones((1, len(pairs.a))))[0]
    cases = draws.only(read).patients if draws else len(own)
    total = effective_cases(own, cases)
    return carried_interval(float(own.mean()), float(value), slope, total, draws.level if draws else level)


def chance_slope(pairs: ReaderPairs, measure: PairwiseMeasure) -> float:
    """Return how much the mean measure rises with the agreement, for intervals; 1 for plain agreement."""
    both = np.isfinite(pairs.a) & np.isfinite(pairs.b)
    number = both.sum(axis=0)
    shares = [np.where(both, reads, 0.0).sum(axis=0) / np.maximum(number, 1) for reads in (pairs.a, pairs.b)]
    p, q = (smoothed(np.stack([share, 1 - share], axis=-1), number[:, None])[:, 0] for share in shares)
    return float(mean_over_pairs(np.where(number > 0, 1 / (1 - _chance(p, q, measure)), np.nan)))


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
        """Return the last answer if the same weights are asked for again."""
        if len(weights) == 1:
            return of(weights)
        if not kept or kept[0] is not weights:
            kept[:] = [weights, of(weights)]
        return kept[1]

    return again


def of_pair(of: Callable[[Floats], Floats], place: int) -> Weighted:
    """Return the values of one pair, as a function of case weights."""
    return lambda weights: of(weights)[:, place]


def mean_pairwise_measure(pairs: ReaderPairs, measure: PairwiseMeasure) -> Weighted:
    """Return the mean of the measure over pairs, as a function of case weights.

    Parameters
    ----------
    pairs : ReaderPairs
    measure : PairwiseMeasure
    """
    sums, value = _sums_of(pairs, measure), _VALUE_OF.get(measure, partial(_corrected, measure))
    rows = max(1, _VALUES_AT_A_TIME // max(1, pairs.a.shape[1]))

    def mean(weights: Floats) -> Floats:
        """Return the mean over pairs of readers, a few draws and pairs at a time to bound the memory."""
        found = []
        for start in range(0, len(weights), _DRAWS_AT_A_TIME):
            parts = sums(weights[start : start + _DRAWS_AT_A_TIME])
            number = min(_DRAWS_AT_A_TIME, len(weights) - start)
            with np.errstate(divide="ignore", invalid="ignore"):
                found += [
                    mean_over_pairs(value(*(part[row : row + rows] for part in parts)))
                    for row in range(0, number, rows)
                ]
        return np.concatenate(found)

    return mean


def pairwise_matrix(reads: Floats, measure: PairwiseMeasure) -> Floats:
    """Return the measure between every two readers, (R, R); 1 on the diagonal."""
    readers = reads.shape[1]
    matrix = np.eye(readers)
    upper = np.triu_indices(readers, k=1)
    matrix[upper] = pairwise_measure(all_pairs(reads), measure)(np.ones((1, len(reads))))[0]
    matrix.T[upper] = matrix[upper]
    return matrix


# Where the spread of scores comes from: case, reader, site, scanner, and what is left.
#
# Random effects without interaction, estimated without iteration (MIVQUE(0), the same as the analysis of
# variance where nothing is missing). An estimate below zero is given as zero, with a note. A factor with one
# level, or one that stands for the cases themselves, cannot be distinguished and is left out.


Codes = NDArray[np.int64]
RESIDUAL = "residual"


def mivque0(values: Floats, factors: Mapping[str, Codes]) -> dict[str, float]:
    """Return the variance of each factor and of the residual; may be below zero.

    Parameters
    ----------
    values : float64 array, (N,)
    factors : mapping of str to int64 array, (N,)
        Level of each factor, numbered from 0.
    """
    n = len(values)
    codes = [_compact(code) for code in factors.values()]
    sizes = [np.bincount(code).astype(np.float64) for code in codes]
    centred = values - values.mean()
    k = len(codes)
    system, right = np.zeros((k + 1, k + 1)), np.zeros(k + 1)
    for i in range(k):
        right[i] = np.sum(np.bincount(codes[i], weights=centred) ** 2)
        system[i, k] = system[k, i] = n - np.sum(sizes[i] ** 2) / n
        for j in range(i, k):
            cross = np.bincount(codes[i] * len(sizes[j]) + codes[j], minlength=len(sizes[i]) * len(sizes[j]))
            table = cross.reshape(len(sizes[i]), len(sizes[j])) - np.outer(sizes[i], sizes[j]) / n
            system[i, j] = system[j, i] = np.sum(table**2)
    system[k, k], right[k] = n - 1, centred @ centred
    solved = np.linalg.lstsq(system, right, rcond=1e-10)[0]
    return dict(zip((*factors, RESIDUAL), solved.tolist(), strict=True))


def _compact(code: Codes) -> Codes:
    """Return the levels that are there, numbered from 0 without gaps in their order."""
    present = np.bincount(code) > 0
    return np.asarray(np.cumsum(present)[code] - 1, dtype=np.int64)


def variance_components(
    scores: Floats, cluster: Codes, groups: Mapping[str, Sequence[str]], level: float = 0.95
) -> list[Statistic]:
    """Return each component as a share of the total variance, with its variance in the method's words.

    Parameters
    ----------
    scores : float64 array, (N, R)
        Units by readers; NaN without a score.
    cluster : int64 array, (N,)
        Patient of each unit, for the jackknife.
    groups : mapping of str to sequence of str
        Site, scanner, ... of each unit; "" where unknown.
    level : float
    """
    unit, reader = np.nonzero(np.isfinite(scores))
    values = scores[unit, reader]
    factors: dict[str, Codes] = {"case": unit, "reader": reader}
    for name, of_unit in groups.items():
        codes = np.unique(np.asarray(of_unit), return_inverse=True)[1].astype(np.int64)
        if 1 < len(np.unique(codes)) < len(codes) and all(of_unit):
            factors[name] = codes[unit]
    if len(values) < 4 or len(np.unique(unit)) < 3 or len(np.unique(reader)) < 2:
        return []
    whole = mivque0(values, factors)
    patients = np.unique(cluster)
    left_out = [
        _shares(mivque0(values[kept], {name: code[kept] for name, code in factors.items()}))
        for kept in (cluster[unit] != patient for patient in patients)
        if np.count_nonzero(np.bincount(unit[kept])) >= 2
    ]
    shares = _shares(whole)
    return [
        _component(name, whole[name], shares[name], [one[name] for one in left_out], scores, level)
        for name in whole
    ]


def _shares(components: Mapping[str, float]) -> dict[str, float]:
    positive = {name: max(value, 0.0) for name, value in components.items()}
    total = sum(positive.values())
    return {name: value / total if total > 0 else float("nan") for name, value in positive.items()}


def _component(
    name: str, variance: float, share: float, left_out: Sequence[float], scores: Floats, level: float
) -> Statistic:
    n = len(left_out)
    moved = np.array(left_out)
    interval = None
    if n >= 3 and np.isfinite(moved).all() and np.isfinite(share):
        error = np.sqrt((n - 1) / n * np.sum((moved - moved.mean()) ** 2))
        half = float(t_distribution.ppf((1 + level) / 2, n - 1) * error)
        interval = Interval(max(share - half, 0.0), min(share + half, 1.0), f"jackknife over {n} patients")
    return Statistic(
        key=f"variance_{name}",
        label=f"Share of variance: {name}",
        value=share,
        intervals=(interval,) if interval and interval.has_width else (),
        n=len(scores),
        readers=scores.shape[1],
        method=f"variance {max(variance, 0.0):.4g}; random effects, MIVQUE(0)",
        source="Rao 1971; Hartley, Rao & LaMotte 1978",
        note="estimated below zero, given as 0" if variance < 0 else "",
    )


# All readers of one round together: how well they agree among themselves.


BINARY = (PairwiseMeasure.OPA, PairwiseMeasure.KAPPA, PairwiseMeasure.AC1)
KEYS = {
    PairwiseMeasure.OPA: "pairwise_opa",
    PairwiseMeasure.KAPPA: "pairwise_kappa",
    PairwiseMeasure.AC1: "pairwise_ac1",
    PairwiseMeasure.CCC: "pairwise_ccc",
}
SOURCES = {
    PairwiseMeasure.OPA: "FDA 2007",
    PairwiseMeasure.KAPPA: "Light 1971, Psychological Bulletin 76:365",
    PairwiseMeasure.AC1: "Gwet 2008, Br J Math Stat Psychol 61:29",
    PairwiseMeasure.CCC: "Lin 1989, Biometrics 45:255",
}


def between_readers(matrix: ReadMatrix, draws: Draws, settings: AgreementSettings) -> list[Statistic]:
    """Return the statistics of all readers of a round.

    Parameters
    ----------
    matrix : ReadMatrix
        Of readers only, two or more.
    draws : Draws
    settings : AgreementSettings
    """
    found = [
        *_of_scores(matrix, draws, settings),
        *_of_cutoffs(matrix, draws, settings),
        *_of_levels(matrix, draws, settings),
    ]
    return [one.within(analysis="between readers") for one in found]


def _of_scores(matrix: ReadMatrix, draws: Draws, settings: AgreementSettings) -> Iterator[Statistic]:
    for scale in Scale:
        scores = scale.of(matrix.values)
        of_scale = [
            *(icc(scores, form, draws) for form in Form),
            mean_pairwise(scores, PairwiseMeasure.CCC, draws),
            krippendorff_alpha(scores, Metric.INTERVAL, draws),
            *variance_components(scores, matrix.cluster, matrix.groups, settings.level),
        ]
        yield from (one.within(scale=scale.value) for one in of_scale)


def mean_pairwise(reads: Floats, measure: PairwiseMeasure, draws: Draws | None) -> Statistic:
    """Return the mean of a measure over all pairs of readers.

    Parameters
    ----------
    reads : float64 array, (N, R)
        NaN where there is no read.
    measure : PairwiseMeasure
    draws : Draws or None
        None for no interval.
    """
    pairs = all_pairs(reads)
    found = measured(
        KEYS[measure],
        f"Mean pairwise {measure.value}",
        mean_pairwise_measure(pairs, measure),
        len(reads),
        draws,
        method=f"mean over {pairs.a.shape[1]} pairs of readers, cases that both read",
        source=SOURCES[measure],
        carried=carried_likeness(pairs, measure, draws),
        readers=reads.shape[1],
    )
    return blind_to_rare_disagreements(found) if measure is PairwiseMeasure.CCC else found


def _of_cutoffs(matrix: ReadMatrix, draws: Draws, settings: AgreementSettings) -> Iterator[Statistic]:
    for cutoff in settings.cutoffs:
        sides = matrix.reaches(cutoff)
        counts = category_counts(sides, 2)
        reads = counts.sum(axis=1)
        yes = counts[:, 1]

        def prevalence(weights: Floats, yes: Floats = yes, reads: Floats = reads) -> Floats:
            """Return the weighted share of reads that say yes."""
            return weights @ yes / (weights @ reads)

        of_cutoff = [
            *(mean_pairwise(sides, measure, draws) for measure in BINARY),
            *_average_agreement(counts, draws),
            chance_corrected(counts, Chance.FLEISS, draws=draws, readers=len(matrix.readers)),
            chance_corrected(counts, Chance.GWET, draws=draws, readers=len(matrix.readers)),
            krippendorff_alpha(sides, Metric.NOMINAL, draws),
            measured(
                "prevalence",
                "Prevalence (mean of readers)",
                prevalence,
                len(sides),
                draws,
                method=f"{yes.sum():g} of {reads.sum():g} reads",
                source="share of yes; interval Wilson 1927",
                analytic=wilson_interval(
                    float(yes.sum() / max(reads.sum(), 1)) * draws.patients, draws.patients, draws.level
                ),
                readers=len(matrix.readers),
            ),
            *(one for curve in onest_curves(sides, draws, settings) for one in curve.statistics()),
        ]
        yield from (one.within(cutoff=f"≥ {cutoff:g}") for one in of_cutoff)


def _average_agreement(counts: Floats, draws: Draws) -> Iterator[Statistic]:
    """Yield the average positive and negative agreement over all pairs of reads of a case."""
    reads = counts.sum(axis=1)
    for key, label, own in (("apa", "APA", counts[:, 1]), ("ana", "ANA", counts[:, 0])):
        agreeing, possible = own * (own - 1), own * (reads - 1)

        def share(weights: Floats, agreeing: Floats = agreeing, possible: Floats = possible) -> Floats:
            """Return agreeing pairs of reads over possible ones, weighted by case."""
            return np.divide(weights @ agreeing, weights @ possible)

        yield measured(
            key,
            f"{label}, all pairs of reads",
            share,
            len(counts),
            draws,
            method="pairs of reads of a case that agree so, of those that contain such a read",
            source="Cicchetti & Feinstein 1990, J Clin Epidemiol 43:551",
            readers=int(reads.max(initial=0)),
            undefined="not defined: no such read",
        )


def onest_curves(sides: Floats, draws: Draws, settings: AgreementSettings) -> list[OnestCurve]:
    """Return the curve in one convention, or in both where reads are missing.

    Parameters
    ----------
    sides : float64 array, (N, R)
        1 where a read reaches the cut-off, 0 where not, NaN without a read.
    draws : Draws
    settings : AgreementSettings
    """
    ways = list(Missing) if np.isnan(sides).any() else [Missing.COMPLETE]
    curves = (onest_curve(sides, way, draws, settings.orders, settings.seed) for way in ways)
    return [curve for curve in curves if curve]


def _of_levels(matrix: ReadMatrix, draws: Draws, settings: AgreementSettings) -> Iterator[Statistic]:
    if len(settings.cutoffs) < 2:
        return
    levels = matrix.levels(settings.cutoffs)
    counts = category_counts(levels, len(settings.cutoffs) + 1)
    of_levels = [
        mean_pairwise(levels, PairwiseMeasure.OPA, draws),
        chance_corrected(counts, Chance.FLEISS, draws=draws, readers=len(matrix.readers)),
        chance_corrected(counts, Chance.GWET, Weighting.LINEAR, draws, len(matrix.readers)),
        krippendorff_alpha(levels, Metric.ORDINAL, draws),
    ]
    yield from (one.within(cutoff=level_names(settings.cutoffs)) for one in of_levels)
