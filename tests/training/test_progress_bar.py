from __future__ import annotations

import io

from rich.console import Console

from cxpath.training.loop import StepReport
from cxpath.training.progress_bar import training_bar


def test_the_bar_shows_step_share_and_smoothed_losses() -> None:
    screen = io.StringIO()
    with training_bar(Console(file=screen, width=120, force_terminal=True)) as watch:
        watch(StepReport(1, 0.25, {"centre": 1.0, "kind": 2.0}, 1e-3))
        watch(StepReport(2, 0.5, {"centre": 0.0, "kind": 2.0}, 1e-3))
    shown = screen.getvalue()
    assert "step 2" in shown
    assert "50%" in shown
    assert "centre 0.980" in shown
    assert "kind 2.000" in shown
