"""Folds: long narrow ridges where the section lies double, denser in every stain that is there.

A cord of stained tumour is denser in DAB alone and a trail of lymphocytes in haematoxylin alone; a fold
doubles both (the idea of Kothari et al. 2013, colour and shape together, in stain amounts). Ridges are found
by a line detector: a short line against the strips on both sides of it, in many directions, at two widths.
Faint folds, and short ones, are left in the score.
"""

from __future__ import annotations

import cv2
import numpy as np

from cxpath.tissue.artefacts.look import FloatImage, Look, Mask, touching
from cxpath.tissue.artefacts.settings import ArtefactSettings
from cxpath.values.stains import StainBasis

DIRECTIONS = 12
LINE_PX, LONG_PX, BESIDE_PX = 3, 25, 5
"""Width and length of the line and distance of the strips beside it, in pixels of the resampled picture."""

WIDTHS_UM = (18.0, 45.0)
FLOOR_OD = 0.02
"""Added to both sides of a comparison, so that a trace of stain twice as strong is nothing."""

ALIKE = 1.8
"""A fold gains about as much of one stain as of the other; a cord of tumour gains far more DAB."""

FAINTEST_OD = 0.06
"""Tissue with less DAB is unstained: there haematoxylin alone decides,"""

BLUE_ALONE = 1.25
"""and must have gained by so much more."""

WEB = 2.0
"""Mean width, in widths of the line, from which a piece is a web of ridges and no fold."""

CONTINUED = 0.6
LEAST_OD = 0.06
"""How much denser in all a fold is at least."""


def find_folds(look: Look, tissue: Mask, settings: ArtefactSettings) -> Mask:
    """Find folds of the section on the overview.

    Parameters
    ----------
    look : Look
    tissue : bool array, (height, width)
        Folds lie in it.
    settings : ArtefactSettings
    """
    narrow, wide = WIDTHS_UM
    black = tissue & (look.smooth(look.blackness, wide / 4) > settings.fold_wide_black_od)
    folds = _folds_of_width(look, tissue, narrow, settings)
    return folds | _folds_of_width(look, black, wide, settings) if black.any() else folds


def _folds_of_width(look: Look, tissue: Mask, width_um: float, settings: ArtefactSettings) -> Mask:
    step = max(width_um / LINE_PX / look.mpp, 1.0)
    height, width = tissue.shape
    size = (max(1, round(width / step)), max(1, round(height / step)))
    density = np.asarray(cv2.resize(look.density, size, interpolation=cv2.INTER_AREA), np.float32)
    inside = np.asarray(cv2.resize(tissue.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST), bool)
    denser, mpp = _denser(density) * inside, look.mpp * step
    certain = _long_and_narrow(denser > settings.fold_denser, mpp, settings)
    continued = denser > 1 + CONTINUED * (settings.fold_denser - 1)
    folds = _long_and_narrow(touching(continued, certain), mpp, settings) if certain.any() else certain
    whole = cv2.resize(folds.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    return look.widened(np.asarray(whole, bool), width_um / 4)


def _denser(density: FloatImage) -> FloatImage:
    """Return how many times denser a line is, in the best direction and both stains, than on either side.

    0 where it is not so for both stains alike.
    """
    stains = [np.ascontiguousarray(amount) for amount in np.moveaxis(_amounts(density), -1, 0)]
    best = np.zeros(density.shape[:2], np.float32)
    for number in range(DIRECTIONS):
        angle = np.pi * number / DIRECTIONS
        lines = [np.asarray(cv2.filter2D(amount, -1, _line(angle)), np.float32) for amount in stains]
        beside = [_beside(line, angle) for line in lines]
        blue, brown = (
            (line + FLOOR_OD) / (side + FLOOR_OD) for line, side in zip(lines, beside, strict=True)
        )
        least, most = np.minimum(blue, brown), np.maximum(blue, brown)
        unstained = np.maximum(lines[1], beside[1]) < FAINTEST_OD
        gained = lines[0] + lines[1] - beside[0] - beside[1] > LEAST_OD
        denser = np.where(unstained, blue / BLUE_ALONE, np.where(most < ALIKE * least, least, 0))
        best = np.maximum(best, np.where(gained, denser, 0))
    return np.asarray(best, np.float32)


def _line(angle: float) -> FloatImage:
    """Return the weights of a short line through the middle of a square."""
    reach = LONG_PX // 2
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    along = columns * np.cos(angle) + rows * np.sin(angle)
    across = rows * np.cos(angle) - columns * np.sin(angle)
    weights = np.clip(LINE_PX / 2 + 0.5 - np.abs(across), 0, 1) * np.clip(reach + 0.5 - np.abs(along), 0, 1)
    return np.asarray(weights / weights.sum(), np.float32)


def _beside(line: FloatImage, angle: float) -> FloatImage:
    """Return the denser of the two strips beside each line: the line's own means, moved across."""
    down, right = round(BESIDE_PX * np.cos(angle)), round(-BESIDE_PX * np.sin(angle))
    height, width = line.shape
    framed = np.pad(line, BESIDE_PX, mode="edge")

    def moved(sign: int) -> FloatImage:
        top, left = BESIDE_PX + sign * down, BESIDE_PX + sign * right
        return np.asarray(framed[top : top + height, left : left + width], np.float32)

    return np.maximum(moved(1), moved(-1))


def _amounts(density: FloatImage) -> FloatImage:
    unmixed = density.reshape(-1, 3) @ StainBasis().unmixing()
    return np.asarray(np.maximum(unmixed, 0).reshape(*density.shape[:2], 2), np.float32)


def _long_and_narrow(ridge: Mask, mpp: float, settings: ArtefactSettings) -> Mask:
    """Keep pieces that are long for their mean width, which a web of crossing ridges is not."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ridge.astype(np.uint8), connectivity=8)
    length_um = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]) * mpp
    width_um = stats[:, cv2.CC_STAT_AREA] * mpp**2 / np.maximum(length_um, mpp)
    keep = length_um >= settings.fold_least_length_um
    keep &= length_um >= settings.fold_least_elongation * width_um
    keep &= width_um <= WEB * LINE_PX * mpp
    keep[0] = False
    return np.asarray(keep[labels]) if count > 1 else np.zeros_like(ridge)
