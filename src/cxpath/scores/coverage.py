"""Coverage: what a coverage study found, and the shares read from it.

Knows no files, draws no pictures, simulates nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cxpath.scores.cutoffs import BorderlineRule
from cxpath.scores.settings import ScoringSettings, borderline_rule
from cxpath.scores.slide_error import SlideErrorSettings

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
        """Say for each slide and cut-off whether it is borderline, as `judge` does."""
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
