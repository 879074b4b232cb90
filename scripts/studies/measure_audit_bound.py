"""How small the error of an audited CPS can be: a lower bound for the slides of `measure_audit`.

    python -m scripts.studies.measure_audit_bound [SLIDES] [--seed 2027] [--cells 60000]

Whoever draws the cells knows here what nobody can know: how the network's log-odds follow the truth on
this very slide. Each cell's probabilities of class and staining are then exact, and cells are drawn in
proportion to what their doubt is worth. No estimator that is unbiased under its own draw has a smaller
expected square error, to first order in the logarithm of the CPS (Godambe & Joshi 1965, Ann Math Stat 36:
1707-1722).
For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import special

from cxpath.data.cells import Kind
from cxpath.scores.audit_sample import inclusion_probabilities, linear_effect, variances
from scripts.studies.measure_audit import (
    HIGHEST_CPS,
    LOWEST_CPS,
    NETWORKS,
    QUESTIONS,
    KnownSlide,
    Network,
    simulate_slide,
)

Array = NDArray[np.float64]
EDGES = (0.0, 1.0, 5.0, 20.0, 100.1)


def exact_ways(slide: KnownSlide, network: Network) -> Array:
    """Return the exact probability of each cell to enter the CPS in each of the four ways, (N, 4).

    Bayes' rule with the distributions that `measure_audit` draws from, and with the slide's own shares of
    classes and of stained cells in each.
    """
    chance = _shares(slide)  # (3, 2): class, stained or not
    joint = np.log(chance)[None] + _class_evidence(slide, network)[:, :, None]
    joint = joint + _stain_evidence(slide, network)[:, None, :]
    joint = np.exp(joint - special.logsumexp(joint, axis=(1, 2), keepdims=True))
    tumour, immune = joint[:, Kind.TUMOUR], joint[:, Kind.IMMUNE]
    rest = 1.0 - tumour.sum(axis=1) - immune[:, 1]
    return np.stack([tumour[:, 1], tumour[:, 0], immune[:, 1], np.maximum(rest, 0.0)], axis=1)


def _shares(slide: KnownSlide) -> Array:
    counts = np.zeros((len(Kind), 2))
    np.add.at(counts, (slide.kind, slide.stained.astype(np.int64)), 1.0)
    return np.maximum(counts, 1e-9) / len(slide.kind)


def _class_evidence(slide: KnownSlide, network: Network) -> Array:
    """Return the log-likelihood of each class, up to a constant of each cell, (N, 3)."""
    stated = np.stack([slide.cells.p_tumour, slide.cells.p_immune, slide.cells.p_other], axis=1)
    signal = np.log(np.maximum(stated.astype(np.float64), 1e-30))
    signal /= network.class_signal * network.overconfidence
    signal[:, Kind.TUMOUR] -= network.tumour_bias
    return network.class_signal * signal


def _stain_evidence(slide: KnownSlide, network: Network) -> Array:
    """Return the log-likelihood of an unstained and of a stained cell, (N, 2)."""
    log_odds = special.logit(np.clip(slide.cells.stained.astype(np.float64), 1e-12, 1 - 1e-7))
    plain = _log_normal(log_odds, network.unstained_mean, network.unstained_spread)
    doubtful = _log_normal(log_odds, -0.5, 1.8)
    dull = np.logaddexp(np.log1p(-network.bystanders) + plain, np.log(network.bystanders) + doubtful)
    return np.stack([dull, _log_normal(log_odds, network.stained_mean, network.stained_spread)], axis=1)


def _log_normal(values: Array, mean: float, spread: float) -> Array:
    return np.asarray(-0.5 * ((values - mean) / spread) ** 2 - np.log(spread))


def lowest_variance(ways: Array, questions: int) -> float:
    """Return the bound for the variance of the logarithm of the CPS.

    Parameters
    ----------
    ways : float array, (N, 4)
        Exact probabilities.
    questions : int
    """
    spread = np.sqrt(variances(ways, linear_effect(ways.sum(axis=0))))
    inclusion = inclusion_probabilities(spread, questions)
    return float((spread**2 * (1.0 / inclusion - 1.0)).sum())


def measure_bound(
    slides: int, *, seed: int, cells: int, questions: Sequence[int] = QUESTIONS
) -> tuple[NDArray[np.str_], Array, Array]:
    """Return network, true CPS and bounds, (slides, len(questions)), of the slides of `run_audit_study`."""
    names, truth, bounds = [], [], []
    for number in range(slides):
        rng = np.random.default_rng([seed, number])
        name = tuple(NETWORKS)[number % len(NETWORKS)]
        wanted = float(np.exp(rng.uniform(np.log(LOWEST_CPS), np.log(HIGHEST_CPS))))
        slide = simulate_slide(wanted, NETWORKS[name], cells, rng)
        ways = exact_ways(slide, NETWORKS[name])
        names.append(name)
        truth.append(min(100.0, slide.cps))
        bounds.append([lowest_variance(ways, one) for one in questions])
    return np.array(names), np.array(truth), np.array(bounds)


def describe_bound(names: NDArray[np.str_], truth: Array, bounds: Array) -> str:
    """Return the table as Markdown: the root of the mean bound, by network and CPS."""
    lines = ["| network | CPS | slides | lowest error 60 / 100 / 200 |", "|---|---|---:|---|"]
    for name in (*NETWORKS, "all"):
        own = np.isin(names, tuple(NETWORKS) if name == "all" else (name,))
        for low, high in ((0.0, 100.1), *pairwise(EDGES)):
            chosen = own & (truth >= low) & (truth < high)
            if chosen.any():
                errors = " / ".join(f"{one:.3f}" for one in np.sqrt(bounds[chosen].mean(axis=0)))
                lines.append(f"| {name} | {low:g}–{min(high, 100):g} | {chosen.sum()} | {errors} |")
    return "\n".join(lines)


def main() -> None:
    """Read the options, simulate, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("slides", nargs="?", type=int, default=2_004)
    parser.add_argument("--seed", type=int, default=2027)
    parser.add_argument("--cells", type=int, default=60_000)
    options = parser.parse_args()
    print(describe_bound(*measure_bound(options.slides, seed=options.seed, cells=options.cells)))


if __name__ == "__main__":
    main()
