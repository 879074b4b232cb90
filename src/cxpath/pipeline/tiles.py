"""The tiles of a slide: plan and reading."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from cxpath.data import SlideInfo, TileFrame, optical_density
from cxpath.pipeline.settings import TileSettings
from cxpath.slide import Slide
from cxpath.tissue import Tissue

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


def read_tile(slide: Slide, frame: TileFrame, mpp: float) -> Tile:
    """Read one tile at `mpp`."""
    side = frame.side_px
    return Tile(frame, slide.read(frame.x_px, frame.y_px, side, side, mpp))


def read_tiles(
    slide: Slide,
    tiles: Sequence[PlannedTile],
    mpp: float,
    settings: TileSettings,
    working: Callable[[], AbstractContextManager[None]] = nullcontext,
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
    working : callable
        Returns a context that a thread is in while it reads, such as one that takes the time.

    Yields
    ------
    Tile
        In the order of `tiles`.
    """

    def timed(frame: TileFrame) -> Tile:
        with working():
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


# FieldStrata: the tiles of a slide sorted by how brown they look from afar, so that few need be read.
#
# The overview sorts tiles by their DAB: the brownest spots in a stratum of their own, since a rare cluster of
# positive cells is what a random sample would miss; the others in thirds. How well brown foretells positive
# cells matters for the width of the interval, not for its truth.


RARE_SHARE = 0.08
"""Share of the tiles that go into the stratum of the brownest spots."""

SPOT_QUANTILE = 0.98
"""A tile's brownest spot is this quantile of the DAB over its tissue."""

THIRDS = 3


@dataclass(frozen=True, eq=False)
class FieldStrata:
    """Tiles with tissue and their strata.

    Parameters
    ----------
    tile : int array, (F,)
        Numbers of the plan's tiles that contain tissue to score.
    stratum : int array, (F,)
        0 for the palest third, 1, 2, and the last for the brownest spots.
    """

    tile: NDArray[np.int64]
    stratum: NDArray[np.int64]

    @property
    def rare(self) -> int:
        """The stratum of the brownest spots."""
        return int(self.stratum.max())


def lay_strata(plan: TilePlan, tissue: Tissue) -> FieldStrata:
    """Sort the tiles of a plan that contain tissue; there must be one."""
    frames = [tile.frame for tile in plan.with_tissue]
    dab = _dab_od(tissue)
    boxes = [_box(tissue, frame) for frame in frames]
    amount, spot = np.array([_amount_and_spot(dab[box], tissue.scored[box]) for box in boxes]).T
    rare = np.argsort(-spot, kind="stable")[: max(1, round(RARE_SHARE * len(frames)))]
    others = np.setdiff1d(np.argsort(amount, kind="stable"), rare, assume_unique=True)
    others = others[np.argsort(amount[others], kind="stable")]
    stratum = np.full(len(frames), THIRDS, dtype=np.int64)
    for number, third in enumerate(np.array_split(others, THIRDS)):
        stratum[third] = number
    _, stratum = np.unique(stratum, return_inverse=True)
    return FieldStrata(np.array([frame.index for frame in frames]), stratum.astype(np.int64))


def _box(tissue: Tissue, frame: TileFrame) -> tuple[slice, slice]:
    """Return the rows and columns of the overview that a tile's core touches."""
    to_overview = tissue.slide_mpp / tissue.overview_mpp
    starts = frame.core_y_px * to_overview, frame.core_x_px * to_overview
    side = frame.core_side_px * to_overview
    rows, columns = (slice(max(0, floor(start)), max(0, ceil(start + side))) for start in starts)
    return rows, columns


def _dab_od(tissue: Tissue) -> NDArray[np.float32]:
    density = optical_density(tissue.overview, tissue.stains.white_point)
    dab = density @ tissue.stains.unmixing()[:, 1].astype(np.float32)
    return np.asarray(np.maximum(dab, 0.0), dtype=np.float32)


def _amount_and_spot(dab: NDArray[np.float32], scored: NDArray[np.bool_]) -> tuple[float, float]:
    own = dab[scored]
    return (float(own.mean()), float(np.quantile(own, SPOT_QUANTILE))) if own.size else (0.0, 0.0)
