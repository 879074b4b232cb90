""""""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from cxpath.documents.evaluation import Figure, Target
from cxpath.metrics.figures import (
    BlockGrid,
    BootstrapSettings,
    Origin,
    Rows,
    bootstrap_interval,
    measured,
)


def test_points_fall_into_their_blocks() -> None:
    grid = BlockGrid(250.0, 200.0, 100.0)
    assert (grid.columns, grid.rows, len(grid)) == (3, 2, 6)
    points = np.array([[0.0, 0.0], [99.9, 99.9], [100.0, 0.0], [249.0, 199.0], [260.0, 300.0]])
    assert grid.of(points).tolist() == [0, 0, 1, 5, 5]
    assert grid.count(points).tolist() == [2, 1, 0, 0, 0, 2]


def test_a_small_picture_is_one_block() -> None:
    assert len(BlockGrid(40.0, 100.0, 100.0)) == 1
    assert BlockGrid(40.0, 40.0, 100.0).count(np.empty((0, 2))).tolist() == [0]


@given(st.floats(1, 900), st.floats(1, 900), st.integers(0, 60))
def test_every_point_is_counted_once(width: float, height: float, number: int) -> None:
    grid = BlockGrid(width, height, 100.0)
    points = np.random.default_rng(number).uniform(0, 1, (number, 2)) * [width, height]
    assert grid.count(points).sum() == number


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


ORIGIN = Origin(set_name="trial", mpp=0.25, mpp_source="assumed")


def share(rows: Rows) -> float:
    return float(rows[:, 0].sum() / rows[:, 1].sum()) if rows[:, 1].sum() else float("nan")


def figure(rows: Rows, target: Target | None) -> Figure:
    return measured(
        ORIGIN, "share", "a share", rows, share, BootstrapSettings(repeats=200),
        unit="blocks", n=int(rows[:, 1].sum()), n_of="cells", method="counted", target=target,
    )  # fmt: skip


def test_a_figure_says_everything_about_itself() -> None:
    rows = np.array([[4.0, 5.0], [5.0, 5.0], [3.0, 5.0]])
    found = figure(rows, Target(at_least=0.7))
    assert (found.value, found.n, found.n_of, found.units, found.unit) == (0.8, 15, "cells", 3, "blocks")
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.8 < found.high
    assert found.met is True
    assert found.method == "counted; percentile bootstrap over 3 100 µm blocks"
    assert (found.mpp, found.mpp_source) == (0.25, "assumed")


def test_the_target_is_judged_by_the_unrounded_value() -> None:
    rows = np.array([[69.999, 100.0]])
    found = figure(rows, Target(at_least=0.7))
    assert found.value == 0.7
    assert found.met is False
    assert found.unit == "none"
    assert found.low is None


def test_nothing_to_measure_is_no_figure_and_meets_no_target() -> None:
    for rows in (np.zeros((3, 2)), np.empty((0, 2))):
        found = figure(rows, Target(at_most=0.05))
        assert found.value is None
        assert found.low is None
        assert found.met is None


def test_targets_have_one_bound() -> None:
    assert Target(at_most=0.05).met_by(0.05)
    assert not Target(at_most=0.05).met_by(0.051)
    assert str(Target(at_most=1.3)) == "≤ 1.3"
    assert str(Target(at_least=0.82)) == "≥ 0.82"
    for both in ({}, {"at_least": 1, "at_most": 2}):
        with pytest.raises(ValidationError, match="either at_least or at_most"):
            Target.model_validate(both)
