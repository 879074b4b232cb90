"""A slide: levels, sources of pixels, the choice of reader, and reading a region."""

from __future__ import annotations

import heapq
import logging
import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cxpath.data import SlideInfo
from cxpath.errors import ResolutionError, UnreadableSlideError
from cxpath.slide.identity import one_line, printable, shown_as, slide_digest
from cxpath.slide.jpeg import JpegLevel, NotFastError, jpeg_level_of
from cxpath.slide.jpeg_tiles import ColourRule, JpegTiles
from cxpath.slide.pixels import (
    WHITE,
    Fetch,
    Icc,
    ManagedColour,
    Sampling,
    Source,
    managed_colour,
    resample,
    shrunk_region,
)
from cxpath.slide.resolution import TOLERANCE, Level, Resolution, Size, level_for
from cxpath.slide.tiff_directories import TIFF_ERRORS

# How a slide's pixels are read: by the fast tile path, or by a library and why.


@dataclass(frozen=True)
class ReaderPath:
    """The way pixels took.

    Parameters
    ----------
    name : str
        "jpeg-tiles" when any level is read tile by tile, else the library: "openslide", "tifffile",
        "picture".
    fast_levels : tuple of int
        Stored levels read by the fast path; the others go through the library.
    because : str
        Why the other levels do not; empty when there are none.
    fallen_back : int
        Regions of fast levels that had to go through the library after all.
    """

    name: str
    fast_levels: tuple[int, ...] = ()
    because: str = ""
    fallen_back: int = 0


# Whether a slide can be read by the fast tile path, proven on its own tiles before it is used.
#
# Each level is described, one of its fullest tiles is decoded both ways, and only a level that comes out as
# its library shows it is read fast. So tags that contradict the data cost speed and never colour.


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

    def tile_size(self, index: int) -> Size | None:
        """Return width and height of a level's stored JPEG tiles; None when it is not fast."""
        level = self._tiles.levels.get(index) if self._tiles else None
        return (level.tile_width_px, level.tile_height_px) if level else None

    def stored_tile(self, index: int, column: int, row: int) -> bytes | None:
        """Return a tile as it is stored, as `JpegTiles.stored` does; None when the level is not fast."""
        if self._tiles is None or index not in self._tiles.levels:
            return None
        return self._tiles.stored(index, column, row)

    def close(self) -> None:
        """Let go of the file."""
        if self._tiles:
            self._tiles.close()

    def _note(self, because: str) -> None:
        with self._lock:
            self._fallen_back += 1
            self._because = self._because or because


@dataclass(frozen=True)
class Library:
    """What reads a slide the standard way.

    Parameters
    ----------
    name : str
    fetch : callable
        How it reads.
    fills_gaps : bool
        Whether it draws tiles never written from finer levels, where there are any; else they are white.
    """

    name: str
    fetch: Fetch
    fills_gaps: bool = False


def find_fast_path(
    file: tuple[Path, str],
    levels: Sequence[Level],
    pages: Mapping[int, Any],
    colours: ColourRule,
    library: Library,
) -> FastPath:
    """Describe the levels of a slide, and prove that they read as its library does.

    Parameters
    ----------
    file : tuple of Path and str
        The file, and how messages name it.
    levels : sequence of Level
        The slide's levels.
    pages : mapping of int to TiffPage
        The page of tifffile for each level's index, as far as there is one.
    colours : ColourRule
    library : Library
    """
    reasons = dict.fromkeys(range(len(levels)), "its page was not found")
    described = _described(file[0], pages, library, reasons)
    if not described:
        return FastPath(None, library.name, _text_of(reasons))
    tiles = JpegTiles(*file, described, colours)
    for index in described:
        reason = _why_not(tiles, index, library.fetch)
        if reason is None:
            del reasons[index]
        else:
            del tiles.levels[index]
            reasons[index] = reason
    if reasons:
        _log.info("levels read through %s: %s", library.name, _text_of(reasons))
    return FastPath(tiles if tiles.levels else None, library.name, _text_of(reasons))


