from __future__ import annotations

import numpy as np
import pytest

from cxpath.data.cells import Calibration
from cxpath.metrics.cells import Decision, MatchingSettings, Observation
from cxpath.metrics.figures import BootstrapSettings
from cxpath.metrics.reliability import binned, expected_error, measure_reliability, reliability_curve
from tests.training.peak_examples import observed

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
