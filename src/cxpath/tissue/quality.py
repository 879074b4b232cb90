"""Whether a slide can be read: its artefacts, the tissue that they leave, and its controls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.data import Reason, ReasonCode, Region, StainBasis, optical_density
from cxpath.slide import Slide
from cxpath.tissue.artefacts.foreign_matter import find_bubbles, find_dark, find_edges, find_pen
from cxpath.tissue.artefacts.section import LookClosely, Sharpness, find_blur, find_folds, measure_sharpness
from cxpath.tissue.settings import (
    Artefact,
    ArtefactSettings,
    ControlKind,
    ControlRule,
    ControlSettings,
    OnFailure,
)
from cxpath.tissue.stains import Look, Mask, WhitePoint, distance_inside, mean_density, within

# Find all artefacts of a slide, and decide whether enough tissue is left.


# Whether artefacts have left enough of the tissue to score.


def why_too_spoiled(
    tissue: Mask, masks: Mapping[str, Mask], settings: ArtefactSettings
) -> tuple[Reason, ...]:
    """Return every reason why artefacts leave too little, with what to do; empty when enough is left.

    Parameters
    ----------
    tissue : bool array, (height, width)
        Tissue that would be scored without artefacts.
    masks : mapping of str to bool array
        Artefacts by reason; no pixel has two.
    settings : ArtefactSettings
    """
    if not tissue.any():
        return ()
    shares = {reason: float(np.mean(mask[tissue])) for reason, mask in masks.items()}
    covered = np.logical_or.reduce([np.zeros_like(tissue), *masks.values()])
    # One mean and no sum of shares: 0.4 + 0.2 is more than 0.6 to a computer.
    blurred, together = shares.get(Artefact.BLUR, 0.0), float(np.mean(covered[tissue]))
    reasons = []
    if blurred > settings.most_blurred_share:
        text = (
            f"{blurred:.0%} of the tissue is out of focus, at most {settings.most_blurred_share:.0%} may be: "
            "scan the slide again with more focus points, after cleaning it"
        )
        reasons.append(Reason(ReasonCode.OUT_OF_FOCUS, text))
    if together > settings.most_excluded_share:
        parts = ", ".join(f"{reason} {share:.0%}" for reason, share in shares.items() if share >= 0.005)
        text = (
            f"{together:.0%} of the tissue is left out for artefacts ({parts}), at most "
            f"{settings.most_excluded_share:.0%} may be: clean and scan the slide again, or cut a new "
            "section; if the tissue picture shows good tissue left out, change [tissue.artefacts]"
        )
        reasons.append(Reason(ReasonCode.ARTEFACTS, text))
    return tuple(reasons)


# All artefacts of a slide: each detector on the overview in turn, focus on patches, one reason a pixel.


WIDEST_UM = 1500.0
"""Ink wider than this hides whatever lies under it: it counts as glass."""


COARSEST = 1.2
"""A slide coarser than this times the patches' µm/px is soft everywhere: its focus cannot be evaluated."""

NEAR_UM = 75.0
"""So near to another artefact no fold is looked for: ink and bubbles have ridges next to them."""


@dataclass(frozen=True, eq=False)
class FoundArtefacts:
    """What was found.

    Parameters
    ----------
    masks : dict of str to bool array, (height, width)
        Where each artefact lies, on glass too; no pixel has two. Those that were found, in order.
    tissue : bool array, (height, width)
        The tissue, without ink and specks that lie on glass.
    """

    masks: dict[str, Mask]
    tissue: Mask


def find_artefacts(
    slide: Slide,
    overview: NDArray[np.uint8],
    mpp: float,
    white_point: WhitePoint,
    tissue: Mask,
    settings: ArtefactSettings,
) -> FoundArtefacts:
    """Find artefacts on a slide.

    Parameters
    ----------
    slide : Slide
        Read at `blur_mpp` for close looks.
    overview : uint8 array, (height, width, 3)
    mpp : float
        Micrometres per pixel of the overview.
    white_point : tuple of float
    tissue : bool array, (height, width)
    settings : ArtefactSettings
    """
    look = Look(optical_density(overview, white_point), mpp)
    closely = _close_looks(slide, mpp, white_point, settings.blur_patch_um, settings.blur_mpp)
    within_ink = _close_looks(slide, mpp, white_point, settings.pen_least_width_um, settings.blur_mpp)
    taken = np.zeros_like(tissue)
    finders: dict[Artefact, Callable[[], Mask]] = {
        Artefact.PEN: lambda: find_pen(look, settings, lambda x, y: within_ink(x, y).relative_contrast),
        Artefact.EDGE: lambda: find_edges(look, settings),
        Artefact.DARK: lambda: find_dark(look, settings),
        Artefact.BUBBLE: lambda: find_bubbles(look, settings),
        Artefact.FOLD: lambda: find_folds(look, tissue & ~look.widened(taken, NEAR_UM), settings),
    }
    masks: dict[str, Mask] = {}
    for artefact, finder in finders.items():
        if artefact in settings.detect:
            masks[artefact.value] = look.widened(finder(), settings.margin_um) & ~taken
            taken |= masks[artefact.value]
    marks = [masks[reason] for reason in (Artefact.PEN.value, Artefact.DARK.value) if reason in masks]
    tissue = _without_marks_on_glass(tissue, np.logical_or.reduce([np.zeros_like(tissue), *marks]), mpp)
    if Artefact.BLUR in settings.detect and slide.mpp <= COARSEST * settings.blur_mpp:
        masks[Artefact.BLUR.value] = find_blur(look, tissue & ~taken, settings, closely)
    return FoundArtefacts({name: mask for name, mask in masks.items() if mask.any()}, tissue)


def _without_marks_on_glass(tissue: Mask, marks: Mask, mpp: float) -> Mask:
    """Take from the tissue what marks add to it: those parts that no clean tissue borders on both sides.

    A closing as wide as the widest mark bridges a stroke over tissue, not one next to it.
    """
    inside = tissue & marks
    if not inside.any():
        return tissue
    clean = tissue & ~marks
    if not clean.any():
        return tissue
    reach_px = min(float(distance_inside(np.pad(marks, 1))[1:-1, 1:-1].max()) + 2, WIDEST_UM / 2 / mpp)
    border = int(np.ceil(reach_px)) + 2
    padded = np.pad(clean, border)
    closed = ~within(~within(padded, reach_px), reach_px)
    return np.asarray(clean | (inside & closed[border:-border, border:-border]))


def _close_looks(
    slide: Slide, mpp: float, white_point: WhitePoint, side_um: float, close_mpp: float
) -> LookClosely:
    """Return what reads and measures a patch around a place of the overview (column, row)."""
    side = max(8, round(side_um / close_mpp))
    to_level0 = mpp / slide.mpp
    half_px = side_um / slide.mpp / 2
    step_px = close_mpp / slide.mpp

    def on_lattice(place_px: float) -> float:
        """Return the nearest place of a whole pixel of the patch: those are read many times quicker."""
        return round(place_px / step_px) * step_px

    def look_closely(column: float, row: float) -> Sharpness:
        x_px, y_px = on_lattice(column * to_level0 - half_px), on_lattice(row * to_level0 - half_px)
        patch = slide.read(x_px, y_px, side, side, close_mpp)
        return measure_sharpness(mean_density(optical_density(patch, white_point)), close_mpp)

    return look_closely


# Control tissue on the slide: found, measured, and whether it passed.


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
            f"{self.mean_dab_od:.3f}, {wanted} {self.limit_dab_od:g} is required: repeat the staining run",
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
