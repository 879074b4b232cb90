"""Look: the overview in optical density, as every detector of artefacts sees it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
FloatImage = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Look:
    """The overview.

    Parameters
    ----------
    density : float32 array, (height, width, 3)
        Optical density of red, green, blue.
    mpp : float
        Micrometres per pixel.
    """

    density: FloatImage
    mpp: float

    @cached_property
    def mean(self) -> FloatImage:
        """Mean optical density: what any dye takes away."""
        return mean_density(self.density)

    @cached_property
    def blackness(self) -> FloatImage:
        """Least optical density of the three channels: each stain leaves one channel light, soot none."""
        return np.asarray(self.density.min(axis=2), np.float32)

    def smooth(self, image: FloatImage, width_um: float) -> FloatImage:
        """Blur an image of this look with a Gaussian of that standard deviation, half a pixel at least."""
        return np.asarray(cv2.GaussianBlur(image, (0, 0), max(width_um / self.mpp, 0.5)), np.float32)

    def widened(self, mask: Mask, by_um: float) -> Mask:
        """Grow a mask on all sides."""
        return within(mask, by_um / self.mpp)

    def opened(self, mask: Mask, width_um: float) -> Mask:
        """Drop what is narrower than `width_um`, and keep the outline of the rest."""
        reach_px = width_um / 2 / self.mpp
        core = distance_inside(mask) > reach_px
        return within(core, reach_px) & mask

    def pieces(self, mask: Mask, least_mm2: float) -> Mask:
        """Drop connected pieces smaller than `least_mm2`."""
        count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
        keep = stats[:, cv2.CC_STAT_AREA] * (self.mpp / 1000.0) ** 2 >= least_mm2
        keep[0] = False
        return np.asarray(keep[labels]) if count > 1 else np.zeros_like(mask)


def mean_density(density: FloatImage) -> FloatImage:
    """Return the mean of the three channels, (height, width); many times quicker than NumPy's."""
    return np.asarray(cv2.transform(density, np.full((1, 3), 1 / 3)), np.float32)


def distance_inside(mask: Mask) -> FloatImage:
    """Return for each pixel how far it lies inside the mask; the picture's border is no edge."""
    if mask.all():
        return np.full(mask.shape, np.float32(max(mask.shape)))
    return np.asarray(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5), np.float32)


def within(mask: Mask, reach_px: float) -> Mask:
    """Return the pixels that lie no farther than `reach_px` from the mask."""
    if not mask.any() or reach_px <= 0:
        return mask
    return np.asarray(distance_inside(~mask) <= reach_px)


def touching(weak: Mask, strong: Mask) -> Mask:
    """Return the connected pieces of `weak` that contain any of `strong`."""
    _, labels = cv2.connectedComponents((weak | strong).astype(np.uint8), connectivity=8)
    kept = np.zeros(int(labels.max()) + 1, bool)
    kept[np.unique(labels[strong])] = True
    kept[0] = False
    return np.asarray(kept[labels])
