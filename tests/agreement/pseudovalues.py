"""Dorfman-Berbaum-Metz: the test of Obuchowski and Rockette by another way, as a check of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as f_distribution

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PseudovalueTest:
    """Mean squares of pseudovalues, and the test that they give.

    Parameters
    ----------
    ms : mapping of str to float
        "T", "R", "C", "TR", "TC", "RC", "TRC": treatment (arm), reader, case.
    f, degrees, p_value : float
    """

    ms: dict[str, float]
    f: float
    degrees: float
    p_value: float


def dorfman_berbaum_metz(figures: Floats, without: Floats) -> PseudovalueTest:
    """Compare two arms by the analysis of variance of jackknife pseudovalues.

    Parameters
    ----------
    figures : float64 array, (T, R)
    without : float64 array, (n, T, R)
    """
    n = len(without)
    pseudo = n * figures - (n - 1) * without
    pseudo = pseudo - pseudo.mean(axis=0) + figures  # normalised, as Hillis, Berbaum & Metz 2008 do
    ms = _three_way(np.moveaxis(pseudo, 0, 2))
    denominator = ms["TR"] + max(ms["TC"] - ms["TRC"], 0.0)
    arms, readers = figures.shape
    degrees = denominator**2 / (ms["TR"] ** 2 / ((arms - 1) * (readers - 1)))
    f = ms["T"] / denominator
    return PseudovalueTest(ms, f, degrees, float(f_distribution.sf(f, arms - 1, degrees)))


def _three_way(values: Floats) -> dict[str, float]:
    """Return the mean squares of a full three-way layout with one value a cell, (T, R, C)."""
    names = "TRC"
    effects: dict[str, Floats] = {"": values.mean(keepdims=True)}
    found: dict[str, float] = {}
    for term in ("T", "R", "C", "TR", "TC", "RC", "TRC"):
        axes = tuple(axis for axis, name in enumerate(names) if name not in term)
        mean = values.mean(axis=axes, keepdims=True) if axes else values
        effect = mean - sum(own for name, own in effects.items() if set(name) < set(term))
        effects[term] = effect
        size = values.size / effect.size
        degrees = math.prod(values.shape[names.index(name)] - 1 for name in term)
        found[term] = float(size * np.sum(effect**2) / degrees)
    return found
