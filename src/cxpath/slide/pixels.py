"""Pixels resampled exactly to the wanted µm/px, and their colours turned into sRGB."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms
from scipy import sparse

from cxpath.data import ColourProfile, Settings
from cxpath.slide.identity import allowed_words
from cxpath.slide.resolution import Level

# Transparent pixels laid over white glass: what a scanner did not scan looks like empty glass.


WHITE = 255


def on_white(rgba: NDArray[np.uint8], *, premultiplied: bool = False) -> NDArray[np.uint8]:
    """Return RGB of RGBA over white.

    Parameters
    ----------
    rgba : uint8 array, (height, width, 4)
    premultiplied : bool
        Whether the colours were multiplied with alpha already ("associated alpha").

    Returns
    -------
    uint8 array, (height, width, 3)
    """
    if rgba[..., 3].min(initial=WHITE) == WHITE:
        return np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), dtype=np.uint8)
    alpha = rgba[..., 3:].astype(np.uint16)
    if premultiplied:
        return np.asarray(np.minimum(rgba[..., :3] + (WHITE - alpha), WHITE), dtype=np.uint8)
    light = rgba[..., :3] * alpha + WHITE * (WHITE - alpha)
    return ((light + WHITE // 2) // WHITE).astype(np.uint8)


# Laying a tile into a region that it may reach beyond.


def overlay(region: NDArray[np.uint8], tile: NDArray[np.uint8], left: int, top: int) -> None:
    """Copy the part of a tile placed at (left, top) that lies in the region.

    Parameters
    ----------
    region, tile : uint8 array, (height, width, samples)
    left, top : int
        Place of the tile's corner in the region; may be negative.
    """
    height, width = region.shape[:2]
    rows = slice(max(top, 0), min(top + tile.shape[0], height))
    columns = slice(max(left, 0), min(left + tile.shape[1], width))
    region[rows, columns] = tile[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]


# Where the output pixels of one axis take their light from: exact area weights, linear when magnifying.
#
# Knows one axis of one level in that level's own pixels. Knows no slide and no picture.


_SNAP = 1e-6


@dataclass(frozen=True)
class Sampling:
    """`number` output pixels, each `step` source pixels wide, the first one beginning at `start`.

    An output pixel is the mean of the light that falls on its footprint, so it depends on nothing but
    its own place: reading in parts gives what reading at once gives. Where an output pixel is smaller
    than a source pixel the light is interpolated linearly between source pixel centres instead.
    """

    start: float
    step: float
    number: int

    @classmethod
    def snapped(cls, start: float, step: float, number: int) -> Sampling:
        """Build one whose start and step are whole where only float noise keeps them from it."""
        return cls(_snap(start), _snap(step), number)

    @cached_property
    def averages(self) -> bool:
        """Whether output pixels are at least as large as source pixels."""
        return self.step >= 1

    @cached_property
    def whole_factor(self) -> int | None:
        """The step, when output pixels are whole blocks of source pixels."""
        aligned = self.start == math.floor(self.start) and self.step == math.floor(self.step)
        return int(self.step) if aligned and self.averages else None

    @cached_property
    def first(self) -> int:
        """The first source pixel that is needed."""
        return math.floor(self.start) if self.averages else math.floor(self._centre(0))

    @cached_property
    def length(self) -> int:
        """How many source pixels are needed, from `first` on."""
        if self.averages:
            return max(math.ceil(self.start + self.number * self.step) - self.first, 1)
        return math.floor(self._centre(self.number - 1)) + 2 - self.first

    def halves(self) -> tuple[Sampling, Sampling]:
        """Split into two that follow each other."""
        half = self.number // 2
        return (
            Sampling(self.start, self.step, half),
            Sampling(self.start + half * self.step, self.step, self.number - half),
        )

    def weights(self) -> sparse.csr_array:
        """Return the float32 matrix (number, length) of what each source pixel gives to each output pixel."""
        return self._area_weights() if self.averages else self._linear_weights()

    def _centre(self, index: int) -> float:
        return self.start + (index + 0.5) * self.step - 0.5

    def _area_weights(self) -> sparse.csr_array:
        edges = self.start + self.step * np.arange(self.number + 1)
        source = np.floor(edges[:-1])[:, None] + np.arange(math.ceil(self.step) + 1)
        overlap = np.minimum(edges[1:, None], source + 1) - np.maximum(edges[:-1, None], source)
        return self._matrix(source, overlap / self.step)

    def _linear_weights(self) -> sparse.csr_array:
        centres = self.start + (np.arange(self.number) + 0.5) * self.step - 0.5
        source = np.floor(centres)[:, None] + np.arange(2)
        return self._matrix(source, 1 - np.abs(centres[:, None] - source))

    def _matrix(self, source: NDArray[np.float64], weight: NDArray[np.float64]) -> sparse.csr_array:
        rows = np.broadcast_to(np.arange(self.number)[:, None], source.shape)
        columns = source.astype(np.int64) - self.first
        counts = (weight > 0) & (columns < self.length)
        entries = (weight[counts].astype(np.float32), (rows[counts], columns[counts]))
        return sparse.csr_array(entries, shape=(self.number, self.length))


def _snap(value: float) -> float:
    nearest = float(round(value))
    return nearest if abs(value - nearest) <= _SNAP else value


# From source pixels to output pixels: exact separable averaging, rounded to nearest without bias.


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


# A source of pixels: a stored level, taken as it is or shrunk by a whole factor.


Fetch = Callable[[int, int, int, int, int], NDArray[np.uint8]]
"""Gives RGB of (level index, x, y, width, height) in pixels of that level."""

_BLOCK_PX = 2048


@dataclass(frozen=True)
class Source:
    """One level, or the picture that its blocks of `shrink` x `shrink` pixels make.

    Parameters
    ----------
    index : int
        Of the level.
    level : Level
    shrink : int
    """

    index: int
    level: Level
    shrink: int = 1

    @cached_property
    def width_px(self) -> int:
        """Width in its own pixels; the last one may reach beyond the level."""
        return -(-self.level.width_px // self.shrink)

    @cached_property
    def height_px(self) -> int:
        """Height in its own pixels; the last one may reach beyond the level."""
        return -(-self.level.height_px // self.shrink)

    @cached_property
    def factor_x(self) -> float:
        """Level-0 pixels per pixel, across."""
        return self.level.factor_x * self.shrink

    @cached_property
    def factor_y(self) -> float:
        """Level-0 pixels per pixel, down."""
        return self.level.factor_y * self.shrink


def shrunk_region(
    source: Source, fetch: Fetch, x_px: int, y_px: int, width: int, height: int
) -> NDArray[np.uint8]:
    """Read a region of a source through a reader that knows whole levels only, block by block.

    Parameters
    ----------
    source : Source
    fetch : callable
    x_px, y_px, width, height : int
        In pixels of the source, inside it.
    """
    if source.shrink == 1:
        return fetch(source.index, x_px, y_px, width, height)
    region = np.empty((height, width, 3), dtype=np.uint8)
    step = _BLOCK_PX // source.shrink
    for top in range(0, height, step):
        for left in range(0, width, step):
            part = region[top : top + step, left : left + step]
            part[:] = _block(source, fetch, x_px + left, y_px + top, part.shape[1], part.shape[0])
    return region


def _block(source: Source, fetch: Fetch, x_px: int, y_px: int, width: int, height: int) -> NDArray[np.uint8]:
    shrink = source.shrink
    x_px, y_px = x_px * shrink, y_px * shrink
    across = min(width * shrink, source.level.width_px - x_px)
    down = min(height * shrink, source.level.height_px - y_px)
    whole = np.full((height * shrink, width * shrink, 3), WHITE, dtype=np.uint8)
    whole[:down, :across] = fetch(source.index, x_px, y_px, across, down)
    return block_mean(whole, height, width, shrink)


# Colours as a slide's ICC profile means them: turned into sRGB, by lcms through Pillow.
#
# A scanner that embeds a profile says by it what its red, green and blue are. Whatever reads the slide gets
# sRGB, so that slides of different scanners agree. Slides without a profile are read as they are stored.

TAG = 34675
"""Of TIFF: InterColorProfile."""

DAMAGED_PROFILE = b"damaged"
"""Stands for a profile that the library which reads the slide could not pass on."""

_GRID = 17
"""Levels a channel at which a profile is compared with sRGB."""
_ROUNDING = 1
"""Grey levels by which a profile may differ from sRGB and still be it."""
_UNUSABLE = "colours are read as they are stored"
PROFILE_ERRORS = (ImageCms.PyCMSError, OSError, TypeError, ValueError, SyntaxError)
"""What Pillow and lcms raise over damaged profiles."""


class Icc(StrEnum):
    """What is done with a slide's ICC profile."""

    APPLY = "apply"
    IGNORE = "ignore"


