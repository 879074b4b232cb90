"""OME-TIFF, which OpenSlide does not open, or opens without its levels and its OME-XML.

Brightfield only: 8-bit red, green, blue. The largest picture of the file is the slide; smaller ones (label,
macro) are never opened.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from cxpath.slide.level import levels_of
from cxpath.slide.resolution import resolve
from cxpath.slide.slide import SlideFacts
from cxpath.slide.stated_resolution import stated_in_ome
from cxpath.slide.tiff_errors import TIFF_ERRORS
from cxpath.slide.tiff_slide import StoredPlanes, TiffSlide, opened_tiff, stated_in_page
from cxpath.values.errors import UnreadableSlideError

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
