from typing import Any

from cxpath.report.slide_page import slowest_stage

STAGES: dict[str, Any] = {
    "read": {"busy_share": 0.124},
    "network": {"busy_share": 0.97},
    "write": {"busy_share": 0.05},
}


def test_the_report_names_the_stage_that_held_up_the_others() -> None:
    words = slowest_stage({"stages": STAGES, "bottleneck": "network"})
    assert words.startswith("network, at work 97")
    assert "read 12" in words
    assert "write 5" in words


def test_runs_without_stages_say_nothing() -> None:
    assert slowest_stage({}) == ""
    assert slowest_stage({"stages": {}, "bottleneck": None}) == ""
