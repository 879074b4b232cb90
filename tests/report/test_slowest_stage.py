"""Which stage of finding cells held up the others, as the report names it."""

from __future__ import annotations

import json
from typing import Any

from cxpath.documents.folder import RunDocument
from cxpath.report.slide_page import slowest_stage
from tests.report.run_folders import RUN


def stage(busy_share: float) -> dict[str, Any]:
    times = dict.fromkeys(("elapsed_s", "busy_s", "waited_for_input_s", "waited_for_space_s"), 1.0)
    return {"workers": 1, "busy_share": busy_share, **times}


def run_with(stages: dict[str, Any], bottleneck: str | None) -> RunDocument:
    return RunDocument.model_validate_json(json.dumps(RUN | {"stages": stages, "bottleneck": bottleneck}))


def test_the_report_names_the_stage_that_held_up_the_others() -> None:
    stages = {"read": stage(0.124), "network": stage(0.97), "write": stage(0.05)}
    words = slowest_stage(run_with(stages, "network"))
    assert words.startswith("network, at work 97")
    assert "read 12" in words
    assert "write 5" in words


def test_runs_without_stages_say_nothing() -> None:
    assert slowest_stage(run_with({}, None)) == ""
