from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cxpath.report.evaluation_page import build_evaluation_page
from cxpath.report.evaluation_reliability import SIDE_PX, error_in_words, reliability_diagrams
from tests.report.test_evaluation_page import evaluation

CURVE = {
    "method": "found cells",
    "bin_width": 0.1,
    "from_probability": [0.0, 0.5, 0.9],
    "count": [100, 25, 1],
    "mean_probability": [0.0, 0.5, 1.0],
    "observed_share": [0.1, 0.4, 1.0],
    "expected_error": {"value": 0.0991, "low": 0.081, "high": 0.12, "level": 0.95, "count": 3, "method": ""},
}


def judged(**changes: Any) -> dict[str, Any]:
    return evaluation(
        reliability=[{"set_name": "synthetic_held_out", "of": "stained", "curve": CURVE | changes}]
    )


def test_stated_runs_across_and_true_runs_up() -> None:
    (diagram,) = reliability_diagrams(judged())
    places = [(point["x"], point["y"]) for point in diagram["points"]]
    assert places == [(0.0, 0.9 * SIDE_PX), (0.5 * SIDE_PX, 0.6 * SIDE_PX), (SIDE_PX, 0.0)]
    radii = [point["radius"] for point in diagram["points"]]
    assert radii[0] == pytest.approx(2 * radii[1]), "four times the cells, four times the area"
    assert radii[2] > 2, "one cell can still be seen"
    assert "25 cells: stated 0.500, true 0.400" in diagram["points"][1]["words"]


def test_an_error_without_an_interval_is_a_number_alone() -> None:
    assert error_in_words(CURVE["expected_error"]) == "0.099 (0.081 to 0.120)"  # type: ignore[arg-type]
    assert error_in_words({"value": 0.5}) == "0.500"


def test_the_page_shows_the_diagram_and_its_error(tmp_path: Path) -> None:
    (tmp_path / "evaluation.json").write_text(json.dumps(judged()), encoding="utf-8")
    html = build_evaluation_page(tmp_path).read_text(encoding="utf-8")
    assert html.count("<circle") == 3
    assert "Error 0.099 (0.081 to 0.120); 126 found cells." in html
    assert "synthetic held out" in html


def test_an_evaluation_of_an_older_version_has_no_diagrams(tmp_path: Path) -> None:
    document = evaluation()
    document.pop("reliability", None)
    assert reliability_diagrams(document) == []
    (tmp_path / "evaluation.json").write_text(json.dumps(document), encoding="utf-8")
    assert "May the probabilities" not in build_evaluation_page(tmp_path).read_text(encoding="utf-8")