def icc_as_recorded(use: str | None) -> Icc:
    """Return how to open a slide again so that its colours are those of a result: by its `colour.use`."""
    return Icc.IGNORE if use == "ignored" else Icc.APPLY


class SlideSettings(Settings):
    """Section `[slide]` of the configuration."""

    icc: Icc = Icc.APPLY
    """`apply` converts colours to sRGB where the slide has an ICC profile; `ignore` takes them as stored."""


class ColourTransform:
    """From a profile's colours to sRGB. Any number of threads may use it at once.

    Parameters
    ----------
    profile : bytes
        An ICC profile of an RGB device.

    Raises
    ------
    ValueError
        When it is damaged or of another kind.
    """

    def __init__(self, profile: bytes) -> None:
        try:
            read = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            space = read.profile.xcolor_space.strip()
            if space != "RGB":
                raise ValueError(f"it is for {space or 'no colours'}, not RGB")
            self.description = _description(read)
            intent = ImageCms.Intent(ImageCms.getDefaultIntent(read))
            self.intent = intent.name.lower()
            # No cache of the last colour, which threads would share.
            self._transform = ImageCms.buildTransform(
                read, ImageCms.createProfile("sRGB"), "RGB", "RGB", intent, ImageCms.Flags.NOCACHE
            )
        except PROFILE_ERRORS as error:
            raise ValueError(" ".join(str(error).split()) or "it is damaged") from error

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return sRGB, (height, width, 3); white stays white, since beyond the scan nothing has a colour."""
        picture = Image.fromarray(np.ascontiguousarray(rgb))
        turned = np.array(ImageCms.applyTransform(picture, self._transform))
        turned[rgb[..., 0] & rgb[..., 1] & rgb[..., 2] == 255] = 255  # quicker than all(axis=2) by far
        return turned

    @property
    def is_identity(self) -> bool:
        """Whether it leaves all colours as they are, but for rounding: the profile is sRGB."""
        levels = np.linspace(0, 255, _GRID).round().astype(np.uint8)
        cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(_GRID, -1, 3)
        return bool(np.abs(self.apply(cube).astype(np.int16) - cube).max() <= _ROUNDING)


@dataclass(frozen=True)
class ManagedColour:
    """What is done with a slide's colours.

    Parameters
    ----------
    profile : ColourProfile or None
        What is recorded; None for a slide without a profile.
    transform : ColourTransform or None
        None where colours stay as they are stored.
    warnings : tuple of str
    """

    profile: ColourProfile | None = None
    transform: ColourTransform | None = None
    warnings: tuple[str, ...] = ()


def managed_colour(profile: bytes, icc: Icc) -> ManagedColour:
    """Return what is done with a slide that has this profile; empty: none.

    A profile that cannot be used is left out with a warning: colours are then as those of the many slides
    that state none.
    """
    if not profile:
        return ManagedColour()
    digest = hashlib.sha256(profile).hexdigest()
    try:
        transform = ColourTransform(profile)
        identity = transform.is_identity
    except PROFILE_ERRORS as error:
        warning = f"the slide's ICC profile cannot be used: {str(error)[:100]}; {_UNUSABLE}"
        known = "" if profile == DAMAGED_PROFILE else digest
        return ManagedColour(ColourProfile("", known, "", "unusable"), None, (warning,))
    use: Literal["ignored", "identity", "applied"]
    use = "ignored" if icc is Icc.IGNORE else "identity" if identity else "applied"
    record = ColourProfile(transform.description, digest, transform.intent, use)
    return ManagedColour(record, transform if use == "applied" else None)


def _description(profile: ImageCms.ImageCmsProfile) -> str:
    """Return the profile's name if it may leave: a scanner's serial number in it must not."""
    return allowed_words(ImageCms.getProfileDescription(profile).strip())
