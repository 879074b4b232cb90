"""Slide: an open slide file that gives any region at any micrometres per pixel.

The rule of reading lives here; how a file's own pixels are fetched lives in the three readers, and in
`jpeg_tiles.py` for the levels that can be read faster than their library does.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cxpath.slide.fast_path import FastPath, find_fast_path
from cxpath.slide.identity import slide_digest
from cxpath.slide.level import Level, level_for
from cxpath.slide.on_white import WHITE
from cxpath.slide.reader_path import ReaderPath
from cxpath.slide.resample import resample
from cxpath.slide.resolution import Resolution
from cxpath.slide.sampling import Sampling
from cxpath.slide.source import Source, shrunk_region
from cxpath.slide.tile_streams import ColourRule
from cxpath.values.slide_info import SlideInfo

_MOST_SOURCE_PX = 4_000_000
"""Larger regions are read in parts, so that memory follows the output and not the slide."""

_TOLERANCE = 1e-6


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

    @property
    def shown(self) -> str:
        """How messages name the slide: as the user did, unless another name was asked for."""
        return self.name or str(self.path)


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
        self._facts = facts
        self.levels = facts.levels
        self.warnings: tuple[str, ...] = (*facts.warnings, *facts.resolution.warnings)
        self._fast: FastPath | None = None

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
        name = Path(facts.name or facts.path.name).name
        return SlideInfo(
            name=name,
            stem=name.removesuffix(facts.path.suffix) or name,
            digest=slide_digest(facts.path, facts.vendor),
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
        )

    def read(self, x_px: float, y_px: float, width: int, height: int, mpp: float) -> NDArray[np.uint8]:
        """Read a region at any micrometres per pixel.

        Each pixel is the mean of the light on its footprint, taken from the coarsest stored level that
        is still fine enough; where the slide is coarser than asked, light is interpolated linearly.
        Outside the scan and where it is transparent the slide is white.

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
        return self._sample(source, along_y, along_x)

    @property
    def reader_path(self) -> ReaderPath:
        """How pixels are read, so far: by the fast path or the library, and why."""
        return self._fast.reader_path if self._fast else ReaderPath(self._library)

    def _take_fast_path(
        self, pages: Mapping[int, Any], colours: ColourRule, *, fills_gaps: bool = False
    ) -> None:
        """Read by the fast path from now on where it gives what the library gives; readers call it last."""
        path, shown = self._facts.path, self._facts.shown
        self._fast = find_fast_path(
            path, shown, self.levels, pages, colours, self._fetch, self._library, fills_gaps=fills_gaps
        )

    def _shrink(self, index: int, factor: float, x_px: float, y_px: float) -> int:
        """Return by how much the pixels of a level are best shrunk while they are decoded.

        Where whole blocks of that size are asked for but lie across those that decoding gives, half as much:
        averages of averages that overlap would be blurred.
        """
        level = self.levels[index]
        most = factor / max(level.factor_x, level.factor_y) * (1 + _TOLERANCE)
        fast = self._fast.shrinks(index) if self._fast else ()
        shrink = max((shrink for shrink in fast if shrink <= most), default=1)
        whole_blocks = shrink > 1 and most - shrink <= 2 * shrink * _TOLERANCE
        blocks = (x_px / (level.factor_x * shrink), y_px / (level.factor_y * shrink))
        across = any(abs(place - round(place)) > _TOLERANCE for place in blocks)
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
        if self._fast:
            region = self._fast.read(source.index, source.shrink, x_px, y_px, width, height)
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
        if self._fast:
            self._fast.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.width_px} x {self.height_px} px at {self.mpp:g} µm>"


def _inside(along: Sampling, size: int) -> tuple[int, int]:
    return max(along.first, 0), min(along.first + along.length, size)
