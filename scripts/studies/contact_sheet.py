"""Many pictures on one sheet, in rows with a heading: plain ones, and ones with their cells marked.

One legend and one scale bar serve all; knows nothing of where pictures and cells come from.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cxpath.data.cells import Kind
from cxpath.errors import OutputError
from cxpath.io.atomic import atomic_write
from cxpath.report.cell_pictures import LEGEND, draw_mark, marked_cells
from cxpath.report.html import INK, PAPER, draw_scale_bar, font

GAP_PX, HEADING_PX, CAPTION_PX, LEGEND_PX = 12, 38, 28, 48
_LETTER_PX = 17
_WIDTH_PX, _LARGEST_PX, _LEGEND_STEP_PX = 1476, 640, 215
_QUALITIES = (88, 82, 76, 70, 62, 54, 45, 35)


@dataclass(frozen=True, eq=False)
class ShownCells:
    """Cells to mark, N in all; arrays as `report.field_picture` takes them."""

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    kind: NDArray[np.uint8]
    positive: NDArray[np.bool_]

    @property
    def cps(self) -> float:
        """Positive tumour and immune cells for 100 tumour cells, at most 100; every immune cell counts."""
        counted = int((self.positive & (self.kind != Kind.OTHER)).sum())
        return min(100.0, 100.0 * counted / max(1, int((self.kind == Kind.TUMOUR).sum())))


@dataclass(frozen=True, eq=False)
class Panel:
    """One square picture, uint8 (side, side, 3), its cells if they are to be marked, and words beneath."""

    rgb: NDArray[np.uint8]
    caption: str = ""
    cells: ShownCells | None = None


def marked_panels(
    pictures: Sequence[NDArray[np.uint8]], cells: Sequence[ShownCells], words: str
) -> list[Panel]:
    """Return pictures with their cells marked, and beneath each its CPS after some words."""
    return [Panel(rgb, f"{words} {shown.cps:.1f}", shown) for rgb, shown in zip(pictures, cells, strict=True)]


def contact_sheet(
    rows: Mapping[str, Sequence[Panel]], mpp: float, panel_px: int | None = None
) -> Image.Image:
    """Lay out pictures of one size and one resolution.

    Parameters
    ----------
    rows : mapping of str to sequence of Panel
        A heading and the pictures under it; rows may differ in length.
    mpp : float
        Micrometres per pixel of every picture.
    panel_px : int, optional
        Side of a picture on the sheet; fewer columns have larger ones when left out.
    """
    columns = max(len(panels) for panels in rows.values())
    panel_px = panel_px or min(_LARGEST_PX, _WIDTH_PX // columns - GAP_PX)
    row_px = HEADING_PX + panel_px + CAPTION_PX
    width = GAP_PX + columns * (panel_px + GAP_PX)
    legend_rows = -(-(len(LEGEND) + 1) // _in_legend_row(width))
    sheet = Image.new("RGB", (width, len(rows) * row_px + legend_rows * LEGEND_PX), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, (heading, panels) in enumerate(rows.items()):
        top = number * row_px
        draw.text((GAP_PX, top + HEADING_PX / 2), heading, font=font(_LETTER_PX + 3), fill=INK, anchor="lm")
        for column, panel in enumerate(panels):
            left = GAP_PX + column * (panel_px + GAP_PX)
            sheet.paste(_picture(panel, mpp, panel_px), (left, top + HEADING_PX))
            beneath = (left, top + HEADING_PX + panel_px + CAPTION_PX / 2)
            draw.text(beneath, panel.caption, font=font(_LETTER_PX - 2), fill=INK, anchor="lm")
    side_px = next(panel.rgb.shape[1] for panels in rows.values() for panel in panels)
    _legend(draw, len(rows) * row_px, width)
    bar_px = len(rows) * row_px + (legend_rows - 0.5) * LEGEND_PX
    draw_scale_bar(draw, width - GAP_PX, bar_px, panel_px, mpp * side_px / panel_px, _LETTER_PX - 2)
    return sheet


def write_small(sheet: Image.Image, path: Path, largest_bytes: int = 400_000) -> int:
    """Write a sheet as WebP, as good as its size allows; returns the quality.

    Raises
    ------
    OutputError
        When the file cannot be written, or is too large even at the lowest quality.
    """
    for quality in _QUALITIES:
        stream = io.BytesIO()
        sheet.save(stream, format="WEBP", quality=quality, method=6)
        if len(stream.getvalue()) <= largest_bytes:
            with atomic_write(path) as partial:
                partial.write_bytes(stream.getvalue())
            return quality
    raise OutputError(f"{path}: larger than {largest_bytes} bytes at any quality", "show fewer pictures")


def _picture(panel: Panel, mpp: float, side_px: int) -> Image.Image:
    picture = Image.fromarray(np.ascontiguousarray(panel.rgb[..., :3]))
    if panel.cells is not None:
        cells = panel.cells
        picture, _ = marked_cells(panel.rgb, cells.x_px, cells.y_px, cells.kind, cells.positive, mpp)
    return picture.resize((side_px, side_px), Image.Resampling.LANCZOS)


def _in_legend_row(width: int) -> int:
    return max(1, width // _LEGEND_STEP_PX)


def _legend(draw: ImageDraw.ImageDraw, top: float, width: int) -> None:
    """Draw every mark and its words; the last place is left to the scale bar."""
    in_row = _in_legend_row(width)
    for index, (kind, positive, words) in enumerate(LEGEND):
        x_px = GAP_PX + 8 + index % in_row * (width / in_row)
        y_px = top + (index // in_row + 0.5) * LEGEND_PX
        draw_mark(draw, x_px, y_px, kind, positive=positive, radius_px=8, line_px=2)
        draw.text((x_px + 16, y_px), words, font=font(_LETTER_PX - 2), fill=INK, anchor="lm")
