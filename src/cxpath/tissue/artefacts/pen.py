"""Ink of a marker: a hue that no stain has, or a stain's hue laid on thick and even.

Coloured ink leaves the wedge between haematoxylin and DAB (the hue rule of HistoQC's pen detection, Janowczyk
et al. 2019, in optical density instead of RGB). Brown and black ink do not; what gives them away is that
tissue, however dense, is grainy (standard deviation of its optical density over 40 µm at least .6 of its
mean on every real and synthetic picture looked at) while ink covers everything alike. Thin ink in a
stain's own hue, through which tissue shows, is not seen.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.tissue.look import FloatImage, Look, Mask, distance_inside, mean_density, touching
from cxpath.tissue.settings import ArtefactSettings
from cxpath.tissue.stains import stain_hue

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
    ink |= _even(look, look.mean, settings.pen_even_od, settings.pen_most_contrast, settings, contrast)
    ink |= _even(look, look.blackness, settings.pen_black_od, settings.pen_black_contrast, settings, contrast)
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
    look: Look,
    what: FloatImage,
    least_od: float,
    most_contrast: float,
    settings: ArtefactSettings,
    contrast: Contrast,
) -> Mask:
    """Find dense marks that are even both on the overview and closely seen, and what continues them."""
    width_um = settings.pen_least_width_um / 4
    mean = look.smooth(look.mean, width_um)
    spread = np.sqrt(np.maximum(look.smooth(look.mean**2, width_um) - mean**2, 0))
    dense = (look.smooth(what, width_um) > least_od) & (spread < most_contrast * mean)
    marks = look.opened(dense, settings.pen_least_width_um)
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
