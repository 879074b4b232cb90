"""Air bubbles under the cover slip: circles with a thin rim that is dark in every colour.

Circles are fitted to connected lines that are thin and dark in all channels, and kept when the rim is seen on
most of the way around; a bubble that is cut by the picture's border, or touches another, may be missed.
Glands, vessels and pearls are neither so round nor so neutral.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.tissue.artefacts.look import FloatImage, Look, Mask
from cxpath.tissue.artefacts.settings import ArtefactSettings

RIM_UM = 10.0
"""Rims are not much wider than this; what is wider is no rim."""

ANGLES = 180
LEVELS_OD = (0.2, 0.35, 0.5)
"""Rims are looked for at each: pale ones are lost at a high level, those among nuclei at a low."""

LONGER = 1.3
FITS = 6


def find_bubbles(look: Look, settings: ArtefactSettings) -> Mask:
    """Find bubbles on the overview; each is taken whole, rim included."""
    found = np.zeros(look.mean.shape, np.uint8)
    rim_px = max(2, round(RIM_UM / look.mpp))
    lines = thin_dark(look, rim_px)
    least, largest = (
        radius / look.mpp for radius in (settings.bubble_least_radius_um, settings.bubble_largest_radius_um)
    )
    least = max(least, 2.0 * rim_px)
    for x, y, radius in _circles(lines, least, min(largest, max(lines.shape))):
        if _seen_rim(look.blackness, x, y, radius, rim_px, settings) >= settings.bubble_least_rim:
            cv2.circle(found, (round(x), round(y)), round(radius) + rim_px // 2, 1, -1)
    return found.astype(bool)


def thin_dark(look: Look, width_px: int) -> FloatImage:
    """Return by how much thin things are darker in every channel than what is around them."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width_px + 1, 2 * width_px + 1))
    return np.asarray(cv2.morphologyEx(look.blackness, cv2.MORPH_TOPHAT, disc), np.float32)


def _circles(lines: FloatImage, least_px: float, largest_px: float) -> list[tuple[float, float, float]]:
    """Fit a circle to every connected dark line of about equal height and width; column, row, radius."""
    fitted = []
    for level in LEVELS_OD:
        count, labels, stats, _ = cv2.connectedComponentsWithStats(
            (lines > level).astype(np.uint8), connectivity=8
        )
        width, height = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]
        round_enough = np.maximum(width, height) < LONGER * np.minimum(width, height)
        size_fits = (np.minimum(width, height) > 2 * least_px) & (np.maximum(width, height) < 2 * largest_px)
        for number in range(1, count):
            if round_enough[number] and size_fits[number]:
                left, top, wide, high = (int(value) for value in stats[number, :4])
                rows, columns = np.nonzero(labels[top : top + high, left : left + wide] == number)
                fitted.append(_fitted((columns + left).astype(np.float64), (rows + top).astype(np.float64)))
    return [circle for circle in fitted if least_px <= circle[2] <= largest_px]


def _fitted(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float, float]:
    """Fit a circle by least squares (Kasa 1976), dropping the farther half of the points each time."""
    centre_x, centre_y = float(x.min() + x.max()) / 2, float(y.min() + y.max()) / 2
    radius = float(np.ptp(x) + np.ptp(y)) / 4
    for _ in range(FITS):
        off = np.abs(np.hypot(x - centre_x, y - centre_y) - radius)
        near = off <= max(np.quantile(off, 0.6), 1.0)
        design = np.column_stack([x[near], y[near], np.ones(int(near.sum()))])
        a, b, c = np.linalg.lstsq(design, x[near] ** 2 + y[near] ** 2, rcond=None)[0]
        centre_x, centre_y = float(a) / 2, float(b) / 2
        radius = float(np.sqrt(max(c + centre_x**2 + centre_y**2, 0.0)))
    return centre_x, centre_y, radius


def _seen_rim(
    blackness: FloatImage, x: float, y: float, radius: float, rim_px: int, settings: ArtefactSettings
) -> float:
    """Return the share of the circle inside the picture on which a rim stands out against both sides."""
    angle = np.linspace(0, 2 * np.pi, ANGLES, endpoint=False)[:, None]
    away = np.arange(-2 * rim_px, 2 * rim_px + 1)[None, :] + radius
    columns = (x + away * np.cos(angle)).round().astype(int)
    rows = (y + away * np.sin(angle)).round().astype(int)
    inside = (rows >= 0) & (rows < blackness.shape[0]) & (columns >= 0) & (columns < blackness.shape[1])
    whole = inside.all(axis=1)
    if whole.sum() < ANGLES / 2:
        return 0.0
    profile = blackness[rows[whole], columns[whole]]
    rim = profile[:, rim_px : 3 * rim_px + 1].max(axis=1)
    sides = np.maximum(
        profile[:, : rim_px // 2 + 1].mean(axis=1), profile[:, -(rim_px // 2 + 1) :].mean(axis=1)
    )
    return float((rim - sides > settings.bubble_rim_od).mean())
