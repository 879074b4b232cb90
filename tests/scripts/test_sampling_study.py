"""The study of sampled slides: strata, and intervals that contain the whole."""

from __future__ import annotations

import numpy as np

from cxpath.scores.settings import SamplingSettings
from scripts.studies.coverage import sampled_slides, strata_by_brown


def test_the_brownest_fields_have_their_own_stratum() -> None:
    brown = np.random.default_rng(0).permutation(100).astype(np.float64)
    stratum = strata_by_brown(brown)
    assert brown[stratum == 3].min() == 92
    assert np.bincount(stratum).sum() == 100
    assert brown[stratum == 0].max() < brown[stratum == 1].min() < brown[stratum == 2].min()


def test_samples_hold_the_whole_and_are_samples() -> None:
    slides = sampled_slides(12, np.random.default_rng(3), SamplingSettings())
    assert len(slides) == 12
    assert all(one.low <= one.estimate <= one.high for one in slides)
    assert min(one.share_read for one in slides) < 0.9
    assert sum(one.low <= one.truth <= one.high for one in slides) >= 9
