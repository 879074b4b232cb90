"""Slides read through OpenSlide."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openslide
import tifffile
from numpy.typing import NDArray
from PIL import Image

from cxpath.errors import UnreadableSlideError
from cxpath.slide.identity import allowed_properties, one_line, refuse_contradicting_copies, shown_as
from cxpath.slide.jpeg_tiles import ColourRule
from cxpath.slide.pixels import DAMAGED_PROFILE, PROFILE_ERRORS, on_white
from cxpath.slide.resolution import (
    Level,
    StatedResolution,
    also_stated_by_aperio,
    levels_of,
    resolve,
    stated_in_openslide,
)
from cxpath.slide.slide import FastPath, Slide, SlideFacts
from cxpath.slide.tiff import left_out, rivals, stated_in_page
from cxpath.slide.tiff_directories import TIFF_ERRORS, parsed_tiff

# One OpenSlide handle shared by all reading threads, replaced when a broken tile has spoilt it.
#
# OpenSlide keeps the first error of a handle for good: from then on every read on it fails, also of sound
# regions and by other threads. A failed read is therefore asked again of a fresh handle before it counts.


@dataclass(eq=False)
class _Shared:
    """A handle and how many threads are reading from it."""

    handle: openslide.OpenSlide
    readers: int = 0


class OpenSlideHandles:
    """The handles of one file."""

    def __init__(self, path: Path, handle: openslide.OpenSlide) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._current: _Shared | None = _Shared(handle)
        self._closed = False

    def read_region(self, x_px: int, y_px: int, level: int, size: tuple[int, int]) -> Image.Image:
        """Read RGBA at a level-0 position; raises OpenSlideError only if this very region is broken."""
        with self._lease() as shared:
            try:
                return shared.handle.read_region((x_px, y_px), level, size)
            except openslide.OpenSlideError:
                self._retire(shared)
        with openslide.OpenSlide(self._path) as fresh:
            return fresh.read_region((x_px, y_px), level, size)

    def close(self) -> None:
        """Close the shared handle as soon as nobody reads from it."""
        with self._lock:
            self._closed = True
            current, self._current = self._current, None
            if current is not None and current.readers == 0:
                current.handle.close()

    @contextmanager
    def _lease(self) -> Iterator[_Shared]:
        with self._lock:
            if self._closed:
                raise ValueError("the slide is closed")
            if self._current is None:
                self._current = _Shared(openslide.OpenSlide(self._path))
            shared = self._current
            shared.readers += 1
        try:
            yield shared
        finally:
            with self._lock:
                shared.readers -= 1
                if shared.readers == 0 and shared is not self._current:
                    shared.handle.close()

    def _retire(self, shared: _Shared) -> None:
        with self._lock:
            if self._current is shared:
                self._current = None


# The pages of a TIFF that are the levels OpenSlide shows of it.


_log = logging.getLogger(__name__)


@contextmanager
def tiff_pages(path: Path, levels: Sequence[Level]) -> Iterator[Mapping[int, Any]]:
    """Open a file and give its page for each level's index; levels with no page, or with two, are left out.

    A file that tifffile does not understand has no pages.
    """
    try:
        tiff = parsed_tiff(path)
    except TIFF_ERRORS as error:
        _log.info("the tags of a slide cannot be read: %s", type(error).__name__)
        yield {}
        return
    with tiff:
        yield _matched(tiff, levels)


def stated_by_level_0(path: Path, levels: Sequence[Level]) -> tuple[StatedResolution | None, tuple[str, ...]]:
    """Return what the page that is level 0 states of its resolution, and a warning of pictures left out.

    OpenSlide passes on the tags of the first page, and reads it and its smaller copies: where level 0 is
    another page, its µm per pixel would be those of the other picture.
    """
    own = (levels[0].width_px, levels[0].height_px)
    try:
        with parsed_tiff(path) as tiff:
            pages: list[Any] = [page.aspage() for page in tiff.pages]
            sizes = [(page.imagewidth, page.imagelength) for page in pages]
            stated = stated_in_page(pages[sizes.index(own)]) if own in sizes else None
            copies = {size for page, size in zip(pages, sizes, strict=True) if page.is_reduced}
            if own in sizes:
                sizes.remove(own)
            others = [size for size in sizes if size not in copies and rivals(own, size)]
    except TIFF_ERRORS as error:
        _log.info("the tags of a slide cannot be read: %s", type(error).__name__)
        return None, ()
    return stated, left_out(own, others)


def _of_equal_size(levels: Sequence[Level]) -> tuple[str, ...]:
    """Warn of several pictures of one size, as of a focus stack: OpenSlide takes them for levels."""
    sizes = [(level.width_px, level.height_px) for level in levels]
    return left_out(sizes[0], [size for size in sizes[1:] if size == sizes[0]])


def _matched(tiff: tifffile.TiffFile, levels: Sequence[Level]) -> Mapping[int, Any]:
    try:
        return dict(_pages_of_levels(tiff, levels))
    except TIFF_ERRORS as error:
        _log.info("the pages of a slide cannot be read: %s", type(error).__name__)
        return {}


def _pages_of_levels(tiff: tifffile.TiffFile, levels: Sequence[Level]) -> Iterator[tuple[int, Any]]:
    tiled: dict[tuple[int, int], list[Any]] = {}
    for page in tiff.pages:
        frame: Any = page.keyframe
        if frame.is_tiled:
            tiled.setdefault((frame.imagewidth, frame.imagelength), []).append(page)
    for index, level in enumerate(levels):
        pages = tiled.get((level.width_px, level.height_px), [])
        if len(pages) == 1:
            yield index, pages[0]


# Slides that OpenSlide reads: SVS, NDPI, MRXS, SCN, BIF, VMS, Philips and generic TIFF, DICOM.
#
# Label and macro (OpenSlide's associated images) are never opened.


_BLOCK_PX = 512
_SIDES = ("width", "height")
_VENDORS_OF_PLAIN_TILES = {"aperio", "generic-tiff", "philips"}
"""Whose levels are TIFF pages whose tiles lie side by side. NDPI is one stream a level; others overlap."""


class OpenSlideSlide(Slide):
    """A slide read through OpenSlide."""

    def __init__(self, facts: SlideFacts, handle: openslide.OpenSlide) -> None:
        super().__init__(facts)
        self._downsamples: tuple[float, ...] = handle.level_downsamples
        self._handles = OpenSlideHandles(facts.path, handle)

    def _find_fast_path(self) -> FastPath | None:
        path, vendor = self._facts.path, self._facts.vendor
        if vendor not in _VENDORS_OF_PLAIN_TILES:
            return None
        with tiff_pages(path, self.levels) as pages:
            return self._proved(pages, ColourRule(markers_count=False), fills_gaps=vendor == "aperio")

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._handles.close()

    def _fetch(self, index: int, x_px: int, y_px: int, width: int, height: int) -> NDArray[np.uint8]:
        if self._downsamples[index].is_integer():
            return self._read(index, x_px, y_px, width, height)
        return self._in_blocks(index, x_px, y_px, width, height)

    def _in_blocks(self, index: int, x_px: int, y_px: int, width: int, height: int) -> NDArray[np.uint8]:
        """Read in blocks of a fixed lattice.

        Where OpenSlide's downsample is not whole (4.0027), a level-0 position falls between two pixels of
        the level, and OpenSlide blends them by up to 1/8, differently for each origin. Blocks always
        begin at the same places, so a pixel is the same whatever region it was read with.
        """
        region = np.empty((height, width, 3), dtype=np.uint8)
        for top in range(y_px // _BLOCK_PX * _BLOCK_PX, y_px + height, _BLOCK_PX):
            for left in range(x_px // _BLOCK_PX * _BLOCK_PX, x_px + width, _BLOCK_PX):
                right, bottom = min(left + _BLOCK_PX, x_px + width), min(top + _BLOCK_PX, y_px + height)
                block = self._read(index, left, top, right - left, bottom - top)
                x_from, y_from = max(left, x_px), max(top, y_px)
                region[y_from - y_px : bottom - y_px, x_from - x_px : right - x_px] = block[
                    y_from - top :, x_from - left :
                ]
        return region

    def _read(self, index: int, x_px: int, y_px: int, width: int, height: int) -> NDArray[np.uint8]:
        downsample = self._downsamples[index]
        x_full, y_full = round(x_px * downsample), round(y_px * downsample)
        try:
            region = self._handles.read_region(x_full, y_full, index, (width, height))
        except openslide.OpenSlideError as error:
            raise UnreadableSlideError(
                f"{self._facts.shown}: damaged in the {width} x {height} px of level {index} "
                f"from x {x_full}, y {y_full}: {one_line(error, self._facts.path)}",
                "copy the file again from the scanner or the archive",
            ) from error
        return on_white(np.asarray(region))


def open_with_openslide(path: Path, mpp: float | None, name: str | None) -> OpenSlideSlide:
    """Open a file that OpenSlide recognises.

    Raises
    ------
    UnreadableSlideError
        When OpenSlide knows the format but cannot open the file.
    ResolutionError
        See `resolve`.
    """
    try:
        handle = openslide.OpenSlide(path)
    except openslide.OpenSlideError as error:
        raise _cannot_be_opened(path, name, error) from error
    try:
        return OpenSlideSlide(_facts(path, mpp, name, handle), handle)
    except openslide.OpenSlideError as error:
        handle.close()
        raise _cannot_be_opened(path, name, error) from error
    except BaseException:
        handle.close()
        raise


def _cannot_be_opened(path: Path, name: str | None, error: Exception) -> UnreadableSlideError:
    return UnreadableSlideError(
        f"{shown_as(path, name)}: cannot be opened: {one_line(error, path)}",
        "the file is damaged, incompletely copied or stored in a way OpenSlide does not support",
    )


def _facts(path: Path, mpp: float | None, name: str | None, handle: openslide.OpenSlide) -> SlideFacts:
    properties = _properties(handle)
    objective = properties.get(openslide.PROPERTY_NAME_OBJECTIVE_POWER, "")
    shown = shown_as(path, name)
    levels = levels_of(handle.level_dimensions, shown, _tile_sizes(handle, properties))
    stated = stated_in_openslide(properties)
    warnings = _of_equal_size(levels)
    also = None
    vendor = properties.get(openslide.PROPERTY_NAME_VENDOR, "")
    if vendor == "generic-tiff":
        stated, warnings = stated_by_level_0(path, levels)
    if vendor == "aperio":  # elsewhere the objective is not the whole magnification
        also = also_stated_by_aperio(properties, stated)
    if vendor == "dicom":
        refuse_contradicting_copies(path, shown)
    return SlideFacts(
        path=path,
        name=name,
        reader="openslide",
        vendor=vendor,
        levels=levels,
        resolution=resolve(mpp, stated, shown, objective, also),
        quickhash=properties.get(openslide.PROPERTY_NAME_QUICKHASH1, ""),
        properties=allowed_properties(properties),
        bounds_px=_bounds(properties),
        warnings=warnings,
        icc_profile=_icc_profile(handle),
    )


def _icc_profile(handle: openslide.OpenSlide) -> bytes:
    """Return the embedded profile; one that Pillow cannot read as bytes that are none."""
    try:
        profile = handle.color_profile
        return profile.tobytes() if profile else b""
    except PROFILE_ERRORS:
        return DAMAGED_PROFILE


def _properties(handle: openslide.OpenSlide) -> dict[str, str]:
    """Return the properties that can be read: a name whose bytes are no text is known by no other name."""
    found = {}
    for name in handle.properties:
        with suppress(KeyError):
            found[name] = handle.properties[name]
    return found


def _tile_sizes(handle: openslide.OpenSlide, properties: Mapping[str, str]) -> list[tuple[int, int] | None]:
    def size(index: int) -> tuple[int, int] | None:
        """Return width and height of the tiles of a level, or None where the file does not state them."""
        try:
            width, height = (int(properties[f"openslide.level[{index}].tile-{side}"]) for side in _SIDES)
        except (KeyError, ValueError):
            return None
        return width, height

    return [size(index) for index in range(handle.level_count)]


def _bounds(properties: Mapping[str, str]) -> tuple[int, int, int, int] | None:
    try:
        x, y, width, height = (
            int(properties[f"openslide.bounds-{key}"]) for key in ("x", "y", "width", "height")
        )
    except (KeyError, ValueError):
        return None
    return x, y, width, height
