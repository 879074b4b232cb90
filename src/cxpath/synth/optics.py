"""Stains and scanner: from densities of dye to the picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.data import Direction
from cxpath.synth.noise import periodic_texture

# The scanner: from optical density to the picture a file contains.
#
# White balance, gamma, blur, chromatic shift, sharpening, sensor noise, JPEG. Knows nothing of tissue.


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


# The colours of one slide: stain directions, counterstain strength, pigments; layers to light.
#
# Directions and their spread are what real H-DAB slides show, not the textbook's (Ruifrok & Johnston 2001).
# Knows nothing of cells.


PALE_VIOLET: Direction = (0.63, 0.72, 0.30)
TEAL: Direction = (0.80, 0.52, 0.30)
TAN: Direction = (0.30, 0.50, 0.81)
CARBON: Direction = (0.57, 0.58, 0.58)
HAEMOSIDERIN: Direction = (0.25, 0.50, 0.83)
BLOOD: Direction = (0.22, 0.55, 0.80)


@dataclass(frozen=True)
class StainLook:
    """Stain directions (unit optical-density vectors, red green blue) and strengths of one slide.

    Parameters
    ----------
    haematoxylin, dab, tan : Direction
        Directions; tan is unstained cytoplasm and fibre.
    haematoxylin_gain, dab_gain : float
        Under- or over-staining; 1 draws the recipe's optical densities.
    dab_browning : float
        How far dense DAB shifts towards neutral dark brown (0-1), as real deposits scatter light.
    section_thickness : float
        Relative to a usual 4 µm section; scales all stain.
    stroma_blue_od, stroma_tan_od : float
        Haze of stroma in haematoxylin and tan.
    fibril_od : float
        Thin strands in stroma, greyish blue.
    """

    haematoxylin: Direction = (0.70, 0.64, 0.31)
    dab: Direction = (0.33, 0.53, 0.78)
    tan: Direction = TAN
    haematoxylin_gain: float = 1.0
    dab_gain: float = 1.0
    dab_browning: float = 0.3
    section_thickness: float = 1.0
    stroma_blue_od: float = 0.05
    stroma_tan_od: float = 0.03
    fibril_od: float = 0.04


@dataclass(frozen=True)
class StainRange:
    """The directions a set of slides may show: arcs between two ends, with some scatter.

    Parameters
    ----------
    haematoxylin_ends, dab_ends : tuple of two Direction
    scatter : float
        Largest amount added to or taken from each component before normalising.
    """

    haematoxylin_ends: tuple[Direction, Direction] = (TEAL, PALE_VIOLET)
    dab_ends: tuple[Direction, Direction] = ((0.22, 0.46, 0.88), (0.43, 0.58, 0.70))
    scatter: float = 0.025


TRAINING_STAINS = StainRange()

HELD_OUT_STAINS = StainRange(
    haematoxylin_ends=((0.455, 0.825, 0.335), (0.43, 0.84, 0.33)),
    dab_ends=((0.06, 0.29, 0.955), (0.04, 0.27, 0.962)),
    scatter=0.008,
)
"""Colours at least 10° from any of training's: for test fields only."""


def random_stain_look(rng: np.random.Generator, stains: StainRange = TRAINING_STAINS) -> StainLook:
    """Draw one slide's colours."""
    return StainLook(
        haematoxylin=_between(rng, stains.haematoxylin_ends, stains.scatter),
        dab=_between(rng, stains.dab_ends, stains.scatter),
        tan=_between(rng, ((0.25, 0.45, 0.85), (0.42, 0.58, 0.70)), 0.02),
        haematoxylin_gain=float(rng.uniform(0.8, 1.2)),
        dab_gain=float(rng.uniform(0.85, 1.15)),
        dab_browning=float(rng.uniform(0.0, 0.6)),
        section_thickness=float(rng.uniform(0.8, 1.2)),
        stroma_blue_od=float(np.exp(rng.uniform(np.log(0.006), np.log(0.11)))),
        stroma_tan_od=float(rng.choice([0.003, 0.012, 0.045]) * rng.uniform(0.5, 1.5)),
        fibril_od=float(rng.uniform(0.0, 0.1)),
    )


@dataclass(frozen=True, eq=False)
class StainLayers:
    """Amounts of everything that colours a window, as optical density; float32 (height, width) each."""

    haematoxylin: FloatImage
    dab: FloatImage
    tan: FloatImage
    carbon: FloatImage
    pigment: FloatImage
    blood: FloatImage

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> StainLayers:
        """Return layers of clear glass."""
        return cls(*(np.zeros(shape, np.float32) for _ in range(6)))

    def crop(self, rows: slice, columns: slice) -> StainLayers:
        """Return a window of the layers."""
        return StainLayers(
            *(
                layer[rows, columns]
                for layer in (self.haematoxylin, self.dab, self.tan, self.carbon, self.pigment, self.blood)
            )
        )


def optical_density(layers: StainLayers, look: StainLook) -> FloatImage:
    """Add up the light each layer takes: float32 (height, width, 3), red green blue (Beer-Lambert)."""
    haematoxylin = layers.haematoxylin * np.float32(look.haematoxylin_gain * look.section_thickness)
    dab = layers.dab * np.float32(look.dab_gain * look.section_thickness)
    dense = dab * dab / (dab + np.float32(1.2)) * np.float32(look.dab_browning)
    od = np.empty((*haematoxylin.shape, 3), np.float32)
    rare = [(layers.carbon, CARBON), (layers.pigment, HAEMOSIDERIN), (layers.blood, BLOOD)]
    present = [(layer, direction) for layer, direction in rare if layer.any()]
    for channel in range(3):
        plane = haematoxylin * np.float32(look.haematoxylin[channel])
        plane += dab * np.float32(look.dab[channel])
        plane += dense * np.float32(CARBON[channel] - 0.5 * look.dab[channel])
        plane += layers.tan * np.float32(look.tan[channel])
        for layer, direction in present:
            plane += layer * np.float32(direction[channel])
        od[..., channel] = plane
    return od


def _between(rng: np.random.Generator, ends: tuple[Direction, Direction], scatter: float) -> Direction:
    share = rng.random()
    mixed = np.array(ends[0]) * (1 - share) + np.array(ends[1]) * share + rng.uniform(-scatter, scatter, 3)
    unit = mixed / np.linalg.norm(mixed)
    return (float(unit[0]), float(unit[1]), float(unit[2]))
