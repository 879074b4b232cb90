"""Micrometres per pixel as a file states it, and the stored levels of a slide."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from cxpath.errors import ResolutionError, UnreadableSlideError

# Micrometres per pixel of a slide, and where the number came from. Never guessed.
#
# Decides between what the user says and what the file says; does not know how files store it.


FINEST_MPP = 0.05
COARSEST_MPP = 5.0
_MAX_ANISOTROPY = 0.02
_MAX_CONTRADICTION = 0.10

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StatedResolution:
    """What a file says of itself, believable or not.

    Parameters
    ----------
    x_mpp, y_mpp : float
        Micrometres per level-0 pixel.
    source : str
        The property it was read from.
    """

    x_mpp: float
    y_mpp: float
    source: str

    @property
    def mean_mpp(self) -> float:
        """Mean of x and y."""
        return (self.x_mpp + self.y_mpp) / 2


@dataclass(frozen=True)
class Resolution:
    """The micrometres per pixel that apply, their source, and what a reader of the result should know."""

    mpp: float
    source: str
    warnings: tuple[str, ...] = ()


def resolve(
    user_mpp: float | None,
    stated: StatedResolution | None,
    shown: str,
    objective: str = "",
    also: StatedResolution | None = None,
) -> Resolution:
    """Settle the micrometres per pixel of a slide.

    Parameters
    ----------
    user_mpp : float or None
        What the user passed; wins over the file.
    stated : StatedResolution or None
        What the file says.
    shown : str
        How to name the file in messages.
    objective : str
        Objective power as the file states it; mentioned in the hint only, never used.
    also : StatedResolution, optional
        What the file says in another place, where it counts less: named if the two contradict each other.

    Raises
    ------
    ResolutionError
        When nothing is stated, or the number is outside 0.05-5, or x and y differ by more than 2 %.
    """
    if user_mpp is not None:
        return _from_user(user_mpp, stated, shown)
    if stated is None:
        raise ResolutionError(f"{shown}: the file does not say its µm per pixel", _way_out(objective))
    for value in (stated.x_mpp, stated.y_mpp):
        if not _plausible(value):
            raise ResolutionError(
                f"{shown}: the file says {value:.4g} µm per pixel ({stated.source}), "
                f"outside {FINEST_MPP:g} to {COARSEST_MPP:g}",
                _way_out(objective),
            )
    if abs(stated.x_mpp - stated.y_mpp) > _MAX_ANISOTROPY * stated.mean_mpp:
        raise ResolutionError(
            f"{shown}: pixels are not square, {stated.x_mpp:.4g} by {stated.y_mpp:.4g} µm ({stated.source})",
            _way_out(objective),
        )
    return Resolution(stated.mean_mpp, stated.source, _contradiction(stated, also))


def _contradiction(stated: StatedResolution, also: StatedResolution | None) -> tuple[str, ...]:
    if also is None or not _plausible(also.mean_mpp):  # such as 72 dpi, which programs write unasked
        return ()
    if abs(also.mean_mpp - stated.mean_mpp) <= _MAX_CONTRADICTION * stated.mean_mpp:
        return ()
    used = f"{stated.mean_mpp:.4g} µm per pixel ({stated.source}, which is used)"
    other = f"{also.mean_mpp:.4g} ({also.source})"
    return (f"the file contradicts itself: {used} and {other}; if wrong, pass the true number (--mpp)",)


def _from_user(user_mpp: float, stated: StatedResolution | None, shown: str) -> Resolution:
    if not _plausible(user_mpp):
        raise ResolutionError(
            f"{shown}: {user_mpp:g} µm per pixel was asked for, outside {FINEST_MPP:g} to {COARSEST_MPP:g}",
            "--mpp takes micrometres per pixel, such as 0.25",
        )
    if stated is None or not _plausible(stated.mean_mpp):
        return Resolution(float(user_mpp), "user")
    if abs(stated.mean_mpp - user_mpp) <= _MAX_CONTRADICTION * user_mpp:
        return Resolution(float(user_mpp), "user")
    warning = (
        f"{user_mpp:g} µm per pixel was given by the user, but the file says "
        f"{stated.mean_mpp:.4g} ({stated.source})"
    )
    _log.warning("%s: %s", shown, warning)
    return Resolution(float(user_mpp), "user", (warning,))


def _plausible(mpp: float) -> bool:
    return math.isfinite(mpp) and FINEST_MPP <= mpp <= COARSEST_MPP


def _way_out(objective: str) -> str:
    hint = "pass the true number, for example --mpp 0.25"
    try:
        often = 10 / float(objective)
    except (ValueError, ZeroDivisionError):
        return hint
    return f"{hint}; the file says objective {objective}, often about {often:.3g}" if often > 0 else hint


_UM_BY_OBJECTIVE, _FAR_FROM_OBJECTIVE = 10.0, 1.6


def of_magnification(magnification: str, stated: StatedResolution | None) -> StatedResolution | None:
    """Return the µm per pixel that usually go with a magnification; None where `stated` is not far from it.

    At 40 scanners give 0.22 to 0.27, at 20 0.45 to 0.55.
    """
    try:
        usual = _UM_BY_OBJECTIVE / float(magnification.strip().rstrip("xX×"))
    except (ValueError, ZeroDivisionError):
        return None
    if stated is None or not _plausible(stated.mean_mpp) or usual <= 0:
        return None
    apart = max(usual / stated.mean_mpp, stated.mean_mpp / usual)
    if apart < _FAR_FROM_OBJECTIVE:
        return None
    return StatedResolution(usual, usual, f"usual at magnification {magnification}")


# Where files write down their micrometres per pixel: OpenSlide properties, TIFF tags, OME-XML.


_UM_PER_TIFF_UNIT = {"centimeter": 10_000.0, "inch": 25_400.0}
_TIFF_UNIT_NAMES = {2: "inch", 3: "centimeter"}
_UM_PER_OME_UNIT = {
    "µm": 1.0,
    "μm": 1.0,  # the Greek letter, which some writers use for the micro sign
    "um": 1.0,
    "nm": 1e-3,
    "Å": 1e-4,
    "mm": 1e3,
    "cm": 1e4,
    "m": 1e6,
    "in": 25_400.0,
}
_OME_SIZES = ("SizeX", "SizeY")


def stated_in_openslide(properties: Mapping[str, str]) -> StatedResolution | None:
    """Read `openslide.mpp-x` and `-y`, else the TIFF tags that OpenSlide passes on."""
    from_tags = _stated_in_passed_tags(properties)
    x_mpp = _number(properties.get("openslide.mpp-x"))
    if x_mpp is None:
        return from_tags
    if properties.get("openslide.vendor") == "generic-tiff" and from_tags is not None:
        return from_tags  # OpenSlide derived its number from these very tags
    y_mpp = _number(properties.get("openslide.mpp-y"))
    return StatedResolution(x_mpp, x_mpp if y_mpp is None else y_mpp, "openslide.mpp-x")


def also_stated_by_aperio(
    properties: Mapping[str, str], stated: StatedResolution | None
) -> StatedResolution | None:
    """Return what the TIFF tags or the magnification say, if it contradicts `stated`."""
    others = (
        _stated_in_passed_tags(properties),
        of_magnification(properties.get("aperio.AppMag", ""), stated),
    )
    return next((one for one in others if stated is not None and _contradiction(stated, one)), None)


def _stated_in_passed_tags(properties: Mapping[str, str]) -> StatedResolution | None:
    return stated_in_tags(
        _number(properties.get("tiff.XResolution")),
        _number(properties.get("tiff.YResolution")),
        properties.get("tiff.ResolutionUnit", ""),
    )


def stated_in_tags(x_per_unit: float | None, y_per_unit: float | None, unit: str) -> StatedResolution | None:
    """Read pixels per centimetre or inch; None without a unit, since then it is an aspect ratio."""
    um_per_unit = _UM_PER_TIFF_UNIT.get(unit)
    if um_per_unit is None or not x_per_unit or x_per_unit <= 0:
        return None
    y_per_unit = y_per_unit if y_per_unit and y_per_unit > 0 else x_per_unit
    return StatedResolution(um_per_unit / x_per_unit, um_per_unit / y_per_unit, "tiff.XResolution")


def stated_in_tag_values(x_value: Any, y_value: Any, unit: Any) -> StatedResolution | None:
    """Read raw values of tags 282, 283 and 296: numbers or (numerator, denominator), unit 2 or 3."""
    return stated_in_tags(_fraction(x_value), _fraction(y_value), _TIFF_UNIT_NAMES.get(int(unit or 0), ""))


def stated_in_ome(xml: str, size: tuple[int, int], page: int) -> StatedResolution | None:
    """Read `PhysicalSizeX` and `Y` of one picture of a file; a missing unit means µm, as OME says.

    The OME-XML of a set of files lists the pictures of all of them. A picture is known by its size, by the
    UUID of this file among its `TiffData`, and by its page; where these leave several that state different
    sizes, none is believed.

    Parameters
    ----------
    xml : str
    size : (width, height)
        Of the picture in the file.
    page : int
        Index of its first page.
    """
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return None
    pictures = [
        pixels
        for pixels in root.findall("{*}Image/{*}Pixels")
        if all(_number(pixels.get(name)) == side for name, side in zip(_OME_SIZES, size, strict=True))
        and _lies_in_file(pixels, root.get("UUID"))
    ]
    at_page = [pixels for pixels in pictures if page in _first_pages(pixels)]
    stated = {_ome_resolution(pixels) for pixels in at_page or pictures}
    return stated.pop() if len(stated) == 1 else None


def _lies_in_file(pixels: ElementTree.Element, own: str | None) -> bool:
    """Say whether a picture is stored in the file of this UUID; also where nothing says where it is."""
    stored_in = {(uuid.text or "").strip().lower() for uuid in pixels.findall("{*}TiffData/{*}UUID")}
    return own is None or not stored_in or own.strip().lower() in stored_in


def _first_pages(pixels: ElementTree.Element) -> set[float | None]:
    return {_number(data.get("IFD", "0")) for data in pixels.findall("{*}TiffData")}


def _ome_resolution(pixels: ElementTree.Element) -> StatedResolution | None:
    x_mpp = _ome_length_um(pixels, "PhysicalSizeX")
    y_mpp = _ome_length_um(pixels, "PhysicalSizeY")
    if x_mpp is None:
        return None
    return StatedResolution(x_mpp, x_mpp if y_mpp is None else y_mpp, "ome.PhysicalSizeX")


def _ome_length_um(pixels: ElementTree.Element, name: str) -> float | None:
    value = _number(pixels.get(name))
    um_per_unit = _UM_PER_OME_UNIT.get(pixels.get(f"{name}Unit", "µm"))
    return None if value is None or um_per_unit is None else value * um_per_unit


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _fraction(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, tuple):
        numerator, denominator = value
        return float(numerator) / float(denominator) if denominator else None
    return float(value)


# Stored levels of a slide: their sizes, their true factor against level 0, and which one to read from.

TOLERANCE = 1e-6
_MOST_ANISOTROPY = 0.01
"""By how much the factors of a level's width and height may differ; more is a damaged size."""

