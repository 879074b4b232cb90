"""Stored levels of a slide: their sizes, their true factor against level 0, and which one to read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_TOLERANCE = 1e-6


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


def levels_of(sizes: Sequence[tuple[int, int]]) -> tuple[Level, ...]:
    """Turn stored sizes (width, height), level 0 first, into levels.

    Scanners halve and drop what is left over, so 1501 px become 375 and not 375.25. The quotient of the
    sizes (4.0027) would drift against the picture by a pixel over its width; where a whole factor
    explains both sizes, that whole factor is the true one.
    """
    full_width, full_height = sizes[0]
    return tuple(_level(full_width, full_height, width, height) for width, height in sizes)


def level_for(levels: Sequence[Level], factor: float) -> int:
    """Return the index of the coarsest level that is at least as fine as `factor` level-0 pixels."""
    fine_enough = [
        index
        for index, level in enumerate(levels)
        if max(level.factor_x, level.factor_y) <= factor * (1 + _TOLERANCE)
    ]
    return max(fine_enough, key=lambda index: levels[index].downsample, default=0)


def _level(full_width: int, full_height: int, width: int, height: int) -> Level:
    wide = full_width >= full_height
    whole = round(full_width / width if wide else full_height / height)
    if _explains(whole, full_width, width) and _explains(whole, full_height, height):
        return Level(width, height, float(whole), float(whole))
    return Level(width, height, full_width / width, full_height / height)


def _explains(whole: int, full: int, stored: int) -> bool:
    return whole > 0 and stored in {max(1, full // whole), -(-full // whole)}
