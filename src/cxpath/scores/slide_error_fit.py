"""From truth against call on held-out slides to the spread of errors between slides.

Each slide's rate is a count of cells out of others; the logarithm (or logit) of the rate is taken as normal
over slides. Middle and spread are the maximum likelihood of that, the binomial noise of each slide apart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from cxpath.scores.slide_error import SlideErrorSettings

TUMOUR_POSITIVE, TUMOUR_NEGATIVE, IMMUNE_POSITIVE, IMMUNE_NEGATIVE, OTHER, NOTHING = range(6)
_COUNTED = [TUMOUR_POSITIVE, IMMUNE_POSITIVE]
_FALSE = [TUMOUR_NEGATIVE, IMMUNE_NEGATIVE, OTHER, NOTHING]
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(41)

_RAREST = 1e-6

Counts = NDArray[np.int64]


def fit_slide_error(tables: Counts) -> SlideErrorSettings:
    """Estimate the error term from held-out slides.

    Parameters
    ----------
    tables : int array, (slides, 6, 6)
        Cells of each slide: row the true class, column the called one, in the order tumour positive, tumour
        negative, immune positive, immune negative, other, nothing (missed or invented).

    Returns
    -------
    SlideErrorSettings

    Raises
    ------
    ValueError
        When no slide holds cells of a kind that is needed.
    """
    tables = np.asarray(tables, dtype=np.int64)
    figures: dict[str, float] = {}
    for name, first in (("tumour", TUMOUR_POSITIVE), ("immune", IMMUNE_POSITIVE)):
        found = tables[:, first, _COUNTED].sum(axis=1)
        median, spread = fit_rates(found, tables[:, first].sum(axis=1))
        figures |= {f"{name}_recall": median, f"{name}_recall_spread": spread}
        false = tables[:, _FALSE, first].sum(axis=1)
        rest = tables[:, :, first : first + 2].sum(axis=(1, 2)) - tables[:, :, first].sum(axis=1) + false
        median, spread = fit_rates(false, rest)
        figures |= {f"{name}_specificity": 1 - median, f"{name}_specificity_spread": spread}
    median, spread = _found(tables[:, :, :2].sum(axis=(1, 2)), tables[:, :2].sum(axis=(1, 2)))
    figures |= {"tumour_found": median, "tumour_found_spread": spread}
    return SlideErrorSettings(**_within(figures), held_out_slides=len(tables))


def _found(called: Counts, true: Counts) -> tuple[float, float]:
    """Return cells called tumour for each true one: the median, and the spread of its logarithm."""
    known = (called > 0) & (true > 0)
    if known.sum() < 2:
        raise ValueError("fewer than two held-out slides hold tumour cells and cells called so")
    ratio = np.log(called[known] / true[known])
    return float(np.exp(np.median(ratio))), float(np.std(ratio, ddof=1))


def _within(figures: dict[str, float]) -> dict[str, float]:
    """Round as the settings take it: no share is 0 or 1, however rare an error was."""
    rounded = {name: round(value, 6) for name, value in figures.items()}
    shares = {
        name for name in rounded if not name.startswith("tumour_found") and not name.endswith("_spread")
    }
    return {
        name: min(max(value, _RAREST), 1 - _RAREST) if name in shares else value
        for name, value in rounded.items()
    }


def fit_rates(successes: Counts, trials: Counts) -> tuple[float, float]:
    """Return the median and the logit's standard deviation of a rate over slides.

    Maximum likelihood of a logit-normal binomial (Gauss-Hermite quadrature). Slides without trials say
    nothing and are left out.

    Parameters
    ----------
    successes, trials : int array, (slides,)

    Raises
    ------
    ValueError
        When no slide has a trial.
    """
    known = trials > 0
    if not known.any():
        raise ValueError("no held-out slide holds such a cell: the rate cannot be estimated")
    k, n = successes[known].astype(np.float64), trials[known].astype(np.float64)
    start = special.logit((k.sum() + 0.5) / (n.sum() + 1.0))

    def cost(parameters: NDArray[np.float64]) -> float:
        middle, log_spread = parameters
        return -float(_log_likelihood(k, n, middle, np.exp(log_spread)).sum())

    bounds = [(start - 6, start + 6), (np.log(0.02), np.log(4.0))]
    best = optimize.minimize(cost, x0=[start, np.log(0.5)], method="L-BFGS-B", bounds=bounds)
    return float(special.expit(best.x[0])), float(np.exp(best.x[1]))


def _log_likelihood(
    k: NDArray[np.float64], n: NDArray[np.float64], middle: float, spread: float
) -> NDArray[np.float64]:
    """Return each slide's log likelihood, the quadrature's nodes laid around the slide's own rate."""
    own = special.logit((k + 0.5) / (n + 1.0))
    width = 1.0 / ((k + 0.5) * (n - k + 0.5) / (n + 1.0))
    pull = 1.0 / (1.0 / width + 1.0 / spread**2)
    centre = pull * (own / width + middle / spread**2)
    logits = centre[:, None] + np.sqrt(pull)[:, None] * _NODES
    binomial = k[:, None] * special.log_expit(logits) + (n - k)[:, None] * special.log_expit(-logits)
    normal = -0.5 * ((logits - middle) / spread) ** 2 - np.log(spread)
    weights = np.log(_WEIGHTS) + 0.5 * _NODES**2 + 0.5 * np.log(pull)[:, None]
    total: NDArray[np.float64] = special.logsumexp(binomial + normal + weights, axis=1)
    return total
