"""Intervals of a score: cells missed and found in error, and the unevenness of tissue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from cxpath.scores.counts import MAXIMUM, GroupedCounts
from cxpath.scores.settings import SlideErrorSettings, decades_of

# How unevenly positive cells lie over a slide's fields: the variance a block bootstrap would find.
#
# Drawing whole fields again and again has, for a ratio of sums, a closed form for infinitely many repeats;
# it needs no seed and is finite where few fields are positive. Of three or four fields it says next to
# nothing, so what tissues are like in general is added with a small weight. Knows no classification
# error.


USUAL_UNEVENNESS = 0.3
"""Squared coefficient of variation of positivity between fields of 500 µm that is assumed beforehand,"""

USUAL_WEIGHT = 6.0
"""and for how many fields that assumption speaks. Both were chosen on simulated slides: no source states
them, and a slide of thirty fields hardly feels them."""


@dataclass(frozen=True)
class FieldDispersion:
    """Spread of a numerator over fields.

    Parameters
    ----------
    variance : float
        Of the numerator, in cells squared, the denominator's own share of the doubt within. Where fields
        differ by chance alone it is about the number of positive cells.
    degrees : float
        Degrees of freedom it was estimated with, fewer where few fields decide.
    """

    variance: float
    degrees: float


def field_dispersion(positive: NDArray[np.int64], tumour: NDArray[np.int64]) -> FieldDispersion:
    """Return the spread of `positive` over fields, given the tumour cells each contains.

    Residuals are positive - ratio x tumour (the linearised ratio estimator, Cochran 1977, 6.4), and the
    variance is their sum of squares times F / (F - 1). Degrees of freedom follow Satterthwaite. To it is
    added, as a scaled inverse chi-squared prior is, the variance that `USUAL_UNEVENNESS` would give.

    Parameters
    ----------
    positive, tumour : int array, (F,)
    """
    with_tumour = (tumour > 0) | (positive > 0)
    y, x = positive[with_tumour].astype(np.float64), tumour[with_tumour].astype(np.float64)
    total = float(y.sum())
    if total == 0:
        return FieldDispersion(0.0, 1.0)
    own = _own_dispersion(y, x)
    usual = total + USUAL_UNEVENNESS * total**2 / len(y)
    degrees = own.degrees + USUAL_WEIGHT
    return FieldDispersion((own.variance * own.degrees + usual * USUAL_WEIGHT) / degrees, degrees)


def _own_dispersion(y: NDArray[np.float64], x: NDArray[np.float64]) -> FieldDispersion:
    """Return what the fields say by themselves; one field says nothing."""
    fields = len(y)
    if fields < 2:
        return FieldDispersion(0.0, 0.0)
    squares = (y - y.sum() / x.sum() * x) ** 2
    variance = squares.sum() * fields / (fields - 1)
    fourth = float((squares**2).sum())
    degrees = min(fields - 1.0, float(squares.sum()) ** 2 / fourth) if fourth else fields - 1.0
    return FieldDispersion(float(variance), max(1.0, degrees))


# How many cells are truly positive, given how many were called so and how a slide's calls go wrong.
#
# Rogan & Gladen (1978) corrected a prevalence for imperfect recall and specificity; here both vary between
# slides, and their doubt is carried along by drawing them. Knows nothing of where the cells lie.


Draws = NDArray[np.float64]

_LOG_NODES = np.linspace(-6.0, 6.0, 97)
KNEE = 0.0002
"""Positive cells for one tumour cell from which on orders of magnitude are alike: 0.02 on the CPS's scale."""

_FEW = 40
_GRID = 600


