"""Cells that the detector missed: squares in which a person counts them, and what they change.

They are outside the frame of an audit, so they are looked for apart. Knows no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cxpath.data import CellTable
from cxpath.scores.audit_frame import IN_DENOMINATOR, IN_NUMERATOR, AuditFrame
from cxpath.scores.counts import places_on_lattice

SQUARE_UM = 50.0
"""Side of a square in which a person marks the cells that the detector missed."""

_SQUARE_PRIOR_CELLS = 5.0
"""Found cells in the numerator for which the whole square's share of missed cells speaks beforehand."""


@dataclass(frozen=True)
class MissedSquare:
    """A square in which the cells that the detector missed were counted by a person.

    Parameters
    ----------
    left_px, top_px, side_px : float
        In level-0 pixels.
    tumour_stained, tumour_unstained, immune_stained : int or None
        Missed cells; None before an answer.
    """

    left_px: float
    top_px: float
    side_px: float
    tumour_stained: int | None = None
    tumour_unstained: int | None = None
    immune_stained: int | None = None


def draw_squares(cells: CellTable, number: int, seed: int) -> tuple[MissedSquare, ...]:
    """Draw squares of `SQUARE_UM` at random among those that contain a found cell."""
    if number <= 0:
        return ()
    side_px = SQUARE_UM / cells.facts.mpp
    place, columns = places_on_lattice(cells, side_px)
    occupied = np.unique(place)
    rng = np.random.default_rng([seed, 1])
    chosen = rng.choice(occupied, min(number, len(occupied)), replace=False)
    return tuple(
        MissedSquare(float(one % columns) * side_px, float(one // columns) * side_px, side_px)
        for one in chosen
    )


def found_in(frame: AuditFrame, square: MissedSquare) -> tuple[float, float]:
    """Return the cells that the network counts in numerator and denominator inside a square."""
    x, y = frame.cells.x_px - square.left_px, frame.cells.y_px - square.top_px
    ways = frame.called[(x >= 0) & (x < square.side_px) & (y >= 0) & (y < square.side_px)].sum(axis=0)
    return float(ways @ IN_NUMERATOR), float(ways @ IN_DENOMINATOR)


def missed_effect(
    squares: Sequence[MissedSquare], found: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    """Return by how much missed cells change the logarithm of the CPS, and the standard error of that."""
    if not squares:
        return 0.0, 0.0
    positive = sum((square.tumour_stained or 0) + (square.immune_stained or 0) for square in squares)
    tumour = sum((square.tumour_stained or 0) + (square.tumour_unstained or 0) for square in squares)
    in_numerator, in_denominator = (sum(each) for each in zip(*found, strict=True))
    base = max(in_denominator, 1.0)
    of_tumour = tumour / base
    weight = in_numerator + _SQUARE_PRIOR_CELLS
    of_positive = (positive + _SQUARE_PRIOR_CELLS * of_tumour) / weight
    error = np.hypot(
        np.sqrt(of_positive / weight) / (1 + of_positive), np.sqrt(of_tumour / base) / (1 + of_tumour)
    )
    return float(np.log1p(of_positive) - np.log1p(of_tumour)), float(error)
