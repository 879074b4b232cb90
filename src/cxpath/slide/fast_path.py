"""Whether a slide can be read by the fast tile path, proven on its own tiles before it is used.

Each level is described, one of its fullest tiles is decoded both ways, and only a level that comes out as
its library shows it is read fast. So tags that contradict the data cost speed and never colour.
"""

from __future__ import annotations

import heapq
import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxpath.slide.jpeg_level import JpegLevel, NotFastError, jpeg_level_of
from cxpath.slide.jpeg_tiles import JpegTiles
from cxpath.slide.level import Level
from cxpath.slide.one_line import one_line
from cxpath.slide.reader_path import ReaderPath
from cxpath.slide.source import Fetch
from cxpath.slide.tiff_errors import TIFF_ERRORS
from cxpath.slide.tile_streams import ColourRule
from cxpath.values.errors import UnreadableSlideError

FAST = "jpeg-tiles"
_MOST_MEAN_DIFFERENCE = 2.0
"""Grey levels. Decoders of one stream agree to a fraction of one; wrong colours are off by tens."""

_TILES_TRIED = 3
"""The fullest of a level: blank ones tell nothing, and one of them may be damaged."""

_log = logging.getLogger(__name__)


class FastPath:
    """The fast levels of a slide, and an account of what was not read fast.

    Parameters
    ----------
    tiles : JpegTiles or None
        None when no level is fast.
    library : str
        What reads the rest.
    because : str
        Why not all levels are fast; empty when they are.
    """

    def __init__(self, tiles: JpegTiles | None, library: str, because: str) -> None:
        self._tiles = tiles
        self._library = library
        self._because = because
        self._fallen_back = 0
        self._lock = threading.Lock()

    @property
    def reader_path(self) -> ReaderPath:
        """How pixels were read so far."""
        levels = tuple(self._tiles.levels) if self._tiles else ()
        return ReaderPath(FAST if levels else self._library, levels, self._because, self._fallen_back)

    def shrinks(self, index: int) -> tuple[int, ...]:
        """Return the factors a level can be decoded at; none when it is not fast."""
        level = self._tiles.levels.get(index) if self._tiles else None
        return level.shrinks if level else ()

    def read(
        self, index: int, shrink: int, x_px: int, y_px: int, width: int, height: int
    ) -> NDArray[np.uint8] | None:
        """Read a region as `JpegTiles.read` does; None when it is left to the library."""
        if self._tiles is None or index not in self._tiles.levels:
            return None
        try:
            return self._tiles.read(index, shrink, x_px, y_px, width, height)
        except NotFastError as error:
            self._note(f"level {index}: {error}")
            return None

    def close(self) -> None:
        """Let go of the file."""
        if self._tiles:
            self._tiles.close()

    def _note(self, because: str) -> None:
        with self._lock:
            self._fallen_back += 1
            self._because = self._because or because


def find_fast_path(
    path: Path,
    shown: str,
    levels: Sequence[Level],
    pages: Mapping[int, Any],
    colours: ColourRule,
    fetch: Fetch,
    library: str,
    *,
    fills_gaps: bool,
) -> FastPath:
    """Describe and prove the levels of a slide.

    Parameters
    ----------
    path, shown
        The file, and how messages name it.
    levels : sequence of Level
        The slide's levels.
    pages : mapping of int to TiffPage
        The page of tifffile for each level's index, as far as there is one.
    colours : ColourRule
    fetch : callable
        The library's own way of reading, which is the standard.
    library : str
        Its name.
    fills_gaps : bool
        Whether the library draws tiles never written from finer levels, where there are any; else they
        are white.
    """
    reasons = dict.fromkeys(range(len(levels)), "its page was not found")
    described: dict[int, JpegLevel] = {}
    gaps = False
    for index, page in pages.items():
        try:
            level = jpeg_level_of(page)
        except TIFF_ERRORS as error:
            reasons[index] = one_line(error, path)
            continue
        gaps = gaps or level.has_gaps
        if gaps and fills_gaps and index > 0:
            reasons[index] = "tiles of it or of a finer level were never written"
        else:
            described[index] = level
    if not described:
        return FastPath(None, library, _told(reasons))
    tiles = JpegTiles(path, shown, described, colours)
    for index in described:
        reason = _why_not(tiles, index, fetch)
        if reason is None:
            del reasons[index]
        else:
            del tiles.levels[index]
            reasons[index] = reason
    if reasons:
        _log.info("levels read through %s: %s", library, _told(reasons))
    return FastPath(tiles if tiles.levels else None, library, _told(reasons))


def _why_not(tiles: JpegTiles, index: int, fetch: Fetch) -> str | None:
    """Compare full tiles of a level with what the library makes of them, until one is sound."""
    reason = "it has no tiles"
    lengths = tiles.levels[index].lengths
    for number in heapq.nlargest(_TILES_TRIED, range(len(lengths)), key=lengths.__getitem__):
        try:
            difference = _difference(tiles, index, number, fetch)
        except NotFastError as error:
            return str(error)
        except UnreadableSlideError as error:
            reason = error.message.removeprefix(f"{tiles.shown}: ")
            continue
        if difference <= _MOST_MEAN_DIFFERENCE:
            return None
        return f"a tile differs from the library's by {difference:.1f} grey levels"
    return reason


def _difference(tiles: JpegTiles, index: int, number: int, fetch: Fetch) -> float:
    level = tiles.levels[index]
    row, column = divmod(number, level.across)
    x_px, y_px = column * level.tile_width_px, row * level.tile_height_px
    width = min(level.tile_width_px, level.width_px - x_px)
    height = min(level.tile_height_px, level.height_px - y_px)
    own = tiles.read(index, 1, x_px, y_px, width, height)
    return float(np.abs(own.astype(np.int16) - fetch(index, x_px, y_px, width, height)).mean())


def _told(reasons: Mapping[int, str]) -> str:
    """Return the reasons on one line, levels with the same one together."""
    levels_of: dict[str, list[str]] = {}
    for index, reason in reasons.items():
        levels_of.setdefault(reason, []).append(str(index))
    return "; ".join(f"level {', '.join(levels)}: {reason}" for reason, levels in levels_of.items())