def sample_found(
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


def sample_true(found: Draws, logit_recall: Draws, rng: np.random.Generator) -> Draws:
    """Add the positive cells that were missed.

    Parameters
    ----------
    found : float array, (draws,)
        Truly positive cells among the called ones.
    logit_recall : float array, (draws,)
        Of the slide that each draw stands for.
    rng : numpy Generator
    """
    own = special.expit(logit_recall)
    missed = rng.poisson(rng.gamma(found + 0.5) * (1.0 - own) / own)  # negative binomial
    return np.asarray(found + missed)


def _grid(called: int) -> Draws:
    """Return the numbers of false positives that are tried, fine where few are false and where few are true.

    The chance of a number is steepest at both ends: a coarse step near `called` would give "none is true" the
    weight of its whole width.
    """
    if called <= _GRID:
        return np.arange(called + 1, dtype=np.float64)
    half = np.rint(np.geomspace(1.0, called / 2 + 1.0, _GRID)) - 1.0
    return np.unique(np.concatenate([half, called - half]))


def _log_false(false: Draws, log_mean: Draws | float, spread: float) -> Draws:
    """Return the log chance of each number of false positives (Poisson with a log-normal mean)."""
    log_mean = np.broadcast_to(np.asarray(log_mean, dtype=np.float64), false.shape)
    few = false <= _FEW
    chance = np.empty(len(false))
    means = log_mean[few, None] + spread * _LOG_NODES
    poisson = false[few, None] * means - np.exp(means) - special.gammaln(false[few] + 1)[:, None]
    step = np.log(_LOG_NODES[1] - _LOG_NODES[0])
    chance[few] = special.logsumexp(poisson - 0.5 * _LOG_NODES**2, axis=1) + step
    many = false[~few]
    variance = spread**2 + 1.0 / many
    close = -0.5 * (np.log(many) - log_mean[~few]) ** 2 / variance - 0.5 * np.log(variance) - np.log(many)
    chance[~few] = close
    return chance


# Draws of the true CPS and TPS, of the slide and of the tumour: what both intervals are read from.
#
# Seeded, so that the same cells give the same interval. Knows counts of fields, nothing of cells or files.


METHOD = "slide: per-slide-error/3; tissue: per-slide-error and field-blocks/4"
DRAWS = 8_000
SEED = 20_261_123
MOST_UNEVEN = 2.0
"""Largest squared coefficient of variation that clustering gives a count; one single cluster has 1."""


@dataclass(frozen=True, eq=False)
class ScoreDraws:
    """Draws of one score, capped; float arrays, (draws,).

    Parameters
    ----------
    slide : float array
        The slide's own score, given that calls go wrong.
    tissue : float array
        The tumour's score, of which the slide's fields are a sample.
    """

    slide: Draws
    tissue: Draws

    def interval_slide(self, level: float) -> tuple[float, float]:
        """Return the central interval of the slide's own score."""
        return _central(self.slide, level)

    def interval_tissue(self, level: float) -> tuple[float, float]:
        """Return the central interval of the tumour's score."""
        return _central(self.tissue, level)

    def probability_at_least(self, cutoff: float) -> float:
        """Return P(the tumour's score >= cutoff)."""
        return float(np.mean(self.tissue >= cutoff))


def sample_scores(
    slides: Sequence[GroupedCounts],
    error: SlideErrorSettings,
    draws: int = DRAWS,
    seed: int = SEED,
    certain: GroupedCounts | None = None,
) -> tuple[ScoreDraws, ScoreDraws]:
    """Draw the CPS and the TPS of one slide, or of several taken together.

    Every slide has errors of its own; the fields of all are one sample of the tumour.

    Parameters
    ----------
    slides : sequence of GroupedCounts
        Counts of the fields of each slide; together at least one tumour cell.
    error : SlideErrorSettings
    draws, seed : int
    certain : GroupedCounts, optional
        Of one slide: those of its cells, included in `slides`, that a person classified. They carry no error
        of classification and count for themselves.

    Returns
    -------
    ScoreDraws, ScoreDraws
        Of the CPS and of the TPS.
    """
    rng = np.random.default_rng(seed)
    doubtful = [_without(fields, certain) for fields in slides]
    parts = _draw_together([_sample_truth(fields, error, rng, draws, certain) for fields in doubtful], rng)
    truth = _Truth(
        *(np.sum([getattr(part, name) for part in parts], axis=0) for name in _Truth.__annotations__)
    )
    truth = _with_certain(truth, certain)
    tumour = np.concatenate([fields.tumour for fields in slides])
    positive = np.concatenate([fields.tumour_positive for fields in slides])
    counted = np.concatenate([fields.positive for fields in slides])
    true, found = truth.tumour_positive + truth.immune_positive, truth.found_tumour + truth.found_immune
    cps_spread, tps_spread = field_dispersion(counted, tumour), field_dispersion(positive, tumour)
    both = _weight_of_both_kinds(truth)
    return (
        _draw(true, found, truth.tumour, int(counted.sum()), cps_spread, both, rng),
        _draw(
            truth.tumour_positive, truth.found_tumour, truth.tumour, int(positive.sum()), tps_spread,
            np.ones_like(both), rng,
        ),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Truth:
    """Draws of what is true of a slide: cells of each kind, and how many of the positive were found."""

    tumour: Draws
    tumour_positive: Draws
    immune_positive: Draws
    found_tumour: Draws
    found_immune: Draws

    def taken(self, rows: NDArray[np.int64]) -> _Truth:
        """Return some draws."""
        return _Truth(*(column[rows] for column in vars(self).values()))


def _without(fields: GroupedCounts, certain: GroupedCounts | None) -> GroupedCounts:
    """Return the counts of a slide's fields without the cells that a person classified."""
    if certain is None:
        return fields
    return GroupedCounts(**{name: count - getattr(certain, name) for name, count in vars(fields).items()})


def _with_certain(truth: _Truth, certain: GroupedCounts | None) -> _Truth:
    """Add the cells that a person classified to draws of what is true of the others."""
    if certain is None:
        return truth
    tumour, immune = int(certain.tumour_positive.sum()), int(certain.immune_positive.sum())
    return _Truth(
        truth.tumour + int(certain.tumour.sum()),
        truth.tumour_positive + tumour,
        truth.immune_positive + immune,
        truth.found_tumour + tumour,
        truth.found_immune + immune,
    )


def _sample_truth(
    fields: GroupedCounts,
    error: SlideErrorSettings,
    rng: np.random.Generator,
    draws: int,
    certain: GroupedCounts | None,
) -> _Truth:
    """Draw what is true of a slide; where its rates depend on the score, as often as they agree with it."""
    if not error.has_slopes:
        return _tried(fields, error, rng, draws)[0]
    called = _decades(_with_certain(_as_called(fields), certain))
    guess = _widened(error, float(called[0]))
    truth, recall = _tried(fields, guess, rng, draws * _TRIED)
    decades = _decades(_with_certain(truth, certain))
    true, tried = (_log_weight(truth, recall, fields, term, decades) for term in (error, guess))
    chance = np.exp(true - tried - (true - tried).max())
    return truth.taken(rng.choice(len(chance), draws, p=chance / chance.sum()))


def _as_called(fields: GroupedCounts) -> _Truth:
    """Return the called cells as if all calls were true."""
    counts = (fields.tumour, fields.tumour_positive, fields.immune_positive)
    tumour, of_tumour, of_immune = (np.array([float(count.sum())]) for count in counts)
    return _Truth(tumour, of_tumour, of_immune, of_tumour, of_immune)


def _decades(truth: _Truth) -> Draws:
    """Return the power of ten of the CPS of each draw."""
    positive = truth.tumour_positive + truth.immune_positive
    cps = 100.0 * positive / np.maximum(truth.tumour, 1e-9)
    return decades_of(np.minimum(cps, MAXIMUM))


def _tried(
    fields: GroupedCounts, error: SlideErrorSettings, rng: np.random.Generator, draws: int
) -> tuple[_Truth, dict[str, Draws]]:
    """Draw what is true of a slide under rates of one score, and the logits of recall that were drawn."""
    called, kinds = int(fields.tumour.sum()), _called_of_kinds(fields)
    tumour = called / (error.tumour_found * np.exp(error.tumour_found_spread * rng.standard_normal(draws)))
    found = {
        kind: sample_found(
            positive, base, called, getattr(error, f"{kind}_specificity"),
            getattr(error, f"{kind}_specificity_spread"), rng, draws,
        )
        for kind, (positive, base) in kinds.items()
    }  # fmt: skip
    true, recall = dict(found), {}
    if sum(int(count.sum()) for count in vars(fields).values()):  # of no cell, none is missed
        for kind in kinds:
            middle, spread = (getattr(error, f"{kind}_recall{what}") for what in ("", "_spread"))
            recall[kind] = special.logit(middle) + spread * rng.standard_normal(draws)
            true[kind] = sample_true(found[kind], recall[kind], rng)
    of_tumour = np.minimum(true["tumour"], tumour)
    return _Truth(tumour, of_tumour, true["immune"], found["tumour"], found["immune"]), recall


def _called_of_kinds(fields: GroupedCounts) -> dict[str, tuple[int, int]]:
    """Return cells called positive, and cells in all, of both kinds."""
    immune = int(fields.immune_positive.sum()), int(fields.immune_negative.sum())
    return {
        "tumour": (int(fields.tumour_positive.sum()), int(fields.tumour.sum())),
        "immune": (immune[0], sum(immune)),
    }


_TRIED = 2
"""Draws that are tried for each one that is kept, where rates depend on the score."""

_DECADES_UNKNOWN = 0.6
"""Standard deviation of the power of ten of the true score around that of the called one, as it is tried."""


def _widened(error: SlideErrorSettings, decades: float) -> SlideErrorSettings:
    """Return rates without slopes that reach as far as those of any true score that may be called so."""
    changes: dict[str, float] = {}
    for rate in ("tumour_recall", "tumour_specificity", "immune_recall", "immune_specificity"):
        slope, spread = (getattr(error, f"{rate}_{what}") for what in ("slope", "spread"))
        changes[rate] = float(special.expit(error.logit_at(rate, np.array(decades))))
        changes[f"{rate}_spread"] = float(np.hypot(spread, slope * _DECADES_UNKNOWN))
        changes[f"{rate}_slope"] = 0.0
    return error.model_copy(update=changes)


def _log_weight(
    truth: _Truth,
    recall: Mapping[str, Draws],
    fields: GroupedCounts,
    error: SlideErrorSettings,
    decades: Draws,
) -> Draws:
    """Return the log chance of each draw's recall and false calls under the rates of its own score."""
    found = {"tumour": truth.found_tumour, "immune": truth.found_immune}
    weight = np.zeros(len(decades))
    for kind, (positive, base) in _called_of_kinds(fields).items():
        if kind in recall:
            spread = max(getattr(error, f"{kind}_recall_spread"), 1e-3)
            away = (recall[kind] - error.logit_at(f"{kind}_recall", decades)) / spread
            weight -= 0.5 * away**2 + np.log(spread)
        if positive:
            log_odds = np.log(base - positive + 0.5) - error.logit_at(f"{kind}_specificity", decades)
            wide = max(getattr(error, f"{kind}_specificity_spread"), 1e-3)
            weight += _log_false(positive - found[kind], log_odds, wide)
    return weight


def _weight_of_both_kinds(truth: _Truth) -> Draws:
    """Return the weight that makes each order of magnitude of the CPS alike beforehand, (draws,).

    `sample_found` makes each order of magnitude of either kind alike, as if the two were independent:
    far more
    ways then lead to a high sum than to a low one. Here, beforehand, half of all slides are stained by both
    kinds, in any split, a quarter by tumour cells alone and a quarter by immune cells alone; any sum in
    orders of magnitude. Chosen on simulated slides: no source states it. However many cells there are, the
    weights of any two slides differ by a small factor.
    """
    knee = _knee(truth.tumour)
    tumour, immune = truth.tumour_positive + knee, truth.immune_positive + knee
    alone = knee / immune + knee / tumour
    both = tumour * immune / (tumour + immune) ** 2
    return np.asarray(0.25 * alone + 0.5 * both)


def _draw_together(parts: Sequence[_Truth], rng: np.random.Generator) -> list[_Truth]:
    """Draw the slides of a case again so that each order of magnitude of their sum is alike beforehand.

    `sample_found` took every slide's number to be independent of the others'; of several low slides a
    high sum
    would then be likely. The slides join one after the other, so that many of them leave enough draws.
    """
    together = list(parts[:1])
    before = np.ones_like(parts[0].tumour)
    for part in parts[1:]:
        together.append(part)
        weight = _weight_of_split(together)
        chance = weight / before
        picked = rng.choice(len(chance), len(chance), p=chance / chance.sum())
        together = [one.taken(picked) for one in together]
        before = weight[picked]
    return together


def _weight_of_split(parts: Sequence[_Truth]) -> Draws:
    """Return the weight of a split of each kind's positive cells over slides, (draws,).

    Beforehand as likely on one slide alone as on all of them in any split; see `_weight_of_both_kinds`.
    """
    knees = np.stack([_knee(part.tumour) for part in parts])
    weight = np.ones_like(parts[0].tumour)
    for name in ("tumour_positive", "immune_positive"):
        lifted = np.stack([getattr(part, name) for part in parts]) + knees
        ratio = np.log(knees / lifted)
        alone = np.exp(ratio.sum(axis=0) - ratio).mean(axis=0)
        split = np.exp(special.gammaln(len(parts)) + np.log(lifted / lifted.sum(axis=0)).sum(axis=0))
        weight = weight * (0.5 * alone + 0.5 * split)
    return weight


def _knee(tumour: Draws) -> Draws:
    """Return the positive cells from which on orders of magnitude are alike, as `sample_found` has it."""
    return 0.5 + KNEE * tumour


def _draw(
    true: Draws, found: Draws, tumour: Draws, called: int, spread: FieldDispersion, prior: Draws,
    rng: np.random.Generator,
) -> ScoreDraws:  # fmt: skip
    """Draw the tissue's score next to the slide's, from the positive cells it is expected to show.

    A gamma distribution of the true count's mean and of the fields' variance: Jeffreys' interval of a
    Poisson count where fields differ no more than by chance, wider and skewed where cells cluster. Slide
    and tissue are then drawn again, together, by a weight that makes each order of magnitude of the tissue's
    score alike beforehand. `sample_found` has made those of the slide's count alike already, and that is
    taken
    out again: with both, a count would be the less credible the more cells it rests on.
    """
    drawn = spread.variance * spread.degrees / rng.chisquare(spread.degrees, len(true))
    unevenness = np.minimum(np.maximum(0.0, drawn - called) / (found + 0.5) ** 2, MOST_UNEVEN)
    factor = 1.0 + unevenness * true
    expected = rng.gamma(true / factor + 0.5) * factor
    of_tissue = np.sqrt(expected) / (expected + KNEE * tumour)
    of_slide = np.sqrt(true + 0.5) / (true + _knee(tumour))
    weight = prior * of_tissue / of_slide
    picked = rng.choice(len(true), len(true), p=weight / weight.sum())
    return ScoreDraws(_ratio(true[picked], tumour[picked]), _ratio(expected[picked], tumour[picked]))


def _ratio(positive: Draws, tumour: Draws) -> Draws:
    return np.asarray(np.minimum(MAXIMUM, 100.0 * positive / tumour))


def _central(draws: Draws, level: float) -> tuple[float, float]:
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
