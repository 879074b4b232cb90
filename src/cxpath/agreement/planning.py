"""How large a study must be: cases by simulation, and readers by ONEST.

The very intervals are simulated that the study quotes: of kappa Wilson's limits corrected for chance, of the
ICC the bootstrap over cases of ICC(A,1), of PPA Wilson's. Every case is taken to be a patient of its own.
Cases near a cut-off are read less alike; their share and their own agreement may be stated, since they
decide what a study shows. Scores are simulated as normal: heaped or skewed ones need more cases.

The curve at m readers is the share of cases on which m readers, drawn at random, all agree. Its mean over
all sets of m readers is exact; the band shows single orders of readers.

Two conventions for missing reads: leave the missing reads out and keep the case, or keep cases that all
read. They differ; each number says which.

References
----------
Bonett 2002, Statistics in Medicine 21:1331 (how wide an interval of the ICC is to be expected).
Reisenbichler et al. 2020, Modern Pathology 33:1746 (the curve).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, ndtri

from cxpath.agreement.base import (
    FEWEST_BELOW,
    SHARE_NEAR,
    Draws,
    Floats,
    Interval,
    Statistic,
    draw_cases,
    expanded_tail,
    interval_of,
    wilson_interval,
)
from cxpath.agreement.categorical import carried_kappa
from cxpath.agreement.continuous import Form, icc_statistic
from cxpath.errors import ConfigurationError

# How many cases a study needs: simulated studies, until enough of them end as sharp as wished.


Edges = tuple[Floats, Floats]
LARGEST = 20_000
"""With more cases nobody plans a study."""
REPLICATES = 400
"""Bootstrap draws of each simulated study."""
MOST_WORK, FEWEST_STUDIES = 500_000_000, 100
"""Draws × cases × studies of the ICC: beyond it fewer studies are simulated, down to so many."""


class Planned(StrEnum):
    """Which figure the study is planned for."""

    KAPPA = "kappa"
    ICC = "icc"
    PPA = "ppa"


@dataclass(frozen=True)
class Plan:
    """What is expected and what is wished.

    Parameters
    ----------
    figure : Planned
    value : float
        Expected of cases that are not near a cut-off.
    width : float or None
        The interval shall be no wider.
    at_least : float or None
        The lower bound shall be no lower. One of the two, or both.
    prevalence : float
        Of cases that reach the cut-off.
    near, near_value : float
        Share of cases near the cut-off, and what is expected of those.
    readers : int
        For the ICC.
    reader_bias : float
        For the ICC: standard deviation of the readers' own levels, in standard deviations of the scores.
    assurance : float
        Share of simulated studies that end as wished.
    level : float
    studies, seed : int
        Simulated at each number of cases.
    """

    figure: Planned
    value: float
    width: float | None = None
    at_least: float | None = None
    prevalence: float = 0.5
    near: float = 0.0
    near_value: float = 0.0
    readers: int = 2
    reader_bias: float = 0.0
    assurance: float = 0.8
    level: float = 0.95
    studies: int = 1000
    seed: int = 1

    @property
    def expected(self) -> float:
        """The figure over all cases."""
        return (1 - self.near) * self.value + self.near * self.near_value


@dataclass(frozen=True)
class PlannedStudy:
    """How many cases, and of which kind.

    Parameters
    ----------
    cases : int
    reached : float
        Share of simulated studies that end as wished.
    below, near : int
        At least so many cases below the first cut-off, and so many between half of it and the last.
    """

    cases: int
    reached: float
    below: int
    near: int


def plan_study(plan: Plan) -> PlannedStudy:
    """Return the smallest number of cases that is enough.

    Raises
    ------
    ConfigurationError
        When something is out of range, nothing is wished, or no number of cases is enough.
    """
    _check(plan)
    too_much = ConfigurationError(
        f"not even {LARGEST:,} cases are enough", "request a wider interval or a smaller lower bound"
    )
    if _is_out_of_reach(plan):
        raise too_much
    low, high = 4, 8
    while share_reached(plan, high) < plan.assurance:
        if high == LARGEST:
            raise too_much
        low, high = high, min(2 * high, LARGEST)
    while high - low > max(1, low // 100):
        middle = (low + high) // 2
        low, high = (low, middle) if share_reached(plan, middle) >= plan.assurance else (middle, high)
    return PlannedStudy(
        cases=high,
        reached=share_reached(plan, high),
        below=min(high, max(FEWEST_BELOW, math.ceil(high * (1 - plan.prevalence)))),
        near=math.ceil(high * max(SHARE_NEAR, plan.near)),
    )


def _is_out_of_reach(plan: Plan) -> bool:
    """Say whether even the largest study's interval of the ICC is far wider than wished (Bonett 2002).

    Its bootstrap takes long to simulate at that size; the other figures are quick.
    """
    if plan.figure is not Planned.ICC or plan.width is None:
        return False
    k, rho = plan.readers, plan.expected
    error = (1 - rho) * (1 + (k - 1) * rho) * math.sqrt(2 / (k * (k - 1) * (LARGEST - 1)))
    return 2 * float(ndtri((1 + plan.level) / 2)) * error > 2 * plan.width


def share_reached(plan: Plan, cases: int) -> float:
    """Return the share of simulated studies of so many cases that end as wished."""
    rng = np.random.default_rng(plan.seed)
    low, high = _SIMULATED[plan.figure](plan, cases, rng)
    wished = np.isfinite(low) & np.isfinite(high)
    if plan.width is not None:
        wished &= high - low <= plan.width
    if plan.at_least is not None:
        wished &= low >= plan.at_least
    return float(wished.mean())


def _kappa(plan: Plan, cases: int, rng: np.random.Generator) -> Edges:
    """Simulate cross tables of two readers with equal prevalence."""
    p = plan.prevalence
    both = p**2 + plan.expected * p * (1 - p)
    cells = np.array([1 - 2 * p + both, p - both, p - both, both])
    tables = rng.multinomial(cases, cells, size=plan.studies).reshape(-1, 2, 2).astype(np.float64)
    kinds, which = np.unique(tables, axis=0, return_inverse=True)
    return _edges([carried_kappa(table, np.eye(2), cases, plan.level) for table in kinds], which.ravel())


def _edges(found: Sequence[Interval | None], which: NDArray[np.int64]) -> Edges:
    """Return the ends of every study's interval, NaN for none, given those of all kinds of studies."""
    low = np.array([one.low if one else np.nan for one in found])
    high = np.array([one.high if one else np.nan for one in found])
    return low[which], high[which]


