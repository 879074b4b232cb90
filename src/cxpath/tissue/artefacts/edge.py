"""The cover slip's edge: a thin dark straight line from border to border of the picture.

Lines are proposed by the Hough transform on what is thin and dark in all channels. Where glass is of another
lightness on the two sides, the smaller side lies outside the cover slip and is left out with the line.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.tissue.artefacts.bubble import thin_dark
from cxpath.tissue.artefacts.look import FloatImage, Look, Mask
from cxpath.tissue.artefacts.settings import ArtefactSettings

LINE_UM = 16.0
BESIDE_UM = 32.0
PIECE_UM = 100.0
PROPOSALS = 12
ANGLE_STEP = np.pi / 720
OTHER_GLASS_OD = 0.02
MOST_OUTSIDE = 0.45
"""A larger side is not taken for the outside: which of two halves lies there cannot be told."""

GLASS_QUANTILE = 0.1
"""The lightest tenth of a side is taken for its glass."""


def find_edges(look: Look, settings: ArtefactSettings) -> Mask:
    """Find edges of the cover slip on the overview."""
    found = np.zeros(look.mean.shape, bool)
    if min(found.shape) * look.mpp < settings.edge_least_length_um:
        return found
    line_px = max(2, round(LINE_UM / look.mpp))
    for rho, theta in _proposals(thin_dark(look, line_px), settings):
        if _seen_share(look.blackness, rho, theta, look.mpp, settings) >= settings.edge_least_share:
            found |= _line_and_far_side(look, rho, theta, settings)
    return found


def _proposals(lines: FloatImage, settings: ArtefactSettings) -> NDArray[np.float64]:
    dark = (lines > settings.edge_line_od).astype(np.uint8)
    least = int(0.5 * min(lines.shape))
    proposed = cv2.HoughLines(dark, 1.0, ANGLE_STEP, least)
    return np.zeros((0, 2)) if proposed is None else np.asarray(proposed[:PROPOSALS, 0, :2], np.float64)


def _seen_share(
    blackness: FloatImage, rho: float, theta: float, mpp: float, settings: ArtefactSettings
) -> float:
    """Return the share of a line's pieces, border to border, that are darker than the pieces beside it."""
    beside_px = BESIDE_UM / mpp
    line, one_side, other_side = (
        np.maximum.reduce([_along(blackness, rho + away + shift, theta) for shift in (-1.0, 0.0, 1.0)])
        for away in (0.0, -beside_px, beside_px)
    )
    sides = np.maximum(one_side, other_side)
    known = np.isfinite(line) & np.isfinite(sides)
    piece_px = max(1, round(PIECE_UM / mpp))
    pieces = int(known.sum()) // piece_px
    if pieces * PIECE_UM < settings.edge_least_length_um:
        return 0.0
    line, sides = (values[known][: pieces * piece_px].reshape(pieces, piece_px) for values in (line, sides))
    return float((np.median(line, axis=1) - np.median(sides, axis=1) > settings.edge_line_od).mean())


def _along(image: FloatImage, rho: float, theta: float) -> FloatImage:
    """Return the image's values along a straight line; nan outside the picture."""
    reach = int(np.hypot(*image.shape)) + 1
    along = np.arange(-reach, reach + 1)
    columns = np.floor(rho * np.cos(theta) - along * np.sin(theta)).astype(int)
    rows = np.floor(rho * np.sin(theta) + along * np.cos(theta)).astype(int)
    inside = (rows >= 0) & (rows < image.shape[0]) & (columns >= 0) & (columns < image.shape[1])
    values = np.full(len(along), np.nan, np.float32)
    values[inside] = image[rows[inside], columns[inside]]
    return values


def _line_and_far_side(look: Look, rho: float, theta: float, settings: ArtefactSettings) -> Mask:
    rows, columns = np.indices(look.mean.shape)
    beyond_um = ((columns + 0.5) * np.cos(theta) + (rows + 0.5) * np.sin(theta) - rho) * look.mpp
    line = np.asarray(np.abs(beyond_um) <= settings.edge_margin_um, bool)
    sides = beyond_um > settings.edge_margin_um, beyond_um < -settings.edge_margin_um
    outside = min(sides, key=lambda side: int(side.sum()))
    if not 0 < outside.mean() < MOST_OUTSIDE:
        return line
    glass = [float(np.quantile(look.mean[side], GLASS_QUANTILE)) for side in sides]
    if abs(glass[0] - glass[1]) < OTHER_GLASS_OD:
        return line
    return np.asarray(line | outside)
