"""TIFF and OME-TIFF slides read without OpenSlide."""

from __future__ import annotations

import math
import re
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile
from numpy.typing import NDArray

from cxpath.errors import CxpathError, UnreadableSlideError
from cxpath.slide.identity import one_line, shown_as
from cxpath.slide.jpeg_tiles import ColourRule, TileCache
from cxpath.slide.picture import MOST_PICTURE_PX, too_large
from cxpath.slide.pixels import TAG, WHITE, on_white, overlay
from cxpath.slide.resolution import StatedResolution, levels_of, resolve, stated_in_ome, stated_in_tag_values
from cxpath.slide.slide import FastPath, Slide, SlideFacts
from cxpath.slide.tiff_directories import LARGEST_SIDE_PX, TIFF_ERRORS, parsed_tiff

# TIFF pictures read tile by tile (or strip by strip) through tifffile: what OpenSlide leaves.
#
# Knows how 8-bit pixels lie in tiles, strips and planes; what a file says of itself is read by `ome_tiff.py`
# and `plain_tiff.py`.


_CACHE_BYTES = 64 * 1024 * 1024
_JPEG = {6, 7, 33007, 34892}
_KNOWN_PICTURES = {*_JPEG, 33003, 33004, 33005, 34712, 50001}
"""JPEG, JPEG 2000, and WebP, which has no more than 16,383 px a side."""

_JPEG_FRAME = re.compile(rb"\xff[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf]..\x08(....)", re.DOTALL)
_J2K_HEAD_BYTES = 4096
_MOST_SURPLUS = 2
"""Encoders fill up to whole blocks."""

_ASSOCIATED = 1
_ALPHA = {_ASSOCIATED, 2}
"""ExtraSamples that are transparency; 0 is unspecified."""

MOST_SAMPLES = 8

_MUCH_SMALLER = 16
"""How many times smaller in area label and macro are at least."""

_ASSOCIATED_NAMES = re.compile(r"\b(label|macro|thumbnail|overview)\b", re.IGNORECASE)


@dataclass(frozen=True)
class StoredPlanes:
    """The pixels of one level: one page with all samples, or a page (or plane of a page) for each.

    Parameters
    ----------
    axes : str
        "YXS" samples side by side, "SYX" planes of one page, "CYX" a page each, "YX" grey.
    samples : int
        1, or 3 and more: red, green, blue and others.
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

    @cached_property
    def alpha(self) -> tuple[int, bool] | None:
        """The sample that is transparency and whether colours were multiplied with it; else None.

        Samples that the file does not declare to be transparency are none.
        """
        declared = self.pages[0].keyframe.extrasamples if self.samples > 3 else ()
        kinds = enumerate(map(int, declared), start=self.samples - len(declared))
        return next(((sample, kind == _ASSOCIATED) for sample, kind in kinds if kind in _ALPHA), None)


class TiffSlide(Slide):
    """A TIFF read through tifffile."""

    def __init__(self, facts: SlideFacts, tiff: tifffile.TiffFile, stored: Sequence[StoredPlanes]) -> None:
        super().__init__(facts)
        self._tiff = tiff
        self._stored = stored
        self._lock = threading.Lock()
        self._cache = TileCache(_CACHE_BYTES)

    def _find_fast_path(self) -> FastPath:
        side_by_side = ((index, one.pages[0]) for index, one in enumerate(self._stored) if one.axes == "YXS")
        return self._proved(dict(side_by_side), ColourRule(markers_count=True))

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
        return _in_rgb(region, stored.alpha)

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

    def _refuse_larger_pictures(self, data: bytes, frame: Any) -> None:
        """Refuse a tile that states more pixels than it has room for: decoders set memory aside by that."""
        width, height, _, _ = tile_grid(frame)
        stated = _stated_size(data) if int(frame.compression) in _KNOWN_PICTURES else None
        if stated and stated[0] * stated[1] > _MOST_SURPLUS * width * height:
            raise ValueError(f"a tile of {width} x {height} px contains {stated[0]} x {stated[1]} px")

    def _decode(self, page: Any, segment: int) -> NDArray[np.uint8]:
        length = page.databytecounts[segment]
        if page.dataoffsets[segment] + length > self._tiff.filehandle.size:
            raise ValueError("the file ends within it")
        with self._lock:
            self._tiff.filehandle.seek(page.dataoffsets[segment])
            data = self._tiff.filehandle.read(length) if length else None
        if data:
            self._refuse_larger_pictures(data, page.keyframe)
        tables = {}
        if page.keyframe.compression in _JPEG:
            tables = {"jpegtables": page.jpegtables, "jpegheader": page.keyframe.jpegheader}
        decoded, _, (_, height, width, _) = page.keyframe.decode(data, segment, **tables)
        if decoded is None:  # a tile that was never written: glass
            return np.full((height, width, 1), WHITE, dtype=np.uint8)
        return np.asarray(decoded, dtype=np.uint8)[0, :height, :width]


def _in_rgb(region: NDArray[np.uint8], alpha: tuple[int, bool] | None) -> NDArray[np.uint8]:
    """Return the colours of a region of any number of samples, laid over white where it is transparent."""
    if region.shape[2] == 1:
        return np.repeat(region, 3, axis=2)
    if alpha is None:
        return np.ascontiguousarray(region[..., :3])
    sample, premultiplied = alpha
    return on_white(np.take(region, (0, 1, 2, sample), axis=2), premultiplied=premultiplied)


def bounded_decoder(page: Any) -> bool:
    """Say whether a page is compressed in a way that cannot unfold to more than its tiles are large.

    For most ways tifffile says how much shall come out; pictures in a picture say it themselves.
    """
    compression = int(page.compression)
    return compression in _KNOWN_PICTURES or compression not in tifffile.TIFF.IMAGE_COMPRESSIONS


def _stated_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height that a JPEG or JPEG 2000 stream states; None for others."""
    if data[:2] == b"\xff\xd8":
        frame = _JPEG_FRAME.search(data)
        if frame:
            height, width = struct.unpack(">HH", frame[1])
            return width, height
    siz = data.find(b"\xff\x4f\xff\x51", 0, _J2K_HEAD_BYTES)
    if siz >= 0 and len(data) >= siz + 24:
        right, bottom, left, top = struct.unpack_from(">4I", data, siz + 8)
        return right - left, bottom - top
    return None


