"""Do the intervals cover? Simulated slides of known truth, scored with an error term estimated on others.

Beside them stand a plain binomial interval and a percentile bootstrap over fields, which know no
classification error. Knows no files and draws no pictures.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cxpath.scores.coverage import CUTOFFS, RULE, Bounds, Coverage
from cxpath.scores.cutoffs import Cutoff, judge
from cxpath.scores.score_draws import draw_scores
from cxpath.scores.simulated_slides import SimulatedSlide, draw_slide, random_plan
from cxpath.scores.slide_error import SlideErrorSettings
from cxpath.scores.slide_error_fit import fit_slide_error

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
        slide = draw_slide(random_plan(rng), error, rng)
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
    cps, _ = draw_scores([counts], error)
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
            judge(counted, float(p), Cutoff(cutoff, ""), RULE).borderline
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
