"""How many cases a study needs, by simulation: until enough simulated studies end as sharp as wished.

The same intervals are simulated that the study will report. Cases near a cut-off are read less alike; their
share and their own agreement may be stated, since they decide what a study shows.

References
----------
Kappa's interval: Fleiss, Cohen & Everitt 1969. ICC: mean squares of normal data, Shrout & Fleiss 1979. PPA:
Wilson 1927.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import f as f_distribution

from cxpath.agreement.base import wilson_interval
from cxpath.agreement.categorical import kappa_error, kappa_of_tables
from cxpath.agreement.study import FEWEST_BELOW, SHARE_NEAR
from cxpath.errors import ConfigurationError

Floats = NDArray[np.float64]
Edges = tuple[Floats, Floats]
LARGEST = 20_000
"""With more cases nobody plans a study."""


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
    if share_reached(plan, LARGEST) < plan.assurance:
        raise ConfigurationError(
            f"not even {LARGEST:,} cases are enough", "wish for a wider interval or a lower bound"
        )
    low, high = 4, LARGEST
    while high - low > max(1, low // 100):
        middle = math.isqrt(low * high)
        middle = min(max(middle, low + 1), high - 1)
        low, high = (low, middle) if share_reached(plan, middle) >= plan.assurance else (middle, high)
    return PlannedStudy(
        cases=high,
        reached=share_reached(plan, high),
        below=min(high, max(FEWEST_BELOW, math.ceil(high * (1 - plan.prevalence)))),
        near=math.ceil(high * max(SHARE_NEAR, plan.near)),
    )


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
    scheme = np.eye(2)
    values = kappa_of_tables(tables, scheme)
    errors = np.array(
        [kappa_error(one / cases, scheme, cases, float(k)) for one, k in zip(tables, values, strict=True)]
    )
    half = float(ndtri((1 + plan.level) / 2)) * errors
    return values - half, np.minimum(values + half, 1.0)


def _icc(plan: Plan, cases: int, rng: np.random.Generator) -> Edges:
    """Simulate mean squares of normal scores without bias between readers."""
    k, rho = plan.readers, plan.expected
    freedom = cases - 1, (cases - 1) * (k - 1)
    between = (1 + (k - 1) * rho) * rng.chisquare(freedom[0], plan.studies) / freedom[0]
    residual = (1 - rho) * rng.chisquare(freedom[1], plan.studies) / freedom[1]
    ratio, tail = between / residual, (1 + plan.level) / 2
    low = ratio / f_distribution.ppf(tail, *freedom)
    high = ratio * f_distribution.ppf(tail, freedom[1], freedom[0])
    return (low - 1) / (low + k - 1), (high - 1) / (high + k - 1)


def _ppa(plan: Plan, cases: int, rng: np.random.Generator) -> Edges:
    """Simulate positives of the reference, and those of them that the compared finds."""
    positives = rng.binomial(cases, plan.prevalence, plan.studies)
    hits = rng.binomial(positives, plan.expected)
    found = [wilson_interval(hit, total, plan.level) for hit, total in zip(hits, positives, strict=True)]
    low = np.array([one.low if one else np.nan for one in found])
    return low, np.array([one.high if one else np.nan for one in found])


_SIMULATED: dict[Planned, Callable[[Plan, int, np.random.Generator], Edges]] = {
    Planned.KAPPA: _kappa,
    Planned.ICC: _icc,
    Planned.PPA: _ppa,
}


def _check(plan: Plan) -> None:
    hint = "see cxpath agree plan --help"
    if plan.width is None and plan.at_least is None:
        raise ConfigurationError("neither a width nor a lower bound is wished", "pass --width or --at-least")
    for name in ("value", "prevalence", "assurance", "level"):
        if not 0 < getattr(plan, name) < 1:
            raise ConfigurationError(f"{name} must lie between 0 and 1", hint)
    if not 0 <= plan.near < 1 or not 0 <= plan.near_value < 1:
        raise ConfigurationError("near and near-value must be shares below 1", hint)
    if plan.at_least is not None and plan.at_least >= plan.expected:
        raise ConfigurationError(
            f"the lower bound {plan.at_least:g} is not below what is expected, {plan.expected:g}", hint
        )
    if plan.readers < 2 or plan.studies < 100:
        raise ConfigurationError("at least 2 readers and 100 simulated studies are needed", hint)
