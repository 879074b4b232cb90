from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxpath.training.judging.bootstrap import BootstrapSettings, Rows, bootstrap_interval

FEW = BootstrapSettings(repeats=400)


def mean(rows: Rows) -> float:
    return float(rows[:, 0].mean())


def test_the_interval_of_a_mean_is_the_textbook_one() -> None:
    values = np.random.default_rng(2).normal(5.0, 2.0, (400, 1))
    interval = bootstrap_interval(values, mean, BootstrapSettings())
    assert interval is not None
    standard_error = values.std(ddof=1) / 20
    assert interval[0] == pytest.approx(values.mean() - 1.96 * standard_error, abs=0.03)
    assert interval[1] == pytest.approx(values.mean() + 1.96 * standard_error, abs=0.03)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    rows = np.random.default_rng(3).normal(size=(30, 2))
    first = bootstrap_interval(rows, mean, FEW)
    assert first == bootstrap_interval(rows, mean, FEW)
    assert first != bootstrap_interval(rows, mean, BootstrapSettings(repeats=400, seed=2))


def test_a_wider_level_gives_a_wider_interval() -> None:
    rows = np.random.default_rng(3).normal(size=(30, 1))
    narrow = bootstrap_interval(rows, mean, BootstrapSettings(level=0.5))
    wide = bootstrap_interval(rows, mean, BootstrapSettings(level=0.99))
    assert narrow is not None
    assert wide is not None
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


@pytest.mark.parametrize("rows", [np.empty((0, 1)), np.ones((1, 1))])
def test_one_unit_has_no_interval(rows: Rows) -> None:
    assert bootstrap_interval(rows, mean, FEW) is None


def test_what_is_unknown_is_left_out() -> None:
    rows = np.array([[np.nan], [2.0], [2.0], [2.0]])
    assert bootstrap_interval(rows, mean, FEW) == (2.0, 2.0)
    assert bootstrap_interval(rows * np.nan, mean, FEW) is None


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=2, max_size=12))
def test_a_mean_never_leaves_its_data(values: list[float]) -> None:
    interval = bootstrap_interval(np.array(values)[:, None], mean, BootstrapSettings(repeats=50))
    assert interval is not None
    assert min(values) - 1e-9 <= interval[0] <= interval[1] <= max(values) + 1e-9
