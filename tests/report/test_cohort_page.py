"""The cohort page: complete, quiet towards the network, and honest about what has no score."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cxpath.documents import CohortRow, Status
from cxpath.report.cohort_page import ControlChart, GroupMean, Point, build_cohort_page, cps_distribution


def row(slide_id: str, status: str, **values: Any) -> CohortRow:
    return CohortRow(id=slide_id, slide=slide_id, status=Status(status), **values)


ROWS = [
    row(
        "a b",
        "scored",
        cps=0.96,
        cps_reported="<1",
        borderline=True,
        cps_low=0.5,
        cps_high=1.4,
        seconds=41.0,
        uncertain_cutoffs="CPS ≥ 1",
        notice="the model saw no real PD-L1",
        tps=0.62,
    ),
    row("c", "failed", reason="is <damaged>", hint="scan it again"),
    row("d", "not evaluable", not_evaluable_because="no tissue was found"),
]


def page_of(folder: Path, rows: list[CohortRow], *charts: ControlChart) -> str:
    return build_cohort_page(folder, rows, charts).read_text(encoding="utf-8")


def test_every_slide_stands_with_its_outcome(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / "a b" / "tissue.png")
    html = page_of(tmp_path, ROWS)
    assert 'href="a%20b/report.html"' in html
    assert html.count("data:image/jpeg") == 1
    assert "is &lt;damaged&gt;" in html
    assert "no tissue was found" in html
    assert "Research Use Only" in html
    assert ">&lt;1<" in html
    assert "0.5 to 1.4" in html
    assert "<small>CPS ≥ 1 uncertain</small><small>near a cut-off</small>" in html
    assert re.search(r"<h2>Warnings</h2>\s*<ul>\s*<li>The model saw no real PD-L1</li>", html)
    assert re.search(r'<p class="big">1</p>\s*<p class="word">of them near a cut-off', html)


def test_a_score_of_a_person_is_marked_with_a_word(tmp_path: Path) -> None:
    rows = [
        row(name, "scored", cps=4.2, cps_reported="4.2", cps_basis=name, tps=2.0)
        for name in ("network", "edited", "audited")
    ]
    html = page_of(tmp_path, rows)
    assert re.findall(r'4\.2<small class="basis ([\w-]*)">(\w+)</small>', html) == [
        ("", "network"),
        ("by-person", "edited"),
        ("by-person", "audited"),
    ]
    assert re.search(r'<p class="big">1</p><p class="word">of them with an audited CPS', html)
    assert ">TPS (%), network<" in html
    assert 'class="basis' not in page_of(tmp_path, [ROWS[2]])


def test_nothing_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    html = page_of(tmp_path, ROWS)
    assert "default-src 'none'" in html
    assert not re.search(r'(src|href)="(https?:)?//', html)


def test_a_chart_marks_what_lies_outside_by_shape_and_words(tmp_path: Path) -> None:
    points = (Point("a", "run 1", 240.0, outside=False), Point("b", "run 2", 220.0, outside=True))
    groups = (GroupMean("run 1", 1, 240.0, outside=False), GroupMean("run 2", 1, 220.0, outside=True))
    chart = ControlChart(
        "Background", "0–255", "last year, 9 slides", 240.0, 235.0, 245.0, "batch", points, groups
    )
    html = page_of(tmp_path, ROWS, chart)
    assert "1 of 2 outside the limits" in html
    assert "mean of batch run 2 (1 slides) off: 220" in html
    assert "b: 220, outside the limits" in html


def test_a_chart_without_limits_states_its_largest_and_smallest_value(tmp_path: Path) -> None:
    points = (Point("a", "run 1", 0.125, outside=False), Point("b", "run 1", 0.5, outside=False))
    chart = ControlChart("DAB", "of its vector", "these slides, 2", None, None, None, "batch", points, ())
    html = page_of(tmp_path, ROWS, chart)
    assert re.findall(r'<text x="[^"]+" y="[^"]+">([0-9.]+)</text>', html) == ["0.500", "0.125"]


def test_an_empty_or_failed_cohort_still_has_a_page(tmp_path: Path) -> None:
    assert "Distribution of the scores" not in page_of(tmp_path, [ROWS[1]])
    assert "0 slides" in page_of(tmp_path, [])


def test_bars_hold_every_score_once_and_never_both_sides_of_a_cut_off() -> None:
    scores = [0.0, 0.96, 1.0, 9.99, 10.0, 100.0]
    found = cps_distribution(scores)
    assert found is not None
    assert sum(bar.number for bar in found.bars) == len(scores)
    assert [number for _, number in found.classes] == [2, 2, 2]
    assert all(not bar.low < cutoff < bar.high for bar in found.bars for cutoff in (1.0, 10.0))
    assert cps_distribution([]) is None
