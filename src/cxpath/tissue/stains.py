"""The overview in optical density, and the stains of a slide."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.data import (
    DEFAULT_DAB,
    DEFAULT_HEMATOXYLIN,
    Direction,
    Reason,
    ReasonCode,
    StainBasis,
    optical_density,
    unit,
)
from cxpath.slide import Slide
from cxpath.tissue.settings import TissueSettings

# Look: the overview in optical density, as every detector of artefacts sees it.

Mask = NDArray[np.bool_]
FloatImage = NDArray[np.float32]
Pixel = TypeVar("Pixel", np.uint8, np.float32)


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
        return np.asarray(np.minimum.reduce(channels(self.density)), np.float32)

    def smooth(self, image: FloatImage, width_um: float) -> FloatImage:
        """Blur an image of this look with a Gaussian of that standard deviation, half a pixel at least."""
        return np.asarray(cv2.GaussianBlur(image, (0, 0), max(width_um / self.mpp, 0.5)), np.float32)

    def widened(self, mask: Mask, by_um: float) -> Mask:
        """Grow a mask on all sides."""
        return within(mask, by_um / self.mpp)

    def opened(self, mask: Mask, width_um: float) -> Mask:
        """Drop what is narrower than `width_um`, and keep the outline of the rest."""
        if not mask.any():
            return mask
        reach_px = width_um / 2 / self.mpp
        core = distance_inside(mask) > reach_px
        return within(core, reach_px) & mask

    def pieces(self, mask: Mask, least_mm2: float) -> Mask:
        """Drop connected pieces smaller than `least_mm2`."""
        if not mask.any():
            return mask
        _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
        keep = stats[:, cv2.CC_STAT_AREA] * (self.mpp / 1000.0) ** 2 >= least_mm2
        keep[0] = False
        return np.asarray(keep[labels])


def channels(pixels: NDArray[Pixel]) -> list[NDArray[Pixel]]:
    """Return red, green and blue, each (...), of pixels (..., 3).

    What is made of these takes NumPy a tenth of the time that it takes over an axis of three, to the same
    last digit.
    """
    return list(np.moveaxis(pixels, -1, 0))


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
    if not strong.any():
        return np.zeros_like(weak)
    _, labels = cv2.connectedComponents((weak | strong).astype(np.uint8), connectivity=8)
    kept = np.zeros(int(labels.max()) + 1, bool)
    kept[np.unique(labels[strong])] = True
    kept[0] = False
    return np.asarray(kept[labels])


# Where a colour stands between haematoxylin, DAB and what is neither.
#
# Two numbers describe an optical density whatever its amount. `brownness` is the share of blue less the
# share of red: about -0.25 for haematoxylin, +0.3 for DAB. `offplane` is how far the direction leaves the
# plane of the two stains, negative towards eosin (-0.7).


@dataclass(frozen=True, eq=False)
class StainHue:
    """Arrays of length N."""

    brownness: NDArray[np.float32]
    offplane: NDArray[np.float32]


def stain_hue(density: NDArray[np.float32]) -> StainHue:
    """Describe colours by brownness and distance from the haematoxylin-DAB plane.

    Parameters
    ----------
    density : float32 array, (N, 3)
        Optical densities, none of them all zero.
    """
    normal = np.cross(unit(DEFAULT_HEMATOXYLIN), unit(DEFAULT_DAB))
    normal = (normal / np.linalg.norm(normal)).astype(np.float32)
    red, green, blue = channels(density)
    return StainHue(
        brownness=(blue - red) / (red + green + blue),
        offplane=(density @ normal) / np.sqrt(red * red + green * green + blue * blue),
    )


# The colour of empty glass: optical density is measured from it.


WhitePoint = tuple[float, float, float]

BRIGHTEST_SHARE = 0.03
BEYOND_SCAN = 254
DARKEST_GLASS = 120.0


def estimate_white_point(overview: NDArray[np.uint8]) -> WhitePoint:
    """Return the colour of the brightest part of a slide.

    Real glass is a warm 187 to 250. Pure white is what readers fill in beyond the scan, so it is left
    out as long as something else is there.

    Parameters
    ----------
    overview : uint8 array, (height, width, 3)

    Returns
    -------
    tuple of float
        Median red, green, blue of the brightest 3 % of pixels.
    """
    red, green, blue = cv2.split(overview)
    scanned = np.minimum(np.minimum(red, green), blue) < BEYOND_SCAN
    if np.count_nonzero(scanned) < BRIGHTEST_SHARE * scanned.size:
        scanned[:] = True
    brightness = red.astype(np.uint16) + green + blue
    least = np.quantile(brightness[scanned], 1.0 - BRIGHTEST_SHARE)
    light = np.median(overview[scanned & (brightness >= least)], axis=0)
    return float(light[0]), float(light[1]), float(light[2])


def is_brightfield(white_point: WhitePoint) -> bool:
    """Say whether the brightest part could be lit glass; in fluorescence it is dark or coloured."""
    return min(white_point) >= DARKEST_GLASS


# Whether a slide can be scored by its stain: H-DAB in brightfield, haematoxylin alone included.
#
# The limits were chosen on real slides and fields: of the immunohistochemistry pictures in the shared data
# none is refused (worst share of pink .05), three H&E ones are (.18 and .70, the third by its pale tissue).


FEWEST_STAINED_PIXELS = 200
PINK_OFFPLANE = -0.20
PINK_BROWNNESS = -0.15
MOST_PINK = 0.10
BROWN_HUE = 0.12
NO_BROWN = 0.01
PALE_PINK_OFFPLANE = -0.085
PALE_REDDER_BY = 0.07
PALE_NEARER_BY = 0.015

NOT_BRIGHTFIELD = Reason(
    ReasonCode.NOT_BRIGHTFIELD,
    "not a brightfield slide (its brightest part is dark or coloured, as in fluorescence): "
    "scan the H-DAB stained section in brightfield",
)
NO_TISSUE = Reason(
    ReasonCode.NO_TISSUE,
    "no tissue was found on the slide: check that the right slide was scanned, and in focus",
)
EOSIN = Reason(
    ReasonCode.NOT_HDAB,
    "the tissue's colour lies outside haematoxylin and DAB (pink, as in H&E): "
    "choose the PD-L1 slide, or pass --stain-check off if this stain is meant",
)


def why_stain_refused(density: NDArray[np.float32], white_point: WhitePoint) -> tuple[Reason, ...]:
    """Return why the slide's stain cannot be scored; empty when it can.

    Parameters
    ----------
    density : float32 array, (N, 3)
        Optical densities of visible tissue pixels.
    white_point : tuple of float
    """
    if not is_brightfield(white_point):
        return (NOT_BRIGHTFIELD,)
    if len(density) < FEWEST_STAINED_PIXELS:
        return (NO_TISSUE,)
    hue = stain_hue(density)
    return (EOSIN,) if _is_pink(hue) or _pale_is_pink(hue, density.sum(axis=1)) else ()


def _is_pink(hue: StainHue) -> bool:
    """Enough pixels are plainly eosin: off the plane, and not as blue as a violet haematoxylin."""
    pink = (hue.offplane < PINK_OFFPLANE) & (hue.brownness > PINK_BROWNNESS)
    return float(pink.mean()) > MOST_PINK


def _pale_is_pink(hue: StainHue, total: NDArray[np.float32]) -> bool:
    """Without any brown: cytoplasm and stroma are pinker than the nuclei.

    A violet haematoxylin alone lies off the plane as well, but its pale tissue lies nearer to the plane
    than its nuclei do; eosin does the reverse.
    """
    if float((hue.brownness > BROWN_HUE).mean()) >= NO_BROWN:
        return False
    pale, dark = total < np.median(total), total > np.quantile(total, 0.9)
    if not (pale.any() and dark.any()):  # one flat tone
        return False
    redder = float(np.median(hue.brownness[pale]) - np.median(hue.brownness[dark]))
    pale_offplane = float(np.median(hue.offplane[pale]))
    nearer = pale_offplane - float(np.median(hue.offplane[dark]))
    return pale_offplane < PALE_PINK_OFFPLANE and redder > PALE_REDDER_BY and nearer < PALE_NEARER_BY


# Optical densities of tissue seen closely, from patches spread over the slide.


VISIBLE_OD_SUM = 0.25


def stain_samples(
    slide: Slide,
    mask: NDArray[np.bool_],
    overview_mpp: float,
    white_point: WhitePoint,
    settings: TissueSettings,
) -> NDArray[np.float32]:
    """Read patches of tissue and return the optical densities of their visible pixels.

    Patches stand on evenly spaced tissue pixels of the overview in reading order: the same every time.

    Parameters
    ----------
    slide : Slide
    mask : bool array, (height, width)
        Tissue on the overview.
    overview_mpp : float
    white_point : tuple of float
    settings : TissueSettings

    Returns
    -------
    float32 array, (N, 3)
        Pixels whose optical density summed over channels is at least 0.25.
    """
    rows, columns = np.nonzero(mask)
    if len(rows) == 0:
        return np.zeros((0, 3), dtype=np.float32)
    chosen = np.unique(np.linspace(0, len(rows) - 1, settings.stain_patches).round().astype(int))
    side = round(settings.stain_patch_um / settings.stain_mpp)
    to_level0 = overview_mpp / slide.info.mpp
    half_px = settings.stain_patch_um / slide.info.mpp / 2
    patches = [
        slide.read(
            (columns[i] + 0.5) * to_level0 - half_px,
            (rows[i] + 0.5) * to_level0 - half_px,
            side,
            side,
            settings.stain_mpp,
        )
        for i in chosen
    ]
    density = optical_density(np.concatenate(patches), white_point).reshape(-1, 3)
    red, green, blue = channels(density)
    visible: NDArray[np.float32] = density[red + green + blue >= VISIBLE_OD_SUM]
    return visible


# The slide's own haematoxylin and DAB directions, so that amounts mean the same on every slide.


FEWEST_PIXELS_OF_VECTORS = 500
BLUE = -0.08
PURE_BROWN = 0.15
PUREST_SHARE = 0.25
DARKEST_OD_SUM = 3.5
"""Darker pixels have lost their hue: a sensor near black."""
_DENSE_OD_SUM = 0.4
"""Paler pixels say little of a hue: noise and compression move it."""
_PUREST_OF_DENSE = 0.005
_AS_PURE = 0.06
"""The least brown share of dense pixels, and how much browner a pixel of the same stain may be."""
_OFF_PLANE = 0.1
"""Mixtures of the usual stains lie nearer to their plane."""


def estimate_stains(density: NDArray[np.float32], white_point: WhitePoint) -> StainBasis:
    """Estimate both directions from visible tissue pixels.

    Of the plainly blue (brown) pixels the purest quarter by hue gives haematoxylin (DAB): mixtures lie
    between the two (the idea of Macenko et al. 2009, with the hue's sign known in advance). Where next to
    nothing is plainly blue, the least brown pixels give haematoxylin if they lie off the plane of both
    stains, as a reddish one does and no mixture of the two. A stain of which too little is there keeps its
    default direction.

    Parameters
    ----------
    density : float32 array, (N, 3)
        Optical densities of visible tissue pixels.
    white_point : tuple of float
    """
    red, green, blue = channels(density)
    usable = density[red + green + blue < DARKEST_OD_SUM]
    if len(usable) == 0:
        return StainBasis(white_point=white_point)
    brownness = stain_hue(usable).brownness
    hematoxylin = _purest(usable, -brownness, -BLUE, DEFAULT_HEMATOXYLIN)
    if hematoxylin == DEFAULT_HEMATOXYLIN:
        hematoxylin = _least_brown(usable, brownness)
    return StainBasis(
        white_point=white_point,
        hematoxylin=hematoxylin,
        dab=_purest(usable, brownness, PURE_BROWN, DEFAULT_DAB),
    )


def _purest(
    density: NDArray[np.float32], purity: NDArray[np.float32], least: float, default: Direction
) -> Direction:
    candidates = density[purity > least]
    if len(candidates) < FEWEST_PIXELS_OF_VECTORS:
        return default
    own = purity[purity > least]
    return _middle_direction(candidates[own >= np.quantile(own, 1.0 - PUREST_SHARE)])


def _least_brown(density: NDArray[np.float32], brownness: NDArray[np.float32]) -> Direction:
    """Return the direction of a haematoxylin that is not plainly blue, or the default one."""
    red, green, blue = channels(density)
    dense = red + green + blue > _DENSE_OD_SUM
    if np.count_nonzero(dense) < FEWEST_PIXELS_OF_VECTORS:
        return DEFAULT_HEMATOXYLIN
    purest = float(np.quantile(brownness[dense], _PUREST_OF_DENSE))
    near = density[dense & (brownness < purest + _AS_PURE)]
    if len(near) < FEWEST_PIXELS_OF_VECTORS or abs(float(np.median(stain_hue(near).offplane))) < _OFF_PLANE:
        return DEFAULT_HEMATOXYLIN
    return _middle_direction(near)


def _middle_direction(density: NDArray[np.float32]) -> Direction:
    directions = density / np.linalg.norm(density, axis=1, keepdims=True)
    red, green, blue = unit(tuple(np.median(directions, axis=0)))
    return float(red), float(green), float(blue)
