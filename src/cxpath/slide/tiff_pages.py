"""The pages of a TIFF that are the levels OpenSlide shows of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tifffile

from cxpath.slide.level import Level
from cxpath.slide.tiff_errors import TIFF_ERRORS

_log = logging.getLogger(__name__)


@contextmanager
def tiff_pages(path: Path, levels: Sequence[Level]) -> Iterator[Mapping[int, Any]]:
    """Open a file and give its page for each level's index; levels with no page, or with two, are left out.

    A file that tifffile does not understand has no pages.
    """
    try:
        tiff = tifffile.TiffFile(path, _multifile=False)
    except TIFF_ERRORS as error:
        _log.info("the tags of a slide cannot be read: %s", type(error).__name__)
        yield {}
        return
    with tiff:
        yield _matched(tiff, levels)


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
