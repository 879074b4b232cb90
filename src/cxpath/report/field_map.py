"""Where the pictured fields lie: numbered squares on the slide's paled overview."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cxpath.report.lettering import draw_scale_bar, font
from cxpath.report.overview import LETTER_PX, above_strip, readable_overview
from cxpath.report.palette import INK, NEGATIVE, OTHER, PAPER, POSITIVE_EDGE, Colour

_ROW_PX = 40
_STRIP_PX = 2 * _ROW_PX + 12
_LINE_PX = 4
_ROOMY_PX, _SMALL_LETTER_PX = 60, 15
"""Fields narrower than this on the map have smaller numbers, which hide less of their neighbours."""

_LEGEND = ((1, "raises the CPS"), (-1, "lowers the CPS"), (0, "drawn at random"))


@dataclass(frozen=True)
class PlacedField:
    """A pictured field on the overview, in its pixels.

    Parameters
    ----------
    number : int
        As in the gallery.
    left_px, top_px, side_px : float
    effect : int
        1 where it raises the score, -1 where it lowers it, 0 where neither is said.
    """

    number: int
    left_px: float
    top_px: float
    side_px: float
    effect: int


def field_map(overview_rgb: NDArray[np.uint8], fields: Sequence[PlacedField], mpp: float) -> Image.Image:
    """Draw the fields, numbered; raising ones carry a triangle that points up, lowering ones one that hangs.

    Parameters
    ----------
    overview_rgb : uint8 array, (height, width, 3)
    fields : sequence of PlacedField
    mpp : float
        Micrometres per pixel of `overview_rgb`.
    """
    picture, factor = readable_overview(overview_rgb)
    pale = np.asarray(picture) * 0.55 + 255 * 0.45
    sheet = above_strip(Image.fromarray(pale.astype(np.uint8)), _STRIP_PX)
    draw, offset = ImageDraw.Draw(sheet), (sheet.width - picture.width) // 2
    for field in reversed(fields):  # the first, which matter most, on top
        _draw_field(draw, field, factor, offset)
    _draw_legend(draw, {field.effect for field in fields}, picture.height + 0.5 * _ROW_PX + 6)
    bar_px = picture.height + 1.5 * _ROW_PX + 6
    draw_scale_bar(draw, sheet.width - 12, bar_px, picture.width, mpp / factor, LETTER_PX)
    return sheet


def _draw_field(draw: ImageDraw.ImageDraw, field: PlacedField, factor: float, offset: int) -> None:
    left, top = field.left_px * factor + offset, field.top_px * factor
    right, bottom = left + field.side_px * factor, top + field.side_px * factor
    colour = _colour(field.effect)
    draw.rectangle((left - 2, top - 2, right + 2, bottom + 2), outline=PAPER, width=_LINE_PX + 4)
    draw.rectangle((left, top, right, bottom), outline=colour, width=_LINE_PX)
    size_px = LETTER_PX if right - left >= _ROOMY_PX else _SMALL_LETTER_PX
    letters, words = font(size_px), str(field.number)
    pointer = size_px * 0.9 if field.effect else 0.0
    wide = draw.textlength(words, font=letters) + pointer
    x_px, y_px = (left + right - wide) / 2, (top + bottom) / 2
    box = (x_px - 4, y_px - size_px * 0.65, x_px + wide + 4, y_px + size_px * 0.65)
    draw.rounded_rectangle(box, 4, fill=PAPER, outline=colour, width=2)
    if field.effect:
        _draw_pointer(draw, x_px + size_px * 0.35, y_px, field.effect, size_px * 0.32)
    draw.text((x_px + pointer, y_px), words, font=letters, fill=colour, anchor="lm")


def _draw_pointer(draw: ImageDraw.ImageDraw, x_px: float, y_px: float, effect: int, reach_px: float) -> None:
    tip, base = y_px - reach_px * effect, y_px + reach_px * effect
    draw.polygon([(x_px, tip), (x_px + reach_px, base), (x_px - reach_px, base)], fill=_colour(effect))


def _draw_legend(draw: ImageDraw.ImageDraw, effects: set[int], y_px: float) -> None:
    x_px, letters = 16.0, font(LETTER_PX)
    for effect, words in _LEGEND:
        if effect not in effects:
            continue
        draw.rectangle((x_px, y_px - 13, x_px + 26, y_px + 13), outline=_colour(effect), width=3)
        if effect:
            _draw_pointer(draw, x_px + 13, y_px, effect, 7)
        draw.text((x_px + 36, y_px), words, font=letters, fill=INK, anchor="lm")
        x_px += 66 + draw.textlength(words, font=letters)


def _colour(effect: int) -> Colour:
    return {1: POSITIVE_EDGE, -1: NEGATIVE}.get(effect, OTHER)
