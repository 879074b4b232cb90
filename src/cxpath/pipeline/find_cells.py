"""From a slide and its tissue to the cells on it: plan, read ahead, detect, one cell once.

Four stages run side by side, each in its own threads: reading, the network, cells, writing. Each is at
most a few results ahead of the next, so memory does not grow with the slide.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from queue import Full, Queue
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cxpath.data import EMBEDDING_COMPONENTS, CellTable, CellTableFacts, Regions, TileFrame
from cxpath.network import Detector, Launched
from cxpath.pipeline.cells import Deduplicator, cells_from_peaks
from cxpath.pipeline.settings import PipelineSettings
from cxpath.pipeline.tiles import Tile, TilePlan, plan_tiles, read_tiles
from cxpath.slide import Slide
from cxpath.tissue import Tissue

# StageProfiler: how long one stage of a pipeline worked, and how long it waited for its neighbours.


@dataclass(frozen=True)
class StageTimes:
    """What one stage did; seconds are summed over its workers.

    Parameters
    ----------
    name : str
    workers : int
        Threads of the stage.
    elapsed_s : float
        From the stage's start to its end.
    busy_s : float
        At work.
    waited_for_input_s : float
        With nothing to do, since the stage before had not finished.
    waited_for_space_s : float
        With a result in hand, since the stage after had not taken the earlier ones.
    """

    name: str
    workers: int
    elapsed_s: float
    busy_s: float
    waited_for_input_s: float
    waited_for_space_s: float

    @property
    def busy_share(self) -> float:
        """Share of its workers' time that the stage was at work."""
        return self.busy_s / (self.workers * self.elapsed_s) if self.elapsed_s > 0 else 0.0


class StageProfiler:
    """Adds up the times of one stage; any number of its threads may report at once.

    Parameters
    ----------
    name : str
    workers : int
    """

    def __init__(self, name: str, workers: int = 1) -> None:
        self.name, self.workers = name, workers
        self._lock = threading.Lock()
        self._spent = {"busy": 0.0, "input": 0.0, "room": 0.0}
        self._first = self._last = 0.0

    def working(self) -> AbstractContextManager[None]:
        """Time a piece of work."""
        return self._adding_to("busy")

    def waiting_for_input(self) -> AbstractContextManager[None]:
        """Time a wait for the stage before."""
        return self._adding_to("input")

    def waiting_for_space(self) -> AbstractContextManager[None]:
        """Time a wait for the stage after."""
        return self._adding_to("room")

    def times(self) -> StageTimes:
        """Return the times so far; what no worker reported was spent waiting for room."""
        with self._lock:
            elapsed, spent = self._last - self._first, dict(self._spent)
        unreported = max(0.0, self.workers * elapsed - sum(spent.values()))
        return StageTimes(
            self.name, self.workers, elapsed, spent["busy"], spent["input"], spent["room"] + unreported
        )

    @contextmanager
    def _adding_to(self, what: str) -> Iterator[None]:
        started = perf_counter()
        with self._lock:
            self._first = self._first or started
        try:
            yield
        finally:
            ended = perf_counter()
            with self._lock:
                self._last = max(self._last, ended)
                self._spent[what] += ended - started


def added(goes: Sequence[Sequence[StageTimes]]) -> tuple[StageTimes, ...]:
    """Add up the times of stages that ran several times, stage by stage."""
    return tuple(
        StageTimes(
            stages[0].name,
            stages[0].workers,
            sum(stage.elapsed_s for stage in stages),
            sum(stage.busy_s for stage in stages),
            sum(stage.waited_for_input_s for stage in stages),
            sum(stage.waited_for_space_s for stage in stages),
        )
        for stages in zip(*goes, strict=True)
    )


def side_by_side(stages: Sequence[StageTimes]) -> tuple[StageTimes, ...]:
    """Return the times of stages that ran side by side, each over the time that all of them took.

    Before its first input and after its last a stage waits for input.
    """
    longest = max((stage.elapsed_s for stage in stages), default=0.0)
    return tuple(
        replace(
            stage,
            elapsed_s=longest,
            waited_for_input_s=stage.waited_for_input_s + stage.workers * (longest - stage.elapsed_s),
        )
        for stage in stages
    )


def bottleneck(stages: Sequence[StageTimes]) -> StageTimes | None:
    """Return the stage whose workers were busiest, which delayed the others; None when none worked."""
    return max(
        (one for one in stages if one.busy_s > 0), key=lambda one: one.busy_s / one.workers, default=None
    )


