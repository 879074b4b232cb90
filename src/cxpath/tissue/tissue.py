"""The tissue of a slide: mask, areas, stains and artefacts together."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_otsu
from skimage.morphology import remove_small_holes, remove_small_objects

from cxpath.data import Reason, RegionMeaning, Regions, StainBasis, TissueAreas, optical_density
from cxpath.slide import Slide
from cxpath.tissue.quality import (
    ControlCheck,
    ControlTissue,
    FoundArtefacts,
    annotated_control,
    check_control,
    control_by_rule,
    control_troubles,
    find_artefacts,
    why_too_spoiled,
)
from cxpath.tissue.settings import Artefact, ControlSettings, StainCheck, TissueSettings
from cxpath.tissue.stains import (
    WhitePoint,
    channels,
    estimate_stains,
    estimate_white_point,
    is_brightfield,
    stain_samples,
    why_stain_refused,
)

# Tissue: where to score on a slide, what its stains look like, and whether it can be scored at all.


OUTSIDE_REGIONS = "outside the drawn regions"


@dataclass(frozen=True, eq=False)
class Tissue:
    """What the look at low resolution found.

    Parameters
    ----------
    overview : uint8 array, (height, width, 3)
        The slide at `overview_mpp`; origin at level-0 (0, 0).
    overview_mpp : float
    found : bool array, (height, width)
        All tissue.
    scored : bool array, (height, width)
        Tissue that lies where to score.
    excluded : dict of str to bool array, (height, width)
        Tissue left out, by reason: drawn regions, control tissue, artefacts. No pixel has two.
    stains : StainBasis
    refused_because : tuple of Reason
        Why no cells can be looked for (the stain); empty when they can.
    slide_mpp : float
        Micrometres per level-0 pixel.
    spoiled : bool array, (height, width), or None
        Artefacts and control tissue, on glass and outside drawn regions too.
    unfit_because : tuple of Reason
        Why the slide is not evaluable though its cells can be found: too blurred, too much left out, a
        failed control.
    controls : tuple of ControlCheck
    warnings : tuple of Reason
    """

    overview: NDArray[np.uint8]
    overview_mpp: float
    found: NDArray[np.bool_]
    scored: NDArray[np.bool_]
    excluded: dict[str, NDArray[np.bool_]]
    stains: StainBasis
    refused_because: tuple[Reason, ...]
    slide_mpp: float
    spoiled: NDArray[np.bool_] | None = None
    unfit_because: tuple[Reason, ...] = ()
    controls: tuple[ControlCheck, ...] = ()
    warnings: tuple[Reason, ...] = ()

    @property
    def areas(self) -> TissueAreas:
        """Scored and excluded tissue in square millimetres."""
        pixel_mm2 = (self.overview_mpp / 1000.0) ** 2
        excluded = {reason: float(mask.sum()) * pixel_mm2 for reason, mask in self.excluded.items()}
        return TissueAreas(float(self.scored.sum()) * pixel_mm2, excluded)

    def contains(self, x_px: NDArray[np.float64], y_px: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say for each level-0 point whether it lies on usable tissue, drawn regions left aside."""
        return self._at(self.found, x_px, y_px) & self.unspoiled(x_px, y_px)

    def unspoiled(self, x_px: NDArray[np.float64], y_px: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say for each level-0 point whether it lies outside artefacts and control tissue."""
        if self.spoiled is None:
            return np.ones(len(x_px), dtype=bool)
        return ~self._at(self.spoiled, x_px, y_px)

    def _at(
        self, mask: NDArray[np.bool_], x_px: NDArray[np.float64], y_px: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        to_overview = self.slide_mpp / self.overview_mpp
        height, width = mask.shape
        column = np.clip((x_px * to_overview).astype(np.int64), 0, width - 1)
        row = np.clip((y_px * to_overview).astype(np.int64), 0, height - 1)
        return np.asarray(mask[row, column])

    def share(self, x_px: float, y_px: float, side_px: float) -> float:
        """Return the share of scored tissue in a square given in level-0 pixels.

        Any tissue pixel that the square touches makes the share positive.
        """
        return self._share_of(self.scored, x_px, y_px, side_px)

    def exclusion(self, x_px: float, y_px: float, side_px: float) -> str:
        """Say why a square without scored tissue has none: its main reason of `excluded`, or "glass"."""
        shares = {reason: self._share_of(mask, x_px, y_px, side_px) for reason, mask in self.excluded.items()}
        main = max(shares, key=shares.__getitem__, default="glass")
        return main if shares.get(main, 0.0) > 0 else "glass"

    def _share_of(self, mask: NDArray[np.bool_], x_px: float, y_px: float, side_px: float) -> float:
        to_overview = self.slide_mpp / self.overview_mpp
        height, width = mask.shape
        left, right = _span(x_px * to_overview, (x_px + side_px) * to_overview, width)
        top, bottom = _span(y_px * to_overview, (y_px + side_px) * to_overview, height)
        inside = mask[top:bottom, left:right]
        return float(inside.mean()) if inside.size else 0.0


def _span(first: float, last: float, limit: int) -> tuple[int, int]:
    return max(0, int(np.floor(first))), min(limit, int(np.ceil(last)))


# One look at a slide at low resolution: tissue, artefacts, controls, stains, and whether to score it.


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
    wanted = _within_regions(regions, slide, found.shape, mpp) & found & ~in_control
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
    drawn = regions.with_meaning(RegionMeaning.CONTROL) if regions else ()
    if drawn:
        x_px, y_px = _centres(slide, clean.shape, mpp)
        inside = (
            Regions((region,)).within(RegionMeaning.CONTROL, x_px, y_px).reshape(clean.shape)
            for region in drawn
        )
        return tuple(
            annotated_control(region, mask & clean, controls)
            for region, mask in zip(drawn, inside, strict=True)
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


def _within_regions(regions: Regions | None, slide: Slide, shape: tuple[int, ...], mpp: float) -> Mask:
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


# Tissue or glass: a mask that keeps pale, blue-only and strongly brown tissue.


DARKEST_FOR_THRESHOLD_OD = 0.4


def tissue_mask(
    overview: NDArray[np.uint8], overview_mpp: float, white_point: WhitePoint, settings: TissueSettings
) -> NDArray[np.bool_]:
    """Find tissue on an overview picture.

    What takes light away is tissue: the mean optical density over the three channels sees haematoxylin
    and DAB alike, where a saturation or grey cut loses one or the other. What is rough is tissue too:
    pale nuclei on a field without any glass are hardly darker than its brightest part, but never even.

    Parameters
    ----------
    overview : uint8 array, (height, width, 3)
    overview_mpp : float
        Micrometres per pixel of `overview`.
    white_point : tuple of float
    settings : TissueSettings

    Returns
    -------
    bool array, (height, width)
    """
    red, green, blue = channels(optical_density(overview, white_point))
    density: NDArray[np.float32] = (red + green + blue) / np.float32(3)
    width_px = max(settings.smoothing_um / overview_mpp / 2, 0.5)
    smooth = np.asarray(cv2.GaussianBlur(density, (0, 0), width_px), np.float32)
    mask = (smooth > _cut(smooth, settings)) | (
        _roughness(density, 2 * width_px) > settings.roughest_glass_od
    )
    pixel_mm2 = (overview_mpp / 1000.0) ** 2
    mask = remove_small_objects(mask, max_size=int(settings.smallest_piece_mm2 / pixel_mm2))
    mask = remove_small_holes(mask, max_size=int(settings.largest_hole_mm2 / pixel_mm2))
    return _widened(mask, settings.margin_um / overview_mpp)


def _cut(smooth: NDArray[np.float32], settings: TissueSettings) -> float:
    """Half of Otsu's threshold, kept between the palest tissue and the noise of glass."""
    limited = np.minimum(smooth, DARKEST_FOR_THRESHOLD_OD)
    if float(np.ptp(limited)) < 1e-6:
        return settings.faintest_od
    half = 0.5 * float(threshold_otsu(limited))
    return float(np.clip(half, settings.faintest_od, settings.palest_tissue_od))


def _roughness(density: NDArray[np.float32], width_px: float) -> NDArray[np.float32]:
    """Return the local standard deviation of the optical density."""
    mean = cv2.GaussianBlur(density, (0, 0), width_px)
    mean_square = cv2.GaussianBlur(density * density, (0, 0), width_px)
    return np.sqrt(np.maximum(mean_square - mean * mean, 0))


def _widened(mask: NDArray[np.bool_], by_px: float) -> NDArray[np.bool_]:
    reach = round(by_px)
    if reach < 1:
        return mask
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return cv2.dilate(mask.astype(np.uint8), disc).astype(bool)
