from typing import Any

import pytest

from cxpath.report.number_line import place
from cxpath.report.sensitivity_panel import sensitivity_panel
from tests.report.run_folders import borderline_score, normal_score


def panel(score: dict[str, Any]) -> dict[str, Any]:
    found = sensitivity_panel(score)
    assert found is not None
    return found


def test_every_choice_has_its_setting_what_it_stands_for_and_its_place() -> None:
    rows = panel(normal_score())["rows"]
    assert [(row["choice"], row["instead"], row["setting"], row["cps"]) for row in rows] == [
        ("Staining threshold", "0.5", "0.45", "13.10"),
        ("Staining threshold", "0.5", "0.55", "11.71"),
        ("Least stained outline of a tumour cell", "no such limit", "10 %", "12.01"),
        ("Immune cells count within", "500 µm", "250 µm", "12.29"),
        ("Immune cells count within", "500 µm", "1000 µm", "12.61"),
    ]
    assert rows[0]["at"] == place(13.1)


def test_a_flip_is_named_and_none_is_said() -> None:
    assert panel(normal_score())["verdict"] == "No cut-off would flip."
    near = panel(borderline_score())
    assert near["flips"]
    assert near["verdict"].startswith("CPS ≥ 1 would flip")
    assert near["rows"][0]["flips"] == "CPS ≥ 1 flips"


def test_what_the_cells_do_not_say_has_its_reason_and_no_place() -> None:
    score = normal_score()
    score["sensitivity"][2] |= {"cps": None, "because": "no membrane was measured"}
    row = panel(score)["rows"][2]
    assert (row["at"], row["because"], row["cps"]) == (None, "no membrane was measured", "–")


@pytest.mark.parametrize("missing", ["cps", "sensitivity"])
def test_without_a_score_or_a_panel_there_is_none(missing: str) -> None:
    assert sensitivity_panel(normal_score() | {missing: None}) is None
