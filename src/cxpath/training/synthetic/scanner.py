"""The scanner: from optical density to the picture a file holds.

White balance, gamma, blur, chromatic shift, sharpening, sensor noise, JPEG. Knows nothing of tissue.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.training.synthetic.noise import periodic_texture

FloatImage = NDArray[np.float32]

_SUBSAMPLING = {
    "4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    "4:2:2": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
}


@dataclass(frozen=True)
class Scanner:
    """Optics, sensor and file of one scanner.

    Parameters
    ----------
    white : tuple of float
        Red, green, blue of empty glass, 0-255.
    gamma : float
        Exponent applied to transmitted light; above 1 adds contrast.
    blur_um, sharpen_um, sharpen : float
        Standard deviation of the blur; of the unsharp mask, and its strength.
    chromatic_shift_um : float
        How far red and blue lie apart.
    noise : float
        Standard deviation of sensor noise in grey levels.
    saturation : float
        1 keeps colours; lower washes them out.
    black : float
        Grey level of complete darkness.
    jpeg_quality : int
        0 stores without loss.
    jpeg_subsampling : str
        "4:4:4", "4:2:2" or "4:2:0".
    """

    white: tuple[float, float, float] = (236.0, 234.0, 230.0)
    gamma: float = 1.0
    blur_um: float = 0.3
    sharpen_um: float = 0.6
    sharpen: float = 0.3
    chromatic_shift_um: float = 0.0
    noise: float = 1.0
    saturation: float = 1.0
    black: float = 6.0
    jpeg_quality: int = 85
    jpeg_subsampling: str = "4:2:0"


def random_scanner(rng: np.random.Generator) -> Scanner:
    """Draw a scanner for training."""
    level = rng.uniform(203, 252)
    tint = rng.normal(0, 1, 3) * rng.choice([2.0, 5.0, 8.0], p=[0.65, 0.3, 0.05]) + np.array([2.0, 0.5, -2.5])
    white = np.clip(level + tint, 180, 255)
    return Scanner(
        white=(float(white[0]), float(white[1]), float(white[2])),
        gamma=float(rng.uniform(0.85, 1.2)),
        blur_um=float(np.exp(rng.uniform(np.log(0.12), np.log(0.8)))),
        sharpen_um=float(rng.uniform(0.4, 1.2)),
        sharpen=float(rng.choice([0.0, 0.5, 1.3], p=[0.35, 0.4, 0.25]) * rng.uniform(0.5, 1.3)),
        chromatic_shift_um=float(rng.choice([0.0, 0.25]) * rng.uniform(0, 1)),
        noise=float(rng.uniform(0.2, 3.0)),
        saturation=float(rng.uniform(0.8, 1.15)),
        black=float(rng.uniform(0, 25)),
        jpeg_quality=int(rng.choice([0, 1], p=[0.2, 0.8]) * rng.integers(60, 96)),
        jpeg_subsampling=str(rng.choice(list(_SUBSAMPLING))),
    )


def scan(od: FloatImage, scanner: Scanner, mpp: float, origin_px: tuple[int, int]) -> NDArray[np.uint8]:
    """Turn optical density (height, width, 3) into uint8 RGB, before any compression.

    `origin_px` is the row and column of the window in its world, so that noise has no seams.
    """
    light = np.exp(od * np.float32(-np.log(10.0) * scanner.gamma))
    light = _optics(light, scanner, mpp)
    span = np.array(scanner.white, np.float32) - np.float32(scanner.black)
    picture = light * span + np.float32(scanner.black)
    if abs(scanner.saturation - 1.0) > 1e-3:
        grey = picture.mean(axis=2, keepdims=True)
        white_grey = np.array(scanner.white, np.float32) - np.float32(np.mean(scanner.white))
        chroma = picture - grey - white_grey
        picture = grey + white_grey + chroma * np.float32(scanner.saturation)
    if scanner.noise > 0:
        picture += _sensor_noise(od.shape[:2], origin_px) * np.float32(scanner.noise)
    return cv2.convertScaleAbs(np.clip(picture, 0, 255))  # type: ignore[return-value]


def jpeg_round_trip(rgb: NDArray[np.uint8], scanner: Scanner) -> NDArray[np.uint8]:
    """Compress and decompress as the scanner's file does."""
    if scanner.jpeg_quality == 0:
        return rgb
    settings = [
        cv2.IMWRITE_JPEG_QUALITY,
        scanner.jpeg_quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        _SUBSAMPLING[scanner.jpeg_subsampling],
    ]
    _, stream = cv2.imencode(".jpg", np.ascontiguousarray(rgb[..., ::-1]), settings)
    decoded = cv2.imdecode(stream, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(decoded[..., ::-1])  # type: ignore[index]


def _optics(light: FloatImage, scanner: Scanner, mpp: float) -> FloatImage:
    shift = scanner.chromatic_shift_um / mpp
    if shift > 0.02:
        moved = np.array([[1, 0, shift], [0, 1, 0]], np.float32)
        height, width = light.shape[:2]
        red = cv2.warpAffine(
            np.ascontiguousarray(light[..., 0]), moved, (width, height), borderMode=cv2.BORDER_REPLICATE
        )
        light[..., 0] = red
    if scanner.blur_um / mpp > 0.3:
        light = np.asarray(cv2.GaussianBlur(light, (0, 0), scanner.blur_um / mpp), np.float32)
    if scanner.sharpen > 0:
        soft = cv2.GaussianBlur(light, (0, 0), scanner.sharpen_um / mpp)
        light = light + (light - soft) * np.float32(scanner.sharpen)
        np.clip(light, 0, 1.08, out=light)
    return light


def _sensor_noise(shape: tuple[int, int], origin_px: tuple[int, int]) -> FloatImage:
    texture = periodic_texture(911, 0.45)
    rows = np.arange(origin_px[0], origin_px[0] + shape[0])
    columns = np.arange(origin_px[1], origin_px[1] + shape[1])
    planes = [texture[(rows * step + 37 * step) % 512][:, (columns + 101 * step) % 512] for step in (1, 3, 5)]
    return np.stack(planes, axis=2)
