"""How the CPS of a cohort's slides are spread: bars over a line spaced as log(CPS + 1), with the cut-offs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from cxpath.report.number_line import TICKS, place

EDGES = (0.0, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 70.0, 100.0)
"""Of the bars; cut-offs are edges, so that no bar holds slides of both sides."""

CUTOFFS = (1.0, 10.0)
BAR_HEIGHT = 120.0


@dataclass(frozen=True)
class Bar:
    """Slides whose CPS is at least `low` and below `high`; the last bar holds 100, too."""

    low: float
    high: float
    number: int
    left: float
    width: float
    height: float


@dataclass(frozen=True)
class CpsDistribution:
    """The bars, the cut-offs' places, and how many slides lie in each class.

    Parameters
    ----------
    bars : tuple of Bar
    cutoffs, ticks : tuple of (float, str)
        Place and label.
    classes : tuple of (str, int)
        Below the first cut-off, between, and from the last one on.
    """

    bars: tuple[Bar, ...]
    cutoffs: tuple[tuple[float, str], ...]
    ticks: tuple[tuple[float, str], ...]
    classes: tuple[tuple[str, int], ...]


def cps_distribution(scores: Sequence[float]) -> CpsDistribution | None:
    """Return the distribution; None without scores."""
    if not scores:
        return None
    counts = [sum(low <= score < high or score == high == 100.0 for score in scores) for low, high in _bins()]
    tallest = max(counts)
    bars = tuple(
        Bar(low, high, number, place(low), place(high) - place(low), round(BAR_HEIGHT * number / tallest, 1))
        for (low, high), number in zip(_bins(), counts, strict=True)
    )
    first, last = CUTOFFS
    return CpsDistribution(
        bars=bars,
        cutoffs=tuple((place(cutoff), f"≥ {cutoff:g}") for cutoff in CUTOFFS),
        ticks=tuple((place(tick), str(tick)) for tick in TICKS),
        classes=(
            (f"CPS < {first:g}", sum(score < first for score in scores)),
            (f"CPS ≥ {first:g}, < {last:g}", sum(first <= score < last for score in scores)),
            (f"CPS ≥ {last:g}", sum(score >= last for score in scores)),
        ),
    )


def _bins() -> list[tuple[float, float]]:
    return list(pairwise(EDGES))
