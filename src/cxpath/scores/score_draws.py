"""Draws of the true CPS and TPS, of the slide and of the tumour: what both intervals are read from.

Seeded, so that the same cells give the same interval. Knows counts of fields, nothing of cells or files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cxpath.scores.cps import MAXIMUM
from cxpath.scores.field_dispersion import FieldDispersion, field_dispersion
from cxpath.scores.grouped_counts import GroupedCounts
from cxpath.scores.slide_error import SlideErrorSettings
from cxpath.scores.true_positives import KNEE, Draws, draw_found, draw_true

METHOD = "slide: per-slide-error/1; tissue: per-slide-error and field-blocks/2"
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


def draw_scores(
    slides: Sequence[GroupedCounts], error: SlideErrorSettings, draws: int = DRAWS, seed: int = SEED
) -> tuple[ScoreDraws, ScoreDraws]:
    """Draw the CPS and the TPS of one slide, or of several taken together.

    Every slide has errors of its own; the fields of all are one sample of the tumour.

    Parameters
    ----------
    slides : sequence of GroupedCounts
        Counts of the fields of each slide; together at least one tumour cell.
    error : SlideErrorSettings
    draws, seed : int

    Returns
    -------
    ScoreDraws, ScoreDraws
        Of the CPS and of the TPS.
    """
    rng = np.random.default_rng(seed)
    parts = [_draw_truth(fields, error, rng, draws) for fields in slides]
    truth = _Truth(
        *(np.sum([getattr(part, name) for part in parts], axis=0) for name in _Truth.__annotations__)
    )
    tumour = np.concatenate([fields.tumour for fields in slides])
    positive = np.concatenate([fields.tumour_positive for fields in slides])
    counted = np.concatenate([fields.positive for fields in slides])
    true, found = truth.tumour_positive + truth.immune_positive, truth.found_tumour + truth.found_immune
    cps_spread, tps_spread = field_dispersion(counted, tumour), field_dispersion(positive, tumour)
    return (
        _draw(true, found, truth.tumour, int(counted.sum()), cps_spread, rng),
        _draw(truth.tumour_positive, truth.found_tumour, truth.tumour, int(positive.sum()), tps_spread, rng),
    )


@dataclass(frozen=True, eq=False)
class _Truth:
    """Draws of what is true of a slide: cells of each kind, and how many of the positive were found."""

    tumour: Draws
    tumour_positive: Draws
    immune_positive: Draws
    found_tumour: Draws
    found_immune: Draws


def _draw_truth(
    fields: GroupedCounts, error: SlideErrorSettings, rng: np.random.Generator, draws: int
) -> _Truth:
    called = int(fields.tumour.sum())
    immune = int(fields.immune_positive.sum() + fields.immune_negative.sum())
    ratio = error.tumour_found * np.exp(error.tumour_found_spread * rng.standard_normal(draws))
    tumour = called / ratio
    found_tumour = draw_found(
        int(fields.tumour_positive.sum()), called, called, error.tumour_specificity,
        error.tumour_specificity_spread, rng, draws,
    )  # fmt: skip
    found_immune = draw_found(
        int(fields.immune_positive.sum()), immune, called, error.immune_specificity,
        error.immune_specificity_spread, rng, draws,
    )  # fmt: skip
    true_tumour = draw_true(found_tumour, error.tumour_recall, error.tumour_recall_spread, rng)
    true_immune = draw_true(found_immune, error.immune_recall, error.immune_recall_spread, rng)
    return _Truth(tumour, np.minimum(true_tumour, tumour), true_immune, found_tumour, found_immune)


def _draw(
    true: Draws, found: Draws, tumour: Draws, called: int, spread: FieldDispersion, rng: np.random.Generator
) -> ScoreDraws:
    """Draw the tissue's score beside the slide's, from the positive cells it is expected to show.

    A gamma distribution of the true count's mean and of the fields' variance: Jeffreys' interval of a
    Poisson count where fields differ no more than by chance, wider and skewed where cells cluster. Slide
    and tissue are then drawn anew together, by a weight that makes each order of magnitude of the tissue's
    score alike beforehand, as `draw_found` has it.
    """
    drawn = spread.variance * spread.degrees / rng.chisquare(spread.degrees, len(true))
    unevenness = np.minimum(np.maximum(0.0, drawn - called) / (found + 0.5) ** 2, MOST_UNEVEN)
    factor = 1.0 + unevenness * true
    expected = rng.gamma(true / factor + 0.5) * factor
    weight = np.sqrt(expected) / (expected + KNEE * tumour)
    picked = rng.choice(len(true), len(true), p=weight / weight.sum())
    return ScoreDraws(_ratio(true[picked], tumour[picked]), _ratio(expected[picked], tumour[picked]))


def _ratio(positive: Draws, tumour: Draws) -> Draws:
    return np.asarray(np.minimum(MAXIMUM, 100.0 * positive / tumour))


def _central(draws: Draws, level: float) -> tuple[float, float]:
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
