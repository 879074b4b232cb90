from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from cxpath.training.judging.bootstrap import BootstrapSettings, Rows
from cxpath.training.judging.figure import Figure, Origin, Target, measured

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
