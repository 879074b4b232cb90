"""Whole-slide pictures: tissue, heat map, fields and annotated regions."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from shapely.affinity import scale
from shapely.geometry import LineString
from shapely.ops import substring

from cxpath.data import Region, RegionUse
from cxpath.report.html import (
    EXCLUDED,
    INK,
    LEFT_OUT,
    LETTER_PX,
    NEGATIVE,
    OTHER,
    PAPER,
    POSITIVE_EDGE,
    SCORED,
    Colour,
    above_strip,
    draw_scale_bar,
    font,
    readable_overview,
)

# Where the pictured fields lie: numbered squares on the slide's paled overview.


_ROW_PX = 40
_STRIP_PX = 2 * _ROW_PX + 12
_LINE_PX = 4
_ROOMY_PX, _SMALL_LETTER_PX = 60, 15
"""Fields narrower than this on the map have smaller numbers, which hide less of their neighbours."""

_LEGEND = ((1, "raises the CPS"), (-1, "lowers the CPS"), (0, "chosen at random"))


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


# A value per square of the slide as colour over its greyed overview; not how the value was made.


_OPACITY = 0.78
_HEATMAP_STRIP_PX = 128
_MAP = cv2.COLORMAP_VIRIDIS  # cividis is grey in the middle, as is tissue without a value


@dataclass(frozen=True)
class ColourScale:
    """How values become colours.

    Parameters
    ----------
    label : str
        Words next to the colour bar.
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
    sheet = above_strip(Image.fromarray(pixels), _HEATMAP_STRIP_PX)
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
    steps = np.arange(256, dtype=np.uint8)[:, None]
    return cv2.applyColorMap(steps, _MAP)[:, 0, ::-1].astype(np.float64)  # OpenCV's colours are blue first


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


# What the pathologist drew, on a picture: outlines with their names, distinguished by line and words.
#
# Scored areas have a solid line, areas left out a dashed one; colour only repeats it.


SCORED_WORDS, LEFT_OUT_WORDS = "drawn, scored", "drawn, left out"

_MOST_NAMED = 12
_LETTER_PX = 18
_OUTLINE_PX, _CASING_PX = 4, 8
_DASH_PX, _GAP_PX = 16, 10

Box = tuple[float, float, float, float]


def draw_regions(picture: Image.Image, regions: Sequence[Region], to_picture: float) -> None:
    """Draw the outlines of regions and their names.

    Parameters
    ----------
    picture : Image
        Painted upon.
    regions : sequence of Region
        In level-0 pixels. Of more than twelve, only the largest of each name is named.
    to_picture : float
        Picture pixels per level-0 pixel; both have their origin at the top left.
    """
    draw = ImageDraw.Draw(picture)
    for region in regions:
        for line in _lines(region, to_picture):
            _draw_line(draw, line, region.use)
    taken: list[Box] = []
    for region in _named(regions):
        left, top, right, _ = (edge * to_picture for edge in region.shape.bounds)
        taken.append(_draw_name(draw, region, ((left + right) / 2, top), picture.size, taken))


def region_swatch(use: RegionUse, width_px: int, height_px: int) -> Image.Image:
    """Return the line of a use, for a legend."""
    swatch = Image.new("RGB", (width_px, height_px), PAPER)
    middle = height_px / 2
    _draw_line(ImageDraw.Draw(swatch), LineString([(2, middle), (width_px - 3, middle)]), use)
    return swatch


def words(region: Region) -> str:
    """Return a region's name and what became of it."""
    return f"{region.name}: {'scored' if region.use is RegionUse.INCLUDE else 'left out'}"


def _lines(region: Region, to_picture: float) -> Iterator[LineString]:
    outline = scale(region.shape, to_picture, to_picture, origin=(0, 0))
    for polygon in shapely.get_parts(outline):
        for ring in (polygon.exterior, *polygon.interiors):
            yield LineString(ring.simplify(0.5).coords)


def _draw_line(draw: ImageDraw.ImageDraw, line: LineString, use: RegionUse) -> None:
    pieces = [line] if use is RegionUse.INCLUDE else list(_dashes(line))
    for colour, width in ((PAPER, _CASING_PX), (_outline_colour(use), _OUTLINE_PX)):
        for piece in pieces:
            draw.line(list(piece.coords), fill=colour, width=width, joint="curve")


def _dashes(line: LineString) -> Iterator[LineString]:
    start = 0.0
    while start < line.length:
        piece = substring(line, start, min(start + _DASH_PX, line.length))
        if isinstance(piece, LineString):
            yield piece
        start += _DASH_PX + _GAP_PX


def _outline_colour(use: RegionUse) -> Colour:
    return INK if use is RegionUse.INCLUDE else EXCLUDED


def _named(regions: Sequence[Region]) -> list[Region]:
    if len(regions) <= _MOST_NAMED:
        return list(regions)
    by_size = sorted(regions, key=lambda region: region.shape.area)
    return list({words(region): region for region in by_size}.values())


def _draw_name(
    draw: ImageDraw.ImageDraw,
    region: Region,
    place: tuple[float, float],
    size: tuple[int, int],
    taken: Sequence[Box],
) -> Box:
    """Write a name in a box on its outline, moved into the picture and below the names already there."""
    letters, text = font(_LETTER_PX), words(region)
    width, height = draw.textlength(text, font=letters) + 12, _LETTER_PX + 10
    left = min(max(place[0] - width / 2, 0), max(size[0] - width, 0))
    top = min(max(place[1] - height / 2, 0), max(size[1] - height, 0))
    while any(_overlap((left, top, left + width, top + height), box) for box in taken):
        if top + 2 * height > size[1]:
            break
        top += height + 2
    box = (left, top, left + width, top + height)
    draw.rectangle(box, fill=PAPER, outline=_outline_colour(region.use), width=2)
    draw.text((left + 6, top + height / 2), text, font=letters, fill=INK, anchor="lm")
    return box


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


# What was scored and what was left out, drawn on the slide's overview.


Mask = NDArray[np.bool_]

REASONS = ("outside the drawn regions", "control", "pen", "edge", "dark", "bubble", "fold", "blur")
"""Each has the same pattern, colour and letter on every slide; reasons that are not here follow them."""

_LETTER_SPACING_PX = 150
_SMALLEST_LETTERED_PX = 30
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
    _draw_tissue_legend(sheet, size[1], entries)
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


def _draw_tissue_legend(sheet: Image.Image, top_px: int, entries: list[tuple[Image.Image, str]]) -> None:
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
