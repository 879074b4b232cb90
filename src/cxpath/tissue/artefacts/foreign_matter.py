"""Artefacts that are not tissue: ink of a marker, air bubbles, cover-slip edges and dark spots."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.tissue.settings import ArtefactSettings
from cxpath.tissue.stains import FloatImage, Look, Mask, distance_inside, mean_density, stain_hue, touching

# Ink of a marker: a hue that no stain has, or a stain's hue laid on thick and even.
#
# Coloured ink leaves the wedge between haematoxylin and DAB (the hue rule of HistoQC's pen detection,
# Janowczyk et al. 2019, in optical density instead of RGB). Brown and black ink do not; what gives them away
# is that tissue, however dense, is grainy (standard deviation of its optical density over 40 µm at least .6
# of its mean on every real and synthetic picture looked at) while ink covers everything alike. Thin ink in a
# stain's own hue, through which tissue shows, is not seen.

SMOOTHING_UM = 12.0
WEAKER = 0.6
"""How much of the hue limit suffices next to plain ink: strokes fade out."""

VISIBLE_OD = 0.05
SAME_HUE = 0.15
SAME_DENSITY = 0.7
"""What continues a mark: how far its unit direction of optical density may turn, and how thin it may get."""

LOOKS = 5
"""Places at which one even mark is looked at closely."""

Contrast = Callable[[float, float], float]
"""Relative contrast at a place of the overview (column, row): standard deviation over mean of the OD."""


def find_pen(look: Look, settings: ArtefactSettings, contrast: Contrast) -> Mask:
    """Find ink of any colour on the overview.

    Parameters
    ----------
    look : Look
    settings : ArtefactSettings
    contrast : callable
        Looks closely at a place.
    """
    ink = _coloured(look, settings)
    width_um = settings.pen_least_width_um / 4
    mean = look.smooth(look.mean, width_um)
    spread = np.sqrt(np.maximum(look.smooth(look.mean**2, width_um) - mean**2, 0))
    for density, least_od, most_contrast in (
        (mean, settings.pen_even_od, settings.pen_most_contrast),
        (look.smooth(look.blackness, width_um), settings.pen_black_od, settings.pen_black_contrast),
    ):
        dense = (density > least_od) & (spread < most_contrast * mean)
        ink |= _even(look, dense, most_contrast, settings, contrast)
    return look.pieces(ink, settings.pen_least_mm2)


def _coloured(look: Look, settings: ArtefactSettings) -> Mask:
    density = np.stack([look.smooth(look.density[..., c], SMOOTHING_UM) for c in range(3)], axis=-1)
    strangeness = _strangeness(density, settings)
    mean = mean_density(density)
    plain = look.opened((strangeness > 1) & (mean > settings.pen_least_od), settings.pen_least_width_um)
    plain = look.pieces(plain, settings.pen_least_mm2 / 2)
    faint = (strangeness > WEAKER) & (mean > settings.pen_least_od / 2)
    near = look.widened(plain, settings.pen_least_width_um / 4)
    return touching(faint & near, plain)


def _strangeness(density: FloatImage, settings: ArtefactSettings) -> NDArray[np.float32]:
    """Return how far a hue lies from the stains' in units of the limits; above 1 it is ink's."""
    visible = mean_density(density) > VISIBLE_OD
    strangeness = np.zeros(visible.shape, np.float32)
    hue = stain_hue(density[visible])
    blue = hue.brownness / settings.pen_bluest
    strangeness[visible] = np.maximum(np.abs(hue.offplane) / settings.pen_offplane, blue)
    return strangeness


def _even(
    look: Look, dense: Mask, most_contrast: float, settings: ArtefactSettings, contrast: Contrast
) -> Mask:
    """Find marks, dense and even on the overview, that are even closely seen, and what continues them."""
    marks = look.opened(dense, settings.pen_least_width_um)
    if not marks.any():
        return marks
    count, labels, stats, _ = cv2.connectedComponentsWithStats(marks.astype(np.uint8), connectivity=8)
    least_px = settings.pen_least_mm2 * (1000.0 / look.mpp) ** 2
    kept = np.zeros_like(marks)
    for label in range(1, count):
        if stats[label, cv2.CC_STAT_AREA] < least_px:
            continue
        mark = np.asarray(labels == label)
        if _typical(mark, contrast) < most_contrast:
            kept |= mark
    return _continued(look, kept, settings)


def _continued(look: Look, marks: Mask, settings: ArtefactSettings) -> Mask:
    """Follow each mark to where it is as dense and of the same hue, though it lies over grainy tissue."""
    if not marks.any():
        return marks
    density = np.stack([look.smooth(look.density[..., c], SMOOTHING_UM / 2) for c in range(3)], axis=-1)
    length = np.linalg.norm(density, axis=2)
    direction = density / np.maximum(length, 1e-3)[..., None]
    _, labels = cv2.connectedComponents(marks.astype(np.uint8), connectivity=8)
    whole = marks.copy()
    for number in range(1, int(labels.max()) + 1):
        mark = labels == number
        own = np.median(direction[mark], axis=0)
        alike = np.linalg.norm(direction - own, axis=2) < SAME_HUE
        dense = length > SAME_DENSITY * np.median(length[mark])
        like = look.opened((alike & dense) | mark, settings.pen_least_width_um)
        whole |= touching(like, mark)
    return whole


def _typical(mark: Mask, contrast: Contrast) -> float:
    """Return the median contrast at places deep inside a mark."""
    depth = distance_inside(np.pad(mark, 1))[1:-1, 1:-1]
    rows, columns = np.nonzero(mark & (depth >= np.quantile(depth[mark], 0.7)))
    chosen = np.unique(np.linspace(0, len(rows) - 1, LOOKS).round().astype(int))
    return float(np.median([contrast(columns[i] + 0.5, rows[i] + 0.5) for i in chosen]))


# Air bubbles under the cover slip: circles with a thin rim that is dark in every colour.
#
# Circles are fitted to connected lines that are thin and dark in all channels, and kept when the rim is seen
# on most of the way around; a bubble that is cut by the picture's border, or touches another, may be missed.
# Glands, vessels and pearls are neither so round nor so neutral.


BUBBLE_RIM_UM = 10.0
"""Rims are not much wider than this; what is wider is no rim."""

ANGLES = 180
LEVELS_OD = (0.2, 0.35, 0.5)
"""Rims are looked for at each: pale ones are lost at a high level, those among nuclei at a low."""

LONGER = 1.3
FITS = 6


def find_bubbles(look: Look, settings: ArtefactSettings) -> Mask:
    """Find bubbles on the overview; each is taken whole, rim included."""
    found = np.zeros(look.mean.shape, np.uint8)
    rim_px = max(2, round(BUBBLE_RIM_UM / look.mpp))
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


# Dark spots: dust, soot, metal and other black matter, which takes light of every colour.
#
# Haematoxylin leaves blue and DAB leaves red light through, so the least optical density of the three
# channels stays low on stained tissue over anything wider than a nucleus, and is high on what is black.


DARK_RIM_UM = 12.0


def find_dark(look: Look, settings: ArtefactSettings) -> Mask:
    """Find nearly black spots on the overview, with their rims."""
    core = look.opened(look.blackness > settings.dark_least_od, settings.dark_least_width_um)
    rim = (look.blackness > settings.dark_rim_od) & look.widened(core, DARK_RIM_UM)
    spots = touching(rim, core)
    if not spots.any():
        return spots
    _, labels, stats, _ = cv2.connectedComponentsWithStats(spots.astype(np.uint8), connectivity=8)
    longest = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    keep = longest * look.mpp <= settings.dark_largest_um
    keep[0] = False
    return np.asarray(keep[labels])


# The cover slip's edge: a thin dark straight line from border to border of the picture.
#
# Lines are proposed by the Hough transform on what is thin and dark in all channels. Where glass is of
# another lightness on the two sides, the smaller side lies outside the cover slip and is left out with the
# line.


LINE_UM = 16.0
BESIDE_UM = 32.0
PIECE_UM = 100.0
PROPOSALS = 12
ANGLE_STEP = np.pi / 720
OTHER_GLASS_OD = 0.02
MOST_OUTSIDE = 0.45
"""A larger side does not count as outside: which of two halves lies there cannot be determined."""

GLASS_QUANTILE = 0.1
"""The lightest tenth of a side counts as its glass."""


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
    """Return the share of a line's pieces, border to border, that are darker than the pieces next to it."""
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