# One stage of a pipeline: a thread that works on what comes, a bounded number of results ahead.
#
# Stages are chained by handing one's results to the next. The bound is the back-pressure: a slow stage delays
# up the ones before it, and memory stays flat.


Item = TypeVar("Item")
Result = TypeVar("Result")

_END: Any = object()
_PATIENCE_S = 0.05
"""How soon a thread that waits for room notices that nobody wants its results any more."""


def prefetch(
    items: Iterable[Item], work: Callable[[Item], Result], profiler: StageProfiler, most_waiting: int = 2
) -> Generator[Result, None, None]:
    """Do work in a thread of its own while whoever takes the results does theirs.

    Parameters
    ----------
    items : iterable
        Taken in that thread; a generator is closed there when it is no longer wanted.
    work : callable
    clock : StageProfiler
        Receives how long the thread works and waits.
    most_waiting : int
        Results that may wait to be taken.

    Yields
    ------
    object
        The results, in the order of the items. An error of an item or of the work is raised in its place.
    """
    queue: Queue[Result] = Queue(most_waiting)
    unwanted = threading.Event()

    def give(result: Result) -> None:
        """Put a result into the queue, unless the consumer has left."""
        while not unwanted.is_set():
            try:
                queue.put(result, timeout=_PATIENCE_S)
            except Full:
                continue
            return

    def work_on_all() -> None:
        """Work on every item in the thread, then mark the end."""
        remaining = iter(items)
        try:
            while not unwanted.is_set():
                with profiler.waiting_for_input():
                    item = next(remaining, _END)
                if item is _END:
                    break
                with profiler.working():
                    result = work(item)
                with profiler.waiting_for_space():
                    give(result)
        finally:
            if isinstance(remaining, Generator):
                remaining.close()
            give(_END)

    with ThreadPoolExecutor(1, profiler.name) as thread:
        working = thread.submit(work_on_all)
        try:
            while (result := queue.get()) is not _END:
                yield result
            working.result()
        finally:
            unwanted.set()


# The cells of a slide.


Progress = Callable[[int, int], None]
"""Called with the number of tiles done and the number in all."""

Keep = Callable[[CellTable], object]
"""Called with the cells of every tile, in a thread of its own, as they come."""


@dataclass(frozen=True, eq=False)
class SlideContext:
    """A slide and all that finding its cells needs to know of it.

    Parameters
    ----------
    slide : Slide
    tissue : Tissue
    plan : TilePlan
    detector : Detector
        Made for this slide's stains.
    settings : PipelineSettings
    regions : Regions, optional
        Cells outside these annotated regions are dropped, by the exact outline.
    stained_threshold : float, optional
        Written with the cells; the model card's when left out.
    """

    slide: Slide
    tissue: Tissue
    plan: TilePlan
    detector: Detector
    settings: PipelineSettings
    regions: Regions | None = None
    stained_threshold: float | None = None

    @property
    def facts(self) -> CellTableFacts:
        """What the cells of this slide refer to."""
        info, stains, card = self.slide.info, self.tissue.stains, self.detector.card
        return CellTableFacts(
            mpp=info.mpp,
            width_px=info.width_px,
            height_px=info.height_px,
            slide_digest=info.digest,
            model_digest=card.digest,
            stain_vectors=(stains.hematoxylin, stains.dab),
            white_point=stains.white_point,
            stained_threshold=self.stained_threshold or card.thresholds.stained_threshold,
        )

    def limited_to(self, tiles: Sequence[int], reason: str) -> SlideContext:
        """Return the same slide with only some tiles to read; `reason` says why the others are not."""
        return replace(self, plan=self.plan.limited_to(tiles, reason))


@dataclass(frozen=True, eq=False)
class FoundCells:
    """The cells of a slide, and how long each stage took to find them, in the order of the stages."""

    cells: CellTable
    stages: tuple[StageTimes, ...]


def plan_slide(slide: Slide, tissue: Tissue, detector: Detector, settings: PipelineSettings) -> TilePlan:
    """Lay the tile lattice that suits the detector over the slide's tissue."""
    return plan_tiles(slide.info, tissue, detector.mpp, detector.halo_px, detector.stride_px, settings.tiles)


