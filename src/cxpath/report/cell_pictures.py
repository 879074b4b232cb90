"""Pictures of fields with their cells marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cxpath.data import Kind
from cxpath.documents import FieldCounts, FieldEntry, FieldsDocument
from cxpath.report.html import (
    INK,
    NEGATIVE,
    OTHER,
    PAPER,
    POSITIVE,
    POSITIVE_EDGE,
    draw_scale_bar,
    font,
    write_jpeg,
)

# The marks that stand for cells: shape is the kind, filled or hollow is the stain, colour repeats it.


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


# One field of a slide as a picture: plain, or with its cells marked. Knows nothing of why it was chosen.


SMALLEST_SIDE_PX, LARGEST_SIDE_PX = 700, 1000
MARK_RADIUS_UM = 3.6
SMALLEST_MARK_PX, LARGEST_MARK_PX = 5.0, 8.0
"""Radius of a mark: a nucleus's, but neither a dot nor so large that it hides its cell."""

_OVERSAMPLING = 2
"""Marks are drawn so much larger and averaged; they stand on parts of a pixel."""

_STRIP_ROW_PX = 30
_LETTER_PX = 17


def plain_field_picture(rgb: NDArray[np.uint8], mpp: float) -> Image.Image:
    """Return the field above a strip with its scale bar.

    Parameters
    ----------
    rgb : uint8 array, (height, width, 3)
    mpp : float
        Micrometres per pixel of `rgb`.
    """
    picture, factor = _fitted(rgb)
    return _above_strip(picture, mpp / factor, ())


def field_picture(
    rgb: NDArray[np.uint8],
    x_px: NDArray[np.float64],
    y_px: NDArray[np.float64],
    kind: NDArray[np.uint8],
    positive: NDArray[np.bool_],
    mpp: float,
    counted: NDArray[np.bool_] | None = None,
) -> Image.Image:
    """Return the field with every cell marked, above a strip with legend and scale bar.

    Parameters
    ----------
    rgb : uint8 array, (height, width, 3)
    x_px, y_px : float array, (N,)
        Cell centres in pixels of `rgb`, pixel centres at .5.
    kind : uint8 array, (N,)
        As `Kind`.
    positive : bool array, (N,)
        Whether the cell counts as PD-L1 positive.
    mpp : float
        Micrometres per pixel of `rgb`.
    counted : bool array, (N,), optional
        Which positive cells count; all of them when left out.
    """
    picture, factor = marked_cells(rgb, x_px, y_px, kind, positive, mpp, counted)
    legend = LEGEND if counted is None or counted[_stained_immune(kind, positive)].all() else WHOLE_LEGEND
    return _above_strip(picture, mpp / factor, legend)


