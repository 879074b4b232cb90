"""How many cells are truly positive, given how many were called so and how a slide's calls go wrong.

Rogan & Gladen (1978) corrected a prevalence for imperfect recall and specificity; here both vary between
slides, and their doubt is carried along by drawing them. Knows nothing of where the cells lie.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

Draws = NDArray[np.float64]

_LOG_NODES = np.linspace(-6.0, 6.0, 97)
KNEE = 0.0002
"""Positive cells for one tumour cell from which on orders of magnitude are alike: 0.02 on the CPS's scale."""

_FEW = 40
_GRID = 600


def draw_found(
    called: int,
    base: int,
    tumour: int,
    specificity: float,
    spread: float,
    rng: np.random.Generator,
    draws: int,
) -> Draws:
    """Draw how many of the cells called positive are truly so.

    For each cell called negative there are so many false ones as the odds of one minus the specificity,
    whose logarithm is normal between slides; their number is Poisson. A priori any number of true ones is
    possible: each order of magnitude alike down to one for 5,000 tumour cells, below that each number.

    Parameters
    ----------
    called, base : int
        Cells called positive; cells of that kind in all.
    tumour : int
        Cells called tumour.
    specificity, spread : float
        Median over slides, and standard deviation of its logit.
    rng : numpy Generator
    draws : int

    Returns
    -------
    float array, (draws,)
        0 to `called`.
    """
    if called == 0:
        return np.zeros(draws)
    false = _grid(called)
    log_odds = special.logit(1.0 - specificity) + np.log(base - called + 0.5)
    weight = _log_false(false, log_odds, max(spread, 1e-3))
    weight -= np.log(called - false + 0.5 + KNEE * tumour)
    weight += np.log(np.gradient(false)) if called > _GRID else 0.0
    chance = np.exp(weight - weight.max())
    below = np.cumsum(chance) / chance.sum()
    picked = np.minimum(np.searchsorted(below, rng.random(draws)), len(false) - 1)
    return np.asarray(called - false[picked])


def draw_true(found: Draws, recall: float, spread: float, rng: np.random.Generator) -> Draws:
    """Add the positive cells that were missed.

    Parameters
    ----------
    found : float array, (draws,)
        Truly positive cells among the called ones.
    recall, spread : float
        Median over slides, and standard deviation of its logit.
    rng : numpy Generator
    """
    own = special.expit(special.logit(recall) + spread * rng.standard_normal(len(found)))
    missed = rng.poisson(rng.gamma(found + 0.5) * (1.0 - own) / own)  # negative binomial
    return np.asarray(found + missed)


def _grid(called: int) -> Draws:
    if called <= _GRID:
        return np.arange(called + 1, dtype=np.float64)
    return np.unique(np.rint(np.geomspace(1.0, called + 1.0, _GRID))) - 1.0


def _log_false(false: Draws, log_mean: float, spread: float) -> Draws:
    """Return the log chance of each number of false positives (Poisson with a log-normal mean)."""
    few = false[false <= _FEW]
    means = log_mean + spread * _LOG_NODES
    poisson = few[:, None] * means - np.exp(means) - special.gammaln(few + 1)[:, None]
    exact = special.logsumexp(poisson - 0.5 * _LOG_NODES**2, axis=1) + np.log(_LOG_NODES[1] - _LOG_NODES[0])
    many = false[false > _FEW]
    variance = spread**2 + 1.0 / many
    close = -0.5 * (np.log(many) - log_mean) ** 2 / variance - 0.5 * np.log(variance) - np.log(many)
    return np.concatenate([exact, close])
