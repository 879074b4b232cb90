"""Artefacts of the section itself: tissue out of focus, and folds.

A short piece of a fold looks like a cord of tumour, but a fold continues, whatever tissue it crosses. So
short lines are compared with the strips on both sides of them, and what they gain is averaged along half a
millimetre: folds stand out from what the same slide's own structure reaches by chance. A cord of stained
tumour is denser in DAB alone and a trail of lymphocytes in haematoxylin alone; a fold doubles both (the idea
of Kothari et al. 2013, colour and shape together). Short and faint folds stay in the score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache, partial
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.data import StainBasis
from cxpath.tissue.settings import ArtefactSettings
from cxpath.tissue.stains import FloatImage, Look, Mask, touching, within

# Tissue out of focus.


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
    square = tissue[top:bottom, left:right]
    nearest = np.argmin(np.where(square, _from_middle(*square.shape), np.inf))
    inside_row, inside_column = np.unravel_index(nearest, square.shape)
    return left + inside_column + 0.5, top + inside_row + 0.5


@lru_cache(maxsize=8)
def _from_middle(height: int, width: int) -> NDArray[np.float64]:
    """Return the squared distance of each pixel from the middle; a lattice has squares of few sizes."""
    rows, columns = np.ogrid[:height, :width]
    return np.asarray((rows + 0.5 - height / 2) ** 2 + (columns + 0.5 - width / 2) ** 2)


def _with_neighbours(sharpness: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average each evaluated square with its evaluated neighbours, itself weighing most."""
    measurable = np.isfinite(sharpness)
    kernel = np.array([[1, 2, 1], [2, 6, 2], [1, 2, 1]], np.float64)
    total = cv2.filter2D(np.where(measurable, sharpness, 0.0), -1, kernel, borderType=cv2.BORDER_CONSTANT)
    weight = cv2.filter2D(measurable.astype(np.float64), -1, kernel, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(total / np.maximum(weight, 1e-9))


# Folds.


STEP_UM = 8.0
"""Resolution at which folds are looked for; finer, cells and glands make lines of their own."""

DIRECTIONS = 16
WIDTHS_UM = (14.0, 24.0, 38.0)
PIECE_UM = 60.0
"""Length of a short line."""

GAP_UM = 5.0
"""Between a line and the strips next to it."""

WANDERS_UM = 8.0
"""How far a fold may deviate from a straight line."""

LEAST_GAIN, MOST_GAIN = -0.3, 0.7
"""Logarithms of density over that next to it are cut off here: one dark clump is no long fold."""

RIDGE_GAIN = 0.2
"""What a pixel of a fold has gained,"""

RIDGE_REACH_UM = 12.0
"""this near to the line that was found."""

WEAKER = 0.58
"""A fold is followed down to this part of what it must stand out by."""

SIDE_TISSUE = 0.5
"""Share of the strips next to a line that is tissue, at least."""

FLOOR_OD = 0.04
"""Added to both sides of a comparison, so that a trace of stain twice as strong is nothing."""

BOTH_GAIN = 1.3
"""How many times as much of each stain a fold contains as the tissue around it,"""

EVEN_GAIN = 0.3
"""the stain that gains less at least this part of what the other gains,"""

FAINTEST_OD = 0.06
"""DAB being asked only where there is as much of it."""

SHORTEST_UM = 200.0
"""A piece that is left when all else is done is no shorter."""

BESIDE_UM = 40.0
FEWEST_PX = 200
"""Tissue with fewer pixels has no structure of its own to compare with."""


def find_folds(look: Look, tissue: Mask, settings: ArtefactSettings) -> Mask:
    """Find folds of the section on the overview.

    Parameters
    ----------
    look : Look
    tissue : bool array, (height, width)
        Folds lie in it.
    settings : ArtefactSettings
    """
    search = _Search(look, tissue, settings)
    if search.inside.sum() < FEWEST_PX:
        return np.zeros_like(tissue)
    folds = _of_both_stains(search.folds(), search)
    height, width = tissue.shape
    whole = cv2.resize(folds.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(whole, bool)


@dataclass(frozen=True, eq=False)
class _Search:
    """The tissue at the resolution at which folds are looked for."""

    look: Look
    tissue: Mask
    settings: ArtefactSettings

    @cached_property
    def mpp(self) -> float:
        """Micrometres per pixel of the search."""
        return max(STEP_UM, self.look.mpp)

    @cached_property
    def stains(self) -> FloatImage:
        """Amounts of haematoxylin and DAB, (height, width, 2)."""
        density = cv2.resize(self.look.density, self._size, interpolation=cv2.INTER_AREA)
        unmixed = np.maximum(density.reshape(-1, 3) @ StainBasis().unmixing(), 0)
        return np.asarray(unmixed.reshape(*density.shape[:2], 2), np.float32)

    @cached_property
    def inside(self) -> Mask:
        """Where tissue is, at the search's micrometres per pixel."""
        small = cv2.resize(self.tissue.astype(np.float32), self._size, interpolation=cv2.INTER_AREA)
        return np.asarray(small > 0.5)

    @property
    def _size(self) -> tuple[int, int]:
        height, width = self.tissue.shape
        step = self.mpp / self.look.mpp
        return max(1, round(width / step)), max(1, round(height / step))

    def folds(self) -> Mask:
        """Find what stands out, direction by direction."""
        gains = np.full(self.inside.shape, LEAST_GAIN, np.float32)
        reached = []
        for turn, _, along in self._directions(range(DIRECTIONS)):
            back = turn.back(along)
            np.maximum(gains, back, out=gains)
            reached.append(float(back[self.inside].max()))
        middle, high = np.quantile(gains[self.inside], [0.5, 0.9])
        must = self.settings.fold_contrast * (high - middle)
        cut = max(float(middle + must), self.settings.fold_least_gain)
        weaker = cut - (1 - WEAKER) * float(must)
        found = np.zeros_like(self.inside)
        for turn, ridge, along in self._directions([n for n in range(DIRECTIONS) if reached[n] > cut]):
            line, own = turn.back(along), turn.back(ridge)
            near = within(touching((line > weaker) & self.inside, line > cut), RIDGE_REACH_UM / self.mpp)
            found |= near & (own > RIDGE_GAIN) & self.inside
        return found

    def _directions(self, numbers: range | list[int]) -> Iterator[tuple[_Turn, FloatImage, FloatImage]]:
        """Yield turn, gain of short lines, and its mean along the whole length, in turned pixels."""
        density = self.stains.sum(axis=2)
        for number in numbers:
            turn = _Turn.of(density.shape, np.pi * number / DIRECTIONS)
            tissue = turn.there(self.inside.astype(np.float32))
            ridge = _gain(turn.there(density), tissue, self.mpp)
            wide = 2 * round(WANDERS_UM / self.mpp) + 1
            tolerant = cv2.dilate(ridge, np.ones((wide, 1), np.uint8))
            on_tissue = tolerant * tissue
            along = _mean(on_tissue, _odd(self.settings.fold_line_um / self.mpp), 1)
            yield turn, ridge, along


@dataclass(frozen=True, eq=False)
class _Turn:
    """A turn of a picture that lays one direction along its rows, and the way back."""

    matrix: FloatImage
    turned: tuple[int, int]
    original: tuple[int, int]

    @classmethod
    def of(cls, shape: tuple[int, ...], angle: float) -> _Turn:
        """Return the turn of a picture by an angle, without cutting a corner off."""
        height, width = shape[:2]
        side = int(np.ceil(np.hypot(height, width))) + 2
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(np.degrees(angle)), 1.0)
        shift = np.array([[0, 0, (side - width) / 2], [0, 0, (side - height) / 2]])
        return cls(np.asarray(matrix + shift, np.float32), (side, side), (width, height))

    def there(self, image: FloatImage) -> FloatImage:
        """Return a picture, turned."""
        return np.asarray(cv2.warpAffine(image, self.matrix, self.turned, borderValue=0), np.float32)

    def back(self, image: FloatImage) -> FloatImage:
        """Return a turned picture as it was before."""
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        turned = cv2.warpAffine(image, self.matrix, self.original, flags=flags, borderValue=LEAST_GAIN)
        return np.asarray(turned, np.float32)


def _gain(density: FloatImage, tissue: FloatImage, mpp: float) -> FloatImage:
    """Return the logarithm of how much denser a short line along the row is than the denser side of it.

    Both sides must contain tissue: a strand with glass next to it is no fold.
    """
    best = np.full(density.shape, np.exp(LEAST_GAIN), np.float32)
    images = (density, tissue, density * tissue)
    # Kept by their width in whole pixels, in which two widths are often the same.
    line, cover, held = (cache(partial(_mean, image, _odd(PIECE_UM / mpp))) for image in images)
    for width_um in WIDTHS_UM:
        strip_um = max(0.6 * width_um, 12.0)
        covered = cover(_odd(strip_um / mpp))
        strip = held(_odd(strip_um / mpp)) / np.maximum(covered, SIDE_TISSUE)
        strip[covered < SIDE_TISSUE] = np.inf  # next to which nothing is denser
        away = max(2, round((width_um / 2 + strip_um / 2 + GAP_UM) / mpp))
        sides = np.maximum(strip[2 * away :], strip[: -2 * away])
        between = slice(away, -away)
        gain = (line(_odd(0.8 * width_um / mpp))[between] + FLOOR_OD) / (sides + FLOOR_OD)
        np.maximum(best[between], gain, out=best[between])
    return np.asarray(np.clip(np.log(best), LEAST_GAIN, MOST_GAIN))


def _mean(image: FloatImage, length_px: int, width_px: int) -> FloatImage:
    """Average over a box along the rows."""
    return np.asarray(cv2.blur(image, (length_px, width_px), borderType=cv2.BORDER_REPLICATE), np.float32)


def _odd(length_px: float) -> int:
    """Return the nearest odd number of pixels, so that a box has a middle."""
    return max(1, 2 * round((length_px - 1) / 2) + 1)


def _of_both_stains(folds: Mask, search: _Search) -> Mask:
    """Drop short pieces, and those of one stain alone: cords of tumour, trails of lymphocytes."""
    count, labels = cv2.connectedComponents(within(folds, 2).astype(np.uint8), connectivity=8)
    kept = np.zeros_like(folds)
    for number in range(1, count):
        own = (labels == number) & folds
        around = within(own, BESIDE_UM / search.mpp) & ~within(own, GAP_UM / search.mpp) & search.inside
        if _extent_px(own) * search.mpp < SHORTEST_UM or not around.any():
            continue
        if _doubled(search.stains[own].mean(axis=0), search.stains[around].mean(axis=0)):
            kept |= own
    return kept


def _extent_px(mask: Mask) -> float:
    """Return the diagonal of the box around a mask."""
    rows, columns = np.nonzero(mask)
    return float(np.hypot(np.ptp(rows), np.ptp(columns)))


def _doubled(held: FloatImage, sides: FloatImage) -> bool:
    """Say whether a piece gained as a fold does, from its stains and those around it, (haematoxylin, DAB)."""
    if held[0] < BOTH_GAIN * sides[0]:
        return False
    if max(held[1], sides[1]) < FAINTEST_OD:
        return True
    parts = (held - sides) / np.maximum(sides, 1e-6)
    return bool(held[1] >= BOTH_GAIN * sides[1] and parts.min() >= EVEN_GAIN * parts.max())
