"""One look at a slide at low resolution: tissue, artefacts, controls, stains, and whether to score it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cxpath.slide.slide import Slide
from cxpath.tissue.artefacts.adequacy import why_too_spoiled
from cxpath.tissue.artefacts.find_artefacts import FoundArtefacts, find_artefacts
from cxpath.tissue.artefacts.settings import Artefact
from cxpath.tissue.control_settings import ControlSettings
from cxpath.tissue.controls import (
    ControlCheck,
    ControlTissue,
    check_control,
    control_by_rule,
    control_troubles,
    drawn_control,
)
from cxpath.tissue.settings import StainCheck, TissueSettings
from cxpath.tissue.stain_check import why_stain_refused
from cxpath.tissue.stain_samples import stain_samples
from cxpath.tissue.stain_vectors import estimate_stains
from cxpath.tissue.tissue import OUTSIDE_REGIONS, Tissue
from cxpath.tissue.tissue_mask import tissue_mask
from cxpath.tissue.white_point import WhitePoint, estimate_white_point, is_brightfield
from cxpath.values.regions import RegionMeaning, Regions
from cxpath.values.stains import StainBasis

Mask = NDArray[np.bool_]

CONTROL = "control"


def find_tissue(
    slide: Slide,
    settings: TissueSettings | None = None,
    regions: Regions | None = None,
    controls: ControlSettings | None = None,
) -> Tissue:
    """Find where to score and what the stains look like.

    Parameters
    ----------
    slide : Slide
    settings : TissueSettings, optional
    regions : Regions, optional
        What the pathologist drew; tissue outside is excluded and its area reported. Artefacts inside stay
        excluded.
    controls : ControlSettings, optional
    """
    settings, controls = settings or TissueSettings(), controls or ControlSettings()
    overview, mpp = read_overview(slide, settings)
    white_point = estimate_white_point(overview)
    artefacts = _artefacts(slide, overview, mpp, white_point, settings)
    found = artefacts.tissue
    unsharp_is_no_dirt = [mask for reason, mask in artefacts.masks.items() if reason != Artefact.BLUR]
    clean = found & ~_any(unsharp_is_no_dirt, found)
    density = stain_samples(slide, clean if clean.any() else found, mpp, white_point, settings)
    stains = estimate_stains(density, white_point)
    control_tissues = _controls(slide, clean, mpp, settings, regions, controls)
    in_control = _any([control.mask for control in control_tissues], found)
    wanted = _drawn(regions, slide, found.shape, mpp) & found & ~in_control
    spoiled = {reason: mask & wanted for reason, mask in artefacts.masks.items()}
    checks = _check(slide, control_tissues, mpp, stains, settings, controls)
    unfit, warnings = control_troubles(checks, controls)
    outside = {OUTSIDE_REGIONS: found & ~wanted & ~in_control} if regions else {}
    return Tissue(
        overview=overview,
        overview_mpp=mpp,
        found=found,
        scored=wanted & ~_any(list(spoiled.values()), found),
        excluded=outside | _present({CONTROL: in_control & found} | spoiled),
        stains=stains,
        refused_because=(
            why_stain_refused(density, white_point) if settings.stain_check is StainCheck.ON else ()
        ),
        slide_mpp=slide.info.mpp,
        spoiled=_any([in_control, *artefacts.masks.values()], found),
        unfit_because=(*why_too_spoiled(wanted, spoiled, settings.artefacts), *unfit),
        controls=checks,
        warnings=warnings,
    )


def read_overview(slide: Slide, settings: TissueSettings) -> tuple[NDArray[np.uint8], float]:
    """Read the whole slide as one small picture; returns it with its µm/px."""
    info = slide.info
    longest_um = max(info.width_px, info.height_px) * info.mpp
    aim = longest_um / settings.overview_longest_px
    mpp = max(float(np.clip(aim, settings.overview_finest_mpp, settings.overview_coarsest_mpp)), info.mpp)
    width = int(np.ceil(info.width_px * info.mpp / mpp))
    height = int(np.ceil(info.height_px * info.mpp / mpp))
    return slide.read(0, 0, width, height, mpp), mpp


def _artefacts(
    slide: Slide, overview: NDArray[np.uint8], mpp: float, white_point: WhitePoint, settings: TissueSettings
) -> FoundArtefacts:
    tissue = tissue_mask(overview, mpp, white_point, settings)
    if not settings.artefacts.detect or not is_brightfield(white_point):
        return FoundArtefacts({}, tissue)
    return find_artefacts(slide, overview, mpp, white_point, tissue, settings.artefacts)


def _controls(
    slide: Slide,
    clean: Mask,
    mpp: float,
    settings: TissueSettings,
    regions: Regions | None,
    controls: ControlSettings,
) -> tuple[ControlTissue, ...]:
    """Return drawn controls; the rule is for slides on which none was drawn."""
    drawn = regions.holding(RegionMeaning.CONTROL) if regions else ()
    if drawn:
        x_px, y_px = _centres(slide, clean.shape, mpp)
        inside = (
            Regions((region,)).within(RegionMeaning.CONTROL, x_px, y_px).reshape(clean.shape)
            for region in drawn
        )
        return tuple(
            drawn_control(region, mask & clean, controls) for region, mask in zip(drawn, inside, strict=True)
        )
    by_rule = control_by_rule(clean, mpp, settings.control, controls)
    return (by_rule,) if by_rule else ()


def _check(
    slide: Slide,
    tissues: tuple[ControlTissue, ...],
    mpp: float,
    stains: StainBasis,
    settings: TissueSettings,
    controls: ControlSettings,
) -> tuple[ControlCheck, ...]:
    return tuple(
        check_control(
            control,
            stain_samples(slide, control.mask, mpp, stains.white_point, settings),
            mpp,
            stains,
            controls,
        )
        for control in tissues
    )


def _drawn(regions: Regions | None, slide: Slide, shape: tuple[int, ...], mpp: float) -> Mask:
    if not regions:
        return np.ones(shape, dtype=bool)
    x_px, y_px = _centres(slide, shape, mpp)
    return regions.contains(x_px, y_px, slide.info.width_px, slide.info.height_px).reshape(shape)


def _centres(
    slide: Slide, shape: tuple[int, ...], mpp: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the level-0 position of every pixel of the overview, row by row."""
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    to_level0 = mpp / slide.info.mpp
    return (columns * to_level0).ravel(), (rows * to_level0).ravel()


def _any(masks: list[Mask], like: Mask) -> Mask:
    return np.logical_or.reduce(masks) if masks else np.zeros_like(like)


def _present(masks: dict[str, Mask]) -> dict[str, Mask]:
    return {reason: mask for reason, mask in masks.items() if mask.any()}
