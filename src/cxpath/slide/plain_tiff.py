"""Plain TIFF pictures that are no whole slides to OpenSlide (strips, planes): slides of one level."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tifffile

from cxpath.slide.level import Level
from cxpath.slide.picture_slide import MOST_PICTURE_PX, too_large
from cxpath.slide.resolution import resolve
from cxpath.slide.slide import SlideFacts
from cxpath.slide.tiff_chain import leaves_the_file
from cxpath.slide.tiff_slide import StoredPlanes, TiffSlide, opened_tiff, stated_in_page, tile_grid
from cxpath.values.errors import UnreadableSlideError

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
        stored = _stored(page, shown)
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


def _stored(page: Any, shown: str) -> StoredPlanes:
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
