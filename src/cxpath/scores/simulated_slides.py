"""Slides of known truth, drawn as counts of fields: clustered and sparse positivity, few tumour cells.

A Neyman-Scott field: parents fall at random, each raises positivity around itself. Tumour cells sit in
uneven nests. A slide's own errors are drawn once for all its cells. Only for judging intervals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from cxpath.scores.grouped_counts import GroupedCounts
from cxpath.scores.slide_error import SlideErrorSettings

FIELD_UM, SQUARE_UM = 500.0, 100.0
_SQUARES = int(FIELD_UM / SQUARE_UM)


@dataclass(frozen=True)
class SlidePlan:
    """What a tissue is like.

    Parameters
    ----------
    fields : int
        Fields of 500 µm the slide shows, on a square (rounded up to a full one).
    tumour_in_field : float
        Mean tumour cells of a field.
    tumour_percent, immune_percent : float
        Truly positive tumour cells, and counted positive immune cells, for 100 tumour cells.
    clusters_in_field : float
        Parents of positivity in a field; few means patchy.
    reach_um : float
        Standard deviation of a cluster.
    """

    fields: int
    tumour_in_field: float
    tumour_percent: float
    immune_percent: float
    clusters_in_field: float
    reach_um: float


@dataclass(frozen=True, eq=False)
class SimulatedSlide:
    """A slide as counted, and what is true of it.

    Parameters
    ----------
    counts : GroupedCounts
        As called, of fields.
    table : int array, (6, 6)
        Truth against call, as `fit_slide_error` takes it.
    slide_cps : float
        From the true cells of the slide, capped.
    tissue_cps : float
        Of the tissue that drew them, capped.
    """

    counts: GroupedCounts
    table: NDArray[np.int64]
    slide_cps: float
    tissue_cps: float


def random_plan(rng: np.random.Generator) -> SlidePlan:
    """Draw a plan: biopsies to resections, CPS from next to none to the cap, even to patchy."""
    few = rng.random() < 0.2
    fields = int(rng.integers(2, 9)) if few else int(rng.integers(9, 226))
    tumour = float(rng.uniform(40, 120)) if few else float(rng.uniform(100, 900))
    cps = float(10 ** rng.uniform(-1.5, 2.0))
    share = float(rng.beta(2, 2))
    return SlidePlan(
        fields, tumour, min(95.0, cps * share), cps * (1 - share), float(10 ** rng.uniform(0, 1.3)),
        float(rng.uniform(40, 150)),
    )  # fmt: skip


def draw_slide(plan: SlidePlan, error: SlideErrorSettings, rng: np.random.Generator) -> SimulatedSlide:
    """Draw a slide and its calls."""
    side = int(np.ceil(np.sqrt(plan.fields))) * _SQUARES
    nests = rng.gamma(1.5, 1 / 1.5, (side, side)) * (rng.random((side, side)) < 0.7) / 0.7
    tumour = rng.poisson(nests * plan.tumour_in_field / _SQUARES**2)
    hot = _clusters(side, plan, rng)
    share, immune_mean = _positivity(hot, plan)
    positive = rng.binomial(tumour, share)
    immune = rng.poisson(immune_mean * plan.tumour_in_field / _SQUARES**2)
    bystanders = rng.poisson(0.3 * plan.tumour_in_field / _SQUARES**2, (side, side))
    true = [_by_field(array) for array in (positive, tumour - positive, immune, bystanders)]
    cells = int(true[0].sum() + true[1].sum())
    numerator = float(true[0].sum() + true[2].sum())
    counts, table = _called(true, error, rng)
    return SimulatedSlide(
        counts,
        table,
        min(100.0, 100.0 * numerator / cells) if cells else float("nan"),
        min(100.0, plan.tumour_percent + plan.immune_percent),
    )


def _clusters(side: int, plan: SlidePlan, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the summed height of clusters over the squares, with mean 1 over all tissue."""
    reach = plan.reach_um / SQUARE_UM
    margin = 4 * reach
    wide = side + 2 * margin
    parents = rng.poisson(plan.clusters_in_field * (wide / _SQUARES) ** 2)
    x, y = rng.uniform(-margin, side + margin, (2, parents))
    edges = np.arange(side + 1)
    across = np.diff(special.ndtr((edges[:, None] - x) / reach), axis=0)
    down = np.diff(special.ndtr((edges[:, None] - y) / reach), axis=0)
    return np.asarray(down @ across.T) * _SQUARES**2 / plan.clusters_in_field


def _positivity(hot: NDArray[np.float64], plan: SlidePlan) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the share of positive tumour cells and of immune ones, each with its planned mean.

    A share cannot pass 1, so even ground takes what patchy ground cannot hold.
    """
    share = plan.tumour_percent / 100.0
    patchy = min(1.0, (1.0 - share) / (share * max(float(hot.max()), 1.0)) if share else 1.0)
    mixed = patchy * hot + (1.0 - patchy)
    return np.clip(share * mixed, 0.0, 1.0), plan.immune_percent / 100.0 * hot


def _by_field(squares: NDArray[np.int64]) -> NDArray[np.int64]:
    fields = squares.shape[0] // _SQUARES
    return np.asarray(squares.reshape(fields, _SQUARES, fields, _SQUARES).sum(axis=(1, 3)).ravel())


def _called(
    true: list[NDArray[np.int64]], error: SlideErrorSettings, rng: np.random.Generator
) -> tuple[GroupedCounts, NDArray[np.int64]]:
    """Return the calls of one slide, whose rates are drawn once, and its truth against call."""
    tumour_found = error.tumour_found * np.exp(error.tumour_found_spread * rng.standard_normal())
    recall_t = _rate(error.tumour_recall, error.tumour_recall_spread, rng)
    recall_i = _rate(error.immune_recall, error.immune_recall_spread, rng)
    false_t = _rate(1 - error.tumour_specificity, error.tumour_specificity_spread, rng)
    false_i = _rate(1 - error.immune_specificity, error.immune_specificity_spread, rng)
    positive, negative, immune, bystanders = true
    found_t, found_i = rng.binomial(positive, recall_t), rng.binomial(immune, recall_i)
    called = np.maximum(rng.poisson((positive + negative) * tumour_found), found_t)
    wrong_t, wrong_i = rng.binomial(called - found_t, false_t), rng.binomial(bystanders, false_i)
    counts = GroupedCounts(
        found_t + wrong_t, called - found_t - wrong_t, found_i + wrong_i, bystanders - wrong_i,
        np.zeros_like(positive),
    )  # fmt: skip
    table = np.zeros((6, 6), dtype=np.int64)
    table[0, [0, 5]] = found_t.sum(), positive.sum() - found_t.sum()
    table[2, [2, 5]] = found_i.sum(), immune.sum() - found_i.sum()
    table[3, [2, 3]] = wrong_i.sum(), bystanders.sum() - wrong_i.sum()
    table[1, :2] = wrong_t.sum(), called.sum() - found_t.sum() - wrong_t.sum()
    # Tumour cells too many are of nothing; too few are missed.
    surplus = int(table[1, :2].sum()) - int(negative.sum())
    table[1, 5], table[5, 1] = max(0, -surplus), max(0, surplus)
    table[1, 1] -= max(0, surplus)
    return counts, table


def _rate(median: float, spread: float, rng: np.random.Generator) -> float:
    return float(special.expit(special.logit(median) + spread * rng.standard_normal()))
