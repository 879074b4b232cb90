"""Do intervals of a sampled slide hold what reading it whole would give? Simulated slides say.

Slides are those of the coverage study, of known cells; each is sampled as `--mode adaptive` does, until it
would stop. Knows no pixels: how brown a field looks at low resolution is drawn, too.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cxpath.scores.field_drawing import FieldDrawing, why_enough
from cxpath.scores.field_sample import FieldSample
from cxpath.scores.sampling_settings import SamplingSettings
from cxpath.scores.simulated_slides import draw_slide, random_plan
from cxpath.scores.slide_error import SlideErrorSettings

CUTOFFS = (1.0, 10.0)
FEWEST_FIELDS, FEWEST_TUMOUR_CELLS = 60, 1000
BROWN_SPREAD = 0.7
"""Spread of the logarithm of how brown a field looks, beside that of its positive cells."""

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
    counts = draw_slide(random_plan(rng), SlideErrorSettings(), rng).counts
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
