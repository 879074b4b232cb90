"""What the tissue picture and the heatmap share: an overview at a readable size above a strip for legends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cxpath.report.palette import PAPER

SMALLEST_SIDE_PX, LARGEST_SIDE_PX = 1000, 1800
LETTER_PX = 22


def readable_overview(rgb: NDArray[np.uint8]) -> tuple[Image.Image, float]:
    """Return the overview with its longer side between 1000 and 1800 px, and by how much it grew."""
    picture = Image.fromarray(np.ascontiguousarray(rgb[..., :3]))
    longest = max(picture.size)
    factor = min(max(longest, SMALLEST_SIDE_PX), LARGEST_SIDE_PX) / longest
    size = tuple(max(1, round(side * factor)) for side in picture.size)
    return picture.resize((size[0], size[1]), Image.Resampling.LANCZOS), factor


def above_strip(picture: Image.Image, strip_px: int) -> Image.Image:
    """Return the picture with a white strip of the given height below it; at least 900 px wide."""
    sheet = Image.new("RGB", (max(picture.width, 900), picture.height + strip_px), PAPER)
    sheet.paste(picture, ((sheet.width - picture.width) // 2, 0))
    return sheet
