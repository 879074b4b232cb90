"""From a slide and its tissue to the cells on it: plan, read ahead, detect, one cell once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import numpy as np

from cxpath.cells.from_peaks import cells_from_peaks
from cxpath.cells.seams import without_seam_doubles
from cxpath.network.detector import Detector
from cxpath.pipeline.settings import PipelineSettings
from cxpath.slide.slide import Slide
from cxpath.tiles.plan import TilePlan, plan_tiles
from cxpath.tiles.reading import Tile, read_tiles
from cxpath.tissue.tissue import Tissue
from cxpath.values.cell_table import CellTable, CellTableFacts
from cxpath.values.regions import Regions

Progress = Callable[[int, int], None]
"""Called with the number of tiles done and the number in all."""


def plan_slide(slide: Slide, tissue: Tissue, detector: Detector, settings: PipelineSettings) -> TilePlan:
    """Lay the tile lattice that suits the detector over the slide's tissue."""
    return plan_tiles(slide.info, tissue, detector.mpp, detector.halo_px, detector.stride_px, settings.tiles)


def find_cells(
    slide: Slide,
    tissue: Tissue,
    plan: TilePlan,
    detector: Detector,
    settings: PipelineSettings,
    regions: Regions | None = None,
    progress: Progress | None = None,
) -> CellTable:
    """Find the cells of a slide.

    Parameters
    ----------
    slide : Slide
    tissue : Tissue
    plan : TilePlan
    detector : Detector
        Made for this slide's stains.
    settings : PipelineSettings
    regions : Regions, optional
        Cells outside the drawn regions are dropped, by the exact outline.
    progress : callable, optional

    Returns
    -------
    CellTable
        In the order of the plan. A cell off the tissue mask is dropped even where a tile reaches over
        the tissue's edge, so that the count does not depend on how the lattice fell.
    """
    facts = cell_facts(slide, tissue, detector.card.digest)
    planned = plan.with_tissue
    tiles = read_tiles(slide, planned, plan.mpp, settings.tiles)
    found = [CellTable.from_columns(facts, x_px=np.zeros(0), y_px=np.zeros(0))]
    for done, cells in enumerate(_detect(tiles, detector, facts, settings), start=1):
        found.append(_where_to_score(cells, slide, tissue, regions))
        if progress:
            progress(done, len(planned))
    return without_seam_doubles(CellTable.concatenate(found), detector.card.thresholds.min_distance_um)


def cell_facts(slide: Slide, tissue: Tissue, model_digest: str) -> CellTableFacts:
    """Return what the cells of this slide refer to."""
    return CellTableFacts(
        mpp=slide.info.mpp,
        width_px=slide.info.width_px,
        height_px=slide.info.height_px,
        slide_digest=slide.info.digest,
        model_digest=model_digest,
        stain_vectors=(tissue.stains.hematoxylin, tissue.stains.dab),
        white_point=tissue.stains.white_point,
    )


def _detect(
    tiles: Iterable[Tile], detector: Detector, facts: CellTableFacts, settings: PipelineSettings
) -> Iterator[CellTable]:
    size = settings.network.effective_batch_size(detector.device.name)
    calibration = detector.card.calibration.as_value()
    remaining = iter(tiles)
    while batch := list(islice(remaining, size)):
        peaks_of_tiles = detector.detect(np.stack([tile.rgb for tile in batch]))
        for tile, peaks in zip(batch, peaks_of_tiles, strict=True):
            yield cells_from_peaks(peaks, tile.frame, facts, calibration, settings.cells)


def _where_to_score(cells: CellTable, slide: Slide, tissue: Tissue, regions: Regions | None) -> CellTable:
    inside = tissue.contains(cells.x_px, cells.y_px)
    if regions:
        info = slide.info
        inside &= regions.contains(cells.x_px, cells.y_px, info.width_px, info.height_px)
    return cells.take(inside)
