"""TIFF pictures read tile by tile (or strip by strip) through tifffile: what OpenSlide leaves.

Knows how 8-bit pixels lie in tiles, strips and planes; what a file says of itself is read by `ome_tiff.py`
and `plain_tiff.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from cxpath.slide.on_white import WHITE, on_white
from cxpath.slide.one_line import one_line
from cxpath.slide.overlay import overlay
from cxpath.slide.resolution import StatedResolution
from cxpath.slide.slide import Slide, SlideFacts
from cxpath.slide.stated_resolution import stated_in_tag_values
from cxpath.slide.tiff_errors import TIFF_ERRORS
from cxpath.slide.tile_cache import TileCache
from cxpath.slide.tile_streams import ColourRule
from cxpath.values.errors import CxpathError, UnreadableSlideError

_CACHE_BYTES = 64 * 1024 * 1024
_JPEG = {6, 7, 33007, 34892}


@dataclass(frozen=True)
class StoredPlanes:
    """The pixels of one level: one page with all samples, or a page (or plane of a page) for each.

    Parameters
    ----------
    axes : str
        "YXS" samples side by side, "SYX" planes of one page, "CYX" a page each, "YX" grey.
    samples : int
        1, 3 or 4.
    pages : sequence of TiffPage
        One, or one for each sample.
    """

    axes: str
    samples: int
    pages: Sequence[Any]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        frame = self.pages[0].keyframe
        return frame.imagewidth, frame.imagelength


class TiffSlide(Slide):
    """A TIFF read through tifffile."""

    def __init__(self, facts: SlideFacts, tiff: tifffile.TiffFile, stored: Sequence[StoredPlanes]) -> None:
        super().__init__(facts)
        self._tiff = tiff
        self._stored = stored
        self._lock = threading.Lock()
        self._cache = TileCache(_CACHE_BYTES)
        pages = {index: planes.pages[0] for index, planes in enumerate(stored) if planes.axes == "YXS"}
        self._take_fast_path(pages, ColourRule(markers_count=True))

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._tiff.close()

    def _fetch(self, index: int, x_px: int, y_px: int, width: int, height: int) -> NDArray[np.uint8]:
        if self._tiff.filehandle.closed:
            raise ValueError("the slide is closed")
        stored = self._stored[index]
        region = np.full((height, width, stored.samples), WHITE, dtype=np.uint8)
        try:
            for page, plane, target in _planes(stored, region):
                self._paste(target, page, plane, x_px, y_px)
        except TIFF_ERRORS as error:
            raise UnreadableSlideError(
                f"{self._facts.shown}: damaged in the {width} x {height} px of level {index} "
                f"from x {x_px}, y {y_px}: {one_line(error, self._facts.path)}",
                "copy or export the file again",
            ) from error
        if stored.samples == 1:
            return np.repeat(region, 3, axis=2)
        return on_white(region) if stored.samples == 4 else region

    def _paste(self, region: NDArray[np.uint8], page: Any, plane: int, x_px: int, y_px: int) -> None:
        """Fill the region from the tiles of one plane that it touches."""
        height, width = region.shape[:2]
        tile_width, tile_height, across, down = tile_grid(page.keyframe)
        for row in range(y_px // tile_height, (y_px + height - 1) // tile_height + 1):
            for column in range(x_px // tile_width, (x_px + width - 1) // tile_width + 1):
                tile = self._tile(page, (plane * down + row) * across + column)
                overlay(region, tile, column * tile_width - x_px, row * tile_height - y_px)

    def _tile(self, page: Any, segment: int) -> NDArray[np.uint8]:
        return self._cache.get((page.offset, segment), lambda: self._decode(page, segment))

    def _decode(self, page: Any, segment: int) -> NDArray[np.uint8]:
        length = page.databytecounts[segment]
        with self._lock:
            self._tiff.filehandle.seek(page.dataoffsets[segment])
            data = self._tiff.filehandle.read(length) if length else None
        tables = {}
        if page.keyframe.compression in _JPEG:
            tables = {"jpegtables": page.jpegtables, "jpegheader": page.keyframe.jpegheader}
        decoded, _, (_, height, width, _) = page.keyframe.decode(data, segment, **tables)
        if decoded is None:  # a tile that was never written: glass
            return np.full((height, width, 1), WHITE, dtype=np.uint8)
        return np.asarray(decoded, dtype=np.uint8)[0, :height, :width]


@contextmanager
def opened_tiff(path: Path, shown: str) -> Iterator[tifffile.TiffFile]:
    """Open a TIFF to make a slide of; closed again, and any trouble told in one line, when that fails."""
    tiff = None
    try:
        tiff = tifffile.TiffFile(path, _multifile=False)
        yield tiff
    except CxpathError:  # some of them are OSError or ValueError too
        _close(tiff)
        raise
    except TIFF_ERRORS as error:
        _close(tiff)
        raise UnreadableSlideError(
            f"{shown}: the TIFF is damaged: {one_line(error, path)}", "copy or export the file again"
        ) from error


def tile_grid(frame: Any) -> tuple[int, int, int, int]:
    """Return tile width and height (strips are as wide as the page), and how many across and down."""
    width = frame.tilewidth if frame.is_tiled else frame.imagewidth
    height = frame.tilelength if frame.is_tiled else min(frame.rowsperstrip, frame.imagelength)
    return width, height, -(-frame.imagewidth // width), -(-frame.imagelength // height)


def stated_in_page(page: Any) -> StatedResolution | None:
    """Read the resolution tags of a page."""
    x_value, y_value, unit = (tag.value if (tag := page.tags.get(code)) else None for code in (282, 283, 296))
    # the unit of a TIFF that does not name one is the inch
    return stated_in_tag_values(x_value, y_value, 2 if unit is None else unit)


def _planes(stored: StoredPlanes, region: NDArray[np.uint8]) -> Iterator[tuple[Any, int, NDArray[np.uint8]]]:
    """Give page, plane in the page and the samples of the region to fill from it."""
    if stored.axes in {"YXS", "YX"}:
        yield stored.pages[0], 0, region
        return
    for sample in range(stored.samples):
        page, plane = (stored.pages[0], sample) if stored.axes == "SYX" else (stored.pages[sample], 0)
        yield page, plane, region[..., sample : sample + 1]


def _close(tiff: tifffile.TiffFile | None) -> None:
    if tiff is not None:
        tiff.close()
