"""Crops as poor scans would show them: softer, paler, noisier, compressed harder.

Drawn nuclei carry fine marks of their kind that a soft or coarsely compressed scan does not show. A network
that always sees these marks names cells by them, and is lost without; one that sometimes must do without
falls back on size, neighbours and what is common.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_HALF = 0.5
_BLUR_PX = (0.3, 1.5)
_LEFT_OF_CONTRAST = (0.7, 1.0)
_NOISE_LEVELS = (1.0, 6.0)
_JPEG_QUALITY = (40, 86)


def as_poor_scan(rgb: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a picture, uint8 (H, W, 3), spoiled in each of four ways or not, by chance."""
    if rng.random() < _HALF:
        sigma = rng.uniform(*_BLUR_PX)
        rgb = np.asarray(cv2.GaussianBlur(np.ascontiguousarray(rgb), (0, 0), sigma), np.uint8)
    if rng.random() < _HALF:
        rgb = faded(rgb, rng.uniform(*_LEFT_OF_CONTRAST))
    if rng.random() < _HALF:
        noise = rng.standard_normal(rgb.shape, dtype=np.float32) * np.float32(rng.uniform(*_NOISE_LEVELS))
        rgb = np.clip(rgb + noise, 0, 255).astype(np.uint8)
    if rng.random() < _HALF:
        rgb = compressed(rgb, int(rng.integers(*_JPEG_QUALITY)))
    return rgb


def faded(rgb: NDArray[np.uint8], left: float) -> NDArray[np.uint8]:
    """Return the picture with a share of its contrast to its own brightest light left."""
    white = np.quantile(rgb.reshape(-1, 3)[::7], 0.99, axis=0)
    return np.clip(np.rint(white + (rgb - white) * left), 0, 255).astype(np.uint8)


def compressed(rgb: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Return the picture after JPEG with colour at half resolution."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, stream = cv2.imencode(".jpg", np.ascontiguousarray(rgb[..., ::-1]), options)
    decoded = np.asarray(cv2.imdecode(stream, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(decoded[..., ::-1])
