"""What agreement statistics rest on: settings, bootstrap draws of cases, weights, intervals.

References
----------
Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13 (percentile interval).
Hesterberg 2015, The American Statistician 69:371 (expanded percentile interval: without it, intervals are
too short by about the factor of t to z and of n to n - 1).
Wilson 1927, JASA 22:209; Brown, Cai & DasGupta 2001, Statistical Science 16:101. Clopper & Pearson 1934,
Biometrika 26:404.
Zou & Donner 2008, Statistics in Medicine 27:1693 (limits of a difference from the limits of its parts).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator
from scipy.special import betaincinv, gammaincinv, ndtr, ndtri
from scipy.stats import t as t_distribution

from cxpath.data import Settings, counted

FEWEST_BELOW, SHARE_NEAR = 30, 0.25
"""Of a validation: cases below the first cut-off; share of cases between half of it and the last cut-off."""


# How much partial agreement counts: weights of pairs of ordered categories, 1 on the diagonal.


class Weighting(StrEnum):
    """The distance between two categories."""

    NONE = "unweighted"
    LINEAR = "linear"
    QUADRATIC = "quadratic"

    def matrix(self, categories: int) -> NDArray[np.float64]:
        """Return the weights, float64 array (categories, categories)."""
        if self is Weighting.NONE or categories < 2:
            return np.eye(categories)
        place = np.arange(categories, dtype=np.float64)
        apart = np.abs(place[:, None] - place[None, :]) / (categories - 1)
        return 1 - apart if self is Weighting.LINEAR else 1 - apart**2


# What several readers say together: the median of their scores, and the side of a cut-off that it is on.
#
# The rule is stated beforehand and is always the same. The median of an even number of reads lies between
# the two middle ones. Where a read states only a bound, what stands for it is used.


Floats = NDArray[np.float64]
RULE = "median of the readers' scores; its side of the cut-off is the consensus category"


def median_of(values: Floats) -> Floats:
    """Return the median of each row, (N,), leaving out NaN; NaN for a row without a score."""
    some = np.isfinite(values).any(axis=1)
    medians = np.full(len(values), np.nan)
    medians[some] = np.nanmedian(values[some], axis=1)
    return medians


def others_medians(values: Floats) -> Floats:
    """Return for each reader the median of all others, (N, R)."""
    readers = values.shape[1]
    return np.stack([median_of(np.delete(values, own, axis=1)) for own in range(readers)], axis=1)


def reaching(scores: Floats, cutoff: float) -> Floats:
    """Return 1 where a score is at least the cut-off, 0 where not, NaN without a score."""
    return np.where(np.isfinite(scores), (scores >= cutoff).astype(np.float64), np.nan)


# What a study of agreement may be given.


class AgreementSettings(Settings):
    """Cut-offs, intervals and margins of a study; all of them are printed in the report."""

    cutoffs: tuple[float, ...] = Field(default=(1.0, 10.0), min_length=1)
    """Rising; a score reaches a cut-off when it is at least that, unrounded."""
    level: float = Field(default=0.95, gt=0.5, lt=1)
    """Coverage of all intervals."""
    replicates: int = Field(default=2000, ge=100)
    """Bootstrap samples of cases."""
    seed: int = 1
    """Seed of the bootstrap."""
    margin: float = Field(default=0.05, gt=0, lt=1)
    """How much less the software may agree with readers than they do with each other; state it beforehand."""
    error_ratio: float = Field(default=1.0, gt=0)
    """Ratio of error variances (compared over reference) in Deming regression."""
    deviation_share: float = Field(default=0.9, gt=0, lt=1)
    """Share of differences that the total deviation index covers."""
    fewest_in_subgroup: int = Field(default=10, ge=5)
    """Smaller subgroups are listed, not computed."""
    orders: int = Field(default=500, ge=20)
    """Random orders of readers behind the band of the ONEST curve."""

    @field_validator("cutoffs")
    @classmethod
    def _rising(cls, cutoffs: tuple[float, ...]) -> tuple[float, ...]:
        if any(low >= high for low, high in pairwise(cutoffs)) or cutoffs[0] <= 0:
            raise ValueError("cut-offs must rise from above 0")
        return cutoffs


# One statistic of a study: its value, its intervals, what it rests on and where its formula comes from.


@dataclass(frozen=True)
class Interval:
    """An interval and how it was made.

    Parameters
    ----------
    low, high : float
    method : str
        "F-based", "bootstrap BCa over 109 cases", ...
    """

    low: float
    high: float
    method: str

    @property
    def has_width(self) -> bool:
        """Whether it says anything: where nothing disagrees, a bootstrap's two ends are one number."""
        return self.high - self.low > 1e-9 * max(abs(self.low), abs(self.high), 1e-3)


