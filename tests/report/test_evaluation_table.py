from __future__ import annotations

import json
from pathlib import Path

from cxpath.report.evaluation_table import write_evaluation_table
from tests.report.test_evaluation_page import FIGURE, evaluation


def table(folder: Path, **changes: object) -> list[str]:
    (folder / "evaluation.json").write_text(json.dumps(evaluation(**changes)), encoding="utf-8")
    return write_evaluation_table(folder).read_text(encoding="utf-8").splitlines()


def test_a_line_a_figure_with_target_and_verdict(tmp_path: Path) -> None:
    lines = table(tmp_path)
    assert lines[0].startswith("Model `trial` 1, weights `abababababab`")
    assert "**BCData <sample>** (13 measured, 0.25 µm/px assumed)" in lines
    expected = "| labelled cells found, F1 | ≥ 0.82 **missed** | 0.785 | 0.759 to 0.808 | 1305 labels |"
    assert expected in lines
    assert "| brown |  | none |  | 1305 labels |" in lines


def test_met_targets_and_ingredients(tmp_path: Path) -> None:
    met = FIGURE | {"met": True, "value": 0.83, "target": {"at_least": None, "at_most": 0.9}}
    item = {"arm": "held_out", "label": "slides", "value": 300, "required": 300, "met": True}
    lines = table(tmp_path, figures=[met], composition=[item])
    assert any("≤ 0.9 **met** | 0.830" in line for line in lines)
    assert lines[-1] == "| slides | ≥ 300 | 300 |"
    columns = {line.count("|") for line in lines if line.startswith("| labelled")}
    assert columns == {6}