def _described(
    path: Path, pages: Mapping[int, Any], library: Library, reasons: dict[int, str]
) -> dict[int, JpegLevel]:
    """Return the levels whose tiles can be read from the file; note in `reasons` why others cannot."""
    described: dict[int, JpegLevel] = {}
    gaps = False
    for index, page in pages.items():
        try:
            level = jpeg_level_of(page)
        except TIFF_ERRORS as error:
            reasons[index] = one_line(error, path)
            continue
        gaps = gaps or level.has_gaps
        if gaps and library.fills_gaps and index > 0:
            reasons[index] = "tiles of it or of a finer level were never written"
        else:
            described[index] = level
    return described


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


def _text_of(reasons: Mapping[int, str]) -> str:
    """Return the reasons on one line, levels with the same one together."""
    levels_of: dict[str, list[str]] = {}
    for index, reason in reasons.items():
        levels_of.setdefault(reason, []).append(str(index))
    return "; ".join(f"level {', '.join(levels)}: {reason}" for reason, levels in levels_of.items())


# Slide: an open slide file that gives any region at any micrometres per pixel.
#
# The rule of reading lives here; how a file's own pixels are fetched lives in the three readers, and in
# `jpeg_tiles.py` for the levels that can be read faster than their library does.


_MOST_SOURCE_PX = 4_000_000
"""Larger regions are read in parts, so that memory follows the output and not the slide."""

_LONGEST_MM = 250.0
_LARGEST_MM2 = 25_000.0
"""Far above any glass slide, those of whole organs included: more is a damaged size or a wrong µm/px."""


@dataclass(frozen=True)
class SlideFacts:
    """What a reader found in a file on opening it.

    Parameters
    ----------
    path : Path
        The file, as the user named it.
    name : str or None
        The name to show in its stead.
    reader, vendor, quickhash, properties
        See `SlideInfo`; properties are allow-listed already.
    levels : tuple of Level
        The finest first.
    resolution : Resolution
        Micrometres per level-0 pixel.
    bounds_px : tuple of int or None
        x, y, width, height of the scanned part; None for the whole.
    warnings : tuple of str
        What a reader of the result should know; free of file names.
    icc_profile : bytes
        The profile embedded in the file; empty without one.
    """

    path: Path
    name: str | None
    reader: str
    vendor: str
    levels: tuple[Level, ...]
    resolution: Resolution
    quickhash: str = ""
    properties: dict[str, str] = field(default_factory=dict)
    bounds_px: tuple[int, int, int, int] | None = None
    warnings: tuple[str, ...] = ()
    icc_profile: bytes = b""

    @property
    def shown(self) -> str:
        """How messages name the slide: as the user did, unless another name was asked for."""
        return shown_as(self.path, self.name)


