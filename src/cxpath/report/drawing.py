"""Colours, letters and picture files that all pictures share."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from cxpath.io import atomic_write

# The colours of pictures and page: Okabe & Ito's, distinguished by colour-blind readers, never used alone.


Colour = tuple[int, int, int]

POSITIVE: Colour = (230, 120, 0)
POSITIVE_EDGE: Colour = (110, 44, 0)
NEGATIVE: Colour = (0, 114, 178)
OTHER: Colour = (90, 90, 90)
SCORED: Colour = (0, 90, 156)
EXCLUDED: Colour = (170, 68, 0)
INK: Colour = (38, 44, 52)
PAPER: Colour = (255, 255, 255)

LEFT_OUT: tuple[Colour, ...] = (
    (170, 68, 0),
    (0, 0, 0),
    (204, 60, 150),
    (0, 120, 90),
    (200, 0, 0),
    (0, 90, 156),
    (140, 100, 0),
    (95, 40, 140),
)
"""Reasons for leaving tissue out; each has a pattern of its own next to its colour."""


# Text and scale bars on pictures.


_ROUND_LENGTHS_UM = (
    5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000,
)  # fmt: skip


@cache
def font(size_px: int) -> ImageFont.FreeTypeFont:
    """Return the letters of all pictures: DejaVu Sans as it comes with matplotlib.

    Pillow's own letters have no µ.
    """
    return ImageFont.truetype(_letters(), size_px)


@cache
def _letters() -> Path:
    """Return the font's file; where it is not next to matplotlib, matplotlib is asked, slow to import."""
    inside = Path("fonts", "ttf", "DejaVuSans.ttf")
    found = find_spec("matplotlib")
    if found and found.origin and (beside := Path(found.origin).with_name("mpl-data") / inside).is_file():
        return beside
    import matplotlib as mpl  # noqa: PLC0415

    return Path(mpl.get_data_path()) / inside


def scale_bar_um(width_px: int, mpp: float) -> float:
    """Return the round length in µm that is nearest below a quarter of a picture's width."""
    limit_um = width_px * mpp / 4
    return max((length for length in _ROUND_LENGTHS_UM if length <= limit_um), default=_ROUND_LENGTHS_UM[0])


def length_in_words(length_um: float) -> str:
    """Return "500 µm" or "2 mm"."""
    return f"{length_um / 1000:g} mm" if length_um >= 1000 else f"{length_um:g} µm"


def draw_scale_bar(
    draw: ImageDraw.ImageDraw, right_px: float, middle_px: float, width_px: int, mpp: float, size_px: int
) -> float:
    """Draw a labelled bar that ends at `right_px` and return where it begins.

    Parameters
    ----------
    draw : ImageDraw
    right_px, middle_px : float
        Right end of the bar and the height it is centred on.
    width_px : int
        Width of the picture that the bar measures.
    mpp : float
        Micrometres per pixel of that picture.
    size_px : int
        Height of the letters.
    """
    length_um = scale_bar_um(width_px, mpp)
    label = length_in_words(length_um)
    left_px = right_px - length_um / mpp
    half_px = max(2, size_px // 7)
    draw.rectangle((left_px, middle_px - half_px, right_px, middle_px + half_px), fill=INK)
    start_px = left_px - size_px * 0.6 - draw.textlength(label, font=font(size_px))
    draw.text((start_px, middle_px), label, font=font(size_px), fill=INK, anchor="lm")
    return start_px


# What the tissue picture and the heatmap share: an overview at a readable size above a strip for legends.


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


# Pictures on disk: as PNG, whole or not at all.


_QUICKLY = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
)
"""Each row as its difference to the one above, of which only runs are looked for: a tenth larger than
Pillow's file, in less than half the time.

Pillow cannot name the filter and tries all of them on every row.
"""


def write_png(picture: Image.Image, path: Path) -> None:
    """Write a picture's colours; an interrupted write leaves no half file.

    Parameters
    ----------
    picture : PIL.Image.Image
    path : Path
        Overwritten when it exists.

    Raises
    ------
    OutputError
        When nothing can be written there.
    """
    blue_first = cv2.cvtColor(np.asarray(picture.convert("RGB")), cv2.COLOR_RGB2BGR)
    _, packed = cv2.imencode(".png", blue_first, _QUICKLY)
    with atomic_write(path) as partial:
        partial.write_bytes(packed.tobytes())
