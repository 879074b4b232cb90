"""What the pathologist drew, on a picture: outlines with their names, told apart by line and words.

Scored areas have a solid line, areas left out a dashed one; colour only repeats it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import shapely
from PIL import Image, ImageDraw
from shapely.affinity import scale
from shapely.geometry import LineString
from shapely.ops import substring

from cxpath.report.lettering import font
from cxpath.report.palette import EXCLUDED, INK, PAPER, Colour
from cxpath.values.regions import Region, RegionUse

SCORED_WORDS, LEFT_OUT_WORDS = "drawn, scored", "drawn, left out"

_MOST_NAMED = 12
_LETTER_PX = 18
_LINE_PX, _CASING_PX = 4, 8
_DASH_PX, _GAP_PX = 16, 10

Box = tuple[float, float, float, float]


def draw_regions(picture: Image.Image, regions: Sequence[Region], to_picture: float) -> None:
    """Draw the outlines of regions and their names.

    Parameters
    ----------
    picture : Image
        Drawn upon.
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
    for colour, width in ((PAPER, _CASING_PX), (_colour(use), _LINE_PX)):
        for piece in pieces:
            draw.line(list(piece.coords), fill=colour, width=width, joint="curve")


def _dashes(line: LineString) -> Iterator[LineString]:
    start = 0.0
    while start < line.length:
        piece = substring(line, start, min(start + _DASH_PX, line.length))
        if isinstance(piece, LineString):
            yield piece
        start += _DASH_PX + _GAP_PX


def _colour(use: RegionUse) -> Colour:
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
    draw.rectangle(box, fill=PAPER, outline=_colour(region.use), width=2)
    draw.text((left + 6, top + height / 2), text, font=letters, fill=INK, anchor="lm")
    return box


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