@contextmanager
def opened_tiff(path: Path, shown: str) -> Iterator[tifffile.TiffFile]:
    """Open a TIFF to make a slide of; closed again, and any trouble reported in one line, when that fails."""
    tiff = None
    try:
        tiff = parsed_tiff(path)
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
"""Order of axes to the axis that contains the samples."""


_MOST_FRAMES = 100_000
_COUNTS_OF_PLANES = ("PlaneCount", "NumPlanes")


def is_ome_tiff(path: Path) -> bool:
    """Say whether a TIFF carries OME-XML in its first page."""
    try:
        with parsed_tiff(path) as tiff:
            return bool(tiff.is_ome)
    except TIFF_ERRORS:
        return False


def open_ome_tiff(path: Path, mpp: float | None, name: str | None) -> TiffSlide:
    """Open an OME-TIFF.

    Raises
    ------
    UnreadableSlideError
        When the file is damaged or contains no 8-bit RGB picture.
    ResolutionError
        See `resolve`.
    """
    shown = shown_as(path, name)
    with opened_tiff(path, shown) as tiff:
        xml = tiff.ome_metadata or ""
        _refuse_absurd_counts(xml, tiff, shown)
        series = max(tiff.series, key=lambda one: one.size)
        stored = [_stored(level, shown) for level in series.levels]
        by_tags = stated_in_page(series.keyframe)
        stated = stated_in_ome(xml, stored[0].size, series.keyframe.index) or by_tags
        facts = SlideFacts(
            path=path,
            name=name,
            reader="ome-tiff",
            vendor="ome",
            levels=levels_of([level.size for level in stored], shown),
            resolution=resolve(mpp, stated, shown, also=by_tags),
            warnings=_other_series(tiff, series, stated, xml),
            icc_profile=icc_profile(series.keyframe),
        )
        return TiffSlide(facts, tiff, stored)


def _other_series(
    tiff: tifffile.TiffFile, read: Any, stated: StatedResolution | None, xml: str
) -> tuple[str, ...]:
    """Warn of pictures besides the one that is read, unless they are named or sized like label and macro.

    A second piece of tissue may be small; it is known by the same µm per pixel.
    """

    def size(series: Any) -> tuple[int, int]:
        return series.keyframe.imagewidth, series.keyframe.imagelength

    def is_alike(series: Any) -> bool:
        """Say whether a series states about the same µm per pixel as the one that is read."""
        other = stated_in_ome(xml, size(series), series.keyframe.index)
        if stated is None or other is None:
            return False
        return math.isclose(other.mean_mpp, stated.mean_mpp, rel_tol=0.1)

    others = [one for one in tiff.series if one is not read and not _ASSOCIATED_NAMES.search(one.name)]
    counted = [size(one) for one in others if is_alike(one) or rivals(size(read), size(one))]
    return left_out(size(read), counted)


def rivals(own: tuple[int, int], other: tuple[int, int]) -> bool:
    """Say whether a picture of this size may be a slide next to one of another; a smaller copy is none."""
    factor = round(own[0] / other[0])
    is_copy = factor > 1 and all(
        abs(ours / factor - theirs) < 1 for ours, theirs in zip(own, other, strict=True)
    )
    return not is_copy and math.prod(other) * _MUCH_SMALLER >= math.prod(own)


