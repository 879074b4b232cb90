"""Tissue out of focus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.tissue.settings import ArtefactSettings
from cxpath.tissue.stains import Look, Mask

# How sharp a patch is: fine structure over coarser structure of the same patch.
#
# The share of fine in coarser bands does not depend on how much there is to see, so pale and dense, blue and
# brown tissue are evaluated alike (the normalisation behind Crete et al. 2007, with two
# difference-of-Gaussian bands in micrometres; a defocus takes the fine band first).


FINE_UM, MIDDLE_UM, COARSE_UM, COARSEST_UM = 0.7, 1.4, 2.8, 5.6


@dataclass(frozen=True)
class Sharpness:
    """What a close look at one patch says.

    Parameters
    ----------
    sharpness : float
        Standard deviation of structure of 0.7-1.4 µm over that of 1.4-2.8 µm; about 0.5 to 1.1 in focus.
    contrast_od : float
        Standard deviation of structure of 2.8-5.6 µm: whether there is anything to evaluate.
    relative_contrast : float
        Standard deviation over mean of the optical density.
    """

    sharpness: float
    contrast_od: float
    relative_contrast: float


def measure_sharpness(density: NDArray[np.float32], mpp: float) -> Sharpness:
    """Measure a patch of mean optical density, (height, width), at about 1 µm/px or finer."""
    widths = (FINE_UM, MIDDLE_UM, COARSE_UM, COARSEST_UM)
    blurred = [cv2.GaussianBlur(density, (0, 0), width / mpp) for width in widths]
    fine, middle, coarse = (_mean_and_spread(one - other)[1] for one, other in pairwise(blurred))
    mean, spread = _mean_and_spread(density)
    return Sharpness(
        sharpness=fine / middle if middle > 0 else 1.0,
        contrast_od=coarse,
        relative_contrast=spread / mean if mean > 0 else np.inf,
    )


def _mean_and_spread(image: NDArray[np.float32]) -> tuple[float, float]:
    """Return mean and standard deviation; OpenCV needs one pass where NumPy needs three."""
    mean, spread = cv2.meanStdDev(image)
    return float(mean[0, 0]), float(spread[0, 0])


# Out of focus: tissue whose fine structure is missing, evaluated on patches at about 1 µm per pixel.
#
# Patches stand on a lattice over the tissue, side by side on small slides, farther apart on large ones, so
# that the cost has a limit. Each patch speaks for its square of the lattice, together with its neighbours.


LEAST_TISSUE = 0.25
"""Share of tissue below which a square of the lattice is not evaluated."""

OWN_QUANTILE = 0.95
"""The slide's own sharpness is that of its sharpest part, so that a mostly blurred slide has one."""

FEWEST_EVALUATED = 4

LookClosely = Callable[[float, float], Sharpness]
"""Measures the patch around a place of the overview (column, row)."""


@dataclass(frozen=True, eq=False)
class FocusLattice:
    """Squares of the overview, centred on the picture so that turning it turns the lattice.

    Parameters
    ----------
    rows, columns : int64 array
        Square that each overview row (column) belongs to.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int]:
        """Squares down and across."""
        return int(self.rows[-1]) + 1, int(self.columns[-1]) + 1

    def mean(self, image: NDArray[np.generic]) -> NDArray[np.float64]:
        """Return the mean of an image over each square."""
        number = self.rows[:, None] * self.shape[1] + self.columns[None, :]
        size = self.shape[0] * self.shape[1]
        total = np.bincount(number.ravel(), weights=image.ravel().astype(np.float64), minlength=size)
        return np.asarray((total / np.bincount(number.ravel(), minlength=size)).reshape(self.shape))

    def spread(self, values: NDArray[np.bool_]) -> Mask:
        """Return the squares' values at every pixel of the overview."""
        return np.asarray(values[self.rows[:, None], self.columns[None, :]])


def find_blur(look: Look, tissue: Mask, settings: ArtefactSettings, look_closely: LookClosely) -> Mask:
    """Find tissue that is out of focus.

    Parameters
    ----------
    look : Look
    tissue : bool array, (height, width)
        Where to evaluate.
    settings : ArtefactSettings
    look_closely : callable
    """
    if not tissue.any():
        return np.zeros_like(tissue)
    lattice = lay_lattice(look, tissue, settings)
    sharpness = _sharpness(lattice, tissue, settings, look_closely)
    measurable = np.isfinite(sharpness)
    if measurable.sum() < FEWEST_EVALUATED:
        return np.zeros_like(tissue)
    calm = _with_neighbours(sharpness)
    return tissue & lattice.spread(measurable & (calm < cut_of(sharpness[measurable], settings)))


def cut_of(sharpness: NDArray[np.float64], settings: ArtefactSettings) -> float:
    """Return below which sharpness this slide is out of focus."""
    own = float(np.quantile(sharpness, OWN_QUANTILE))
    return float(
        np.clip(
            settings.blur_share_of_own * own,
            settings.blur_softest_threshold,
            settings.blur_sharpest_threshold,
        )
    )


def lay_lattice(look: Look, tissue: Mask, settings: ArtefactSettings) -> FocusLattice:
    """Lay squares so large that at most `blur_patches` of them fill with tissue."""
    area_um2 = float(tissue.sum()) * look.mpp**2
    side_um = max(settings.blur_patch_um, np.sqrt(area_um2 / settings.blur_patches))
    height, width = tissue.shape
    return FocusLattice(_squares(height, side_um / look.mpp), _squares(width, side_um / look.mpp))


def _squares(length_px: int, side_px: float) -> NDArray[np.int64]:
    number = max(1, round(length_px / side_px))
    squares = np.minimum((np.arange(length_px) + 0.5) * number // length_px, number - 1)
    return np.asarray(squares, np.int64)


def _sharpness(
    lattice: FocusLattice, tissue: Mask, settings: ArtefactSettings, look_closely: LookClosely
) -> NDArray[np.float64]:
    """Measure every square with enough tissue; nan where there is nothing to evaluate."""
    share = lattice.mean(tissue)
    sharpness = np.full(lattice.shape, np.nan)
    for row, column in zip(*np.nonzero(share >= LEAST_TISSUE), strict=True):
        seen = look_closely(*_place(lattice, tissue, int(row), int(column)))
        if seen.contrast_od >= settings.blur_least_contrast_od:
            sharpness[row, column] = seen.sharpness
    return sharpness


def _place(lattice: FocusLattice, tissue: Mask, row: int, column: int) -> tuple[float, float]:
    """Return the middle of the tissue in a square, as column and row of the overview."""
    top, bottom = np.searchsorted(lattice.rows, [row, row + 1])
    left, right = np.searchsorted(lattice.columns, [column, column + 1])
    inside_rows, inside_columns = np.nonzero(tissue[top:bottom, left:right])
    middle = (bottom - top) / 2, (right - left) / 2
    nearest = int(np.argmin((inside_rows + 0.5 - middle[0]) ** 2 + (inside_columns + 0.5 - middle[1]) ** 2))
    return left + inside_columns[nearest] + 0.5, top + inside_rows[nearest] + 0.5


def _with_neighbours(sharpness: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average each evaluated square with its evaluated neighbours, itself weighing most."""
    measurable = np.isfinite(sharpness)
    kernel = np.array([[1, 2, 1], [2, 6, 2], [1, 2, 1]], np.float64)
    total = cv2.filter2D(np.where(measurable, sharpness, 0.0), -1, kernel, borderType=cv2.BORDER_CONSTANT)
    weight = cv2.filter2D(measurable.astype(np.float64), -1, kernel, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(total / np.maximum(weight, 1e-9))
