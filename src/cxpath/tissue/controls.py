"""Control tissue on the slide: found, measured, and whether it passed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.data import Reason, ReasonCode, Region, StainBasis
from cxpath.tissue.settings import ControlKind, ControlRule, ControlSettings, OnFailure
from cxpath.tissue.stains import within

# Control tissue on the slide: found as drawn or by rule, kept out of the score, and measured.
#
# Knows the staining of the control only, not whether it is the right tissue; that is the lab's to say.


FEWEST_PIXELS = 200
"""Fewer visible pixels of a control are no measurement."""


class Verdict(StrEnum):
    """What was made of a control."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_SET = "not set"
    NOT_FOUND = "not found"


@dataclass(frozen=True, eq=False)
class ControlTissue:
    """A control before it is measured: its kind, how it was found, where it lies on the overview."""

    kind: ControlKind
    source: str
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class ControlCheck:
    """A control measured and evaluated.

    Parameters
    ----------
    kind : ControlKind
    source : str
        "drawn as <class>" or "rule <rule>".
    area_mm2 : float
        Its tissue.
    mean_dab_od, median_dab_od : float or None
        DAB of its visible pixels; None where there are too few.
    limit_dab_od : float or None
        What the mean is compared with; None: not set.
    verdict : Verdict
    """

    kind: ControlKind
    source: str
    area_mm2: float
    mean_dab_od: float | None
    median_dab_od: float | None
    limit_dab_od: float | None
    verdict: Verdict

    @property
    def trouble(self) -> Reason | None:
        """One line on a control that failed or is missing, with what to do; None for the others."""
        if self.verdict is Verdict.NOT_FOUND:
            return Reason(
                ReasonCode.CONTROL_NOT_FOUND,
                f"the {self.kind} control ({self.source}) contains too little tissue to measure: "
                "check the tissue picture, and draw the control as a region",
            )
        if self.verdict is not Verdict.FAILED:
            return None
        wanted = "at most" if self.kind is ControlKind.NEGATIVE else "at least"
        return Reason(
            ReasonCode.CONTROL_FAILED,
            f"the {self.kind} control ({self.source}) failed: mean DAB optical density "
            f"{self.mean_dab_od:.3f}, {wanted} {self.limit_dab_od:g} is required: repeat the run of staining",
        )


def annotated_control(region: Region, mask: NDArray[np.bool_], settings: ControlSettings) -> ControlTissue:
    """Return a drawn control; its class name says its kind, else the settings do."""
    named = [kind for kind in ControlKind if kind.value in region.name.casefold()]
    return ControlTissue(named[0] if len(named) == 1 else settings.unnamed, f"drawn as {region.name}", mask)


def control_by_rule(
    tissue: NDArray[np.bool_], mpp: float, rule: ControlRule, settings: ControlSettings
) -> ControlTissue | None:
    """Return the piece of tissue that the rule names; an empty one where all tissue is one piece.

    Parameters
    ----------
    tissue : bool array, (height, width)
    mpp : float
        Micrometres per pixel of the array.
    rule : ControlRule
    settings : ControlSettings
    """
    if rule is ControlRule.NONE:
        return None
    joined = within(tissue, settings.piece_gap_um / 2 / mpp)
    count, labels = cv2.connectedComponents(joined.astype(np.uint8), connectivity=8)
    mask = np.zeros_like(tissue)
    if count > 2:
        columns = np.broadcast_to(np.arange(tissue.shape[1]), tissue.shape)[tissue]
        size = np.bincount(labels[tissue], minlength=count)[1:]
        centre = np.bincount(labels[tissue], weights=columns, minlength=count)[1:] / size
        ranked = {ControlRule.LEFT: centre, ControlRule.RIGHT: -centre, ControlRule.SMALLEST_PIECE: size}
        mask = tissue & (labels == 1 + int(np.argmin(ranked[rule])))
    return ControlTissue(settings.unnamed, f"rule {rule}", mask)


def check_control(
    control: ControlTissue,
    density: NDArray[np.float32],
    mpp: float,
    stains: StainBasis,
    settings: ControlSettings,
) -> ControlCheck:
    """Measure a control and compare it with the lab's limit.

    Parameters
    ----------
    control : ControlTissue
    density : float32 array, (N, 3)
        Optical densities of its visible pixels.
    mpp : float
        Micrometres per pixel of the control's mask.
    stains : StainBasis
        The slide's own.
    settings : ControlSettings
    """
    negative = control.kind is ControlKind.NEGATIVE
    limit = settings.negative_max_dab_od if negative else settings.positive_min_dab_od
    area_mm2 = float(control.mask.sum()) * (mpp / 1000.0) ** 2
    if len(density) < FEWEST_PIXELS:
        return ControlCheck(control.kind, control.source, area_mm2, None, None, limit, Verdict.NOT_FOUND)
    dab = np.maximum(density @ stains.unmixing()[:, 1], 0)
    mean, median = float(dab.mean()), float(np.median(dab))
    passed = limit is None or (mean <= limit if negative else mean >= limit)
    verdict = Verdict.NOT_SET if limit is None else Verdict.PASSED if passed else Verdict.FAILED
    return ControlCheck(control.kind, control.source, area_mm2, mean, median, limit, verdict)


def control_troubles(
    checks: Sequence[ControlCheck], settings: ControlSettings
) -> tuple[tuple[Reason, ...], tuple[Reason, ...]]:
    """Return why controls make the slide not evaluable, and what they warn of: one of the two is empty."""
    troubles = tuple(check.trouble for check in checks if check.trouble)
    return (troubles, ()) if settings.on_failure is OnFailure.REFUSE else ((), troubles)
