"""Do the intervals of `--mode adaptive` cover? Simulated slides of known cells, sampled until it would stop.

    python scripts/sampling_study.py [SLIDES]

Prints coverage of the sampling interval, the share read, and the bias, by the slide's true CPS.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from cxpath.scores.field_drawing import FieldDrawing, why_enough
from cxpath.scores.field_sample import FieldSample
from cxpath.scores.sampling_settings import SamplingSettings
from cxpath.scores.simulated_slides import draw_slide, random_plan
from cxpath.scores.slide_error import SlideErrorSettings

SETTINGS = SamplingSettings()
CUTOFFS = (1.0, 10.0)
GROUPS = ((0.0, 0.5), (0.5, 2.0), (2.0, 5.0), (5.0, 20.0), (20.0, 101.0), (0.0, 101.0))
FEWEST_FIELDS, FEWEST_TUMOUR_CELLS = 60, 1000
BLUR = 0.7
"""Spread of the logarithm of how brown a field looks, beside that of its positive cells."""


def sampled(rng: np.random.Generator) -> tuple[float, float, float, float, float] | None:
    """Draw and sample one slide; return true CPS, estimate, interval, share read. None: too small a slide."""
    counts = draw_slide(random_plan(rng), SlideErrorSettings(), rng).counts
    positive, tumour = counts.positive, counts.tumour
    if len(positive) < FEWEST_FIELDS or tumour.sum() < FEWEST_TUMOUR_CELLS:
        return None
    brown = np.asarray((positive + 2) * np.exp(rng.normal(0, BLUR, len(positive))), dtype=np.float64)
    stratum = strata(brown)
    drawing, read = FieldDrawing(stratum, int(stratum.max()), SETTINGS), np.zeros(len(stratum), bool)
    read[drawing.first()] = True
    while not why_enough(
        sample := FieldSample(stratum, read, positive * read, tumour * read), CUTOFFS, SETTINGS
    ):
        read = read.copy()
        read[drawing.more(sample)] = True
    truth = min(100.0, 100.0 * float(positive.sum()) / float(tumour.sum()))
    return truth, sample.cps, *sample.interval(SETTINGS.level), sample.share_read


def strata(brown: NDArray[np.float64]) -> NDArray[np.int64]:
    """Sort fields as `pipeline/field_strata.py` does: the brownest twelfth, and thirds."""
    order = np.argsort(brown)
    rare = max(1, round(0.08 * len(order)))
    stratum = np.full(len(order), 3, dtype=np.int64)
    for number, third in enumerate(np.array_split(order[:-rare], 3)):
        stratum[third] = number
    return stratum


def main() -> None:
    """Simulate and print."""
    rng = np.random.default_rng(7)
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    found: list[tuple[float, float, float, float, float]] = []
    while len(found) < wanted:
        if (one := sampled(rng)) is not None:
            found.append(one)
    truth, estimate, low, high, share = np.array(found).T
    covered = (low <= truth + 1e-9) & (truth <= high + 1e-9)
    print("| true CPS | slides | covered | too low | too high | share read | mean error |")
    print("|---|---|---|---|---|---|---|")
    for first, last in GROUPS:
        own = (truth >= first) & (truth < last)
        print(
            f"| {first:g} to {min(last, 100):g} | {own.sum()} | {covered[own].mean():.1%} | "
            f"{(high < truth)[own].mean():.1%} | {(low > truth)[own].mean():.1%} | {share[own].mean():.0%} | "
            f"{(estimate - truth)[own].mean():+.2f} |"
        )


if __name__ == "__main__":
    main()
