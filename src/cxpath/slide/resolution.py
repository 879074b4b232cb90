"""Micrometres per pixel of a slide, and where the number came from. Never guessed.

Decides between what the user says and what the file says; does not know how files store it.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

from cxpath.values.errors import ResolutionError

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
    """The micrometres per pixel that hold, their source, and what a reader of the result should know."""

    mpp: float
    source: str
    warnings: tuple[str, ...] = ()


def resolve(
    user_mpp: float | None, stated: StatedResolution | None, shown: str, objective: str = ""
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
    return Resolution(stated.mean_mpp, stated.source)


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
