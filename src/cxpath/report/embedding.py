"""Pictures inside the page: as data URIs, made small enough together that the file can be mailed."""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

from PIL import Image

logger = logging.getLogger(__name__)

BUDGET_BYTES = 14_000_000
_STEPS = ((1800, 86), (1300, 84), (1000, 80), (800, 76), (640, 72), (480, 68), (320, 60), (200, 50))
"""Longest side in pixels and JPEG quality, from best to smallest."""

_AT_ONCE = 4


def embedded(pictures: Mapping[str, Path], budget_bytes: int = BUDGET_BYTES) -> dict[str, str]:
    """Return data URIs by name, at the best of a few sizes at which they fit the budget together.

    Parameters
    ----------
    pictures : mapping of str to Path
    budget_bytes : int
        For all URIs together.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        opened = list(pool.map(_opened, pictures.values()))  # once each: unpacking takes most of the time
        for side_px, quality in _STEPS:
            uris = list(pool.map(_jpeg_uri, opened, repeat(side_px), repeat(quality)))
            if sum(map(len, uris)) <= budget_bytes:
                return dict(zip(pictures, uris, strict=True))
    logger.warning("%d pictures do not fit the page and were left out", len(pictures))
    return {}


def data_uri(path: Path, side_px: int, quality: int) -> str:
    """Return a picture as a JPEG data URI, no side longer than `side_px`.

    Only pixels are kept: whatever else the file says about itself stays behind.
    """
    return _jpeg_uri(_opened(path), side_px, quality)


def _jpeg_uri(picture: Image.Image, side_px: int, quality: int) -> str:
    if max(picture.size) > side_px:
        picture = picture.copy()
        picture.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=quality, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")
