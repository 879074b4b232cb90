"""One field of a slide as a picture: plain, or with its cells marked. Knows nothing of why it was chosen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cxpath.report.lettering import draw_scale_bar, font
from cxpath.report.marks import LEGEND, UNCOUNTED_WORDS, WHOLE_LEGEND, LegendEntry, draw_mark
from cxpath.report.palette import INK, PAPER
from cxpath.values.cell_table import Kind

SMALLEST_SIDE_PX, LARGEST_SIDE_PX = 700, 1000
MARK_RADIUS_UM = 3.6
SMALLEST_MARK_PX, LARGEST_MARK_PX = 5.0, 8.0
"""Radius of a mark: a nucleus's, but neither a dot nor so large that it hides its cell."""

_OVERSAMPLING = 2
"""Marks are drawn so much larger and averaged; pixels doubled and averaged are what they were."""

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
    size = picture.size
    large = picture.resize((size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING), Image.Resampling.NEAREST)
    draw, zoom = ImageDraw.Draw(large), factor * _OVERSAMPLING
    radius_px = (
        float(np.clip(MARK_RADIUS_UM / mpp * factor, SMALLEST_MARK_PX, LARGEST_MARK_PX)) * _OVERSAMPLING
    )
    order = np.argsort(_drawn_last(kind, positive), kind="stable")
    for row in order:
        draw_mark(
            draw,
            float(x_px[row]) * zoom,
            float(y_px[row]) * zoom,
            Kind(int(kind[row])),
            positive=bool(positive[row]),
            radius_px=radius_px,
            line_px=2 * _OVERSAMPLING,
            counted=counted is None or bool(counted[row]),
        )
    return large.reduce(_OVERSAMPLING), factor


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