@dataclass(frozen=True)
class Statistic:
    """One number of the study.

    Parameters
    ----------
    key, label : str
        Its stable name, and the same as a paper prints it.
    value : float
        NaN where the data do not define it; `note` then says why.
    intervals : tuple of Interval
        The one to quote first.
    n : int
        Cases it rests on.
    method, source : str
        How, and by which publication.
    readers : int
        Readers it rests on.
    p_value : float, optional
    note : str
        What a reader of the number must know.
    context : mapping
        Which part of the study: `analysis`, `round`, `scale`, `cutoff`, `compared`, `reference`, ...
    """

    key: str
    label: str
    value: float
    intervals: tuple[Interval, ...]
    n: int
    method: str
    source: str
    readers: int = 2
    p_value: float | None = None
    note: str = ""
    context: Mapping[str, str] = field(default_factory=dict)

    def within(self, **context: str) -> Statistic:
        """Return the same statistic with its place in the study added."""
        return replace(self, context={**self.context, **context})

    def noting(self, note: str) -> Statistic:
        """Return the same statistic with a note added."""
        return replace(self, note=f"{self.note}; {note}" if self.note else note)


# The bootstrap by case: how far a figure could move with other cases.
#
# A replicate is a row of weights, how often each case was drawn, and a statistic is a function of such rows.
# Most statistics are sums over cases, so that 2,000 replicates are one product of matrices. Cases of one
# patient are drawn together. Readers are not drawn again: an interval is for these readers. Figures of models
# have another bootstrap (`metrics/figures.py`), which says why.


Weighted = Callable[[Floats], Floats]
"""Weights, (B, N), to values, (B,)."""


@dataclass(frozen=True, eq=False)
class Draws:
    """The replicates that all statistics of one study share.

    Parameters
    ----------
    weights : float64 array, (B, N)
        How often each replicate contains each case.
    cluster : int64 array, (N,)
        The patient of each case.
    level : float
    """

    weights: Floats
    cluster: NDArray[np.int64]
    level: float

    @property
    def patients(self) -> int:
        """The number of patients."""
        return len(np.unique(self.cluster))

    def only(self, kept: NDArray[np.bool_]) -> Draws:
        """Return the draws of some cases."""
        return Draws(self.weights[:, kept], self.cluster[kept], self.level)


def draw_cases(cluster: NDArray[np.int64], replicates: int, level: float, seed: int) -> Draws:
    """Draw patients with replacement, all cases of a patient together.

    Parameters
    ----------
    cluster : int64 array, (N,)
        The patient of each case, numbered from 0 without gaps.
    replicates : int
    level : float
    seed : int
    """
    groups = int(cluster.max()) + 1 if len(cluster) else 0
    if not groups:
        return Draws(np.zeros((replicates, 0)), cluster, level)
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(groups, np.full(groups, 1 / groups), size=replicates)
    return Draws(counts[:, cluster].astype(np.float64), cluster, level)


def value_of(statistic: Weighted, cases: int) -> float:
    """Return the statistic of the cases themselves; NaN where it is not defined."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(statistic(np.ones((1, cases)))[0])


def bootstrap_interval(statistic: Weighted, draws: Draws) -> Interval | None:
    """Return the expanded percentile interval of a statistic; see `interval_of`.

    Parameters
    ----------
    statistic : callable
        Weights, (B, N), to values, (B,).
    draws : Draws
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return interval_of(statistic(draws.weights), draws)


def interval_of(values: Floats, draws: Draws) -> Interval | None:
    """Return the expanded percentile interval of replicates that are already at hand.

    Replicates without a value (one without positives, say) are left out; None with fewer than three
    patients, or when more than half of the replicates have none.

    Parameters
    ----------
    values : float64 array, (B,)
    draws : Draws
        That they were made with.
    """
    known = values[np.isfinite(values)]
    patients = draws.patients
    if patients < 3 or len(known) < len(values) / 2:
        return None
    tail = expanded_tail(patients, draws.level)
    low, high = np.quantile(known, [tail, 1 - tail])
    whom = "cases" if patients == len(draws.cluster) else "patients"
    method = f"expanded percentile bootstrap, {len(values)} draws of {patients} {whom}"
    return Interval(float(low), float(high), method)


def expanded_tail(n: float, level: float) -> float:
    """Return the share of replicates beyond each end, below the nominal one (Hesterberg 2015)."""
    t = t_distribution.ppf((1 + level) / 2, n - 1)
    return float(ndtr(-np.sqrt(n / (n - 1)) * t))


# From a function of case weights to a statistic with its intervals: the frame that all statistics share.


NO_WIDTH = "no interval: nothing disagrees or varies, so resampling these cases shows nothing"


