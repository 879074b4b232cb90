"""Drift of staining and scanning: each measure of each slide against control limits (Levey and Jennings).

Limits are the mean plus and minus three standard deviations of a baseline, as on control charts of
laboratories (Levey & Jennings 1950; Westgard's rule 1-3s). A batch or scanner is also judged by its mean,
whose limits narrow with the root of its number of slides (Shewhart's x-bar chart).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from cxpath.report.cohort.control_chart import ControlChart, GroupMean, Point
from cxpath.values.errors import CxpathError, MissingFileError

FEWEST = 8
"""A baseline of fewer slides gives no limits."""

_WIDTH = 3.0


@dataclass(frozen=True)
class Measure:
    """Something watched for drift.

    Parameters
    ----------
    title, unit : str
    of : tuple of str
        Columns of the cohort table; of several, the mean.
    """

    title: str
    unit: str
    of: tuple[str, ...]

    def value(self, row: Mapping[str, Any]) -> float | None:
        """Return the measure of one slide; None where the slide has none."""
        found = [_number(row.get(name)) for name in self.of]
        known = [value for value in found if value is not None]
        return fmean(known) if len(known) == len(self.of) else None


MEASURES = (
    Measure("Background brightness", "0–255", ("white_red", "white_green", "white_blue")),
    Measure("Haematoxylin, red part", "of its vector", ("hematoxylin_red",)),
    Measure("Haematoxylin, blue part", "of its vector", ("hematoxylin_blue",)),
    Measure("DAB, red part", "of its vector", ("dab_red",)),
    Measure("DAB, blue part", "of its vector", ("dab_blue",)),
    Measure("Tissue in focus", "per cent", ("in_focus_percent",)),
    Measure("Tumour cells", "per mm²", ("tumour_cells_per_mm2",)),
)


@dataclass(frozen=True)
class Baseline:
    """Slides that show how things should be.

    Parameters
    ----------
    name : str
        For people.
    rows : sequence of mapping
        Rows of a cohort table.
    """

    name: str
    rows: Sequence[Mapping[str, Any]]


def read_baseline(path: Path) -> Baseline:
    """Read a `cohort.csv`, or the one in a batch's folder.

    Raises
    ------
    MissingFileError
        When there is none.
    CxpathError
        When it is no cohort table.
    """
    table = path / "cohort.csv" if path.is_dir() else path
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError as error:
        raise MissingFileError(f"{table}: no such file", "give a cohort.csv or a batch's folder") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CxpathError(f"{table}: not readable: {error}", "give a cohort.csv of cxpath") from error
    if not rows or "white_red" not in rows[0]:
        raise CxpathError(f"{table}: is no cohort table", "give a cohort.csv of cxpath")
    return Baseline(str(path), rows)


def drift_charts(rows: Sequence[Mapping[str, Any]], baseline: Baseline | None = None) -> list[ControlChart]:
    """Return a chart a measure that any slide has; points in order of scanning as the table has them."""
    against = baseline or Baseline("these slides themselves", rows)
    group_by = "batch" if any(row.get("batch") for row in rows) else "scanner"
    charts = (_chart(measure, rows, against, group_by) for measure in MEASURES)
    return [chart for chart in charts if chart.points]


def _chart(
    measure: Measure, rows: Sequence[Mapping[str, Any]], baseline: Baseline, group_by: str
) -> ControlChart:
    known = [value for row in baseline.rows if (value := measure.value(row)) is not None]
    centre = fmean(known) if len(known) >= FEWEST else None
    spread = stdev(known) if len(known) >= FEWEST else None
    points = tuple(
        Point(str(row["id"]), str(row.get(group_by) or ""), value, _is_outside(value, centre, spread))
        for row in rows
        if (value := measure.value(row)) is not None
    )
    return ControlChart(
        title=measure.title,
        unit=measure.unit,
        baseline=f"{baseline.name}, {len(known)} slides",
        centre=centre,
        low=None if centre is None or spread is None else centre - _WIDTH * spread,
        high=None if centre is None or spread is None else centre + _WIDTH * spread,
        grouped_by=group_by,
        points=points,
        groups=tuple(_groups(points, centre, spread)),
    )


def _groups(points: Sequence[Point], centre: float | None, spread: float | None) -> list[GroupMean]:
    found = []
    for name in dict.fromkeys(point.group for point in points):
        values = [point.value for point in points if point.group == name]
        mean, narrowed = fmean(values), None if spread is None else spread / math.sqrt(len(values))
        found.append(GroupMean(name or "not stated", len(values), mean, _is_outside(mean, centre, narrowed)))
    return found


def _is_outside(value: float, centre: float | None, spread: float | None) -> bool:
    if centre is None or spread is None:
        return False
    return abs(value - centre) > _WIDTH * spread + 1e-9 * max(abs(centre), 1.0)


def _number(entry: Any) -> float | None:
    try:
        value = float(entry)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None
