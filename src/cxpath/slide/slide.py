"""Slide: an open slide file that gives any region at any micrometres per pixel.

The rule of reading lives here; how a file's own pixels are fetched lives in the three readers.
"""

from __future__ import annotations

import logging
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cxpath.slide.identity import slide_digest
from cxpath.slide.level import Level, level_for
from cxpath.slide.on_white import WHITE
from cxpath.slide.resample import resample
from cxpath.slide.resolution import Resolution
from cxpath.slide.sampling import Sampling
from cxpath.values.slide_info import SlideInfo

_MOST_SOURCE_PX = 4_000_000
"""Larger regions are read in parts, so that memory follows the output and not the slide."""

_log = logging.getLogger(__name__)


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
        level = self.levels[index]
        along_x = Sampling.snapped(x_px / level.factor_x, factor / level.factor_x, width)
        along_y = Sampling.snapped(y_px / level.factor_y, factor / level.factor_y, height)
        return self._sample(index, along_y, along_x)

    def _sample(self, index: int, along_y: Sampling, along_x: Sampling) -> NDArray[np.uint8]:
        small = along_y.length * along_x.length <= _MOST_SOURCE_PX
        if small or along_y.number == along_x.number == 1:
            return resample(self._padded(index, along_y, along_x), along_y, along_x)
        if along_y.number > 1 and (along_x.number == 1 or along_y.length >= along_x.length):
            return np.concatenate([self._sample(index, half, along_x) for half in along_y.halves()], axis=0)
        return np.concatenate([self._sample(index, along_y, half) for half in along_x.halves()], axis=1)

    def _padded(self, index: int, along_y: Sampling, along_x: Sampling) -> NDArray[np.uint8]:
        """Fetch source pixels of a level; white beyond its edges."""
        level = self.levels[index]
        left, right = _inside(along_x, level.width_px)
        top, bottom = _inside(along_y, level.height_px)
        if right - left == along_x.length and bottom - top == along_y.length:
            return self._fetch(index, left, top, right - left, bottom - top)
        padded = np.full((along_y.length, along_x.length, 3), WHITE, dtype=np.uint8)
        if right > left and bottom > top:
            rows = slice(top - along_y.first, bottom - along_y.first)
            columns = slice(left - along_x.first, right - along_x.first)
            padded[rows, columns] = self._fetch(index, left, top, right - left, bottom - top)
        return padded

    @abstractmethod
    def _fetch(self, index: int, x_px: int, y_px: int, width: int, height: int) -> NDArray[np.uint8]:
        """Return RGB pixels of level `index`, in that level's own frame and inside it."""

    @abstractmethod
    def close(self) -> None:
        """Close the file. Closing twice is fine."""

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
