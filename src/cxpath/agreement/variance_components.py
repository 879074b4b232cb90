"""Where the spread of scores comes from: case, reader, site, scanner, and what is left.

Random effects without interaction, estimated without iteration (MIVQUE(0), the same as the analysis of
variance where nothing is missing). An estimate below zero is given as zero, with a note. A factor with one
level, or one that stands for the cases themselves, cannot be told apart and is left out.

References
----------
Rao 1971, J Multivariate Analysis 1:445; Hartley, Rao & LaMotte 1978, Biometrics 34:233 (MIVQUE(0)).
Efron & Stein 1981, Annals of Statistics 9:586 (jackknife, here over patients).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as t_distribution

from cxpath.agreement.statistic import Interval, Statistic

Floats = NDArray[np.float64]
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
    return np.unique(code, return_inverse=True)[1].astype(np.int64)


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
        if len(np.unique(unit[kept])) >= 2
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
        intervals=(interval,) if interval else (),
        n=len(scores),
        readers=scores.shape[1],
        method=f"variance {max(variance, 0.0):.4g}; random effects, MIVQUE(0)",
        source="Rao 1971; Hartley, Rao & LaMotte 1978",
        note="estimated below zero, given as 0" if variance < 0 else "",
    )
