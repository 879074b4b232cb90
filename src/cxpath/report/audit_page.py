"""The contact sheet of an audit: one crop a cell, its call hidden, and the answers as radio buttons.

The page needs no connection: pictures are inside it, and it saves the answers as a CSV of its own making.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cxpath.report.html import render_page

CROP_UM = 76.0
"""Side of the tissue around a cell: 64 µm at least are needed to see its surroundings."""

_SHOWN_PX = 320
_QUALITY = 90
_TICK_PX = 14
_INNER_UM = (11.0, 14.5)
"""From and to where thin marks point at the cell, outside even a large one."""

_MARK = (255, 255, 0)


@dataclass(frozen=True, eq=False)
class CellCrop:
    """A cell to show.

    Parameters
    ----------
    name : str
        As in the table of answers: "C001".
    rgb : uint8 array, (side, side, 3)
        The cell lies in the middle.
    asks_stained : bool
    """

    name: str
    rgb: NDArray[np.uint8]
    asks_stained: bool


@dataclass(frozen=True, eq=False)
class SquareCrop:
    """A square in which missed cells are counted.

    Parameters
    ----------
    name : str
        As in the table of answers: "S1".
    rgb : uint8 array, (side, side, 3)
        With a margin around the square.
    margin : float
        Width of the margin as a share of the picture's side.
    found : float array, (N, 2)
        x and y of the cells that were found, as shares of the picture's side.
    """

    name: str
    rgb: NDArray[np.uint8]
    margin: float
    found: NDArray[np.float64]


def audit_page(
    slide_name: str, audit: str, cells: Sequence[CellCrop], squares: Sequence[SquareCrop], research_use: str
) -> str:
    """Return the contact sheet's HTML.

    Parameters
    ----------
    slide_name : str
        As the run shows it.
    audit : str
        Identifies the draw in the table of answers.
    cells : sequence of CellCrop
    squares : sequence of SquareCrop
    research_use : str
    """
    return render_page(
        "audit.html.j2",
        slide_name=slide_name,
        audit=audit,
        crop_um=CROP_UM,
        cells=[
            {"name": one.name, "picture": _uri(_ticked(one.rgb)), "asks_stained": one.asks_stained}
            for one in cells
        ],
        squares=[{"name": one.name, "picture": _uri(_framed(one))} for one in squares],
        research_use=research_use,
    )


def _enlarged(rgb: NDArray[np.uint8]) -> Image.Image:
    picture = Image.fromarray(np.ascontiguousarray(rgb[..., :3]))
    return picture.resize((_SHOWN_PX, _SHOWN_PX), Image.Resampling.BICUBIC)


def _ticked(rgb: NDArray[np.uint8]) -> Image.Image:
    """Point at the middle from all four sides, and leave the cell and its surroundings free."""
    picture = _enlarged(rgb)
    draw, middle, last = ImageDraw.Draw(picture), _SHOWN_PX / 2, _SHOWN_PX - 1
    for line in (
        (middle, 0, middle, _TICK_PX),
        (middle, last - _TICK_PX, middle, last),
        (0, middle, _TICK_PX, middle),
        (last - _TICK_PX, middle, last, middle),
    ):
        draw.line(line, fill=(0, 0, 0), width=5)
        draw.line(line, fill=_MARK, width=3)
    near, far = (middle + length / CROP_UM * _SHOWN_PX for length in _INNER_UM)
    for start, end in ((near, far), (_SHOWN_PX - near, _SHOWN_PX - far)):
        for inner in ((middle, start, middle, end), (start, middle, end, middle)):
            draw.line(inner, fill=(0, 0, 0), width=3)
            draw.line(inner, fill=_MARK, width=1)
    return picture


def _framed(square: SquareCrop) -> Image.Image:
    """Frame the square and put a small ring on every cell that was found, the same for all classes."""
    picture = _enlarged(square.rgb)
    draw, margin = ImageDraw.Draw(picture), square.margin * _SHOWN_PX
    draw.rectangle((margin, margin, _SHOWN_PX - margin, _SHOWN_PX - margin), outline=_MARK, width=2)
    for x, y in square.found * _SHOWN_PX:
        draw.ellipse((x - 4, y - 4, x + 4, y + 4), outline=(0, 0, 0), width=3)
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), outline=_MARK, width=1)
    return picture


def _uri(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=_QUALITY, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
