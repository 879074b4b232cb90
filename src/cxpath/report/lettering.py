"""Text and scale bars on pictures."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PIL import ImageDraw, ImageFont

from cxpath.report.palette import INK

_ROUND_LENGTHS_UM = (
    5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000,
)  # fmt: skip


@cache
def font(size_px: int) -> ImageFont.FreeTypeFont:
    """Return the letters of all pictures: DejaVu Sans as it comes with matplotlib.

    Pillow's own letters have no µ.
    """
    import matplotlib as mpl  # noqa: PLC0415 - slow to import, and only pictures need it

    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size_px)


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
