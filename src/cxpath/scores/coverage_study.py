"""Do the intervals cover? Simulated slides of known truth, scored with an error term estimated on others.

Beside them stand a plain binomial interval and a percentile bootstrap over fields, which know no
classification error. Knows no files and draws no pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cxpath.scores.cutoffs import Cutoff, judge
from cxpath.scores.score_draws import draw_scores
from cxpath.scores.simulated_slides import SimulatedSlide, draw_slide, random_plan
from cxpath.scores.slide_error import SlideErrorSettings
from cxpath.scores.slide_error_fit import fit_slide_error

Bounds = NDArray[np.float64]
CUTOFFS = (1.0, 10.0)
TUMOUR_CELLS = 100
LEVEL, TAIL = 0.95, 0.025


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
    borderline : bool array, (N, 2)
        For each of `CUTOFFS`.
    counting_alone : bool array, (N, 2)
        The same of a reader who is never wrong, on tissue without any clusters: what counting noise alone
        leaves in doubt, and no interval can take away.
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
    borderline: NDArray[np.bool_]
    counting_alone: NDArray[np.bool_]
    error: SlideErrorSettings

    def other_side(self) -> NDArray[np.bool_]:
        """Say for each slide and cut-off whether calls and tissue lie on different sides of it."""
        cutoffs = np.array(CUTOFFS)
        return np.asarray((self.called[:, None] >= cutoffs) != (self.tissue_cps[:, None] >= cutoffs))

    def flagged(self) -> NDArray[np.bool_]:
        """Say for each slide whether any cut-off is borderline."""
        return np.asarray(self.borderline.any(axis=1), dtype=bool)

    def far(self) -> NDArray[np.bool_]:
        """Say for each slide whether its tissue lies more than twofold away from every cut-off."""
        ratio = self.tissue_cps[:, None] / np.array(CUTOFFS)
        return np.asarray(((ratio > 2) | (ratio < 0.5)).all(axis=1))


def covered(bounds: Bounds, truth: Bounds) -> NDArray[np.bool_]:
    """Say for each slide whether the interval holds the truth."""
    return np.asarray((bounds[:, 0] <= truth + 1e-9) & (truth <= bounds[:, 1] + 1e-9))


def decades(bounds: Bounds) -> Bounds:
    """Return how wide intervals are in powers of ten of CPS + 0.1."""
    return np.asarray(np.diff(np.log10(bounds + 0.1), axis=1)[:, 0])


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
    list[bool],
    NDArray[np.bool_],
]:
    counts = slide.counts
    positive, tumour = int(counts.positive.sum()), int(counts.tumour.sum())
    called = min(100.0, 100.0 * positive / tumour)
    cps, _ = draw_scores([counts], error)
    verdicts = [judge(called, cps.probability_at_least(at), Cutoff(at, ""), TAIL) for at in CUTOFFS]
    return (
        tumour, len(counts.tumour), called, slide.slide_cps, slide.tissue_cps,
        cps.interval_slide(LEVEL), cps.interval_tissue(LEVEL),
        _binomial(positive, tumour), _bootstrap(counts.positive, counts.tumour, rng),
        [verdict.borderline for verdict in verdicts], _in_doubt_by_counting(slide, rng),
    )  # fmt: skip


def _in_doubt_by_counting(slide: SimulatedSlide, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Say for each cut-off whether it is borderline of flawless calls on even tissue (Jeffreys, Poisson)."""
    cells = int(slide.table[:2].sum())
    positive = rng.poisson(slide.tissue_cps / 100.0 * cells)
    chance = stats.gamma.sf(np.array(CUTOFFS) / 100.0 * cells, positive + 0.5)
    return np.asarray((chance > TAIL) & (chance < 1.0 - TAIL))


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
