"""TIFF and OME-TIFF slides read without OpenSlide."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tifffile
from numpy.typing import NDArray

from cxpath.errors import CxpathError, UnreadableSlideError
from cxpath.slide.errors import TIFF_ERRORS, one_line
from cxpath.slide.jpeg_tiles import ColourRule, TileCache
from cxpath.slide.picture import MOST_PICTURE_PX, too_large
from cxpath.slide.resample import WHITE, on_white, overlay
from cxpath.slide.resolution import StatedResolution, resolve, stated_in_ome, stated_in_tag_values
from cxpath.slide.slide import Level, Slide, SlideFacts, levels_of

# The chain of a TIFF's directories: whether each lies within the file.


_MOST_PAGES = 4096


class _Form(NamedTuple):
    """How a TIFF of one kind is laid out: struct formats and byte sizes."""

    order: str
    first: int
    entries: str
    entry_bytes: int
    offset: str


def leaves_the_file(path: Path) -> bool:
    """Say whether a TIFF's directories go on beyond its end, as those of a copy that was cut short do.

    A file that is no TIFF has none.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        form = _form(file.read(8))
        if form is None:
            return False

        def number(at: int, kind: str) -> int | None:
            file.seek(at)
            data = file.read(struct.calcsize(kind))
            return (
                int(struct.unpack(form.order + kind, data)[0]) if len(data) == struct.calcsize(kind) else None
            )

        place = number(form.first, form.offset)
        for _ in range(_MOST_PAGES):
            if not place:
                return place is None
            entries = number(place, form.entries) if place < size else None
            if entries is None:
                return True
            place = number(place + struct.calcsize(form.entries) + entries * form.entry_bytes, form.offset)
    return False


def _form(head: bytes) -> _Form | None:
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        return None
    version = struct.unpack(order + "H", head[2:4])[0]
    if version == 42:
        return _Form(order, 4, "H", 12, "I")
    return _Form(order, 8, "Q", 20, "Q") if version == 43 else None


# TIFF pictures read tile by tile (or strip by strip) through tifffile: what OpenSlide leaves.
#
# Knows how 8-bit pixels lie in tiles, strips and planes; what a file says of itself is read by `ome_tiff.py`
# and `plain_tiff.py`.


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


# OME-TIFF, which OpenSlide does not open, or opens without its levels and its OME-XML.
#
# Brightfield only: 8-bit red, green, blue. The largest picture of the file is the slide; smaller ones
# (label, macro) are never opened.


_RGB_AXES = {"YXS": "S", "SYX": "S", "CYX": "C"}
"""Order of axes to the axis that holds the samples."""


def is_ome_tiff(path: Path) -> bool:
    """Say whether a TIFF carries OME-XML in its first page."""
    try:
        with tifffile.TiffFile(path, _multifile=False) as tiff:
            return bool(tiff.is_ome)
    except TIFF_ERRORS:
        return False


def open_ome_tiff(path: Path, mpp: float | None, name: str | None) -> TiffSlide:
    """Open an OME-TIFF.

    Raises
    ------
    UnreadableSlideError
        When the file is damaged or holds no 8-bit RGB picture.
    ResolutionError
        See `resolve`.
    """
    shown = name or str(path)
    with opened_tiff(path, shown) as tiff:
        number, series = max(enumerate(tiff.series), key=lambda item: item[1].size)
        stored = [_stored(level, shown) for level in series.levels]
        stated = stated_in_ome(tiff.ome_metadata or "", number) or stated_in_page(series.keyframe)
        facts = SlideFacts(
            path=path,
            name=name,
            reader="ome-tiff",
            vendor="ome",
            levels=levels_of([level.size for level in stored]),
            resolution=resolve(mpp, stated, shown),
        )
        return TiffSlide(facts, tiff, stored)


def _stored(level: Any, shown: str) -> StoredPlanes:
    axis = _RGB_AXES.get(level.axes)
    samples = int(level.shape[level.axes.index(axis)]) if axis else 0
    if samples not in {3, 4} or level.dtype != np.uint8:
        raise UnreadableSlideError(
            f"{shown}: not an 8-bit RGB picture (axes {level.axes}, {level.dtype})",
            "cxpath reads brightfield slides; export the RGB picture as OME-TIFF",
        )
    return StoredPlanes(level.axes, samples, level.pages)


# Plain TIFF pictures that are no whole slides to OpenSlide (strips, planes): slides of one level.


_AXES = {"YX", "YXS", "SYX"}
_COLOURS = {tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR, tifffile.PHOTOMETRIC.MINISBLACK}


def open_plain_tiff(path: Path, mpp: float | None, name: str | None) -> TiffSlide:
    """Open the first picture of a TIFF as a slide of one level.

    Raises
    ------
    UnreadableSlideError
        When the file is damaged, is not 8-bit grey or RGB, or its strips are too large to decode.
    ResolutionError
        See `resolve`.
    """
    shown = name or str(path)
    if leaves_the_file(path):
        raise UnreadableSlideError(
            f"{shown}: damaged: the file ends before all of its pages",
            "copy the file again from the scanner or the archive",
        )
    with opened_tiff(path, shown) as tiff:
        page = tiff.pages.first
        stored = _plainly_stored(page, shown)
        pages = len(tiff.pages)
        facts = SlideFacts(
            path=path,
            name=name,
            reader="picture",
            vendor="tiff",
            levels=(Level(*stored.size),),
            resolution=resolve(mpp, stated_in_page(page), shown),
            warnings=(f"the file holds {pages} pictures; the first one is read",) if pages > 1 else (),
        )
        return TiffSlide(facts, tiff, [stored])


def _plainly_stored(page: Any, shown: str) -> StoredPlanes:
    samples = page.samplesperpixel
    known = page.axes in _AXES and page.photometric in _COLOURS and samples in {1, 3, 4}
    if not known or page.dtype != "uint8" or page.bitspersample != 8:
        colours = getattr(page.photometric, "name", page.photometric)
        raise UnreadableSlideError(
            f"{shown}: not a picture of 8 bits a channel in grey or RGB "
            f"({page.bitspersample} bits, {samples} channels, {colours})",
            "cxpath reads brightfield pictures; save it as 8-bit RGB",
        )
    width, height, _, _ = tile_grid(page)
    if width * height > MOST_PICTURE_PX:
        raise too_large(shown, width, height)
    return StoredPlanes(page.axes, samples, [page])
