"""TissueAreas: how much tissue was scored and how much was left out, by reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TissueAreas:
    """Areas of one slide in square millimetres.

    Parameters
    ----------
    scored_mm2 : float
        Tissue that entered the score.
    excluded_mm2 : mapping of str to float
        Tissue left out, by reason ("pen", "blur", "region", ...).
    drawn_mm2 : mapping of str to float
        Tissue inside the pathologist's regions, by meaning ("tumour bed", "necrosis", ...); areas of one
        meaning that overlap count once. Empty when nothing was drawn.
    tumour_bed_mm2 : float or None
        Scored tissue inside the drawn tumour bed, less all that was left out; None when none was drawn.
    """

    scored_mm2: float
    excluded_mm2: Mapping[str, float] = field(default_factory=dict)
    drawn_mm2: Mapping[str, float] = field(default_factory=dict)
    tumour_bed_mm2: float | None = None
