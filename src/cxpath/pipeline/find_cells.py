"""From a slide and its tissue to the cells on it: plan, read ahead, detect, one cell once.

Four stages run beside each other, each in its own threads: reading, the network, cells, writing. Each is at
most a few results ahead of the next, so memory does not grow with the slide.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

import numpy as np

from cxpath.data.cells import CellTable, CellTableFacts
from cxpath.data.regions import Regions
from cxpath.data.slide_info import TileFrame
from cxpath.network.detector import Detector, Launched
from cxpath.pipeline.cells import Deduplicator, cells_from_peaks
from cxpath.pipeline.settings import PipelineSettings
from cxpath.pipeline.stages import StageProfiler, StageTimes, prefetch, side_by_side
from cxpath.pipeline.tiles import PlannedTile, Tile, TilePlan, plan_tiles, read_tiles, reading_profiler
from cxpath.slide.slide import Slide
from cxpath.tissue.tissue import Tissue

Progress = Callable[[int, int], None]
"""Called with the number of tiles done and the number in all."""

Keep = Callable[[CellTable], object]
"""Called with the cells of every tile, in a thread of its own, as they come."""


@dataclass(frozen=True, eq=False)
class FoundCells:
    """The cells of a slide, and how long each stage took to find them, in the order of the stages."""

    cells: CellTable
    stages: tuple[StageTimes, ...]


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
    keep: Keep | None = None,
    duplicates: Deduplicator | None = None,
) -> FoundCells:
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
    keep : callable, optional
        Writes the cells of each tile while the network works on the next.
    seams : Deduplicator, optional
        What tiles read earlier have claimed, where a slide is read in several goes.

    Returns
    -------
    FoundCells
        In the order of reading, as `keep` got them. A cell off the tissue mask is dropped even where a tile
        reaches over the tissue's edge, so that the count does not depend on how the lattice fell.
    """
    facts = cell_facts(slide, tissue, detector.card.digest)
    planned = plan.with_tissue
    profilers = (
        reading_profiler(settings.tiles),
        *(StageProfiler(name) for name in ("network", "cells", "write")),
    )
    duplicates = duplicates or deduplicator(slide, plan, detector)
    tile_cells = _TileCells(slide, tissue, duplicates, detector, facts, settings, regions)
    found = [CellTable.from_columns(facts, x_px=np.zeros(0), y_px=np.zeros(0))]
    with closing(
        _stages(slide, planned, plan.mpp, detector, settings, tile_cells, keep, profilers)
    ) as tables:
        for done, cells in enumerate((cells for batch in tables for cells in batch), start=1):
            found.append(cells)
            if progress:
                progress(done, len(planned))
    stages = side_by_side([profiler.times() for profiler in profilers])
    return FoundCells(CellTable.concatenate(found), stages)


def deduplicator(slide: Slide, plan: TilePlan, detector: Detector) -> Deduplicator:
    """Return what makes one cell of two that neighbouring tiles each claim."""
    return Deduplicator(plan.columns, detector.card.thresholds.min_distance_um / slide.info.mpp)


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


@dataclass(frozen=True, eq=False)
class _LaunchedTiles:
    """A batch that the network has run on, and where its tiles lie."""

    frames: tuple[TileFrame, ...]
    launched: Launched


class _TileCells:
    """From what the network saw to the cells of each tile; the third stage."""

    def __init__(
        self,
        slide: Slide,
        tissue: Tissue,
        duplicates: Deduplicator,
        detector: Detector,
        facts: CellTableFacts,
        settings: PipelineSettings,
        regions: Regions | None,
    ) -> None:
        self._slide, self._tissue, self._regions, self._duplicates = slide, tissue, regions, duplicates
        self._detector, self._facts, self._settings = detector, facts, settings
        self._calibration = detector.card.calibration.as_value()

    def __call__(self, batch: _LaunchedTiles) -> list[CellTable]:
        peaks_of_tiles = self._detector.collect(batch.launched)
        found = []
        for frame, peaks in zip(batch.frames, peaks_of_tiles, strict=True):
            cells = cells_from_peaks(peaks, frame, self._facts, self._calibration, self._settings.cells)
            found.append(self._duplicates.keep(self._where_to_score(cells), frame))
        return found

    def _where_to_score(self, cells: CellTable) -> CellTable:
        inside = self._tissue.contains(cells.x_px, cells.y_px)
        if self._regions:
            info = self._slide.info
            inside &= self._regions.contains(cells.x_px, cells.y_px, info.width_px, info.height_px)
        return cells.take(inside)


def _stages(
    slide: Slide,
    planned: tuple[PlannedTile, ...],
    mpp: float,
    detector: Detector,
    settings: PipelineSettings,
    tile_cells: _TileCells,
    keep: Keep | None,
    profilers: tuple[StageProfiler, ...],
) -> Generator[list[CellTable], None, None]:
    """Chain the stages; each pulls from the one before it."""
    reading, network, cells, write = profilers
    size = settings.network.effective_batch_size(detector.device.name)

    def launch(batch: tuple[Tile, ...]) -> _LaunchedTiles:
        frames = tuple(tile.frame for tile in batch)
        return _LaunchedTiles(frames, detector.launch(np.stack([tile.rgb for tile in batch])))

    def written(tables: list[CellTable]) -> list[CellTable]:
        for table in tables:
            if keep:
                keep(table)
        return tables

    tiles = _batches(read_tiles(slide, planned, mpp, settings.tiles, reading), size)
    found = prefetch(prefetch(tiles, launch, network), tile_cells, cells)
    return prefetch(found, written, write)


def _batches(tiles: Generator[Tile, None, None], size: int) -> Iterator[tuple[Tile, ...]]:
    with closing(tiles):
        remaining: Iterable[Tile] = iter(tiles)
        while batch := tuple(islice(remaining, size)):
            yield batch