_POWERS_OF_TWO = tuple(2**power for power in range(1, 17))

Size = tuple[int, int]


@dataclass(frozen=True)
class Level:
    """One stored level.

    Parameters
    ----------
    width_px, height_px : int
        Its size in its own pixels.
    factor_x, factor_y : float
        Level-0 pixels per pixel of this level.
    """

    width_px: int
    height_px: int
    factor_x: float = 1.0
    factor_y: float = 1.0

    @property
    def downsample(self) -> float:
        """Mean of the two factors."""
        return (self.factor_x + self.factor_y) / 2

    def is_padded(self, full: Size) -> bool:
        """Whether it reaches beyond a level 0 of this size by more than rounding."""
        return any(
            side > -(-whole // factor)
            for side, whole, factor in (
                (self.width_px, full[0], self.factor_x),
                (self.height_px, full[1], self.factor_y),
            )
        )


def levels_of(sizes: Sequence[Size], shown: str = "", tiles: Sequence[Size | None] = ()) -> tuple[Level, ...]:
    """Turn stored sizes (width, height), level 0 first, into levels.

    Scanners halve and drop what is left over, so 1501 px become 375 and not 375.25; some converters fill
    every level up to whole tiles, so 97,792 px become 49,152 and not 48,896. The quotient of the sizes would
    then drift against the picture by up to a tile over its width; where a whole factor explains both sizes,
    that whole factor is the true one.

    Parameters
    ----------
    sizes : sequence of (width, height)
    shown : str
        How messages name the slide.
    tiles : sequence of (width, height) or None, optional
        The tile size of each level, where it is known.

    Raises
    ------
    UnreadableSlideError
        When the width and the height of a level say different factors, or a factor below 1.
    """
    levels = [Level(*sizes[0])]
    for index, size in enumerate(sizes[1:], start=1):
        tile = tiles[index] if index < len(tiles) else None
        level = _level(sizes[0], size, tile, levels[-1])
        if level is None:
            raise UnreadableSlideError(
                f"{shown}: damaged: level {index} of {size[0]} x {size[1]} px is not a smaller copy "
                f"of level 0 of {sizes[0][0]} x {sizes[0][1]} px",
                "copy or export the file again",
            )
        levels.append(level)
    return tuple(levels)


def level_for(levels: Sequence[Level], factor: float) -> int:
    """Return the index of the coarsest level that is at least as fine as `factor` level-0 pixels."""
    fine_enough = [
        index
        for index, level in enumerate(levels)
        if max(level.factor_x, level.factor_y) <= factor * (1 + TOLERANCE)
    ]
    return max(fine_enough, key=lambda index: levels[index].downsample, default=0)


def _level(full: Size, size: Size, tile: Size | None, finer: Level) -> Level | None:
    """Return a level with its factors; None when its two sides contradict each other."""
    if min(*full, *size) < 1:
        return None
    quotients = full[0] / size[0], full[1] / size[1]
    whole = round(quotients[0] if full[0] >= full[1] else quotients[1])
    if all(_explains(whole, *sides) for sides in zip(full, size, strict=True)):
        return Level(*size, float(whole), float(whole))
    padded = _padded_factor(full, size, tile, finer)
    if padded is not None:
        return Level(*size, float(padded), float(padded))
    return Level(*size, *quotients) if _agree(full, size) else None


def _explains(whole: int, full: int, stored: int) -> bool:
    return whole > 0 and stored in {max(1, full // whole), -(-full // whole)}


def _padded_factor(full: Size, size: Size, tile: Size | None, finer: Level) -> int | None:
    """Return the power of two that gives the level when it is filled up to whole tiles, if there is one.

    A level of a single tile is explained by many; it counts only below a level that was filled up, too.
    """
    if tile is None or min(tile) < 1:
        return None
    fits = [
        factor
        for factor in _POWERS_OF_TWO
        if all(
            -(-full_side // factor // side) * side == stored
            for full_side, stored, side in zip(full, size, tile, strict=True)
        )
    ]
    single = size[0] <= tile[0] and size[1] <= tile[1]
    if single and not finer.is_padded(full):
        return None
    coarser = [factor for factor in fits if factor > finer.factor_x * 1.5]
    return min(coarser or fits, default=None)


def _agree(full: Size, size: Size) -> bool:
    """Say whether one factor of at least 1 explains both sides, but for a pixel of rounding."""
    low = max(full[0] / (size[0] + 1), full[1] / (size[1] + 1))
    high = min(full[0] / max(size[0] - 1, 0.5), full[1] / max(size[1] - 1, 0.5))
    across, down = full[0] / size[0], full[1] / size[1]
    alike = low <= high or abs(across - down) <= _MOST_ANISOTROPY * (across + down) / 2
    return alike and min(across, down) >= 1 - TOLERANCE
