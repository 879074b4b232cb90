"""Control limits: what is usual lies inside, a slide or a batch that drifts lies outside."""

from pathlib import Path
from typing import Any

import pytest

from cxpath.report.cohort.control_chart import draw_chart
from cxpath.runs.batch.drift import Baseline, drift_charts, read_baseline
from cxpath.values.errors import CxpathError, MissingFileError


def rows(*values: float, batch: str = "") -> list[dict[str, Any]]:
    return [{"id": f"{batch}{n}", "batch": batch, "hematoxylin_red": value} for n, value in enumerate(values)]


USUAL = rows(*(0.70 + 0.01 * (number % 5 - 2) for number in range(20)), batch="monday")


def test_a_slide_outside_three_standard_deviations_is_marked() -> None:
    (chart,) = drift_charts([*USUAL, *rows(0.80, batch="tuesday")], Baseline("last year", USUAL))
    assert chart.title == "Haematoxylin, red part"
    assert [point.id for point in chart.points if point.outside] == ["tuesday0"]
    assert chart.baseline == "last year, 20 slides"
    assert chart.centre == pytest.approx(0.70)


def test_a_batch_whose_slides_all_lean_one_way_is_marked_though_none_of_them_is() -> None:
    (chart,) = drift_charts([*USUAL, *rows(*[0.72] * 9, batch="tuesday")], Baseline("last year", USUAL))
    assert chart.outside == 0
    assert [(group.name, group.outside) for group in chart.groups] == [("monday", False), ("tuesday", True)]


def test_too_small_a_baseline_gives_no_limits() -> None:
    (chart,) = drift_charts(rows(0.7, 0.9), None)
    assert (chart.centre, chart.low, chart.outside) == (None, None, 0)


def test_slides_without_a_measure_are_left_out() -> None:
    assert drift_charts([{"id": "a", "hematoxylin_red": None}]) == []


def test_places_of_a_chart_stay_inside_it() -> None:
    (chart,) = drift_charts([*USUAL, *rows(0.9, batch="tuesday")])
    drawn = draw_chart(chart)
    assert all(0 <= mark.y <= 150 and 0 <= mark.x <= 640 for mark in drawn.marks)
    assert [band.name for band in drawn.bands] == ["monday", "tuesday"]
    assert [name for _, name, _ in drawn.lines] == ["upper limit", "mean", "lower limit"]


def test_a_baseline_is_an_earlier_cohort(tmp_path: Path) -> None:
    (tmp_path / "cohort.csv").write_text("id,white_red\na,240\n", encoding="utf-8-sig")
    assert read_baseline(tmp_path).rows == [{"id": "a", "white_red": "240"}]
    with pytest.raises(MissingFileError, match="no such file"):
        read_baseline(tmp_path / "gone.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(CxpathError, match="is no cohort table"):
        read_baseline(tmp_path / "other.csv")