def marked_cells(
    rgb: NDArray[np.uint8],
    x_px: NDArray[np.float64],
    y_px: NDArray[np.float64],
    kind: NDArray[np.uint8],
    positive: NDArray[np.bool_],
    mpp: float,
    counted: NDArray[np.bool_] | None = None,
) -> tuple[Image.Image, float]:
    """Return the field at a readable size with every cell marked, and by how much it grew."""
    picture, factor = _fitted(rgb)
    radius_px = float(np.clip(MARK_RADIUS_UM / mpp * factor, SMALLEST_MARK_PX, LARGEST_MARK_PX))
    order = np.argsort(_drawn_last(kind, positive), kind="stable")
    counted = np.ones(len(order), bool) if counted is None else counted
    across, down = (np.rint(place * factor * _OVERSAMPLING).astype(np.int64) for place in (x_px, y_px))
    columns = (column[order].tolist() for column in (across, down, kind, positive, counted))
    for x, y, one, stained, counts in zip(*columns, strict=True):
        shift = x % _OVERSAMPLING, y % _OVERSAMPLING
        mark = _mark(one, shift, radius_px, positive=stained, counted=counts)
        half = mark.width // 2
        picture.paste(mark, (x // _OVERSAMPLING - half, y // _OVERSAMPLING - half), mark)
    return picture, factor


@lru_cache(maxsize=256)
def _mark(
    kind: int, shift: tuple[int, int], radius_px: float, *, positive: bool, counted: bool
) -> Image.Image:
    """Return a mark on nothing, to be laid over pictures; `shift` moves it by parts of a pixel.

    A slide has thousands of cells, which differ in little: drawing every one takes three times as long.
    """
    middle = _OVERSAMPLING * math.ceil(2 * radius_px)
    large = Image.new("RGBA", (2 * middle, 2 * middle))
    draw_mark(
        ImageDraw.Draw(large),
        middle + shift[0],
        middle + shift[1],
        Kind(kind),
        positive=positive,
        radius_px=radius_px * _OVERSAMPLING,
        line_px=2 * _OVERSAMPLING,
        counted=counted,
    )
    return large.reduce(_OVERSAMPLING)


def _drawn_last(kind: NDArray[np.uint8], positive: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Rank cells so that what counts most lies on top: other, negative, positive."""
    return np.where(kind == Kind.OTHER, 0, 1 + positive.astype(np.int64))


def _fitted(rgb: NDArray[np.uint8]) -> tuple[Image.Image, float]:
    """Return the picture at a readable size, and by how much it grew."""
    picture = Image.fromarray(np.ascontiguousarray(rgb[..., :3]))
    longest = max(picture.size)
    factor = min(max(longest, SMALLEST_SIDE_PX), LARGEST_SIDE_PX) / longest
    if factor != 1:
        size = tuple(max(1, round(side * factor)) for side in picture.size)
        picture = picture.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    return picture, factor


def _stained_immune(kind: NDArray[np.uint8], positive: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray((kind == Kind.IMMUNE) & positive)


def _above_strip(picture: Image.Image, mpp: float, legend: Sequence[LegendEntry]) -> Image.Image:
    width, height = picture.size
    sheet = Image.new("RGB", (width, height + 4 * _STRIP_ROW_PX + 12), PAPER)
    sheet.paste(picture, (0, 0))
    draw = ImageDraw.Draw(sheet)
    row_px = [height + 6 + _STRIP_ROW_PX * (row + 0.5) for row in range(4)]
    draw_scale_bar(draw, width - 8, row_px[3], width, mpp, _LETTER_PX)
    for index, (kind, positive, words) in enumerate(legend):
        x_px, y_px = 16 + (index % 2) * width * 0.46, row_px[index // 2]
        counted = words != UNCOUNTED_WORDS
        draw_mark(draw, x_px, y_px, kind, positive=positive, radius_px=8, line_px=2, counted=counted)
        draw.text((x_px + 18, y_px), words, font=font(_LETTER_PX), fill=INK, anchor="lm")
    return sheet


# The gallery of fields on disk: two pictures each and `fields.json`. Which fields, others decide.


_AT_ONCE = 4
"""Pictures are drawn and packed side by side: both are done outside Python."""

INFLUENCE = "influence"
"""Bucket of the fields that move the score most."""


@dataclass(frozen=True, eq=False)
class FieldView:
    """A field to show.

    Parameters
    ----------
    number : int
        As in its `FieldLattice`.
    rgb : uint8 array, (height, width, 3)
        Its pixels.
    mpp : float
        Micrometres per pixel of `rgb`.
    x_px, y_px : float array, (N,)
        Cell centres in pixels of `rgb`.
    kind : uint8 array, (N,)
        As `Kind`.
    positive : bool array, (N,)
        Whether the cell is PD-L1 positive.
    counted : bool array, (N,)
        Whether it enters the numerator; stained immune cells far from tumour do not.
    left_um, top_um : float
        Where the field's top left corner lies on the slide, from the slide's top left.
    caption : str
        Why it is shown, for instance "raises the score most".
    local_cps : float or None
        CPS of the field's own cells; None without tumour cells.
    bucket : str
        `INFLUENCE`, or the class of local CPS it was drawn from.
    """

    number: int
    rgb: NDArray[np.uint8]
    mpp: float
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    kind: NDArray[np.uint8]
    positive: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    left_um: float
    top_um: float
    caption: str
    local_cps: float | None = None
    bucket: str = INFLUENCE

    def counts(self) -> FieldCounts:
        """Return the number of cells by what they count as."""
        tumour, immune = self.kind == Kind.TUMOUR, self.kind == Kind.IMMUNE
        return FieldCounts(
            tumour_positive=int(np.count_nonzero(tumour & self.positive)),
            tumour_negative=int(np.count_nonzero(tumour & ~self.positive)),
            immune_positive=int(np.count_nonzero(immune & self.positive & self.counted)),
            immune_negative=int(np.count_nonzero(immune & ~self.positive)),
            immune_positive_not_associated=int(np.count_nonzero(immune & self.positive & ~self.counted)),
            other=int(np.count_nonzero(self.kind == Kind.OTHER)),
        )


def write_fields(folder: Path, fields: Sequence[FieldView]) -> dict[str, Image.Image]:
    """Write `fields/NN.jpg`, `fields/NN_cells.jpg` and `fields/fields.json` into a run's folder.

    Returns
    -------
    dict of str to PIL.Image.Image
        The pictures by file name inside the folder.
    """
    target = folder / "fields"
    target.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(_AT_ONCE, "field-pictures") as pool:
        written = list(pool.map(lambda field: _write_field(target, field), fields))
    FieldsDocument(fields=tuple(entry for entry, _ in written)).write(target / "fields.json")
    return {f"{target.name}/{name}": picture for _, two in written for name, picture in two.items()}


def _write_field(target: Path, field: FieldView) -> tuple[FieldEntry, dict[str, Image.Image]]:
    plain, marked = f"{field.number:02d}.jpg", f"{field.number:02d}_cells.jpg"
    pictures = {
        plain: plain_field_picture(field.rgb, field.mpp),
        marked: field_picture(
            field.rgb, field.x_px, field.y_px, field.kind, field.positive, field.mpp, field.counted
        ),
    }
    for name, picture in pictures.items():
        write_jpeg(picture, target / name)
    height, width = field.rgb.shape[:2]
    entry = FieldEntry(
        number=field.number,
        bucket=field.bucket,
        plain=plain,
        marked=marked,
        left_um=round(field.left_um, 1),
        top_um=round(field.top_um, 1),
        width_um=round(width * field.mpp, 1),
        height_um=round(height * field.mpp, 1),
        caption=field.caption,
        local_cps=field.local_cps,
        counts=field.counts(),
    )
    return entry, pictures
