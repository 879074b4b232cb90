"""A control chart as places in a drawing: one point a slide, in order, with centre and limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

WIDTH, HEIGHT = 640.0, 150.0
"""Of the plot in the drawing's units."""

_MARGIN = 0.12
_MOST_BANDS = 12


@dataclass(frozen=True)
class Point:
    """One slide's measure.

    Parameters
    ----------
    id : str
    group : str
        Its batch or scanner; may be empty.
    value : float
    outside : bool
        Outside the control limits.
    """

    id: str
    group: str
    value: float
    outside: bool


@dataclass(frozen=True)
class GroupMean:
    """The mean of a batch's or scanner's slides, and whether it lies outside its own, narrower limits."""

    name: str
    number: int
    mean: float
    outside: bool


@dataclass(frozen=True)
class ControlChart:
    """One measure of all slides.

    Parameters
    ----------
    title, unit : str
    baseline : str
        What the limits come from.
    centre, low, high : float or None
        Mean and control limits of the baseline; None where it holds too few slides.
    grouped_by : str
        "batch" or "scanner".
    points : tuple of Point
        In the cohort's order.
    groups : tuple of GroupMean
    """

    title: str
    unit: str
    baseline: str
    centre: float | None
    low: float | None
    high: float | None
    grouped_by: str
    points: tuple[Point, ...]
    groups: tuple[GroupMean, ...]

    @property
    def outside(self) -> int:
        """How many slides lie outside the limits."""
        return sum(point.outside for point in self.points)


@dataclass(frozen=True)
class Mark:
    """A point in the drawing."""

    x: float
    y: float
    point: Point


@dataclass(frozen=True)
class Band:
    """A run of points of one group: where it begins and ends, and its name."""

    left: float
    right: float
    name: str
    shaded: bool


@dataclass(frozen=True)
class DrawnChart:
    """A chart with the places of everything in it."""

    chart: ControlChart
    marks: tuple[Mark, ...]
    bands: tuple[Band, ...]
    lines: tuple[tuple[float, str, str], ...]
    """Height, name and printed value of centre and limits."""


def draw_chart(chart: ControlChart) -> DrawnChart:
    """Place a chart's points, groups and limits; y grows downwards."""
    heights = [point.value for point in chart.points]
    limits = [value for value in (chart.low, chart.centre, chart.high) if value is not None]
    low, high = min([*heights, *limits]), max([*heights, *limits])
    margin = (high - low) * _MARGIN or abs(high) * _MARGIN or 1.0

    def at(value: float) -> float:
        return round(HEIGHT * (high + margin - value) / (high - low + 2 * margin), 1)

    step = WIDTH / len(chart.points)
    marks = tuple(
        Mark(round((number + 0.5) * step, 1), at(point.value), point)
        for number, point in enumerate(chart.points)
    )
    named = (("upper limit", chart.high), ("mean", chart.centre), ("lower limit", chart.low))
    lines = tuple((at(value), name, printed(value)) for name, value in named if value is not None)
    return DrawnChart(chart, marks, _bands(chart.points, step), lines)


def printed(value: float) -> str:
    """Return a measure with as many digits as it deserves."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def _bands(points: Sequence[Point], step: float) -> tuple[Band, ...]:
    """Return the runs of one group; none where groups change too often to be told apart."""
    found, place = [], 0
    for number, (name, run) in enumerate(groupby(points, key=lambda point: point.group)):
        length = len(list(run))
        right = round((place + length) * step, 1)
        found.append(Band(round(place * step, 1), right, name, shaded=number % 2 == 1))
        place += length
    return tuple(found) if 1 < len(found) <= _MOST_BANDS else ()
