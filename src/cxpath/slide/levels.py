"""Stored levels of a slide: their sizes, their true factor against level 0, and which one to read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cxpath.errors import UnreadableSlideError

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
                f"{shown}: damaged: level {index} of {size[0]} x {size[1]} px is no smaller copy "
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
