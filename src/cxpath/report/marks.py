"""The marks that stand for cells: shape is the kind, filled or hollow is the stain, colour repeats it."""

from __future__ import annotations

from PIL import ImageDraw

from cxpath.report.palette import NEGATIVE, OTHER, PAPER, POSITIVE, POSITIVE_EDGE
from cxpath.values.cell_table import Kind

LegendEntry = tuple[Kind, bool, str]

LEGEND: tuple[LegendEntry, ...] = (
    (Kind.TUMOUR, True, "tumour cell, positive"),
    (Kind.TUMOUR, False, "tumour cell, negative"),
    (Kind.IMMUNE, True, "immune cell, positive"),
    (Kind.IMMUNE, False, "immune cell, negative"),
    (Kind.OTHER, False, "other cell, not counted"),
)
"""Kind, positive, words; in the order of legends."""

UNCOUNTED_WORDS = "immune cell, positive, not counted"
"""Stained but too far from tumour; only a slide's fields know of them."""

WHOLE_LEGEND: tuple[LegendEntry, ...] = (*LEGEND, (Kind.IMMUNE, True, UNCOUNTED_WORDS))


def draw_mark(
    draw: ImageDraw.ImageDraw,
    x_px: float,
    y_px: float,
    kind: Kind,
    *,
    positive: bool,
    radius_px: float,
    line_px: int,
    counted: bool = True,
) -> None:
    """Draw one cell: a circle (tumour), a triangle (immune) or a small square (other).

    Positive cells are filled orange with a dark edge, negative ones are hollow and blue; both lie on a white
    casing, so that they show on brown as on blue. A positive cell that does not count is hollow and orange,
    struck through. Other cells are hollow and grey, whatever their stain.
    """
    if kind is Kind.OTHER:
        _outline(draw, kind, x_px, y_px, radius_px, OTHER, line_px)
    elif positive and not counted:
        _outline(draw, kind, x_px, y_px, radius_px, PAPER, line_px * 2)
        _outline(draw, kind, x_px, y_px, radius_px, POSITIVE_EDGE, line_px)
        reach = radius_px * 1.5
        draw.line((x_px - reach, y_px, x_px + reach, y_px), fill=PAPER, width=line_px * 2)
        draw.line((x_px - reach, y_px, x_px + reach, y_px), fill=POSITIVE_EDGE, width=line_px)
    elif positive:
        _filled(draw, kind, x_px, y_px, radius_px + line_px * 1.1, PAPER)
        _filled(draw, kind, x_px, y_px, radius_px + line_px * 0.4, POSITIVE_EDGE)
        _filled(draw, kind, x_px, y_px, radius_px - line_px / 2, POSITIVE)
    else:
        _outline(draw, kind, x_px, y_px, radius_px, PAPER, line_px * 2)
        _outline(draw, kind, x_px, y_px, radius_px, NEGATIVE, line_px)


def _corners(kind: Kind, x: float, y: float, radius: float) -> list[tuple[float, float]]:
    """Return the corners of a triangle that looks as large as the circle, or of the small square."""
    if kind is Kind.IMMUNE:
        reach = radius * 1.25
        return [(x, y - reach), (x + reach * 0.95, y + reach * 0.7), (x - reach * 0.95, y + reach * 0.7)]
    half = radius * 0.5
    return [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]


def _filled(
    draw: ImageDraw.ImageDraw, kind: Kind, x: float, y: float, radius: float, colour: tuple[int, int, int]
) -> None:
    if kind is Kind.TUMOUR:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    else:
        draw.polygon(_corners(kind, x, y, radius), fill=colour)


def _outline(
    draw: ImageDraw.ImageDraw,
    kind: Kind,
    x: float,
    y: float,
    radius: float,
    colour: tuple[int, int, int],
    line_px: int,
) -> None:
    if kind is Kind.TUMOUR:
        reach = radius + line_px / 2
        draw.ellipse((x - reach, y - reach, x + reach, y + reach), outline=colour, width=line_px)
    else:
        corners = _corners(kind, x, y, radius)
        draw.line([*corners, corners[0], corners[1]], fill=colour, width=line_px, joint="curve")
