"""Reliability of the probabilities on drawn slides, arm by arm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from cxpath.training.judging.evaluation_document import JudgedReliability
from cxpath.training.judging.synthetic_settings import SyntheticSettings
from cxpath.training.reliability import reliability_curve

_COUNTED: tuple[tuple[Literal["kind", "stained"], str, str], ...] = (
    ("stained", "reliability", "found cells called tumour or immune"),
    ("kind", "kind_reliability", "found cells"),
)


def slide_reliability(
    slides: Sequence[Mapping[str, Any]], settings: SyntheticSettings
) -> Iterator[JudgedReliability]:
    """Yield the curves of each arm that was measured.

    Parameters
    ----------
    slides : sequence of mapping
        As `count_slide` returns them; kinds are left out where an earlier version measured any of them.
    settings : SyntheticSettings
    """
    for arm in settings.arm:
        own = [slide for slide in slides if slide["arm"] == arm.name]
        for of, key, words in _COUNTED:
            bins = [np.asarray(slide[key], dtype=np.float64) for slide in own if key in slide]
            if len(bins) < len(own):
                continue
            curve = reliability_curve(bins, "slides", words, settings.bootstrap)
            if curve is not None:
                yield JudgedReliability(set_name=f"synthetic_{arm.name}", of=of, curve=curve)
