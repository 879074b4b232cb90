"""The look at a slide before its cells: opened, its regions read, its tissue found.

Imports no network and no torch, so that the command line looks at a slide while those are being loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from cxpath.app.configuration import ScoreRequest
from cxpath.data import Reason, ReasonCode, RegionMeaning, Regions, SlideInfo, TissueAreas, coded
from cxpath.io import read_regions
from cxpath.slide import Slide, open_slide
from cxpath.tissue import Tissue, find_tissue

# How long each stage of a run took.


class Stopwatch:
    """Collects seconds by stage name; `seconds()` adds the total."""

    def __init__(self) -> None:
        self._started = perf_counter()
        self._stages: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block; blocks of one name add up."""
        before = perf_counter()
        try:
            yield
        finally:
            self._stages[name] = self._stages.get(name, 0.0) + perf_counter() - before

    def seconds(self) -> dict[str, float]:
        """Return seconds by stage, and "total" since the start."""
        stages = {name: round(value, 3) for name, value in self._stages.items()}
        return stages | {"total": round(perf_counter() - self._started, 3)}


# A slide that was looked at.


@dataclass(frozen=True, eq=False)
class SlideLook:
    """An open slide, what was drawn on it, and its tissue. Whoever takes it closes the slide.

    Parameters
    ----------
    slide : Slide
    regions : Regions or None
    tissue : Tissue
    watch : Stopwatch
        Running since the look began.
    started : datetime
        When it began.
    """

    slide: Slide
    regions: Regions | None
    tissue: Tissue
    watch: Stopwatch
    started: datetime


def look_at_slide(request: ScoreRequest) -> SlideLook:
    """Open the slide of a request and find its tissue.

    Raises
    ------
    CxpathError
        When the slide or the regions cannot be read; the slide is closed then.
    """
    watch, started, configuration = Stopwatch(), datetime.now(UTC), request.configuration
    with watch.stage("open"):
        slide = open_slide(request.slide, request.mpp, name=request.shown_name, icc=configuration.slide.icc)
    try:
        with watch.stage("open"):
            regions = load_regions(request, slide.info)  # reads the whole file once for its digest
        with watch.stage("tissue"):
            tissue = find_tissue(slide, configuration.tissue, regions, configuration.controls)
    except BaseException:
        slide.close()
        raise
    return SlideLook(slide, regions, tissue, watch, started)


@contextmanager
def looking_at_slide(request: ScoreRequest) -> Iterator[Future[SlideLook]]:
    """Look at a slide in a thread while the caller loads what comes next; the slide is closed at the end."""
    with ThreadPoolExecutor(1, "look") as thread:
        looking = thread.submit(look_at_slide, request)
        try:
            yield looking
        finally:
            if looking.exception() is None:
                looking.result().slide.close()


# The pathologist's regions in a run: read for its slide, measured on its tissue, written down.


def load_regions(request: ScoreRequest, info: SlideInfo) -> Regions | None:
    """Read the regions that the request names; None without any.

    Raises
    ------
    CxpathError
        When they cannot be read or a class has no meaning.
    """
    if request.regions is None:
        return None
    size_px = (info.width_px, info.height_px)
    classes = request.configuration.regions.ignoring(request.ignore_classes)
    return read_regions(request.regions, info.bounds_px, classes, size_px, info.mpp)


def region_warnings(regions: Regions | None) -> tuple[Reason, ...]:
    """Return what a reader of the score must know about the drawing."""
    said = regions.warnings if regions else ()
    return coded(ReasonCode.REGIONS, (f"regions: {warning}" for warning in said))


def areas_with_regions(tissue: Tissue, regions: Regions | None) -> TissueAreas:
    """Return the areas of the tissue, with those inside the drawn regions."""
    if not regions:
        return tissue.areas
    pixel_mm2 = (tissue.overview_mpp / 1000.0) ** 2
    inside = {
        area.effective_meaning: _within(tissue, regions, area.effective_meaning) for area in regions.areas
    }
    drawn = {
        meaning.value: float((mask & tissue.found).sum()) * pixel_mm2 for meaning, mask in inside.items()
    }
    bed = inside.get(RegionMeaning.TUMOUR_BED)
    bed_mm2 = None if bed is None else float((bed & tissue.scored).sum()) * pixel_mm2
    return replace(tissue.areas, annotated_mm2=drawn, tumour_bed_mm2=bed_mm2)


def _within(tissue: Tissue, regions: Regions, meaning: RegionMeaning) -> NDArray[np.bool_]:
    """Say for each pixel of the overview whether its centre lies in an area of that meaning."""
    rows, columns = np.mgrid[: tissue.found.shape[0], : tissue.found.shape[1]] + 0.5
    to_level0 = tissue.overview_mpp / tissue.slide_mpp
    inside = regions.within(meaning, (columns * to_level0).ravel(), (rows * to_level0).ravel())
    return inside.reshape(tissue.found.shape)
