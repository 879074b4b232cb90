"""One look at a slide at low resolution: tissue, stains, and whether it can be scored."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cxpath.slide.slide import Slide
from cxpath.tissue.settings import StainCheck, TissueSettings
from cxpath.tissue.stain_check import why_stain_refused
from cxpath.tissue.stain_samples import stain_samples
from cxpath.tissue.stain_vectors import estimate_stains
from cxpath.tissue.tissue import Tissue
from cxpath.tissue.tissue_mask import tissue_mask
from cxpath.tissue.white_point import estimate_white_point
from cxpath.values.regions import Regions

OUTSIDE_REGIONS = "outside the drawn regions"


def find_tissue(
    slide: Slide, settings: TissueSettings | None = None, regions: Regions | None = None
) -> Tissue:
    """Find where to score and what the stains look like.

    Parameters
    ----------
    slide : Slide
    settings : TissueSettings, optional
    regions : Regions, optional
        What the pathologist drew; tissue outside is excluded and its area reported.
    """
    settings = settings or TissueSettings()
    overview, mpp = read_overview(slide, settings)
    white_point = estimate_white_point(overview)
    found = tissue_mask(overview, mpp, white_point, settings)
    density = stain_samples(slide, found, mpp, white_point, settings)
    refused = why_stain_refused(density, white_point) if settings.stain_check is StainCheck.ON else ()
    wanted = _drawn(regions, slide, found.shape, mpp)
    return Tissue(
        overview=overview,
        overview_mpp=mpp,
        found=found,
        scored=found & wanted,
        excluded={OUTSIDE_REGIONS: found & ~wanted} if regions else {},
        stains=estimate_stains(density, white_point),
        refused_because=refused,
        slide_mpp=slide.info.mpp,
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


def _drawn(regions: Regions | None, slide: Slide, shape: tuple[int, ...], mpp: float) -> NDArray[np.bool_]:
    if not regions:
        return np.ones(shape, dtype=bool)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    to_level0 = mpp / slide.info.mpp
    inside = regions.contains(
        ((columns + 0.5) * to_level0).ravel(),
        ((rows + 0.5) * to_level0).ravel(),
        slide.info.width_px,
        slide.info.height_px,
    )
    return inside.reshape(shape)
