"""Small pictures of tissue in optical density, and artefacts painted on them by hand."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

from cxpath.data.slide_info import DEFAULT_DAB, DEFAULT_HEMATOXYLIN, unit
from cxpath.tissue.artefacts.foreign_matter import Contrast
from cxpath.tissue.artefacts.section import measure_sharpness
from cxpath.tissue.stains import FloatImage, Look, Mask

SIDE_PX = 320
MPP = 2.0
HAEM, DAB = unit(DEFAULT_HEMATOXYLIN), unit(DEFAULT_DAB)
INKS = {
    "blue": (0.9, 0.5, 0.1),
    "red": (0.1, 0.7, 0.6),
    "green": (0.8, 0.3, 0.7),
    "black": (0.8, 0.8, 0.8),
    "brown": (0.45, 0.75, 1.0),
}


def grains(seed: int, size_um: float = 8.0) -> FloatImage:
    """Nuclei-sized grains, 0 to about 3, mean about .4."""
    noise = np.random.default_rng(seed).normal(size=(SIDE_PX, SIDE_PX))
    smooth = gaussian_filter(noise, size_um / MPP / 2.5, mode="reflect")
    return np.asarray(np.maximum(smooth / smooth.std(), 0), np.float32)


def tissue_density(seed: int = 0, haematoxylin: float = 0.25, dab: float = 0.0) -> FloatImage:
    """Tissue all over the picture: grains of haematoxylin and, shifted against them, of DAB."""
    blue, brown = grains(seed), grains(seed + 1)
    density = haematoxylin * (0.1 + blue)[..., None] * HAEM + dab * (0.1 + brown)[..., None] * DAB
    return np.asarray(density, np.float32)


CLEAN = {
    "haematoxylin alone": tissue_density(1, 0.3),
    "dense DAB tumour": tissue_density(2, 0.3, 1.0),
    "dark lymphoid aggregate": tissue_density(3, 0.8),
    "keratin": np.float32(0.5) * tissue_density(4, 0.1, 0.2) + np.asarray(0.08 * DAB, np.float32),
    "pale": tissue_density(5, 0.06),
}


def distance_um() -> FloatImage:
    """Distance of each pixel from the picture's centre."""
    rows, columns = np.indices((SIDE_PX, SIDE_PX)) + 0.5
    return np.asarray(np.hypot(rows - SIDE_PX / 2, columns - SIDE_PX / 2) * MPP, np.float32)


def stroke(width_um: float = 90.0, slope: float = 0.4) -> Mask:
    """A straight band across the picture."""
    rows, columns = np.indices((SIDE_PX, SIDE_PX))
    across = (rows - SIDE_PX / 2) - slope * (columns - SIDE_PX / 2)
    return np.asarray(np.abs(across) * MPP < width_um / 2 * np.hypot(1, slope))


def softly(mask: Mask) -> FloatImage:
    """The mask with a soft border, times one."""
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0)[..., None], np.float32)


def look_at(density: FloatImage) -> Look:
    return Look(np.ascontiguousarray(density, np.float32), MPP)


def contrast_of(density: FloatImage) -> Contrast:
    """What a close look at a place of the picture says of its relative contrast."""

    def contrast(column: float, row: float) -> float:
        patch = density[max(0, int(row) - 10) : int(row) + 10, max(0, int(column) - 10) : int(column) + 10]
        return measure_sharpness(np.ascontiguousarray(patch.mean(axis=2)), MPP).relative_contrast

    return contrast


def rng(found: Mask, true: Mask) -> float:
    return 2 * float((found & true).sum()) / max(1, int(found.sum()) + int(true.sum()))
