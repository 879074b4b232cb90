"""From source pixels to output pixels: exact separable averaging, rounded to nearest without bias."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from cxpath.slide.sampling import Sampling


def resample(source: NDArray[np.uint8], along_y: Sampling, along_x: Sampling) -> NDArray[np.uint8]:
    """Average (or interpolate) a picture down to its output pixels.

    Parameters
    ----------
    source : uint8 array, (along_y.length, along_x.length, 3)
        The source pixels from (along_y.first, along_x.first) on.
    along_y, along_x : Sampling
        Where rows and columns of the output lie.

    Returns
    -------
    uint8 array, (along_y.number, along_x.number, 3)
        Nearest whole grey level of the exact mean; a tie goes to the even one, so nothing drifts brighter.
    """
    factor = along_x.whole_factor
    if factor is None or factor != along_y.whole_factor:
        return _weighted(source, along_y.weights(), along_x.weights())
    if factor == 1:
        return np.ascontiguousarray(source)
    return block_mean(source, along_y.number, along_x.number, factor)


def block_mean(source: NDArray[np.uint8], height: int, width: int, factor: int) -> NDArray[np.uint8]:
    """Average blocks of `factor` x `factor` pixels to a picture of (height, width, 3)."""
    if factor == 2:
        # On 8 bits OpenCV rounds the ties of 2 x 2 upwards (+0.125 grey levels on average). On fourfold
        # 16-bit values it returns the exact sum of the four pixels, which is then rounded once.
        sums = cv2.resize(source.astype(np.uint16) * 4, (width, height), interpolation=cv2.INTER_AREA)
        return _as_uint8(cv2.convertScaleAbs(sums, alpha=0.25))
    return _as_uint8(cv2.resize(source, (width, height), interpolation=cv2.INTER_AREA))


def _weighted(
    source: NDArray[np.uint8], rows: sparse.csr_array, columns: sparse.csr_array
) -> NDArray[np.uint8]:
    halfway = _along_first_axis(rows, source.astype(np.float32))
    # transposed for the second pass, since the sparse product wants its axis first
    finished = _along_first_axis(columns, np.asarray(cv2.transpose(halfway), dtype=np.float32))
    return _as_uint8(cv2.convertScaleAbs(cv2.transpose(finished)))


def _along_first_axis(weights: sparse.csr_array, values: NDArray[np.float32]) -> NDArray[np.float32]:
    product = weights @ values.reshape(len(values), -1)
    return np.asarray(product, dtype=np.float32).reshape(weights.shape[0], -1, 3)


def _as_uint8(picture: object) -> NDArray[np.uint8]:
    return np.asarray(picture, dtype=np.uint8)
