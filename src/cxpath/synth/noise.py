"""Smooth noise: periodic textures sampled in world micrometres, and free-form fields for a layout.

Sampling depends only on a pixel's place in the world, so a window cut anywhere shows the same values.
Knows nothing of tissue.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

FloatImage = NDArray[np.float32]

TEXTURE_SIZE = 512


@lru_cache(maxsize=64)
def periodic_texture(seed: int, fine_texels: float, coarse_texels: float = 0.0) -> FloatImage:
    """Return a 512 x 512 texture that tiles without a seam, mean 0, standard deviation 1.

    Parameters
    ----------
    seed : int
        Same seed, same texture.
    fine_texels : float
        Structures smaller than this are smoothed away (gaussian, in texels).
    coarse_texels : float
        Structures larger than this are removed as well; 0 keeps them.
    """
    white = np.random.default_rng(seed).standard_normal((TEXTURE_SIZE, TEXTURE_SIZE))
    frequency = np.fft.fftfreq(TEXTURE_SIZE)
    squared = frequency[:, None] ** 2 + frequency[None, :] ** 2
    gain = np.exp(-2 * (np.pi * fine_texels) ** 2 * squared)
    if coarse_texels > 0:
        gain = gain - np.exp(-2 * (np.pi * coarse_texels) ** 2 * squared)
    smooth = np.fft.ifft2(np.fft.fft2(white) * gain).real
    smooth -= smooth.mean()
    texture: FloatImage = (smooth / smooth.std()).astype(np.float32)
    texture.flags.writeable = False
    return texture


def sample_periodic(
    texture: FloatImage, x_um: NDArray[np.float64], y_um: NDArray[np.float64], texel_um: float
) -> FloatImage:
    """Sample a periodic texture on the grid x_um by y_um, bilinearly; shape (len(y_um), len(x_um))."""
    return _sample_grid(texture, x_um / texel_um, y_um / texel_um, periodic=True)


def sample_map(
    field: FloatImage, x_um: NDArray[np.float64], y_um: NDArray[np.float64], step_um: float
) -> FloatImage:
    """Sample a world map (its value [0, 0] sits at half a step) on the grid x_um by y_um, bilinearly."""
    return _sample_grid(field, x_um / step_um - 0.5, y_um / step_um - 0.5, periodic=False)


def _sample_grid(
    source: FloatImage, columns: NDArray[np.float64], rows: NDArray[np.float64], *, periodic: bool
) -> FloatImage:
    left, right, across = _neighbours(columns, source.shape[1], periodic=periodic)
    top, bottom, down = _neighbours(rows, source.shape[0], periodic=periodic)
    used, inverse = np.unique(np.concatenate((top, bottom)), return_inverse=True)
    strip = np.ascontiguousarray(source[used].T)  # rows are gathered much faster than columns
    wide = _blend(strip, left, right, across).T
    return _blend(np.ascontiguousarray(wide), inverse[: len(top)], inverse[len(top) :], down)


def _blend(
    source: FloatImage, first: NDArray[np.intp], second: NDArray[np.intp], share: FloatImage
) -> FloatImage:
    result, step = source[first], source[second]
    step -= result
    step *= share[:, None]
    result += step
    return result


def _neighbours(
    place: NDArray[np.float64], length: int, *, periodic: bool
) -> tuple[NDArray[np.intp], NDArray[np.intp], FloatImage]:
    below = np.floor(place)
    share = (place - below).astype(np.float32)
    first = below.astype(np.intp)
    if periodic:
        return first % length, (first + 1) % length, share
    return first.clip(0, length - 1), (first + 1).clip(0, length - 1), share


def points_in_map(
    field: NDArray[np.generic], x_um: NDArray[np.float64], y_um: NDArray[np.float64], step_um: float
) -> NDArray[np.generic]:
    """Return the map's value nearest to each point; points outside take the border's."""
    rows = (y_um / step_um).astype(np.intp).clip(0, field.shape[0] - 1)
    columns = (x_um / step_um).astype(np.intp).clip(0, field.shape[1] - 1)
    values: NDArray[np.generic] = field[rows, columns]
    return values


def smooth_field(
    rng: np.random.Generator, shape: tuple[int, int], step_um: float, scale_um: float
) -> FloatImage:
    """Draw an isotropic smooth field of mean 0 and standard deviation 1; blobs about `scale_um` across."""
    spacing = max(1.0, scale_um / step_um / 4.0)
    coarse = (int(np.ceil(shape[0] / spacing)) + 12, int(np.ceil(shape[1] / spacing)) + 12)
    white = rng.standard_normal(coarse).astype(np.float32)
    soft = cv2.GaussianBlur(white, (0, 0), 1.7)[4:-4, 4:-4] * 6.0
    size = (round(soft.shape[1] * spacing), round(soft.shape[0] * spacing))
    large = cv2.resize(soft, size, interpolation=cv2.INTER_CUBIC)
    top, left = (large.shape[0] - shape[0]) // 2, (large.shape[1] - shape[1]) // 2
    return np.ascontiguousarray(large[top : top + shape[0], left : left + shape[1]], dtype=np.float32)