@dataclass(frozen=True, eq=False)
class Pair:
    """Two reads of the same cases, without gaps.

    Parameters
    ----------
    x, y : float64 array, (N,)
        The reference, and what is compared with it.
    draws : Draws or None
        Of these cases; None for no bootstrap.
    left_out : int
        Cases that lack a read.
    """

    x: Floats
    y: Floats
    draws: Draws | None = None
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.x)

    @property
    def level(self) -> float:
        """Of the intervals: that of the draws, 0.95 without any."""
        return self.draws.level if self.draws else 0.95

    @property
    def patients(self) -> int:
        """The number of patients; without draws every case is one."""
        return self.draws.patients if self.draws else len(self)

    @property
    def note(self) -> str:
        """What was left out, in words."""
        lacks = "lacks" if self.left_out == 1 else "lack"
        return f"{counted(self.left_out, 'case')} {lacks} a read" if self.left_out else ""


def pair_up(x: Floats, y: Floats, draws: Draws | None = None) -> Pair:
    """Return the cases that have both reads.

    Parameters
    ----------
    x, y : float64 array, (N,)
        NaN where there is no read.
    draws : Draws, optional
        Of all N cases.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    kept = np.isfinite(x) & np.isfinite(y)
    return Pair(x[kept], y[kept], draws.only(kept) if draws else None, int(np.count_nonzero(~kept)))


def measured(
    key: str,
    label: str,
    statistic: Weighted,
    cases: int,
    draws: Draws | None,
    *,
    method: str,
    source: str,
    analytic: Interval | None = None,
    quote_analytic: bool = False,
    carried: Interval | None = None,
    readers: int = 2,
    note: str = "",
    undefined: str = "not defined: nothing varies or too few cases",
) -> Statistic:
    """Measure a statistic over cases, by formula and by bootstrap.

    Parameters
    ----------
    key, label : str
    statistic : callable
        Weights, (B, cases), to values, (B,).
    cases : int
    draws : Draws or None
    method, source : str
    analytic : Interval, optional
        The interval by formula.
    quote_analytic : bool
        Put the formula's interval first.
    carried : Interval, optional
        Wilson's interval of the agreement behind a coefficient; quoted before the bootstrap's.
    readers : int
    note, undefined : str
        What to know; and why there is no value, where there is none.
    """
    value = value_of(statistic, cases) if cases else float("nan")
    known = bool(np.isfinite(value))
    boot = bootstrap_interval(statistic, draws) if draws and known else None
    usable = analytic if analytic and known and np.isfinite([analytic.low, analytic.high]).all() else None
    of_agreement = carried if known else None
    by_formula_first = quote_analytic or not draws
    intervals, without = with_width(
        (usable, of_agreement, boot) if by_formula_first else (of_agreement, boot, usable)
    )
    return Statistic(
        key=key,
        label=label,
        value=value,
        intervals=intervals,
        n=cases,
        readers=readers,
        method=method,
        source=source,
        note="; ".join(part for part in (note, without, "" if known else undefined) if part),
    )


def with_width(intervals: Iterable[Interval | None]) -> tuple[tuple[Interval, ...], str]:
    """Return the intervals that have a width, and a note where there were only others.

    Parameters
    ----------
    intervals : iterable of Interval or None
    """
    given = [one for one in intervals if one]
    kept = tuple(one for one in given if one.has_width)
    return kept, NO_WIDTH if given and not kept else ""


RARE = "hardly anything disagrees: the interval does not cover disagreements too rare to occur here"
_NEARLY_ONE = 0.99


def blind_to_rare_disagreements(found: Statistic) -> Statistic:
    """Add to a coefficient of scores near 1 what its interval leaves out.

    Simulated studies of 30 cases in which large disagreements are rare (docs/notebook/agreement.md): 95 %
    intervals contain the truth in 78 to 91 % only, since no draw of the cases contains what none of them has.
    """
    near = bool(found.intervals) and found.intervals[0].low >= _NEARLY_ONE
    return found.noting(RARE) if near else found


# Shares of cases, Wilson's interval for them, and what it says about coefficients and differences.


_SMALL, _FEW_OF_SMALL, _FEW_OF_LARGE = 50, 2, 3
CARRIED = "Wilson's limits of the agreement, corrected for chance"


def wilson_interval(hits: float, total: float, level: float = 0.95) -> Interval | None:
    """Return Wilson's score interval of hits out of total (Wilson 1927, JASA 22:209); None of nothing.

    Parameters
    ----------
    hits, total : float
        Need not be whole: mean agreement counts each case by the share of its pairs.
    level : float
    """
    if total <= 0:
        return None
    z = float(ndtri((1 + level) / 2))
    share = hits / total
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * np.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    return Interval(float(max(centre - half, 0.0)), float(min(centre + half, 1.0)), "Wilson")


def carried_interval(
    agreement: float, value: float, slope: float, total: float, level: float
) -> Interval | None:
    """Return Wilson's interval of the agreement, carried to a coefficient that corrects it for chance.

    Where nobody disagrees no draw of cases can, and a bootstrap has no width; the agreement's own interval
    has one. Agreement by chance is taken as it is, after `smoothed`.

    Parameters
    ----------
    agreement : float
        Share of agreement, 0 to 1.
    value, slope : float
        The coefficient, and how much it rises with the agreement: 1 / (1 − agreement by chance).
    total : float
        Cases, or as many as they are worth.
    level : float
    """
    if not np.isfinite([agreement, value, slope]).all():
        return None
    own = wilson_interval(min(agreement, 1.0) * total, total, level)
    if own is None:
        return None
    high_agreement = max(own.high, 1 - _fewest_disagreements((1 - agreement) * total, total, level))
    low, high = (1 - (1 - end) * slope for end in (own.low, high_agreement))
    method = CARRIED if slope > 1 else "Wilson"
    return Interval(float(min(max(low, -1.0), value)), float(max(high, value)), method)


def _fewest_disagreements(disagreements: float, total: float, level: float) -> float:
    """Return the share of disagreement that a few disagreements leave possible; 1 for more than a few.

    Wilson's interval leaves the truth out too often where hardly anything disagrees; Brown, Cai & DasGupta
    2001, Statistical Science 16:101, section 4.1.1, take Poisson's limit there.
    """
    few = _FEW_OF_SMALL if total <= _SMALL else _FEW_OF_LARGE
    if not 0 < disagreements <= few + 1e-9:
        return 1.0
    return float(gammaincinv(disagreements, 1 - level)) / total


def smoothed(shares: NDArray[np.float64], cases: float | NDArray[np.int64]) -> NDArray[np.float64]:
    """Return shares of categories with one more case that is spread evenly over all, (..., Q).

    For intervals alone: where nearly all cases are of one category, chance would otherwise seem to explain
    nearly everything, and with it the interval widens or fails by the accident of one case. Chosen by
    simulation: 95 % intervals of kappa contain the truth in 94 to 99 % of studies of 30 cases.
    """
    return np.asarray((cases * shares + 1 / shares.shape[-1]) / (cases + 1))


def effective_cases(agreement: NDArray[np.float64], cases: float) -> float:
    """Return how many cases with one pair of readers are as informative as these, whose pairs differ.

    Parameters
    ----------
    agreement : float64 array, (N,)
        Share of a case's pairs of readers that agree.
    cases : float
        Patients: what it is where all cases agree alike.
    """
    mean = float(agreement.mean()) if len(agreement) else 1.0
    variance = float(agreement.var(ddof=1)) if len(agreement) > 1 else 0.0
    return worth_of(mean, variance, cases)


def worth_of(mean: float, variance: float, cases: float) -> float:
    """Return the effective number of cases from the mean and the variance of their agreement.

    Parameters
    ----------
    mean, variance : float
        Of the agreement of each case, a share from 0 to 1.
    cases : float
        Patients; returned where the agreement does not vary.

    Returns
    -------
    float
        Patients times the variance that one pair of readers would give, over the one found.
    """
    return cases * mean * (1 - mean) / variance if variance > 1e-12 else cases


def paired_difference(difference: NDArray[np.float64], total: float, level: float) -> Interval | None:
    """Return an interval of a mean paired difference of shares that has a width even where nothing differs.

    Gains and losses are two shares of the cases, each with its exact limits (Clopper & Pearson 1934), which
    are put together as Zou & Donner 2008 do. Of n cases without any difference it reaches from
    −(1 − α^(1/n)) on: to exclude a loss of 0.05 takes 72 cases.

    Parameters
    ----------
    difference : float64 array, (N,)
        Of each case, −1 to 1.
    total : float
        Patients.
    level : float
    """
    if not len(difference) or total <= 0:
        return None
    gain, loss = (float(np.maximum(sign * difference, 0).mean()) for sign in (1, -1))
    (gain_low, gain_high), (loss_low, loss_high) = (_exact(share, total, level) for share in (gain, loss))
    low = gain - loss - np.hypot(gain - gain_low, loss_high - loss)
    high = gain - loss + np.hypot(gain_high - gain, loss - loss_low)
    return Interval(float(low), float(high), "exact limits of gains and losses")


def _exact(share: float, total: float, level: float) -> tuple[float, float]:
    """Return Clopper and Pearson's limits; the share of cases need not be a whole number of them."""
    hits, tail = share * total, (1 - level) / 2
    low = float(betaincinv(hits, total - hits + 1, tail)) if hits > 0 else 0.0
    high = float(betaincinv(hits + 1, total - hits, 1 - tail)) if hits < total else 1.0
    return low, high
