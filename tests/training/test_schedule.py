from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxpath.training.schedule import learning_rate, progress
from cxpath.training.settings import ScheduleSettings

SETTINGS = ScheduleSettings(steps=100, learning_rate=0.01, warm_up_share=0.1)


def test_it_rises_then_falls_to_nothing() -> None:
    rates = [learning_rate(SETTINGS, done) for done in (0.0, 0.05, 0.1, 0.55, 1.0)]
    assert rates == pytest.approx([0.0001, 0.005, 0.01, 0.005, 0.0], abs=1e-9)


@given(st.floats(0, 1))
def test_it_never_leaves_its_range(done: float) -> None:
    assert 0 <= learning_rate(SETTINGS, done) <= SETTINGS.learning_rate + 1e-12


def test_progress_goes_by_steps_or_by_the_clock() -> None:
    assert progress(SETTINGS, 25, 9.0) == 0.25
    hurried = SETTINGS.model_copy(update={"max_minutes": 10.0})
    assert progress(hurried, 25, 9.0) == 0.9
    assert progress(hurried, 25, 99.0) == 1.0


def test_no_warm_up_starts_at_the_top() -> None:
    assert learning_rate(SETTINGS.model_copy(update={"warm_up_share": 0.0}), 0.0) == 0.01
