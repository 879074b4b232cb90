"""The tiles of a slide: plan and reading."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from cxpath.data.slide_info import SlideInfo, TileFrame
from cxpath.pipeline.settings import TileSettings
from cxpath.pipeline.stages import StageProfiler
from cxpath.slide.slide import Slide
from cxpath.tissue.tissue import Tissue

# TilePlan: which squares of the slide the network will look at, and in which order.


BAND_TILES = 8
"""Width of the bands that tiles are read in. Neighbours share the slide's own tiles; down a narrow band these
are still remembered when the next row wants them, however wide the slide."""


@dataclass(frozen=True)
class PlannedTile:
    """A tile's place, the share of scored tissue in its core, and why it is left out (empty: it is read)."""

    frame: TileFrame
    tissue_share: float
    excluded: str = ""


@dataclass(frozen=True)
class TilePlan:
    """All tiles of one slide.

    Parameters
    ----------
    mpp : float
        The network's micrometres per pixel.
    tiles : tuple of PlannedTile
        Every square of the lattice, row by row; those without tissue too, so that the plan covers the
        slide and says what was left out.
    columns : int
        Squares in a row.
    """

    mpp: float
    tiles: tuple[PlannedTile, ...]
    columns: int

    @property
    def with_tissue(self) -> tuple[PlannedTile, ...]:
        """The tiles to read, in reading order: down one band of columns after the other, row by row."""
        wanted = (tile for tile in self.tiles if tile.tissue_share > 0 and not tile.excluded)
        return tuple(sorted(wanted, key=self._reading_place))

    def limited_to(self, numbers: Iterable[int], why_not_others: str) -> TilePlan:
        """Return the plan with only some of its tiles to read; the others say why they are left out."""
        wanted = set(numbers)
        tiles = tuple(
            tile
            if tile.excluded or tile.tissue_share == 0 or tile.frame.index in wanted
            else replace(tile, excluded=why_not_others)
            for tile in self.tiles
        )
        return replace(self, tiles=tiles)

    def _reading_place(self, tile: PlannedTile) -> tuple[int, int, int]:
        row, column = divmod(tile.frame.index, self.columns)
        return column // BAND_TILES, row, column

    def tile_at(self, x_px: NDArray[np.float64], y_px: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return the number of the tile whose core contains each level-0 point of the slide."""
        first = self.tiles[0].frame
        column = (x_px - first.core_x_px) // first.core_side_px
        row = (y_px - first.core_y_px) // first.core_side_px
        return np.asarray(row * self.columns + column, dtype=np.int32)


def plan_tiles(
    info: SlideInfo, tissue: Tissue, mpp: float, halo_px: int, stride_px: int, settings: TileSettings
) -> TilePlan:
    """Lay the lattice over a slide.

    Cores start on multiples of the network's stride, counted from the slide's top left corner (less the
    lattice offset), so that the network's own grid is the same whatever the tile size.

    Parameters
    ----------
    info : SlideInfo
    tissue : Tissue
    mpp : float
        The network's µm/px.
    halo_px, stride_px : int
        The network's halo and total stride, in its pixels; the halo is rounded up to the stride.
    settings : TileSettings
    """
    scale = mpp / info.mpp
    core_px = max(stride_px, settings.core_px // stride_px * stride_px)
    halo_px = ceil(halo_px / stride_px) * stride_px
    offset_px = settings.lattice_offset_px
    columns = ceil((info.width_px / scale + offset_px) / core_px)
    rows = ceil((info.height_px / scale + offset_px) / core_px)
    tiles = []
    for index in range(rows * columns):
        row, column = divmod(index, columns)
        frame = TileFrame(
            index=index,
            x_px=(column * core_px - offset_px - halo_px) * scale,
            y_px=(row * core_px - offset_px - halo_px) * scale,
            scale=scale,
            core_px=core_px,
            halo_px=halo_px,
        )
        core = (frame.core_x_px, frame.core_y_px, frame.core_side_px)
        share = tissue.share(*core)
        tiles.append(PlannedTile(frame, share, "" if share > 0 else tissue.exclusion(*core)))
    return TilePlan(mpp, tuple(tiles), columns)


# Tiles read ahead by threads, handed on in the order of the plan.


@dataclass(frozen=True, eq=False)
class Tile:
    """A tile with its pixels: uint8, (side, side, 3), halo included."""

    frame: TileFrame
    rgb: NDArray[np.uint8]


def reading_profiler(settings: TileSettings) -> StageProfiler:
    """Return a clock for the threads that read."""
    return StageProfiler("read", settings.effective_reader_threads)


def read_tile(slide: Slide, frame: TileFrame, mpp: float) -> Tile:
    """Read one tile at `mpp`."""
    side = frame.side_px
    return Tile(frame, slide.read(frame.x_px, frame.y_px, side, side, mpp))


def read_tiles(
    slide: Slide,
    tiles: Sequence[PlannedTile],
    mpp: float,
    settings: TileSettings,
    profiler: StageProfiler | None = None,
) -> Generator[Tile, None, None]:
    """Read tiles with threads, at most `read_ahead` beyond the one in hand.

    The slide library releases the interpreter lock while it reads and decodes, so threads suffice; the
    bound keeps memory flat however slow the network is.

    Parameters
    ----------
    slide : Slide
        Safe to read from several threads.
    tiles : sequence of PlannedTile
    mpp : float
        The network's µm/px.
    settings : TileSettings
    clock : StageProfiler, optional
        Receives how long the threads read.

    Yields
    ------
    Tile
        In the order of `tiles`.
    """
    profiler = profiler or reading_profiler(settings)

    def timed(frame: TileFrame) -> Tile:
        with profiler.working():
            return read_tile(slide, frame, mpp)

    waiting: deque[Future[Tile]] = deque()
    with ThreadPoolExecutor(settings.effective_reader_threads, "read-tile") as threads:
        try:
            for tile in tiles:
                waiting.append(threads.submit(timed, tile.frame))
                if len(waiting) > settings.read_ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
