from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from cxpath.data.cells import Calibration
from cxpath.documents.evaluation import Figure, Target
from cxpath.metrics.cells import Decision, MatchingSettings, Observation
from cxpath.metrics.figures import (
    BlockGrid,
    BootstrapSettings,
    Origin,
    Rows,
    binned,
    bootstrap_interval,
    expected_error,
    measure_reliability,
    measured,
    reliability_curve,
)
from tests.training.peak_examples import observed


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


MATCHING = MatchingSettings()
PLAIN = Decision(Calibration(), 0.3, 0.5)
FAST = BootstrapSettings(repeats=200)


def test_bins_by_hand() -> None:
    probability = np.array([0.05, 0.07, 0.95, 1.0], np.float32)
    bins = binned(probability, np.array([False, True, True, True]))
    assert bins.shape == (10, 3)
    assert bins[0].tolist() == pytest.approx([2, 0.12, 1])
    assert bins[9].tolist() == pytest.approx([2, 1.95, 2])
    assert bins[1:9].sum() == 0


def test_the_expected_error_by_hand() -> None:
    # 8 cells at 0.25, of which 4 came true (gap 0.25); 2 at 0.9, both true (gap 0.1).
    first = binned(np.full(8, 0.25, np.float32), np.arange(8) < 4)
    second = binned(np.full(2, 0.9, np.float32), np.ones(2, bool))
    assert expected_error(np.stack([first.ravel(), second.ravel()])) == pytest.approx(
        (8 * 0.25 + 2 * 0.1) / 10, rel=1e-5
    )
    assert np.isnan(expected_error(np.zeros((1, 30))))


def test_a_curve_names_only_bins_that_hold_cells() -> None:
    bins = binned(np.array([0.25, 0.25, 0.95], np.float32), np.array([True, False, True]))
    curve = reliability_curve([bins, bins], "fields", "trial", FAST)
    assert curve is not None
    assert curve.from_probability == (0.2, 0.9)
    assert curve.count == (4, 2)
    assert curve.mean_probability == pytest.approx((0.25, 0.95))
    assert curve.observed_share == (0.5, 1.0)
    assert curve.expected_error.count == 2
    assert reliability_curve([np.zeros((10, 3))], "fields", "trial", FAST) is None
    assert reliability_curve([], "fields", "trial", FAST) is None


def test_one_field_has_no_interval() -> None:
    curve = reliability_curve([binned(np.ones(3, np.float32), np.ones(3, bool))], "fields", "trial", FAST)
    assert curve is not None
    assert curve.expected_error.low is curve.expected_error.high is None
    assert "bootstrap" not in curve.expected_error.method


def fields(slope: float) -> list[Observation]:
    """Logits that are exactly calibrated at a prevalence of one half, then spoilt by the slope."""
    rng = np.random.default_rng(5)
    return [observed(rng, 600, 0.5, slope=slope) for _ in range(12)]


def test_what_is_calibrated_lies_on_the_diagonal_and_what_is_not_does_not() -> None:
    honest, boastful = (
        measure_reliability(fields(slope), PLAIN, MATCHING, 0.5, "trial").stained for slope in (1.0, 3.0)
    )
    assert honest is not None
    assert boastful is not None
    assert sum(honest.count) > 7000
    for stated, seen, number in zip(
        honest.mean_probability, honest.observed_share, honest.count, strict=True
    ):
        assert abs(stated - seen) < 4 * 0.5 / np.sqrt(number) + 0.02
    assert honest.expected_error.high is not None
    assert boastful.expected_error.low is not None
    assert honest.expected_error.high < 0.04
    assert boastful.expected_error.low > 0.08


def test_calibration_undoes_the_boasting() -> None:
    tempered = Decision(Calibration(membrane_temperature=3.0, any_temperature=3.0), 0.3, 0.5)
    curve = measure_reliability(fields(3.0), tempered, MATCHING, 0.5, "trial").stained
    assert curve is not None
    assert curve.expected_error.value < 0.03


def test_a_kind_is_right_or_wrong_against_the_truth() -> None:
    """Every peak is sure of its kind; in half of the fields every truth is the other kind."""
    seen = fields(1.0)
    for one in seen[::2]:
        one.truth.kind[:] = 1 - one.truth.kind
    curve = measure_reliability(seen, PLAIN, MATCHING, 0.5, "trial").kind
    assert curve is not None
    assert curve.from_probability == (0.9,)
    assert curve.observed_share[0] == pytest.approx(0.5, abs=0.02)
    assert curve.mean_probability[0] > 0.95
    assert curve.expected_error.low is not None
    assert curve.expected_error.high is not None
    assert curve.expected_error.low < curve.expected_error.value < curve.expected_error.high


def test_a_positive_cell_of_the_wrong_kind_did_not_come_true() -> None:
    seen = fields(1.0)
    for one in seen:
        one.truth.kind[:] = 1 - one.truth.kind
    curve = measure_reliability(seen, PLAIN, MATCHING, 0.5, "trial").stained
    assert curve is not None
    assert set(curve.observed_share) == {0.0}


def test_faint_peaks_below_the_cards_threshold_are_not_counted() -> None:
    strict = Decision(Calibration(), 0.95, 0.5)
    assert measure_reliability(fields(1.0), strict, MATCHING, 0.5, "trial").kind is None
