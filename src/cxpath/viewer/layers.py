"""Layers over the slide: the local score of small squares, outlines of tissue and of drawn regions."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.review import COUNTED, TUMOUR
from cxpath.slide import Slide
from cxpath.tissue import TissueSettings, read_overview, tissue_mask
from cxpath.viewer.session import ReviewSession

HEATMAP_UM = 250.0
_SMALLEST_OUTLINE_PX = 12.0
"""Of the overview: what encloses less is dust."""


def heatmap_document(session: ReviewSession, square_um: float = HEATMAP_UM) -> dict[str, Any]:
    """Return the local CPS of all squares of the slide as its cells are now; null without tumour cells."""
    with session.lock:
        facts, table, ways = session.network.facts, session.cells.table, session.live.ways
    side_px = square_um / facts.mpp
    columns, rows = (int(np.ceil(size / side_px)) for size in (facts.width_px, facts.height_px))
    across = np.clip((table.x_px / side_px).astype(np.int64), 0, columns - 1)
    down = np.clip((table.y_px / side_px).astype(np.int64), 0, rows - 1)
    place = down * columns + across
    positive, tumour = (
        np.bincount(place[np.isin(ways, which)], minlength=columns * rows) for which in (COUNTED, TUMOUR)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        cps = np.minimum(100.0 * positive / tumour, 100.0)
    return {
        "left_px": 0.0,
        "top_px": 0.0,
        "side_px": side_px,
        "columns": columns,
        "rows": rows,
        "cps": [
            round(value, 3) if count else None for value, count in zip(cps.tolist(), tumour, strict=True)
        ],
        "tumour": tumour.tolist(),
    }


def tissue_document(slide: Slide, white_point: tuple[float, float, float]) -> dict[str, Any]:
    """Return the outlines of the tissue and of holes in it, in level-0 pixels.

    Parameters
    ----------
    slide : Slide
    white_point : tuple of float
        Of the run.
    """
    settings = TissueSettings()
    overview, mpp = read_overview(slide, settings)
    mask = tissue_mask(overview, mpp, white_point, settings)
    outlines, holes = _outlines(mask, mpp / slide.mpp)
    return {"polygons": outlines, "holes": holes}


Rings = list[list[list[float]]]


def _outlines(mask: NDArray[np.bool_], to_level_0: float) -> tuple[Rings, Rings]:
    """Return outer rings and rings of holes; pixel centres lie at .5."""
    found, tree = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_TC89_L1)
    outer: Rings = []
    inner: Rings = []
    for place, contour in enumerate(found):
        if cv2.contourArea(contour) < _SMALLEST_OUTLINE_PX:
            continue
        ring = ((contour[:, 0, :] + 0.5) * to_level_0).round(1).tolist()
        (outer if tree[0][place][3] < 0 else inner).append(ring)
    return outer, inner