class Slide(ABC):
    """An open slide; use it as a context manager. Any number of threads may read at once.

    Attributes
    ----------
    warnings : tuple of str
        What a reader of the result should know.
    levels : tuple of Level
        The stored levels, the finest first.
    """

    def __init__(self, facts: SlideFacts) -> None:
        _refuse_absurd_extent(facts)
        self._facts = facts
        self.levels = facts.levels
        self.warnings: tuple[str, ...] = (*facts.warnings, *facts.resolution.warnings)
        self._fast_once: list[FastPath | None] = []
        self._fast_lock = threading.Lock()
        self._closed = False
        self._colour = ManagedColour()

    def manage_colour(self, icc: Icc) -> None:
        """Say what is done with an embedded ICC profile; `open_slide` does so before anything is read."""
        self._colour = managed_colour(self._facts.icc_profile, icc)
        self.warnings = (*self.warnings, *self._colour.warnings)

    @property
    def mpp(self) -> float:
        """Micrometres per level-0 pixel."""
        return self._facts.resolution.mpp

    @property
    def width_px(self) -> int:
        """Level-0 width."""
        return self.levels[0].width_px

    @property
    def height_px(self) -> int:
        """Level-0 height."""
        return self.levels[0].height_px

    @cached_property
    def info(self) -> SlideInfo:
        """What is known of the slide. The first call computes the digest unless an earlier run did."""
        facts = self._facts
        name = printable(Path(facts.name or facts.path.name).name)
        return SlideInfo(
            name=name,
            stem=name.removesuffix(printable(facts.path.suffix)) or name,
            digest=slide_digest(facts.path, facts.vendor, shown=facts.shown),
            quickhash=facts.quickhash,
            width_px=self.width_px,
            height_px=self.height_px,
            mpp=self.mpp,
            mpp_source=facts.resolution.source,
            reader=facts.reader,
            vendor=facts.vendor,
            level_downsamples=tuple(level.downsample for level in self.levels),
            bounds_px=facts.bounds_px or (0, 0, self.width_px, self.height_px),
            properties=facts.properties,
            colour=self._colour.profile,
        )

    def read(self, x_px: float, y_px: float, width: int, height: int, mpp: float) -> NDArray[np.uint8]:
        """Read a region at any micrometres per pixel.

        Each pixel is the mean of the light on its footprint, taken from the coarsest stored level that
        is still fine enough; where the slide is coarser than asked, light is interpolated linearly.
        Outside the scan and where it is transparent the slide is white. Colours are sRGB where the slide has
        an ICC profile and `open_slide` was not asked to ignore it.

        Parameters
        ----------
        x_px, y_px : float
            Top left corner in level-0 pixels; may lie outside and between pixels.
        width, height : int
            Size of the result in pixels of `mpp` micrometres.
        mpp : float
            Micrometres per pixel of the result.

        Returns
        -------
        uint8 array, (height, width, 3)
            Red, green, blue.

        Raises
        ------
        UnreadableSlideError
            When the file is damaged there.
        ValueError
            When a size is below 1, or a number is not finite, or the slide is closed.
        """
        if width < 1 or height < 1 or not (mpp > 0 and all(map(math.isfinite, (x_px, y_px, mpp)))):
            raise ValueError(f"no region: x {x_px}, y {y_px}, {width} x {height} px at {mpp} µm per pixel")
        factor = mpp / self.mpp
        index = level_for(self.levels, factor)
        source = Source(index, self.levels[index], self._shrink(index, factor, x_px, y_px))
        along_x = Sampling.snapped(x_px / source.factor_x, factor / source.factor_x, width)
        along_y = Sampling.snapped(y_px / source.factor_y, factor / source.factor_y, height)
        rgb = self._sample(source, along_y, along_x)
        return self._colour.transform.apply(rgb) if self._colour.transform else rgb

    def tile_size(self, index: int) -> Size | None:
        """Return width and height of the JPEG tiles that a level is stored in; None for other storage."""
        return self._fast.tile_size(index) if self._fast else None

    def stored_tile(self, index: int, column: int, row: int) -> bytes | None:
        """Return the JPEG file of a stored tile, bit for bit as the scanner compressed it.

        None where there is none to hand on: another storage, a tile that the level's edge cuts, a damaged
        one, or colours that an ICC profile changes; `read` gives its pixels then.
        """
        if self._colour.transform:
            return None
        return self._fast.stored_tile(index, column, row) if self._fast else None

    @property
    def reader_path(self) -> ReaderPath:
        """How pixels are read, so far: by the fast path or the library, and why."""
        fast = self._fast
        return fast.reader_path if fast else ReaderPath(self._library)

    @property
    def _fast(self) -> FastPath | None:
        """The fast path, found and proved when the first pixels are wanted: most of opening would be that."""
        with self._fast_lock:
            if not self._fast_once and not self._closed:
                self._fast_once.append(self._find_fast_path())
            return self._fast_once[0] if self._fast_once else None

    def _find_fast_path(self) -> FastPath | None:
        """Return the way to read quicker than the library; readers that know one say so."""
        return None

    def _proved(self, pages: Mapping[int, Any], colours: ColourRule, *, fills_gaps: bool = False) -> FastPath:
        """Return the fast path over these pages, for levels on which it gives what the library gives."""
        file, library = (self._facts.path, self._facts.shown), Library(self._library, self._fetch, fills_gaps)
        return find_fast_path(file, self.levels, pages, colours, library)

    def _shrink(self, index: int, factor: float, x_px: float, y_px: float) -> int:
        """Return by how much the pixels of a level are best shrunk while they are decoded.

        Where whole blocks of that size are asked for but lie across those that decoding gives, half as much:
        averages of averages that overlap would be blurred.
        """
        level = self.levels[index]
        most = factor / max(level.factor_x, level.factor_y) * (1 + TOLERANCE)
        fast = self._fast
        shrinks = fast.shrinks(index) if fast else ()
        shrink = max((shrink for shrink in shrinks if shrink <= most), default=1)
        whole_blocks = shrink > 1 and most - shrink <= 2 * shrink * TOLERANCE
        blocks = (x_px / (level.factor_x * shrink), y_px / (level.factor_y * shrink))
        across = any(abs(place - round(place)) > TOLERANCE for place in blocks)
        return shrink // 2 if whole_blocks and across else shrink

    def _sample(self, source: Source, along_y: Sampling, along_x: Sampling) -> NDArray[np.uint8]:
        small = along_y.length * along_x.length <= _MOST_SOURCE_PX
        if small or along_y.number == along_x.number == 1:
            return resample(self._padded(source, along_y, along_x), along_y, along_x)
        if along_y.number > 1 and (along_x.number == 1 or along_y.length >= along_x.length):
            return np.concatenate([self._sample(source, half, along_x) for half in along_y.halves()], axis=0)
        return np.concatenate([self._sample(source, along_y, half) for half in along_x.halves()], axis=1)

    def _padded(self, source: Source, along_y: Sampling, along_x: Sampling) -> NDArray[np.uint8]:
        """Fetch source pixels; white beyond the edges of their level."""
        left, right = _inside(along_x, source.width_px)
        top, bottom = _inside(along_y, source.height_px)
        if right - left == along_x.length and bottom - top == along_y.length:
            return self._obtain(source, left, top, right - left, bottom - top)
        padded = np.full((along_y.length, along_x.length, 3), WHITE, dtype=np.uint8)
        if right > left and bottom > top:
            rows = slice(top - along_y.first, bottom - along_y.first)
            columns = slice(left - along_x.first, right - along_x.first)
            padded[rows, columns] = self._obtain(source, left, top, right - left, bottom - top)
        return padded

    def _obtain(self, source: Source, x_px: int, y_px: int, width: int, height: int) -> NDArray[np.uint8]:
        """Get pixels of a source by the fast path, or else of its level by the library."""
        if fast := self._fast:
            region = fast.read(source.index, source.shrink, x_px, y_px, width, height)
            if region is not None:
                return region
        return shrunk_region(source, self._fetch, x_px, y_px, width, height)

    @abstractmethod
    def _fetch(self, index: int, x_px: int, y_px: int, width: int, height: int) -> NDArray[np.uint8]:
        """Return RGB pixels of level `index`, in that level's own frame and inside it."""

    @property
    def _library(self) -> str:
        """What reads the file where the fast path does not."""
        return self._facts.reader

    def close(self) -> None:
        """Close the file. Closing twice is fine."""
        with self._fast_lock:
            self._closed = True
            for fast in filter(None, self._fast_once):
                fast.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.width_px} x {self.height_px} px at {self.mpp:g} µm>"


def _refuse_absurd_extent(facts: SlideFacts) -> None:
    """Refuse an empty slide or one larger than any glass, before anything is read or memory set aside."""
    full, mpp = facts.levels[0], facts.resolution.mpp
    if min(full.width_px, full.height_px) < 1:
        raise UnreadableSlideError(
            f"{facts.shown}: damaged: a picture of {full.width_px} x {full.height_px} px",
            "copy the file again from the scanner or the archive",
        )
    width_mm, height_mm = full.width_px * mpp / 1000, full.height_px * mpp / 1000
    if max(width_mm, height_mm) > _LONGEST_MM or width_mm * height_mm > _LARGEST_MM2:
        raise ResolutionError(
            f"{facts.shown}: {full.width_px} x {full.height_px} px of {mpp:g} µm "
            f"({facts.resolution.source}) would be {width_mm:.0f} x {height_mm:.0f} mm, "
            "larger than any glass slide",
            "pass the true µm per pixel, for example --mpp 0.25; if it is true, the file is damaged",
        )


def _inside(along: Sampling, size: int) -> tuple[int, int]:
    return max(along.first, 0), min(along.first + along.length, size)
