"""Agreement of two readers on yes or no: shares, with or without one of them as the reference, and McNemar.

PPA and NPA take x as the reference; they are no sensitivity and specificity, since a manual read is not the
truth (FDA 2007). APA and ANA treat both readers alike. A share of no cases at all is not defined.

References
----------
FDA 2007, Statistical Guidance on Reporting Results from Studies Evaluating Diagnostic Tests.
Cicchetti & Feinstein 1990, J Clin Epidemiol 43:551 (APA, ANA).
McNemar 1947, Psychometrika 12:153 (the exact, binomial form).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from cxpath.agreement.measure import Pair, measured
from cxpath.agreement.proportions import wilson_interval
from cxpath.agreement.statistic import Statistic

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Share:
    """A share: its name, and for each case what counts above and below the line.

    Where a case counts up to `per_case` times, Wilson's interval must not take these for independent.
    """

    key: str
    label: str
    above: Floats
    below: Floats
    source: str
    per_case: int = 1


def binary_agreement(pair: Pair) -> list[Statistic]:
    """Return OPA, PPA, NPA, APA and ANA with Wilson and bootstrap intervals, prevalence, and McNemar's test.

    Parameters
    ----------
    pair : Pair
        1 for yes, 0 for no.
    """
    x, y, ones = pair.x, pair.y, np.ones(len(pair))
    both, neither = x * y, (1 - x) * (1 - y)
    fda, kind = "FDA 2007", "Cicchetti & Feinstein 1990"
    shares = (
        _Share("opa", "OPA", both + neither, ones, fda),
        _Share("ppa", "PPA", both, x, fda),
        _Share("npa", "NPA", neither, 1 - x, fda),
        _Share("apa", "APA", 2 * both, x + y, kind, 2),
        _Share("ana", "ANA", 2 * neither, 2 - x - y, kind, 2),
        _Share("prevalence", "Prevalence (mean of both)", (x + y) / 2, ones, "share of yes"),
    )
    return [*(_measured(share, pair) for share in shares), mcnemar(pair)]


def _measured(share: _Share, pair: Pair) -> Statistic:
    above, below = share.above, share.below
    hits, total = float(above.sum()), float(below.sum())
    alone = pair.draws is None or pair.draws.patients == len(pair)
    return measured(
        share.key,
        share.label,
        lambda weights: np.divide(weights @ above, weights @ below),
        len(pair),
        pair.draws,
        method=f"{hits:g} of {total:g}",
        source=f"{share.source}; interval Wilson 1927",
        analytic=wilson_interval(hits / share.per_case, total / share.per_case, pair.level),
        quote_analytic=hits in {0.0, total} or (alone and share.per_case == 1),
        note=pair.note,
        undefined="not defined: no such case",
    )


def mcnemar(pair: Pair) -> Statistic:
    """Return how many more cases y calls yes than x, with the exact test that neither leans.

    Parameters
    ----------
    pair : Pair
        1 for yes, 0 for no.
    """
    only_y = int(np.count_nonzero((pair.y == 1) & (pair.x == 0)))
    only_x = int(np.count_nonzero((pair.x == 1) & (pair.y == 0)))
    split = only_x + only_y
    difference = pair.y - pair.x
    found = measured(
        "mcnemar",
        "Share of yes, compared less reference (McNemar)",
        lambda weights: weights @ difference / weights.sum(axis=1),
        len(pair),
        pair.draws,
        method=f"{only_y} against {only_x} discordant cases; p: exact McNemar test",
        source="McNemar 1947, Psychometrika 12:153",
        note=pair.note,
    )
    p_value = float(binomtest(only_y, split, 0.5).pvalue) if split else None
    return replace(found, p_value=p_value)
