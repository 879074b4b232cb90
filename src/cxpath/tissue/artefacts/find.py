"""Find all artefacts of a slide, and decide whether enough tissue is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxpath.data import Reason, ReasonCode, optical_density
from cxpath.slide import Slide
from cxpath.tissue.artefacts.blur import LookClosely, Sharpness, find_blur, measure_sharpness
from cxpath.tissue.artefacts.fold import find_folds
from cxpath.tissue.artefacts.foreign_matter import find_bubbles, find_dark, find_edges, find_pen
from cxpath.tissue.settings import Artefact, ArtefactSettings
from cxpath.tissue.stains import Look, Mask, WhitePoint, distance_inside, mean_density, within

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
"""Ink wider than this hides whatever lies under it: it is taken for glass."""


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
