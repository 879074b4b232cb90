"""The page of a cohort: distribution of scores and control charts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby, pairwise
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from cxpath.data import RESEARCH_USE
from cxpath.documents import CohortRow, ScoreBasis, Status
from cxpath.errors import DocumentError
from cxpath.io import atomic_write
from cxpath.report.html import MISSING, area, data_uri, interval, render_page, score_form, seconds, whole
from cxpath.report.slide_page import TICKS, WIDTH as LINE_WIDTH, place

# A control chart as places in a drawing: one point a slide, in order, with centre and limits.


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
        Mean and control limits of the baseline; None where it contains too few slides.
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
class ChartMarkup:
    """A chart with the places of everything in it."""

    chart: ControlChart
    marks: tuple[Mark, ...]
    bands: tuple[Band, ...]
    lines: tuple[tuple[float, str, str], ...]
    """Height, name and printed value of centre and limits."""
    scale: tuple[tuple[float, str], ...]
    """Height and printed value of the largest and smallest point where no limit gives the chart a scale."""


def draw_chart(chart: ControlChart) -> ChartMarkup:
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
    ends = () if lines else tuple(sorted({high, low}, reverse=True))
    scale = tuple((at(value), printed(value)) for value in ends)
    return ChartMarkup(chart, marks, _bands(chart.points, step), lines, scale)


def printed(value: float) -> str:
    """Return a measure with as many digits as it deserves."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def _bands(points: Sequence[Point], step: float) -> tuple[Band, ...]:
    """Return the runs of one group; none where groups change too often to be distinguished."""
    found, place = [], 0
    for number, (name, run) in enumerate(groupby(points, key=lambda point: point.group)):
        length = len(list(run))
        right = round((place + length) * step, 1)
        found.append(Band(round(place * step, 1), right, name, shaded=number % 2 == 1))
        place += length
    return tuple(found) if 1 < len(found) <= _MOST_BANDS else ()


# How the CPS of a cohort's slides are spread: bars over a line spaced as log(CPS + 1), with the cut-offs.


EDGES = (0.0, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 70.0, 100.0)
"""Of the bars; cut-offs are edges, so that no bar contains slides of both sides."""

CUTOFFS = (1.0, 10.0)
BAR_HEIGHT = 120.0


@dataclass(frozen=True)
class Bar:
    """Slides whose CPS is at least `low` and below `high`; the last bar contains 100, too."""

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


# From a cohort's table to `cohort.html`: one file that opens offline, links to each slide's report.


NAME = "cohort.html"
MOST_THUMBNAILS = 1500
"""Of larger cohorts, the first slides have a thumbnail: the page must stay one that a browser opens."""

_THUMBNAIL_PX, _THUMBNAIL_QUALITY = 120, 62
_SYMBOLS = {Status.SCORED: "full", Status.NOT_EVALUABLE: "hollow", Status.FAILED: "cross"}


def build_cohort_page(folder: Path, rows: Sequence[CohortRow], charts: Sequence[ControlChart] = ()) -> Path:
    """Write `cohort.html` into a batch's folder; returns the page.

    Parameters
    ----------
    folder : Path
        Contains the slides' folders under their ids.
    rows : sequence of CohortRow
        The cohort table.
    charts : sequence of ControlChart

    Raises
    ------
    OutputError
        When the page cannot be written.
    """
    scored = [row for row in rows if row.status is Status.SCORED]
    html = render_page(
        "cohort.html.j2",
        styles=("report.css", "cohort.css"),
        script=_script(),
        printed=printed,
        research_use=RESEARCH_USE,
        title=folder.absolute().name,
        counts=Counter(row.status for row in rows),
        facts=_facts(rows),
        slides=[_slide(folder, row, number) for number, row in enumerate(rows)],
        distribution=cps_distribution([row.cps for row in scored if row.cps is not None]),
        bar_height=BAR_HEIGHT,
        line_width=LINE_WIDTH,
        borderline=sum(bool(row.borderline) for row in scored),
        audited=sum(row.cps_basis == ScoreBasis.AUDITED for row in scored),
        notices=list(dict.fromkeys(row.notice for row in rows if row.notice)),
        failures=[row for row in rows if row.status is Status.FAILED],
        not_evaluable=[row for row in rows if row.status is Status.NOT_EVALUABLE],
        times=_times(rows),
        charts=[draw_chart(chart) for chart in charts],
        chart_width=WIDTH,
        chart_height=HEIGHT,
    )
    page = folder / NAME
    with atomic_write(page) as partial:
        partial.write_text(html, encoding="utf-8", newline="\n")
    return page


def _script() -> Markup:
    return Markup((files("cxpath.report") / "templates" / "cohort.js").read_text(encoding="utf-8"))


def _facts(rows: Sequence[CohortRow]) -> list[str]:
    """Return what the slides have in common, or that they differ."""
    found = []
    for name, word in (("assay", "Assay"), ("model", "Model"), ("cxpath", "cxpath")):
        values = sorted({value for row in rows if (value := getattr(row, name))})
        if values:
            found.append(f"{word}: {', '.join(values[:3])}{' …' if len(values) > 3 else ''}")
    return found


def _thumbnail(path: Path) -> str | None:
    """Return a small picture of the tissue; one that is damaged must not keep the table from being shown."""
    try:
        return data_uri(path, _THUMBNAIL_PX, _THUMBNAIL_QUALITY)
    except (DocumentError, OSError):
        return None


def _slide(folder: Path, row: CohortRow, number: int) -> dict[str, Any]:
    ended_well = row.status is not Status.FAILED
    thumbnail = folder / row.id / "tissue.png"
    shown = ended_well and number < MOST_THUMBNAILS and thumbnail.is_file()
    return {
        "id": row.id,
        "slide": row.slide,
        "link": f"{quote(row.id)}/report.html" if ended_well else None,
        "thumbnail": _thumbnail(thumbnail) if shown else None,
        "case": row.case or "",
        "block": row.block or "",
        "batch": row.batch or row.scanner or "",
        "status": row.status,
        "symbol": _SYMBOLS[row.status],
        "borderline": bool(row.borderline),
        "uncertain": row.uncertain_cutoffs or "",
        "cps": row.cps,
        "cps_reported": row.cps_reported or MISSING,
        "basis": row.cps_basis or "",
        "by_person": row.cps_basis not in {None, ScoreBasis.NETWORK},
        "interval": interval(_ends(row)),
        "tps": score_form(row.tps),
        "tps_value": row.tps,
        "tumour_cells": whole(row.viable_tumour_cells),
        "tumour_cells_value": row.viable_tumour_cells,
        "area": area(row.scored_mm2),
        "area_value": row.scored_mm2,
        "seconds": seconds(row.seconds or 0.0),
        "seconds_value": row.seconds or 0.0,
    }


def _ends(row: CohortRow) -> tuple[float, float] | None:
    return None if row.cps_low is None or row.cps_high is None else (row.cps_low, row.cps_high)


def _times(rows: Sequence[CohortRow]) -> dict[str, str] | None:
    found = [row.seconds for row in rows if row.seconds and row.status is not Status.FAILED]
    if not found:
        return None
    slowest = max(rows, key=lambda row: row.seconds or 0.0)
    return {
        "median": seconds(median(found)),
        "longest": seconds(slowest.seconds or 0.0),
        "slowest": slowest.id,
        "total": seconds(sum(found)),
    }
