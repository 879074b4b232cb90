"""A score, its intervals and the cut-offs as places on a line, 0 to 100, spaced as log(score + 1)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TICKS = (0, 1, 3, 10, 30, 100)
WIDTH = 520.0
"""Length of the line in the drawing's units."""


@dataclass(frozen=True)
class NumberLine:
    """Places in drawing units, 0 at the score 0 and `WIDTH` at 100.

    Parameters
    ----------
    value : float
    slide, tissue : tuple of float or None
        Left and right ends of the two intervals.
    ticks, cutoffs : tuple of (float, str)
        Place and label.
    """

    value: float
    slide: tuple[float, float] | None
    tissue: tuple[float, float] | None
    ticks: tuple[tuple[float, str], ...]
    cutoffs: tuple[tuple[float, str], ...]


def number_line(cps: Mapping[str, Any]) -> NumberLine:
    """Place the numbers of `score.json`'s `cps` on the line."""
    cutoffs = sorted(float(cutoff) for cutoff in cps.get("cutoffs") or {})
    return NumberLine(
        value=place(cps["value"]),
        slide=_ends(cps.get("interval_slide")),
        tissue=_ends(cps.get("interval_tissue")),
        ticks=tuple((place(tick), str(tick)) for tick in TICKS),
        cutoffs=tuple((place(cutoff), f"≥ {cutoff:g}") for cutoff in cutoffs),
    )


def place(score: float) -> float:
    """Return where a score lies on the line."""
    return round(WIDTH * math.log1p(min(max(score, 0.0), 100.0)) / math.log1p(100.0), 2)


def _ends(bounds: Sequence[float | None] | None) -> tuple[float, float] | None:
    known = [bound for bound in bounds or () if bound is not None]
    return (place(known[0]), place(known[1])) if len(known) == 2 else None
