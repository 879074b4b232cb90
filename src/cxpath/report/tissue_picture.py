"""What was scored and what was left out, drawn on the slide's overview."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cxpath.report.lettering import draw_scale_bar, font
from cxpath.report.overview import LETTER_PX, above_strip, readable_overview
from cxpath.report.palette import EXCLUDED, INK, PAPER, SCORED

Mask = NDArray[np.bool_]

_ROW_PX = 40
_SWATCH_PX = 34
_HATCH_STEP_PX = 14
_HATCH_LINE_PX = 4


def tissue_picture(
    overview_rgb: NDArray[np.uint8], scored_mask: Mask, excluded_masks: Mapping[str, Mask], mpp: float
) -> Image.Image:
    """Outline what was scored and hatch what was left out, one hatch a reason, with legend and scale bar.

    Parameters
    ----------
    overview_rgb : uint8 array, (height, width, 3)
    scored_mask : bool array
        True where cells were counted; any size, it is stretched over the overview.
    excluded_masks : mapping of str to bool array
        Tissue left out, by reason in words.
    mpp : float
        Micrometres per pixel of `overview_rgb`.
    """
    picture, factor = readable_overview(overview_rgb)
    size = picture.size
    pixels = np.array(picture)
    for order, mask in enumerate(excluded_masks.values()):
        pixels = _hatched(pixels, _stretched(mask, size), order)
    pixels = _outlined(pixels, _stretched(scored_mask, size))
    rows = -(-(1 + len(excluded_masks)) // 2)
    sheet = above_strip(Image.fromarray(pixels), _ROW_PX * (rows + 1) + 12)
    _draw_legend(sheet, size[1], list(excluded_masks))
    draw_scale_bar(
        ImageDraw.Draw(sheet),
        sheet.width - 12,
        size[1] + _ROW_PX * (rows + 0.5),
        size[0],
        mpp / factor,
        LETTER_PX,
    )
    return sheet


def _stretched(mask: Mask, size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _outlined(pixels: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw the mask's outline, blue on a white casing."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    drawn = np.ascontiguousarray(pixels)
    cv2.drawContours(drawn, outlines, -1, PAPER, 7, cv2.LINE_AA)
    cv2.drawContours(drawn, outlines, -1, SCORED, 4, cv2.LINE_AA)
    return drawn


def _hatched(pixels: NDArray[np.uint8], mask: NDArray[np.uint8], order: int) -> NDArray[np.uint8]:
    """Lay the hatch number `order` over the mask: lighter ground, dark lines, a line around it."""
    inside = mask.astype(bool)
    drawn = pixels.copy()
    drawn[inside] = (drawn[inside] * 0.45 + 255 * 0.55).astype(np.uint8)
    drawn[inside & hatch(mask.shape[:2], order)] = EXCLUDED
    outlines, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(drawn, outlines, -1, EXCLUDED, 2, cv2.LINE_AA)
    return drawn


def hatch(shape: tuple[int, int], order: int) -> Mask:
    """Return hatch pattern number `order` over an array: rising, falling, crossed, dotted, upright, level.

    Further numbers repeat the six at a wider step.
    """
    step = _HATCH_STEP_PX * (1 + order // 6)
    rows, columns = np.indices(shape)
    rising = (rows + columns) % step < _HATCH_LINE_PX
    falling = (rows - columns) % step < _HATCH_LINE_PX
    upright = columns % step < _HATCH_LINE_PX
    level = rows % step < _HATCH_LINE_PX
    return (rising, falling, rising | falling, upright & level, upright, level)[order % 6]


def _draw_legend(sheet: Image.Image, top_px: int, reasons: list[str]) -> None:
    draw = ImageDraw.Draw(sheet)
    for index, words in enumerate(["scored tissue", *(f"left out: {reason}" for reason in reasons)]):
        x_px = 12 + (index % 2) * (sheet.width // 2)
        y_px = top_px + 12 + (index // 2) * _ROW_PX
        draw_swatch = _hatch_swatch(index - 1) if index else _scored_swatch()
        sheet.paste(draw_swatch, (x_px, y_px))
        middle_px = y_px + draw_swatch.height / 2
        draw.text((x_px + _SWATCH_PX * 2, middle_px), words, font=font(LETTER_PX), fill=INK, anchor="lm")


def _scored_swatch() -> Image.Image:
    swatch = Image.new("RGB", (int(_SWATCH_PX * 1.6), 26), PAPER)
    ImageDraw.Draw(swatch).rectangle((2, 2, swatch.width - 3, 23), outline=SCORED, width=4)
    return swatch


def _hatch_swatch(order: int) -> Image.Image:
    pixels = np.full((26, int(_SWATCH_PX * 1.6), 3), 255, np.uint8)
    mask = np.zeros(pixels.shape[:2], np.uint8)
    mask[1:-1, 1:-1] = 1
    return Image.fromarray(_hatched(pixels, mask, order))