def _icc(plan: Plan, cases: int, rng: np.random.Generator) -> Edges:
    """Simulate normal scores of readers who differ in level, and the bootstrap over cases of each study."""
    work = REPLICATES * cases * (plan.readers + 2)
    studies = min(plan.studies, max(FEWEST_STUDIES, MOST_WORK // work))
    weights = draw_cases(np.arange(cases), REPLICATES, plan.level, plan.seed).weights
    tail = expanded_tail(cases, plan.level)
    edges = [
        np.nanquantile(_icc_of_draws(_scores(plan, cases, rng), weights), [tail, 1 - tail])
        for _ in range(studies)
    ]
    low, high = np.array(edges).T
    return low, high


def _scores(plan: Plan, cases: int, rng: np.random.Generator) -> Floats:
    """Return normal scores of variance 1, (cases, readers), with the expected ICC(A,1)."""
    k, bias = plan.readers, plan.reader_bias
    error = math.sqrt(1 - plan.expected - bias**2)
    case = math.sqrt(plan.expected) * rng.standard_normal((cases, 1))
    return case + bias * rng.standard_normal((1, k)) + error * rng.standard_normal((cases, k))


def _icc_of_draws(scores: Floats, weights: Floats) -> Floats:
    """Return ICC(A,1) of every draw, (B,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return icc_statistic(scores, Form.AGREEMENT)(weights)


def _ppa(plan: Plan, cases: int, rng: np.random.Generator) -> Edges:
    """Simulate positives of the reference, and those of them that the compared finds."""
    positives = rng.binomial(cases, plan.prevalence, plan.studies)
    hits = rng.binomial(positives, plan.expected)
    found = [wilson_interval(hit, total, plan.level) for hit, total in zip(hits, positives, strict=True)]
    return _edges(found, np.arange(plan.studies))


_SIMULATED: dict[Planned, Callable[[Plan, int, np.random.Generator], Edges]] = {
    Planned.KAPPA: _kappa,
    Planned.ICC: _icc,
    Planned.PPA: _ppa,
}


def _check(plan: Plan) -> None:
    hint = "see cxpath agree plan --help"
    if plan.width is None and plan.at_least is None:
        raise ConfigurationError(
            "neither a width nor a lower bound is requested", "pass --width or --at-least"
        )
    for name in ("value", "prevalence", "assurance", "level"):
        if not 0 < getattr(plan, name) < 1:
            raise ConfigurationError(f"{name} must lie between 0 and 1", hint)
    if not 0 <= plan.near < 1 or not 0 <= plan.near_value < 1:
        raise ConfigurationError("near and near-value must be shares below 1", hint)
    if plan.at_least is not None and plan.at_least >= plan.expected:
        raise ConfigurationError(
            f"the lower bound {plan.at_least:g} is not below what is expected, {plan.expected:g}", hint
        )
    if plan.reader_bias < 0 or plan.reader_bias**2 >= 1 - plan.expected:
        raise ConfigurationError(
            f"readers' own levels of {plan.reader_bias:g} leave no room for an ICC of {plan.expected:g}",
            "its square must be below 1 less the expected value",
        )
    if plan.readers < 2 or plan.studies < 100:
        raise ConfigurationError("at least 2 readers and 100 simulated studies are needed", hint)


# ONEST: how agreement of all readers falls as more of them read.


SOURCE = "Reisenbichler et al. 2020, Mod Pathol 33:1746; mean over all sets of readers exact"


class Missing(StrEnum):
    """What is done with missing reads."""

    IGNORED = "missing reads ignored"
    COMPLETE = "complete cases"


@dataclass(frozen=True, eq=False)
class OnestCurve:
    """The curve.

    Parameters
    ----------
    readers : int64 array, (M,)
        2 to all.
    mean, low, high : float64 array, (M,)
        Over sets of readers, with the interval over cases.
    order_low, order_high : float64 array, (M,)
        Between which 95 % of random orders of readers lie.
    cases : int
    missing : Missing
    """

    readers: NDArray[np.int64]
    mean: Floats
    low: Floats
    high: Floats
    order_low: Floats
    order_high: Floats
    cases: int
    missing: Missing
    interval_method: str = ""

    @property
    def all_readers(self) -> float:
        """The agreement of all readers."""
        return float(self.mean[-1])

    @property
    def enough_readers(self) -> int:
        """From how many readers on one more changes the mean by less than a point in a hundred."""
        steps = -np.diff(self.mean)
        small = np.flatnonzero(steps < 0.01)
        return int(self.readers[small[0]]) if len(small) else int(self.readers[-1])

    def statistics(self) -> list[Statistic]:
        """Return the two numbers to quote."""
        interval = (Interval(float(self.low[-1]), float(self.high[-1]), self.interval_method),)
        method = f"share of cases on which all readers agree, {self.missing.value}"
        key = "onest_" + ("ignored" if self.missing is Missing.IGNORED else "complete")
        whole, n = int(self.readers[-1]), self.cases
        hits = round(self.all_readers * n)
        return [
            Statistic(
                key=f"{key}_all",
                label=f"All {whole} readers agree ({self.missing.value})",
                value=self.all_readers,
                intervals=interval if self.interval_method else (),
                n=n,
                readers=whole,
                method=f"{hits} of {n}; {method}",
                source=SOURCE,
            ),
            Statistic(
                key=f"{key}_enough",
                label=f"Readers after whom one more costs under 1 point ({self.missing.value})",
                value=float(self.enough_readers),
                intervals=(),
                n=n,
                readers=whole,
                method=method,
                source=SOURCE,
            ),
        ]


def onest_curve(
    reads: Floats, missing: Missing, draws: Draws | None = None, orders: int = 500, seed: int = 1
) -> OnestCurve | None:
    """Return the curve.

    Parameters
    ----------
    reads : float64 array, (N, R)
        1 for yes, 0 for no, NaN for no read; or any category numbers.
    missing : Missing
    draws : Draws, optional
    orders : int
        Random orders of readers behind the band.
    seed : int

    Returns
    -------
    OnestCurve or None
        None with fewer than two readers, or without a case.
    """
    read = np.isfinite(reads)
    kept = np.asarray(read.all(axis=1) if missing is Missing.COMPLETE else read.any(axis=1), dtype=bool)
    table = reads[kept]
    if reads.shape[1] < 2 or not len(table):
        return None
    sizes = np.arange(2, reads.shape[1] + 1)
    agreeing = _agreement_of_sets(table, sizes)
    band = _orders(table, sizes, orders, seed)
    low = high = np.full(len(sizes), np.nan)
    method = ""
    if draws is not None:
        own = draws.only(kept)
        with np.errstate(invalid="ignore"):  # a draw that contains none of the cases has no share
            curves = own.weights @ agreeing / own.weights.sum(axis=1, keepdims=True)
        found = [_with_width(curves[:, place], agreeing[:, place], own) for place in range(len(sizes))]
        if all(found):
            low = np.array([one.low for one in found if one])
            high = np.array([one.high for one in found if one])
            method = next(one.method for one in reversed(found) if one)
    return OnestCurve(sizes, agreeing.mean(axis=0), low, high, *band, len(table), missing, method)


def _with_width(values: Floats, agreeing: Floats, draws: Draws) -> Interval | None:
    """Return the bootstrap interval of a share, or Wilson's where every draw gives the same."""
    boot = interval_of(values, draws)
    if boot is None or boot.has_width:
        return boot
    return wilson_interval(float(agreeing.mean()) * draws.patients, draws.patients, draws.level)


def _agreement_of_sets(reads: Floats, sizes: NDArray[np.int64]) -> Floats:
    """Return for each case the share of sets of m readers that agree on it, (N, M): hypergeometric."""
    readers = reads.shape[1]
    categories = np.unique(reads[np.isfinite(reads)])
    gaps = np.isnan(reads).sum(axis=1)
    shares = np.zeros((len(reads), len(sizes)))
    for category in categories:
        shares += _chosen_from((reads == category).sum(axis=1) + gaps, sizes, readers)
    # Sets of nothing but gaps were counted once a category, and agree once.
    shares -= (len(categories) - 1) * _chosen_from(gaps, sizes, readers)
    return shares


def _chosen_from(some: NDArray[np.int64], sizes: NDArray[np.int64], readers: int) -> Floats:
    """Return C(some, m) / C(readers, m), (N, M)."""
    n, m = some[:, None].astype(np.float64), sizes[None, :].astype(np.float64)
    possible = n >= m
    left = np.where(possible, n - m, 0.0)
    logarithm = gammaln(n + 1) - gammaln(left + 1) - gammaln(readers + 1.0) + gammaln(readers - m + 1)
    return np.where(possible, np.exp(logarithm), 0.0)


def _orders(reads: Floats, sizes: NDArray[np.int64], orders: int, seed: int) -> tuple[Floats, Floats]:
    """Return the 2.5 and 97.5 % quantiles of the curve over random orders of readers."""
    rng = np.random.default_rng(seed)
    largest, smallest = np.where(np.isnan(reads), -np.inf, reads), np.where(np.isnan(reads), np.inf, reads)
    curves = np.empty((orders, len(sizes)))
    for number in range(orders):
        order = rng.permutation(reads.shape[1])
        top = np.maximum.accumulate(largest[:, order], axis=1)
        bottom = np.minimum.accumulate(smallest[:, order], axis=1)
        curves[number] = (top <= bottom)[:, 1:].mean(axis=0)
    low, high = np.quantile(curves, [0.025, 0.975], axis=0)
    return low, high
