"""What was scored and what was left out, drawn on the slide's overview."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cxpath.report.lettering import draw_scale_bar, font
from cxpath.report.overview import LETTER_PX, above_strip, readable_overview
from cxpath.report.palette import INK, LEFT_OUT, PAPER, SCORED, Colour
from cxpath.report.region_outlines import LEFT_OUT_WORDS, SCORED_WORDS, draw_regions, region_swatch
from cxpath.values.regions import Region, RegionUse

Mask = NDArray[np.bool_]

REASONS = ("outside the drawn regions", "control", "pen", "edge", "dark", "bubble", "fold", "blur")
"""Each has the same pattern, colour and letter on every slide; reasons that are not here follow them."""

_LETTER_SPACING_PX = 150
_SMALLEST_LETTERED_PX = 30
_ROW_PX = 40
_SWATCH_PX = 34
_HATCH_STEP_PX = 14
_HATCH_LINE_PX = 4


def tissue_picture(
    overview_rgb: NDArray[np.uint8],
    scored_mask: Mask,
    excluded_masks: Mapping[str, Mask],
    mpp: float,
    drawn: Sequence[Region] = (),
    slide_mpp: float | None = None,
) -> Image.Image:
    """Outline what was scored; mark what was left out by pattern, colour and letter; legend and scale bar.

    Parameters
    ----------
    overview_rgb : uint8 array, (height, width, 3)
    scored_mask : bool array
        True where cells were counted; any size, it is stretched over the overview.
    excluded_masks : mapping of str to bool array
        Tissue left out, by reason in words.
    mpp : float
        Micrometres per pixel of `overview_rgb`.
    drawn : sequence of Region
        The pathologist's regions, outlined with their names.
    slide_mpp : float, optional
        Micrometres per level-0 pixel, in which `drawn` is given; `mpp` when left out.
    """
    picture, factor = readable_overview(overview_rgb)
    size = picture.size
    pixels = np.array(picture)
    shown = [mark_of(reason) for reason in excluded_masks]
    stretched = [_stretched(mask, size) for mask in excluded_masks.values()]
    for mark, mask in zip(shown, stretched, strict=True):
        pixels = _hatched(pixels, mask, mark)
    pixels = _outlined(pixels, _stretched(scored_mask, size))
    picture = Image.fromarray(pixels)
    for mark, mask in zip(shown, stretched, strict=True):
        _letter(picture, mask, mark)
    draw_regions(picture, drawn, (slide_mpp or mpp) / mpp * factor)
    entries = _legend_entries(list(excluded_masks), {region.use for region in drawn})
    rows = -(-len(entries) // 2)
    sheet = above_strip(picture, _ROW_PX * (rows + 1) + 12)
    _draw_legend(sheet, size[1], entries)
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


@dataclass(frozen=True)
class Mark:
    """How a reason is shown: number of its pattern, colour, letter."""

    order: int
    colour: Colour
    letter: str


def mark_of(reason: str) -> Mark:
    """Return the mark of a reason, the same on every slide."""
    known = reason in REASONS
    order = REASONS.index(reason) if known else len(REASONS) + zlib.crc32(reason.encode()) % 4
    letter = {"bubble": "A", "blur": "U"}.get(reason, reason[:1].upper())
    return Mark(order, LEFT_OUT[order % len(LEFT_OUT)], letter)


def _letter(picture: Image.Image, mask: NDArray[np.uint8], mark: Mark) -> None:
    """Write the letter into each piece of a mask that has room for it."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    draw = ImageDraw.Draw(picture)
    for number in range(1, count):
        left, top, width, height, _ = stats[number]
        piece = (labels[top : top + height, left : left + width] == number).astype(np.uint8)
        depth = cv2.distanceTransform(np.pad(piece, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
        while float(depth.max()) * 2 >= _SMALLEST_LETTERED_PX:
            row, column = np.unravel_index(int(np.argmax(depth)), depth.shape)
            place = (int(left + column), int(top + row))
            draw.text(
                place, mark.letter, font=font(LETTER_PX), fill=mark.colour, anchor="mm",
                stroke_width=4, stroke_fill=PAPER,
            )  # fmt: skip
            rows, columns = np.indices(depth.shape)
            depth[np.hypot(rows - row, columns - column) < _LETTER_SPACING_PX] = 0


def _hatched(pixels: NDArray[np.uint8], mask: NDArray[np.uint8], mark: Mark) -> NDArray[np.uint8]:
    """Lay a mark's pattern over the mask: lighter ground, dark lines, a line around it."""
    inside = mask.astype(bool)
    drawn = pixels.copy()
    drawn[inside] = (drawn[inside] * 0.45 + 255 * 0.55).astype(np.uint8)
    drawn[inside & hatch(mask.shape[:2], mark.order)] = mark.colour
    outlines, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(drawn, outlines, -1, mark.colour, 2, cv2.LINE_AA)
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


def _legend_entries(reasons: list[str], uses: set[RegionUse]) -> list[tuple[Image.Image, str]]:
    entries = [(_scored_swatch(), "scored tissue")]
    entries += [
        (_hatch_swatch(mark_of(reason)), f"{mark_of(reason).letter}  left out: {reason}")
        for reason in reasons
    ]
    said = {RegionUse.INCLUDE: SCORED_WORDS, RegionUse.EXCLUDE: LEFT_OUT_WORDS}
    width_px = int(_SWATCH_PX * 1.6)
    return entries + [(region_swatch(use, width_px, 26), said[use]) for use in RegionUse if use in uses]


def _draw_legend(sheet: Image.Image, top_px: int, entries: list[tuple[Image.Image, str]]) -> None:
    draw = ImageDraw.Draw(sheet)
    for index, (swatch, words) in enumerate(entries):
        x_px = 12 + (index % 2) * (sheet.width // 2)
        y_px = top_px + 12 + (index // 2) * _ROW_PX
        sheet.paste(swatch, (x_px, y_px))
        middle_px = y_px + swatch.height / 2
        draw.text((x_px + _SWATCH_PX * 2, middle_px), words, font=font(LETTER_PX), fill=INK, anchor="lm")


def _scored_swatch() -> Image.Image:
    swatch = Image.new("RGB", (int(_SWATCH_PX * 1.6), 26), PAPER)
    ImageDraw.Draw(swatch).rectangle((2, 2, swatch.width - 3, 23), outline=SCORED, width=4)
    return swatch


def _hatch_swatch(mark: Mark) -> Image.Image:
    pixels = np.full((26, int(_SWATCH_PX * 1.6), 3), 255, np.uint8)
    mask = np.zeros(pixels.shape[:2], np.uint8)
    mask[1:-1, 1:-1] = 1
    return Image.fromarray(_hatched(pixels, mask, mark))
