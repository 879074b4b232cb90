"""Tiles read ahead by threads, handed on in the order of the plan."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxpath.slide.slide import Slide
from cxpath.tiles.plan import PlannedTile
from cxpath.tiles.settings import TileSettings
from cxpath.tiles.stage_clock import StageClock
from cxpath.values.tile_frame import TileFrame


@dataclass(frozen=True, eq=False)
class Tile:
    """A tile with its pixels: uint8, (side, side, 3), halo included."""

    frame: TileFrame
    rgb: NDArray[np.uint8]


def reading_clock(settings: TileSettings) -> StageClock:
    """Return a clock for the threads that read."""
    return StageClock("read", settings.effective_reader_threads)


def read_tile(slide: Slide, frame: TileFrame, mpp: float) -> Tile:
    """Read one tile at `mpp`."""
    side = frame.side_px
    return Tile(frame, slide.read(frame.x_px, frame.y_px, side, side, mpp))


def read_tiles(
    slide: Slide,
    tiles: Sequence[PlannedTile],
    mpp: float,
    settings: TileSettings,
    clock: StageClock | None = None,
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
    clock : StageClock, optional
        Told how long the threads read.

    Yields
    ------
    Tile
        In the order of `tiles`.
    """
    clock = clock or reading_clock(settings)

    def timed(frame: TileFrame) -> Tile:
        with clock.working():
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