def left_out(own: tuple[int, int], others: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """Return a warning that names the pictures of a file that are not read; none without any."""
    if not others:
        return ()
    largest = max(others, key=math.prod)
    kind = "a larger" if math.prod(largest) > math.prod(own) else "another"
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    other = f"the file contains {kind} picture of {largest[0]} x {largest[1]} px{more}"
    return (f"{other}; the first one of {own[0]} x {own[1]} px is read",)


def icc_profile(page: Any) -> bytes:
    """Return the ICC profile of a page; empty without one."""
    tag = page.tags.get(TAG)
    return tag.value if tag and isinstance(tag.value, bytes) else b""


def _refuse_absurd_counts(xml: str, tiff: tifffile.TiffFile, shown: str) -> None:
    """Refuse OME-XML whose numbers would make tifffile list more pages than any file has."""
    complaint = "a document type declaration" if "<!DOCTYPE" in xml else ""
    if not complaint:
        try:
            complaint = _absurd_count(ElementTree.fromstring(xml), tiff)
        except ElementTree.ParseError as error:
            complaint = f"what is not XML: {error}"
    if complaint:
        raise UnreadableSlideError(
            f"{shown}: damaged: its OME-XML contains {complaint}", "copy or export the file again"
        )


def _absurd_count(root: ElementTree.Element, tiff: tifffile.TiffFile) -> str:
    for pixels in root.findall("{*}Image/{*}Pixels"):
        sizes = [_whole(pixels, f"Size{axis}") for axis in "XYCZT"]
        pages = [_whole(data, "IFD", 0) for data in pixels.findall("{*}TiffData")]
        counts = [_whole(data, name, 0) for data in pixels.iter() for name in _COUNTS_OF_PLANES]
        if min(sizes) < 1 or max(sizes) > LARGEST_SIDE_PX:
            return "a picture of {} x {} px, {} channels, {} planes, {} times".format(*sizes)
        if not all(0 <= number <= _MOST_FRAMES for number in (*pages, *counts)):
            return f"an impossible page or number of pages ({max([*pages, *counts], key=abs)})"
        frame: Any = tiff.pages[min((page for page in pages if page < len(tiff.pages)), default=0)].keyframe
        if math.prod(sizes) > _MOST_FRAMES * frame.imagewidth * frame.imagelength:
            return f"{math.prod(sizes[2:])} pictures of {sizes[0]} x {sizes[1]} px"
    for along in root.iter():
        if "Along" in along.tag and not _is_short(along):
            return "an axis of impossibly many steps"
    return ""


def _whole(element: ElementTree.Element, name: str, default: int = -1) -> int:
    """Return a whole number of an attribute; -1 where there is none."""
    text = element.get(name, str(default))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1


def _is_short(along: ElementTree.Element) -> bool:
    try:
        start, end, step = (float(along.get(name, "1")) for name in ("Start", "End", "Step"))
        return abs(end - start) <= _MOST_FRAMES * abs(step)
    except ValueError:
        return False


def _stored(level: Any, shown: str) -> StoredPlanes:
    axis = _RGB_AXES.get(level.axes)
    samples = int(level.shape[level.axes.index(axis)]) if axis else 0
    most = 3 if axis == "C" else MOST_SAMPLES  # a fourth channel is a stain, not a colour
    if not (3 <= samples <= most and bounded_decoder(level.keyframe)) or level.dtype != np.uint8:
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
    shown = shown_as(path, name)
    with opened_tiff(path, shown) as tiff:
        if not tiff.pages:
            raise UnreadableSlideError(
                f"{shown}: damaged: no picture in the file", "copy or export the file again"
            )
        page = tiff.pages.first
        stored = [_plainly_stored(page, shown), *_smaller_copies(tiff, shown)]
        others = len(tiff.pages) - len(stored)
        facts = SlideFacts(
            path=path,
            name=name,
            reader="picture",
            vendor="tiff",
            levels=levels_of([level.size for level in stored], shown),
            resolution=resolve(mpp, stated_in_page(page), shown),
            warnings=(f"the file contains {others + 1} pictures; the first one is read",) if others else (),
            icc_profile=icc_profile(page),
        )
        return TiffSlide(facts, tiff, stored)


def _smaller_copies(tiff: tifffile.TiffFile, shown: str) -> list[StoredPlanes]:
    """Return the pages that repeat a tiled first page in smaller sizes."""
    first, *others = tiff.pages
    if not getattr(first, "is_tiled", False):
        return []
    pages: list[Any] = [page.aspage() for page in others]
    return [_plainly_stored(page, shown) for page in pages if page.is_tiled and page.is_reduced]


def _plainly_stored(page: Any, shown: str) -> StoredPlanes:
    samples = page.samplesperpixel
    known = page.axes in _AXES and page.photometric in _COLOURS
    known = known and (samples == 1 or 3 <= samples <= MOST_SAMPLES) and bounded_decoder(page)
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
