"""Artefacts of cutting, mounting and scanning, laid over a painted field; says which pixels they spoil."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.synth.noise import FloatImage, smooth_field
from cxpath.synth.recipe import Artefacts

PENS: tuple[tuple[float, float, float], ...] = (
    (0.9, 0.5, 0.1),
    (0.1, 0.7, 0.6),
    (0.8, 0.3, 0.7),
    (0.8, 0.8, 0.8),
)
"""Optical-density colours of blue, red, green and black ink."""


def lay_artefacts(
    rng: np.random.Generator, od: FloatImage, artefacts: Artefacts, mpp: float
) -> tuple[FloatImage, NDArray[np.bool_]]:
    """Return the optical density with artefacts, and the pixels in which cells cannot be evaluated."""
    spoiled = np.zeros(od.shape[:2], bool)
    if artefacts.fold:
        od, spoiled = _fold(rng, od, spoiled, mpp)
    if artefacts.crush:
        od, spoiled = _crush(rng, od, spoiled, mpp)
    if artefacts.bubble:
        od, spoiled = _bubble(rng, od, spoiled, mpp)
    if artefacts.pen:
        od, spoiled = _pen(rng, od, spoiled, mpp)
    if artefacts.defocus_um > 0:
        od, spoiled = _defocus(rng, od, spoiled, artefacts.defocus_um / mpp, mpp)
    return od, spoiled


def _strip(rng: np.random.Generator, shape: tuple[int, int], mpp: float, width_um: float) -> FloatImage:
    """Distance in µm to the edge of a wavy strip across the field, positive inside."""
    angle, wave = rng.uniform(0, np.pi), smooth_field(rng, shape, mpp, 120.0)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    centre = np.array(shape) * rng.uniform(0.2, 0.8, 2)
    across = (x - centre[1]) * np.cos(angle) + (y - centre[0]) * np.sin(angle)
    strip: FloatImage = (width_um / 2 - np.abs(across * mpp + 8 * wave)).astype(np.float32)
    return strip


def _fold(
    rng: np.random.Generator, od: FloatImage, spoiled: NDArray[np.bool_], mpp: float
) -> tuple[FloatImage, NDArray[np.bool_]]:
    strip = _strip(rng, od.shape[:2], mpp, rng.uniform(10, 35))
    share = np.clip(strip / 3 + 0.5, 0, 1)[..., None]
    other = np.roll(od[:, ::-1], int(rng.integers(od.shape[0])), axis=0)
    folded = od + share * (0.7 * other + 0.25 * cv2.GaussianBlur(od, (0, 0), 3 / mpp))
    return folded.astype(np.float32), spoiled | (strip > -2)


def _crush(
    rng: np.random.Generator, od: FloatImage, spoiled: NDArray[np.bool_], mpp: float
) -> tuple[FloatImage, NDArray[np.bool_]]:
    """Smear nuclei along one direction."""
    strip = _strip(rng, od.shape[:2], mpp, rng.uniform(40, 110))
    length = max(3, int(rng.uniform(10, 24) / mpp)) | 1
    line = np.zeros((length, length), np.float32)
    line[length // 2] = 1.0
    turn = cv2.getRotationMatrix2D((length // 2, length // 2), float(rng.uniform(0, 180)), 1.0)
    turned = np.asarray(cv2.warpAffine(line, turn, (length, length)), np.float32)
    smeared = cv2.filter2D(od, -1, turned / turned.sum()) * np.float32(1.5)
    share = np.clip(strip / 12 + 0.5, 0, 1)[..., None]
    return (od * (1 - share) + smeared * share).astype(np.float32), spoiled | (strip > -4)


def _bubble(
    rng: np.random.Generator, od: FloatImage, spoiled: NDArray[np.bool_], mpp: float
) -> tuple[FloatImage, NDArray[np.bool_]]:
    height, width = od.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    away = np.hypot(x - rng.uniform(0, width), y - rng.uniform(0, height)) * mpp
    edge = rng.uniform(30, 110) - away
    blurred = cv2.GaussianBlur(od, (0, 0), 2.0 / mpp) * np.float32(0.75)
    share = np.clip(edge / 3 + 0.5, 0, 1)[..., None]
    rim = 0.7 * np.exp(-((edge / 3.5) ** 2))[..., None]
    result = od * (1 - share) + blurred * share + rim * np.array([0.9, 1.0, 1.0], np.float32)
    return result.astype(np.float32), spoiled | (edge > -7)


def _pen(
    rng: np.random.Generator, od: FloatImage, spoiled: NDArray[np.bool_], mpp: float
) -> tuple[FloatImage, NDArray[np.bool_]]:
    strip = _strip(rng, od.shape[:2], mpp, rng.uniform(50, 200))
    uneven = 1 + 0.2 * smooth_field(rng, od.shape[:2], mpp, 30.0)
    ink = (np.clip(strip / 10 + 0.5, 0, 1) * uneven * rng.uniform(0.4, 1.5))[..., None]
    colour = np.array(PENS[rng.integers(len(PENS))], np.float32)
    return (
        cv2.GaussianBlur(od, (0, 0), 1.0 / mpp) * 0.3 * (ink > 0.02)
        + od * (1 - 0.3 * (ink > 0.02))
        + ink * colour
    ).astype(np.float32), spoiled | (strip > -5)


def _defocus(
    rng: np.random.Generator, od: FloatImage, spoiled: NDArray[np.bool_], sigma_px: float, mpp: float
) -> tuple[FloatImage, NDArray[np.bool_]]:
    where = smooth_field(rng, od.shape[:2], mpp, 150.0) + rng.uniform(-0.5, 1.2)
    share = np.clip(where * 3 + 0.5, 0, 1)[..., None]
    blurred = cv2.GaussianBlur(od, (0, 0), sigma_px)
    return (od * (1 - share) + blurred * share).astype(np.float32), spoiled | (where > 0)
