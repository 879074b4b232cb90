"""The pathologist's regions in a run: read for its slide, measured on its tissue, written down."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxpath.exchange.regions_file import read_regions
from cxpath.runs.score_request import ScoreRequest
from cxpath.tissue.tissue import Tissue
from cxpath.values.regions import RegionMeaning, Regions
from cxpath.values.slide_info import SlideInfo
from cxpath.values.tissue_areas import TissueAreas


def load_regions(request: ScoreRequest, info: SlideInfo) -> Regions | None:
    """Read the regions that the request names; None without any.

    Raises
    ------
    CxpathError
        When they cannot be read or a class has no meaning.
    """
    if request.roi is None:
        return None
    size_px = (info.width_px, info.height_px)
    return read_regions(request.roi, info.bounds_px, request.configuration.regions, size_px)


def region_warnings(regions: Regions | None) -> tuple[str, ...]:
    """Return what a reader of the score must know about the drawing."""
    return tuple(f"regions: {warning}" for warning in regions.warnings) if regions else ()


def areas_with_regions(tissue: Tissue, regions: Regions | None) -> TissueAreas:
    """Return the areas of the tissue, with those inside the drawn regions."""
    if not regions:
        return tissue.areas
    pixel_mm2 = (tissue.overview_mpp / 1000.0) ** 2
    inside = {area.holds: _within(tissue, regions, area.holds) for area in regions.areas}
    drawn = {
        meaning.value: float((mask & tissue.found).sum()) * pixel_mm2 for meaning, mask in inside.items()
    }
    bed = inside.get(RegionMeaning.TUMOUR_BED)
    bed_mm2 = None if bed is None else float((bed & tissue.scored).sum()) * pixel_mm2
    return replace(tissue.areas, drawn_mm2=drawn, tumour_bed_mm2=bed_mm2)


def _within(tissue: Tissue, regions: Regions, meaning: RegionMeaning) -> NDArray[np.bool_]:
    """Say for each pixel of the overview whether its centre lies in an area of that meaning."""
    rows, columns = np.mgrid[: tissue.found.shape[0], : tissue.found.shape[1]] + 0.5
    to_level0 = tissue.overview_mpp / tissue.slide_mpp
    inside = regions.within(meaning, (columns * to_level0).ravel(), (rows * to_level0).ravel())
    return inside.reshape(tissue.found.shape)


def regions_document(regions: Regions | None, mpp: float) -> dict[str, Any] | None:
    """Return what `run.json` says about the regions; names neither file nor folder."""
    if not regions:
        return None
    pixel_mm2 = (mpp / 1000.0) ** 2
    areas = [
        {
            "name": area.name,
            "meaning": area.holds.value,
            "use": area.use.value,
            "area_mm2": float(area.shape.area) * pixel_mm2,
        }
        for area in regions.areas
    ]
    return {"form": regions.form, "digest": regions.digest, "areas": areas}
