"""A value per square of the slide as colour over its greyed overview; not how the value was made."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cxpath.report.lettering import draw_scale_bar, font
from cxpath.report.overview import LETTER_PX, above_strip, readable_overview
from cxpath.report.palette import INK

_OPACITY = 0.78
_STRIP_PX = 128
_MAP_NAME = "viridis"  # cividis is grey in the middle, as is tissue without a value


@dataclass(frozen=True)
class ColourScale:
    """How values become colours.

    Parameters
    ----------
    label : str
        Words beside the colour bar.
    ticks : tuple of float
        Values written at the bar; the last is the upper end.
    logarithmic : bool
        Colour follows log(value + 1), so that small scores stay apart; else the value itself.
    """

    label: str
    ticks: tuple[float, ...]
    logarithmic: bool = False

    def share(self, value: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far along the bar values lie, 0-1; what is beyond an end stays at it."""
        bent = np.log1p if self.logarithmic else np.asarray
        return np.asarray(np.clip(bent(np.maximum(value, 0)) / bent(self.ticks[-1]), 0, 1), dtype=np.float64)


CPS_SCALE = ColourScale("local CPS", (0, 1, 3, 10, 30, 100), logarithmic=True)


def heatmap_picture(
    overview_rgb: NDArray[np.uint8],
    left_px: NDArray[np.float64],
    top_px: NDArray[np.float64],
    side_px: NDArray[np.float64],
    value: NDArray[np.float64],
    mpp: float,
    scale: ColourScale = CPS_SCALE,
) -> Image.Image:
    """Paint squares over a greyed overview, with colour bar and scale bar.

    Parameters
    ----------
    overview_rgb : uint8 array, (height, width, 3)
    left_px, top_px, side_px : float array, (N,)
        The squares in *overview* pixels (level-0 pixels divided by the overview's downsample).
    value : float array, (N,)
        NaN squares stay grey.
    mpp : float
        Micrometres per pixel of `overview_rgb`.
    scale : ColourScale
    """
    picture, factor = readable_overview(overview_rgb)
    pixels = _greyed(np.array(picture))
    colours = _colour_table()
    known = np.isfinite(value)
    painted = colours[np.rint(scale.share(value[known]) * 255).astype(np.int64)]
    edges = [left_px, top_px, left_px + side_px, top_px + side_px]
    boxes = np.rint(np.stack([edge[known] for edge in edges], axis=1) * factor).astype(np.int64)
    for (left, top, right, bottom), colour in zip(np.maximum(boxes, 0).tolist(), painted, strict=True):
        square = pixels[top:bottom, left:right]
        square[...] = (square * (1 - _OPACITY) + colour * _OPACITY).astype(np.uint8)
    sheet = above_strip(Image.fromarray(pixels), _STRIP_PX)
    _draw_bar(sheet, picture.height, colours, scale, has_grey=not known.all())
    draw_scale_bar(
        ImageDraw.Draw(sheet), sheet.width - 12, picture.height + 30, picture.width, mpp / factor, LETTER_PX
    )
    return sheet


def _greyed(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a pale grey version: tissue stays visible below and between the squares."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    pale = (grey * 0.6 + 255 * 0.4).astype(np.uint8)
    return np.repeat(pale[..., None], 3, axis=2)


def _colour_table() -> NDArray[np.float64]:
    import matplotlib as mpl  # noqa: PLC0415 - slow to import, and only pictures need it

    return np.asarray(mpl.colormaps[_MAP_NAME](np.arange(256)))[:, :3] * 255


def _draw_bar(
    sheet: Image.Image, top_px: int, colours: NDArray[np.float64], scale: ColourScale, *, has_grey: bool
) -> None:
    draw, letters = ImageDraw.Draw(sheet), font(LETTER_PX)
    left, width, bar_top = 16, int(sheet.width * 0.5), top_px + 50
    bar = np.repeat(colours[None].astype(np.uint8), 24, axis=0)
    sheet.paste(Image.fromarray(bar).resize((width, 24)), (left, bar_top))
    draw.text((left, top_px + 28), scale.label, font=letters, fill=INK, anchor="lm")
    for tick, share in zip(scale.ticks, scale.share(np.asarray(scale.ticks, np.float64)), strict=True):
        x_px = left + share * width
        draw.line((x_px, bar_top + 24, x_px, bar_top + 31), fill=INK, width=2)
        draw.text((x_px, bar_top + 34), f"{tick:g}", font=letters, fill=INK, anchor="ma")
    if has_grey:
        words = "grey: no value"
        draw.text((left + width + 40, bar_top + 12), words, font=letters, fill=INK, anchor="lm")
