"""How often the intervals of a score hold the truth, by simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import optimize, special, stats

from cxpath.io.atomic import atomic_write
from cxpath.scores.counts import GroupedCounts
from cxpath.scores.intervals import sample_scores
from cxpath.scores.sampling import FieldDrawing, FieldSample, why_enough
from cxpath.scores.settings import (
    DECADES_OF_MEDIANS,
    BorderlineRule,
    Cutoff,
    SamplingSettings,
    ScoringSettings,
    SlideErrorSettings,
    borderline_rule,
    decades_of,
    decide_cutoff,
)

# Coverage: what a coverage study found, and the shares read from it.
#
# Knows no files, draws no pictures, simulates nothing.


Bounds = NDArray[np.float64]
CUTOFFS = (1.0, 10.0)
RULE = borderline_rule(ScoringSettings())


@dataclass(frozen=True, eq=False)
class Coverage:
    """What was found on N simulated slides.

    Parameters
    ----------
    tumour, fields : int array, (N,)
    called, slide_cps, tissue_cps : float array, (N,)
        CPS of the calls, of the slide's true cells, of the tissue.
    slide, tissue, binomial, bootstrap : float array, (N, 2)
        Intervals.
    chance : float array, (N, 2)
        P(the tissue's CPS >= c) for each of `CUTOFFS`.
    counting_alone : bool array, (N, 2)
        What is borderline of a reader who is never wrong, on tissue without any clusters: what counting
        noise alone leaves in doubt, and no interval can take away.
    error : SlideErrorSettings
        As estimated on the held-out slides.
    """

    tumour: NDArray[np.int64]
    fields: NDArray[np.int64]
    called: Bounds
    slide_cps: Bounds
    tissue_cps: Bounds
    slide: Bounds
    tissue: Bounds
    binomial: Bounds
    bootstrap: Bounds
    chance: Bounds
    counting_alone: NDArray[np.bool_]
    error: SlideErrorSettings

    def other_side(self) -> NDArray[np.bool_]:
        """Say for each slide and cut-off whether calls and tissue lie on different sides of it."""
        return np.asarray(self._met() != (self.tissue_cps[:, None] >= np.array(CUTOFFS)))

    def borderline(self, rule: BorderlineRule = RULE) -> NDArray[np.bool_]:
        """Say for each slide and cut-off whether it is borderline, as `decide_cutoff` does."""
        tails = [[rule.tail_at(called, cutoff) for cutoff in CUTOFFS] for called in self.called]
        return np.asarray(np.where(self._met(), 1.0 - self.chance, self.chance) > np.array(tails))

    def flagged(self, rule: BorderlineRule = RULE) -> NDArray[np.bool_]:
        """Say for each slide whether any cut-off is borderline."""
        return np.asarray(self.borderline(rule).any(axis=1), dtype=bool)

    def flagged_by_counting_alone(self) -> NDArray[np.bool_]:
        """Say for each slide whether any cut-off would be borderline of flawless calls on even tissue."""
        return np.asarray(self.counting_alone.any(axis=1), dtype=bool)

    def far(self) -> NDArray[np.bool_]:
        """Say for each slide whether its tissue lies more than twofold away from every cut-off."""
        ratio = self.tissue_cps[:, None] / np.array(CUTOFFS)
        return np.asarray(((ratio > 2) | (ratio < 0.5)).all(axis=1))

    def _met(self) -> NDArray[np.bool_]:
        return np.asarray(self.called[:, None] >= np.array(CUTOFFS))


def covered(bounds: Bounds, truth: Bounds) -> NDArray[np.bool_]:
    """Say for each slide whether the interval holds the truth."""
    return np.asarray((bounds[:, 0] <= truth + 1e-9) & (truth <= bounds[:, 1] + 1e-9))


def decades(bounds: Bounds) -> Bounds:
    """Return how wide intervals are in powers of ten of CPS + 0.1."""
    return np.asarray(np.diff(np.log10(bounds + 0.1), axis=1)[:, 0])


def flag_rows(study: Coverage, tails_beyond: Sequence[float]) -> list[tuple[float, float, float, float]]:
    """Return tail and share flagged: of wrong sides, of far slides, of far slides with many tumour cells.

    Many are 1,000 and more. A share of no slides is NaN.

    Parameters
    ----------
    study : Coverage
    tails_beyond : sequence of float
        Of rules that are otherwise the default one.
    """
    wrong, far, many = study.other_side(), study.far(), study.tumour >= 1_000
    rows = []
    for tail in tails_beyond:
        rule = replace(RULE, tail_beyond=tail)
        slides = study.flagged(rule)
        rows.append(
            (tail, _share(study.borderline(rule)[wrong]), _share(slides[far]), _share(slides[far & many]))
        )
    return rows


def _share(hits: NDArray[np.bool_]) -> float:
    return float(hits.mean()) if hits.size else float("nan")


def summary_rows(study: Coverage) -> Sequence[tuple[str, int, float, float, float, float, float, float]]:
    """Return name, slides, coverage (slide, tissue, binomial, bootstrap), widths (slide, tissue) by group."""
    cps = study.tissue_cps
    groups = {
        "all": cps >= 0,
        "CPS below 0.5": cps < 0.5,
        "CPS 0.5 to 2": (cps >= 0.5) & (cps < 2),
        "CPS 2 to 5": (cps >= 2) & (cps < 5),
        "CPS 5 to 20": (cps >= 5) & (cps < 20),
        "CPS 20 to 100": cps >= 20,
        "fewer than 1,000 tumour cells": study.tumour < 1000,
        "1,000 tumour cells and more": study.tumour >= 1000,
    }
    cover = [
        covered(study.slide, study.slide_cps), covered(study.tissue, cps),
        covered(study.binomial, cps), covered(study.bootstrap, cps),
        decades(study.slide), decades(study.tissue),
    ]  # fmt: skip
    return [
        (name, int(own.sum()), *(float(column[own].mean()) for column in cover))  # type: ignore[misc]
        for name, own in groups.items()
        if own.any()
    ]


# The plot of a coverage study: how often each interval holds its truth, by the tissue's CPS.


EDGES = (0.03, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0, 25.0, 100.001)
_SHOWN = (
    ("slide", "this slide's interval, its own CPS", "#1d3a5c", "o"),
    ("tissue", "tumour's interval, the tissue's CPS", "#e67800", "s"),
    ("bootstrap", "percentile bootstrap of fields", "#5a5a5a", "^"),
    ("binomial", "plain binomial", "#0072b2", "x"),
)


def draw_coverage(study: Coverage, path: Path) -> None:
    """Draw the study as SVG.

    Parameters
    ----------
    study : Coverage
    path : Path
        Replaced as a whole; the same study gives the same bytes.
    """
    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.axhspan(0.93, 0.97, color="#d9e6f2", lw=0)
    for cutoff in CUTOFFS:
        axes.axvline(cutoff, color="#a34400", lw=0.8, ls="--")
    group = np.digitize(study.tissue_cps, EDGES) - 1
    for name, label, colour, mark in _SHOWN:
        truth = study.slide_cps if name == "slide" else study.tissue_cps
        x, y = _by_group(covered(getattr(study, name), truth), study.tissue_cps, group)
        axes.plot(x, y, color=colour, marker=mark, ms=5, lw=1.2, label=label)
    axes.set(xscale="log", ylim=(0, 1.02), xlabel="true CPS of the tissue", ylabel="share of slides covered")
    axes.set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    axes.set_title(f"{len(study.tumour):,} simulated slides; band: 93 to 97 %", fontsize=9)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    # Element names follow from the salt, else they change from run to run.
    with rc_context({"svg.hashsalt": "cxpath"}), atomic_write(path) as partial:
        figure.savefig(partial, format="svg", metadata={"Date": None, "Creator": "cxpath"})


def _by_group(
    hit: NDArray[np.bool_], cps: NDArray[np.float64], group: NDArray[np.int64]
) -> tuple[list[float], list[float]]:
    """Return the geometric mean CPS and the share of hits of each group that holds ten slides or more."""
    groups = [group == number for number in range(len(EDGES) - 1)]
    enough = [own for own in groups if own.sum() >= 10]
    return [float(np.exp(np.log(cps[own]).mean())) for own in enough], [
        float(hit[own].mean()) for own in enough
    ]


# Slides of known truth, drawn as counts of fields: clustered and sparse positivity, few tumour cells.
#
# A Neyman-Scott field: parents fall at random, each raises positivity around itself. Tumour cells sit in
# uneven nests. A slide's own errors are drawn once for all its cells. Only for evaluating intervals.


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


def write_synthetic_slide(
    plan: SlidePlan, error: SlideErrorSettings, rng: np.random.Generator
) -> SimulatedSlide:
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
    positive, negative, immune, bystanders = true
    cells = max(int(positive.sum() + negative.sum()), 1)
    cps = min(100.0, 100.0 * float(positive.sum() + immune.sum()) / cells)
    recall_t, recall_i = (_recall(error, f"{kind}_recall", cps, rng) for kind in ("tumour", "immune"))
    false_t, false_i = (_false(error, f"{kind}_specificity", cps, rng) for kind in ("tumour", "immune"))
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


def _recall(error: SlideErrorSettings, name: str, cps: float, rng: np.random.Generator) -> float:
    """Draw a rate of one slide of a true score."""
    middle = float(error.logit_at(name, decades_of(np.array(cps))))
    return float(special.expit(middle + getattr(error, f"{name}_spread") * rng.standard_normal()))


def _false(error: SlideErrorSettings, name: str, cps: float, rng: np.random.Generator) -> float:
    """Draw what is left of a specificity to one."""
    middle = float(error.logit_at(name, decades_of(np.array(cps))))
    return float(special.expit(getattr(error, f"{name}_spread") * rng.standard_normal() - middle))


# Do intervals of a sampled slide hold what reading it whole would give? Simulated slides say.
#
# Slides are those of the coverage study, of known cells; each is sampled as `--mode adaptive` does, until it
# would stop. Knows no pixels: how brown a field looks at low resolution is drawn, too.


FEWEST_FIELDS, FEWEST_TUMOUR_CELLS = 60, 1000
BROWN_SPREAD = 0.7
"""Spread of the logarithm of how brown a field looks, with that of its positive cells."""

RARE_SHARE = 0.08
"""Share of fields, the brownest, that are a stratum of their own."""


class SampledSlide(NamedTuple):
    """One slide: its CPS read whole, the sample's estimate and interval, and the share that was read."""

    truth: float
    estimate: float
    low: float
    high: float
    share_read: float


def sampled_slides(number: int, rng: np.random.Generator, settings: SamplingSettings) -> list[SampledSlide]:
    """Draw and sample `number` slides large enough to be worth sampling."""
    found: list[SampledSlide] = []
    while len(found) < number:
        if (one := _sampled(rng, settings)) is not None:
            found.append(one)
    return found


def _sampled(rng: np.random.Generator, settings: SamplingSettings) -> SampledSlide | None:
    counts = write_synthetic_slide(random_plan(rng), SlideErrorSettings(), rng).counts
    positive, tumour = counts.positive, counts.tumour
    if len(positive) < FEWEST_FIELDS or tumour.sum() < FEWEST_TUMOUR_CELLS:
        return None
    brown = np.asarray((positive + 2) * np.exp(rng.normal(0, BROWN_SPREAD, len(positive))), dtype=np.float64)
    stratum = strata_by_brown(brown)
    drawing, read = FieldDrawing(stratum, int(stratum.max()), settings), np.zeros(len(stratum), bool)
    read[drawing.first()] = True
    while not why_enough(
        sample := FieldSample(stratum, read, positive * read, tumour * read), CUTOFFS, settings
    ):
        read = read.copy()
        read[drawing.more(sample)] = True
    truth = min(100.0, 100.0 * float(positive.sum()) / float(tumour.sum()))
    low, high = sample.interval(settings.level)
    return SampledSlide(truth, sample.cps, low, high, sample.share_read)


def strata_by_brown(brown: NDArray[np.float64]) -> NDArray[np.int64]:
    """Sort fields, (N,), as `pipeline/field_strata.py` does: the brownest are stratum 3, the rest thirds."""
    order = np.argsort(brown)
    rare = max(1, round(RARE_SHARE * len(order)))
    stratum = np.full(len(order), 3, dtype=np.int64)
    for number, third in enumerate(np.array_split(order[:-rare], 3)):
        stratum[third] = number
    return stratum


# From truth against call on held-out slides to the spread of errors between slides.
#
# Each slide's rate is a count of cells out of others; the logarithm (or logit) of the rate is taken as
# normal over slides. Middle and spread are the maximum likelihood of that, the binomial noise of each slide
# apart.


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
    away = _decades_away(tables)
    figures: dict[str, float] = {}
    for name, first in (("tumour", TUMOUR_POSITIVE), ("immune", IMMUNE_POSITIVE)):
        found = tables[:, first, _COUNTED].sum(axis=1)
        figures |= fit_rates(found, tables[:, first].sum(axis=1), away).named(f"{name}_recall")
        false = tables[:, _FALSE, first].sum(axis=1)
        rest = tables[:, :, first : first + 2].sum(axis=(1, 2)) - tables[:, :, first].sum(axis=1) + false
        figures |= fit_rates(false, rest, away).complement().named(f"{name}_specificity")
    median, spread = _found(tables[:, :, :2].sum(axis=(1, 2)), tables[:, :2].sum(axis=(1, 2)))
    figures |= {"tumour_found": median, "tumour_found_spread": spread}
    return SlideErrorSettings(**_within(figures), held_out_slides=len(tables))


def _decades_away(tables: Counts) -> NDArray[np.float64]:
    """Return each slide's power of ten of the true CPS, from that which medians are of; 0 without tumour."""
    tumour = tables[:, :2].sum(axis=(1, 2))
    positive = tables[:, [TUMOUR_POSITIVE, IMMUNE_POSITIVE]].sum(axis=(1, 2))
    cps = np.minimum(100.0 * positive / np.maximum(tumour, 1), 100.0)
    return np.where(tumour > 0, decades_of(cps) - DECADES_OF_MEDIANS, 0.0)


@dataclass(frozen=True)
class Rates:
    """A rate over slides.

    Parameters
    ----------
    median : float
        On slides of CPS 3.
    spread : float
        Standard deviation of its logit between slides of one score.
    slope : float
        Of its logit with the power of ten of the score.
    """

    median: float
    spread: float
    slope: float

    def complement(self) -> Rates:
        """Return the same of what is left to one."""
        return Rates(1.0 - self.median, self.spread, -self.slope)

    def named(self, name: str) -> dict[str, float]:
        """Return the three as keys of `SlideErrorSettings`."""
        return {name: self.median, f"{name}_spread": self.spread, f"{name}_slope": self.slope}


def _found(called: Counts, true: Counts) -> tuple[float, float]:
    """Return cells called tumour for each true one: the middle slide's, and the spread of its logarithm."""
    known = (called > 0) & (true > 0)
    if known.sum() < 2:
        raise ValueError("fewer than two held-out slides hold tumour cells and cells called so")
    ratio = np.log(called[known] / true[known])
    return float(np.exp(np.median(ratio))), float(np.std(ratio, ddof=1))


def _within(figures: dict[str, float]) -> dict[str, float]:
    """Round as the settings take it: no share is 0 or 1, however rare an error was."""
    rounded = {name: round(value, 6) for name, value in figures.items()}
    shares = {
        name
        for name in rounded
        if not name.startswith("tumour_found") and not name.endswith(("_spread", "_slope"))
    }
    return {
        name: min(max(value, _RAREST), 1 - _RAREST) if name in shares else value
        for name, value in rounded.items()
    }


def fit_rates(
    successes: Counts,
    trials: Counts,
    away: NDArray[np.float64] | None = None,
) -> Rates:
    """Return the median of a rate over slides, its logit's standard deviation and its slope.

    Maximum likelihood of a logit-normal binomial (Gauss-Hermite quadrature). Slides without trials say
    nothing and are left out. The slope is faintly pulled to 0, so that few slides do not make it run away.

    Parameters
    ----------
    successes, trials : int array, (slides,)
    away : float array, (slides,), optional
        What the logit may depend on; 0 where the median holds.

    Raises
    ------
    ValueError
        When no slide has a trial.
    """
    known = trials > 0
    if not known.any():
        raise ValueError("no held-out slide contains such a cell: the rate cannot be estimated")
    k, n = successes[known].astype(np.float64), trials[known].astype(np.float64)
    along = np.zeros(len(k)) if away is None else away[known]
    start = special.logit((k.sum() + 0.5) / (n.sum() + 1.0))

    def cost(parameters: NDArray[np.float64]) -> float:
        middle, log_spread, slope = parameters
        likely = _log_likelihood(k, n, middle + slope * along, np.exp(log_spread))
        return float(0.5 * (slope / _USUAL_SLOPE) ** 2 - likely.sum())

    bounds = [(start - 9, start + 9), (np.log(0.02), np.log(4.0)), (-6.0, 6.0)]
    best = optimize.minimize(cost, x0=[start, np.log(0.5), 0.0], method="L-BFGS-B", bounds=bounds)
    return Rates(float(special.expit(best.x[0])), float(np.exp(best.x[1])), float(best.x[2]))


_USUAL_SLOPE = 2.0
"""Standard deviation of slopes that is expected beforehand."""


def _log_likelihood(
    k: NDArray[np.float64], n: NDArray[np.float64], middle: NDArray[np.float64], spread: float
) -> NDArray[np.float64]:
    """Return each slide's log likelihood, the quadrature's nodes laid around the slide's own rate."""
    own = special.logit((k + 0.5) / (n + 1.0))
    width = 1.0 / ((k + 0.5) * (n - k + 0.5) / (n + 1.0))
    pull = 1.0 / (1.0 / width + 1.0 / spread**2)
    centre = pull * (own / width + middle / spread**2)
    logits = centre[:, None] + np.sqrt(pull)[:, None] * _NODES
    binomial = k[:, None] * special.log_expit(logits) + (n - k)[:, None] * special.log_expit(-logits)
    normal = -0.5 * ((logits - middle[:, None]) / spread) ** 2 - np.log(spread)
    weights = np.log(_WEIGHTS) + 0.5 * _NODES**2 + 0.5 * np.log(pull)[:, None]
    total: NDArray[np.float64] = special.logsumexp(binomial + normal + weights, axis=1)
    return total


# Do the intervals cover? Simulated slides of known truth, scored with an error term estimated on others.
#
# Beside them stand a plain binomial interval and a percentile bootstrap over fields, which know no
# classification error. Knows no files and draws no pictures.


TUMOUR_CELLS = 100
LEVEL = 0.95
CAREFUL = SlideErrorSettings(
    tumour_recall=0.9, tumour_recall_spread=0.3, tumour_specificity=0.9995, tumour_specificity_spread=0.7,
    immune_recall=0.85, immune_recall_spread=0.3, immune_specificity=0.997, immune_specificity_spread=0.7,
    tumour_found=1.0, tumour_found_spread=0.05,
)  # fmt: skip
"""How a careful reader's calls may go wrong: an assumption, not a measurement."""


def run_coverage_study(
    slides: int, error: SlideErrorSettings, held_out: int = 100, seed: int = 1
) -> Coverage:
    """Simulate slides and score them.

    Parameters
    ----------
    slides : int
        How many to score; slides without enough tumour cells are drawn anew, as they are refused.
    error : SlideErrorSettings
        How calls truly go wrong.
    held_out : int
        Slides of known truth that the error term is estimated on; the scored ones are not among them.
    seed : int
    """
    rng = np.random.default_rng(seed)
    estimated = fit_slide_error(np.array([slide.table for slide in _slides(held_out, error, rng)]))
    drawn = _slides(slides, error, rng)
    scored = [_score(slide, estimated, rng) for slide in drawn]
    names = [item.name for item in fields(Coverage) if item.name != "error"]
    columns = {name: np.array(column) for name, column in zip(names, zip(*scored, strict=True), strict=True)}
    return Coverage(error=estimated, **columns)


def _slides(number: int, error: SlideErrorSettings, rng: np.random.Generator) -> list[SimulatedSlide]:
    found: list[SimulatedSlide] = []
    while len(found) < number:
        slide = write_synthetic_slide(random_plan(rng), error, rng)
        if slide.counts.tumour.sum() >= TUMOUR_CELLS:
            found.append(slide)
    return found


def _score(
    slide: SimulatedSlide, error: SlideErrorSettings, rng: np.random.Generator
) -> tuple[
    int,
    int,
    float,
    float,
    float,
    tuple[float, float],
    tuple[float, float],
    Bounds,
    Bounds,
    list[float],
    NDArray[np.bool_],
]:
    counts = slide.counts
    positive, tumour = int(counts.positive.sum()), int(counts.tumour.sum())
    called = min(100.0, 100.0 * positive / tumour)
    cps, _ = sample_scores([counts], error)
    return (
        tumour, len(counts.tumour), called, slide.slide_cps, slide.tissue_cps,
        cps.interval_slide(LEVEL), cps.interval_tissue(LEVEL),
        _binomial(positive, tumour), _bootstrap(counts.positive, counts.tumour, rng),
        [cps.probability_at_least(cutoff) for cutoff in CUTOFFS], _in_doubt_by_counting(slide, rng),
    )  # fmt: skip


def _in_doubt_by_counting(slide: SimulatedSlide, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Say for each cut-off whether it is borderline of flawless calls on even tissue (Jeffreys, Poisson)."""
    cells = int(slide.table[:2].sum())
    positive = rng.poisson(slide.tissue_cps / 100.0 * cells)
    chance = stats.gamma.sf(np.array(CUTOFFS) / 100.0 * cells, positive + 0.5)
    counted = 100.0 * positive / cells
    return np.array(
        [
            decide_cutoff(counted, (counted, counted), float(p), Cutoff(cutoff, ""), RULE).borderline
            for p, cutoff in zip(chance, CUTOFFS, strict=True)
        ]
    )


def _binomial(positive: int, tumour: int) -> Bounds:
    """Return Clopper and Pearson's exact interval, positive cells taken as a share of the tumour cells."""
    inside = min(positive, tumour)
    low = stats.beta.ppf(0.025, inside, tumour - inside + 1) if inside else 0.0
    high = stats.beta.ppf(0.975, inside + 1, tumour - inside) if inside < tumour else 1.0
    return np.array([100.0 * low, 100.0 * high], dtype=np.float64)


def _bootstrap(positive: NDArray[np.int64], tumour: NDArray[np.int64], rng: np.random.Generator) -> Bounds:
    number = len(positive)
    drawn = rng.multinomial(number, np.full(number, 1 / number), size=400)
    scores = 100.0 * (drawn @ positive) / np.maximum(drawn @ tumour, 1)
    return np.asarray(np.minimum(100.0, np.quantile(scores, [0.025, 0.975])), dtype=np.float64)