def find_cells(
    context: SlideContext,
    progress: Progress | None = None,
    keep: Keep | None = None,
    duplicates: Deduplicator | None = None,
) -> FoundCells:
    """Find the cells of a slide.

    Parameters
    ----------
    context : SlideContext
    progress : callable, optional
    keep : callable, optional
        Writes the cells of each tile while the network works on the next.
    duplicates : Deduplicator, optional
        What tiles read earlier have claimed, where a slide is read in several goes.

    Returns
    -------
    FoundCells
        In the order of reading, as `keep` got them. A cell off the tissue mask is dropped even where a tile
        reaches over the tissue's edge, so that the count does not depend on how the lattice fell.
    """
    planned = context.plan.with_tissue
    profilers = (
        StageProfiler("read", context.settings.tiles.effective_reader_threads),
        *(StageProfiler(name) for name in ("network", "cells", "write")),
    )
    tile_cells = _TileCells(context, duplicates or deduplicator(context))
    found = [no_cells(context)]
    with closing(_stages(context, tile_cells, keep, profilers)) as tables:
        for done, cells in enumerate((cells for batch in tables for cells in batch), start=1):
            found.append(cells)
            if progress:
                progress(done, len(planned))
    stages = side_by_side([profiler.times() for profiler in profilers])
    return FoundCells(CellTable.concatenate(found), stages)


def deduplicator(context: SlideContext) -> Deduplicator:
    """Return what makes one cell of two that neighbouring tiles each claim."""
    distance_um = context.detector.card.thresholds.min_distance_um
    return Deduplicator(context.plan.columns, distance_um / context.slide.info.mpp)


def no_cells(context: SlideContext) -> CellTable:
    """Return the table of a slide without cells, with the columns that cells of this model have."""
    embedding = np.zeros((0, EMBEDDING_COMPONENTS), np.uint8) if context.detector.embeds else None
    return CellTable.from_columns(context.facts, embedding=embedding, x_px=np.zeros(0), y_px=np.zeros(0))


@dataclass(frozen=True, eq=False)
class _LaunchedTiles:
    """A batch that the network has run on, and where its tiles lie."""

    frames: tuple[TileFrame, ...]
    launched: Launched


class _TileCells:
    """From what the network saw to the cells of each tile; the third stage."""

    def __init__(self, context: SlideContext, duplicates: Deduplicator) -> None:
        self._context, self._duplicates, self._facts = context, duplicates, context.facts
        self._calibration = context.detector.card.calibration.as_value()

    def __call__(self, batch: _LaunchedTiles) -> list[CellTable]:
        peaks_of_tiles = self._context.detector.collect(batch.launched, batch.frames[0].halo_px)
        found, settings = [], self._context.settings.cells
        for frame, peaks in zip(batch.frames, peaks_of_tiles, strict=True):
            cells = cells_from_peaks(peaks, frame, self._facts, self._calibration, settings)
            found.append(self._duplicates.keep(self._where_to_score(cells), frame))
        return found

    def _where_to_score(self, cells: CellTable) -> CellTable:
        inside = self._context.tissue.contains(cells.x_px, cells.y_px)
        if regions := self._context.regions:
            info = self._context.slide.info
            inside &= regions.contains(cells.x_px, cells.y_px, info.width_px, info.height_px)
        return cells.take(inside)


def _stages(
    context: SlideContext,
    tile_cells: _TileCells,
    keep: Keep | None,
    profilers: tuple[StageProfiler, ...],
) -> Generator[list[CellTable], None, None]:
    """Chain the stages; each pulls from the one before it."""
    reading, network, cells, write = profilers
    plan, detector, settings = context.plan, context.detector, context.settings
    size = settings.network.effective_batch_size(detector.device.name)

    def launch(batch: tuple[Tile, ...]) -> _LaunchedTiles:
        frames = tuple(tile.frame for tile in batch)
        return _LaunchedTiles(frames, detector.launch(_stacked([tile.rgb for tile in batch])))

    def written(tables: list[CellTable]) -> list[CellTable]:
        """Pass every table on to `keep`, where there is one."""
        for table in tables:
            if keep:
                keep(table)
        return tables

    tiles = _batches(
        read_tiles(context.slide, plan.with_tissue, plan.mpp, settings.tiles, reading.working), size
    )
    found = prefetch(prefetch(tiles, launch, network), tile_cells, cells)
    return prefetch(found, written, write)


def _stacked(tiles: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return tiles as a batch; a single one is not copied."""
    return tiles[0][None] if len(tiles) == 1 else np.stack(tiles)


def _batches(tiles: Generator[Tile, None, None], size: int) -> Iterator[tuple[Tile, ...]]:
    with closing(tiles):
        remaining: Iterable[Tile] = iter(tiles)
        while batch := tuple(islice(remaining, size)):
            yield batch
