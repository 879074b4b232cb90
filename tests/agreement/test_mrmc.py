from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray
from scipy.stats import norm

from cxpath.agreement.mrmc import (
    Components,
    ReaderStudyPlan,
    auc_figure,
    cases_for_power,
    from_components,
    jackknife,
    obuchowski_rockette,
    power_of,
    share_figure,
)
from cxpath.errors import ConfigurationError, StudyError
from tests.agreement.pseudovalues import dorfman_berbaum_metz

# The published example: Van Dyke's study of aortic dissection, spin-echo and cine MRI, 5 readers, 114 cases
# (45 with dissection), empirical areas and jackknife covariances, as Hillis' OR-DBM MRMC prints them.

VAN_DYKE = np.array(
    [
        [0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066],
        [0.94782609, 0.90531401, 0.92173913, 0.99935588, 0.92995169],
    ]
)
ERROR, COV1, COV2, COV3 = 0.00080229, 0.00034661, 0.00034407, 0.00023903
CASES = 114


def test_reproduces_the_published_analysis_of_van_dyke() -> None:
    found = from_components(VAN_DYKE, (ERROR, COV1, COV2, COV3), CASES)
    assert found.difference == pytest.approx(0.04380032, abs=1e-8)
    assert found.f == pytest.approx(4.46, abs=0.005)
    assert found.degrees == pytest.approx(15.26, abs=0.005)
    assert found.p_value == pytest.approx(0.0517, abs=5e-5)
    assert found.standard_error == pytest.approx(0.02075, abs=5e-6)
    assert (found.interval.low, found.interval.high) == pytest.approx((-0.00036, 0.08796), abs=6e-6)
    assert found.components.reader == pytest.approx(0.00153500, abs=2e-8)
    assert found.components.arm_reader == pytest.approx(0.00020040, abs=2e-8)
    assert [arm.value for arm in found.arms] == pytest.approx([0.89703704, 0.94083736], abs=1e-8)


def test_reproduces_published_intervals_of_single_arms() -> None:
    """Each arm's own covariance comes from published mean squares: (MS(C) − MS(RC)) / (n R)."""
    covariance = np.zeros((2, 5, 2, 5))
    for arm, (ms_case, ms_rest) in enumerate([(0.33629430, 0.06043607), (0.16042367, 0.04403659)]):
        covariance[arm, :, arm] = (ms_case - ms_rest) / (CASES * 5)
    found = from_components(VAN_DYKE, (ERROR, COV1, COV2, COV3), CASES, covariance)
    first, second = found.arms
    assert (first.standard_error, second.standard_error) == pytest.approx((0.03317360, 0.02156637), abs=2e-8)
    assert (first.degrees, second.degrees) == pytest.approx((12.74, 12.71), abs=0.005)
    assert (first.interval.low, first.interval.high) == pytest.approx((0.82522360, 0.96885048), abs=1e-6)
    assert (second.interval.low, second.interval.high) == pytest.approx((0.89413783, 0.98753689), abs=1e-6)


@pytest.mark.parametrize(("readers", "cases", "power"), [(10, 165, 0.80541995), (6, 111, 0.5526116)])
def test_reproduces_published_power_of_van_dyke(readers: int, cases: int, power: float) -> None:
    test = from_components(VAN_DYKE, (ERROR, COV1, COV2, COV3), CASES)
    plan = ReaderStudyPlan(0.043800322, test.components)
    assert power_of(plan, readers, cases) == pytest.approx(power, abs=1e-4)


def test_reproduces_published_sample_size_of_van_dyke() -> None:
    test = from_components(VAN_DYKE, (ERROR, COV1, COV2, COV3), CASES)
    assert cases_for_power(ReaderStudyPlan(0.043800322, test.components), 6) == pytest.approx(251, abs=1)


def ratings(seed: int, readers: int, cases: int, shift: float = 0.0) -> NDArray[np.float64]:
    """Return simulated scores, (2, readers, cases), the first half of the cases negative."""
    rng = np.random.default_rng(seed)
    truth = np.arange(cases) >= cases // 2
    case = rng.normal(0, 1, cases) + 1.5 * truth
    arm_case = rng.normal(0, 0.5, (2, 1, cases))
    reader = rng.normal(0, 0.3, (1, readers, 1)) * truth
    arm = np.array([0.0, shift])[:, None, None] * truth
    return np.asarray(case + arm_case + reader + arm + rng.normal(0, 0.7, (2, readers, cases)))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), readers=st.integers(2, 6), cases=st.integers(12, 40))
def test_both_methods_are_one_test(seed: int, readers: int, cases: int) -> None:
    scores = ratings(seed, readers, cases)
    figure = auc_figure(scores, np.arange(cases) >= cases // 2)
    figures, without = jackknife(figure, np.arange(cases))
    try:
        one = obuchowski_rockette(figures, without)
    except StudyError:
        return
    other = dorfman_berbaum_metz(figures, without)
    assert one.f == pytest.approx(other.f, rel=1e-6)
    if np.isfinite(one.degrees):
        assert one.degrees == pytest.approx(other.degrees, rel=1e-6)
        assert one.p_value == pytest.approx(other.p_value, abs=1e-6)


def test_area_counts_pairs_with_ties_as_half() -> None:
    scores = np.array([[[1.0, 2.0, 2.0, 3.0], [0.0, 0.0, 0.0, 0.0]]])
    positive = np.array([False, False, True, True])
    everything = np.ones(4, dtype=bool)
    assert auc_figure(scores, positive)(everything)[0] == pytest.approx([3.5 / 4, 0.5])


def test_share_is_of_the_counted_cases_that_are_kept() -> None:
    hits = np.array([[[True, False, True, True]]])
    counted = np.array([True, True, True, False])
    figure = share_figure(hits, counted)
    assert figure(np.ones(4, dtype=bool)) == pytest.approx(np.array([[2 / 3]]))
    assert figure(np.array([True, True, False, True])) == pytest.approx(np.array([[0.5]]))
    assert np.isnan(figure(np.array([False, False, False, True]))).all()


def test_all_cases_of_a_patient_are_left_out_together() -> None:
    hits = np.random.default_rng(1).random((2, 3, 12)) < 0.7
    _, without = jackknife(share_figure(hits), np.repeat(np.arange(4), 3))
    assert without.shape == (4, 2, 3)
    assert without[0] == pytest.approx(hits[:, :, 3:].mean(axis=2))


def test_a_figure_that_hangs_on_one_case_is_refused() -> None:
    scores = np.random.default_rng(1).random((2, 3, 6))
    with pytest.raises(StudyError, match="without one patient"):
        jackknife(auc_figure(scores, np.arange(6) == 0), np.arange(6))


def test_one_reader_is_no_sample_of_readers() -> None:
    hits = np.random.default_rng(1).random((2, 1, 30)) < 0.7
    figures, without = jackknife(share_figure(hits), np.arange(30))
    with pytest.raises(StudyError, match="two readers"):
        obuchowski_rockette(figures, without)


def test_readers_without_any_difference_are_no_error_to_divide_by() -> None:
    with pytest.raises(StudyError, match="do not differ"):
        from_components(np.full((2, 3), 0.9), (0.0, 0.0, 0.0, 0.0), 20)


def test_intervals_hold_the_truth_over_readers_and_cases() -> None:
    """Coverage of the 95 % interval of a difference that is zero, 300 simulated studies."""
    held, studies, cases = 0, 300, 60
    for seed in range(studies):
        scores = ratings(seed, readers=5, cases=cases)
        figures, without = jackknife(auc_figure(scores, np.arange(cases) >= cases // 2), np.arange(cases))
        interval = obuchowski_rockette(figures, without).interval
        held += interval.low <= 0 <= interval.high
    assert 0.92 <= held / studies <= 0.99


def test_power_grows_with_readers_and_cases() -> None:
    plan = ReaderStudyPlan(0.04, Components(0.0015, 0.0002, ERROR, COV1, COV2, COV3, CASES))
    assert power_of(plan, 4, 100) < power_of(plan, 8, 100) < power_of(plan, 8, 200)


def test_no_number_of_cases_helps_where_readers_decide() -> None:
    plan = ReaderStudyPlan(0.01, Components(0.0, 0.01, ERROR, COV1, COV2, COV3, CASES))
    assert cases_for_power(plan, 3) is None


@pytest.mark.parametrize(("difference", "readers", "power"), [(0.0, 5, 0.8), (0.05, 1, 0.8), (0.05, 5, 1.0)])
def test_impossible_plans_are_refused(difference: float, readers: int, power: float) -> None:
    plan = ReaderStudyPlan(difference, Components(0.0, 0.0002, ERROR, COV1, COV2, COV3, CASES))
    with pytest.raises(ConfigurationError, match="readers"):
        cases_for_power(plan, readers, power)


@pytest.mark.parametrize("gain", [0.1, 1 / 3, 0.07])
def test_readers_who_all_gain_the_same_are_no_test_by_rounding(gain: float) -> None:
    """Their differences vary by 1e-17, whose square would divide: p was 1e-30 of three readers."""
    unaided = np.array([0.61, 0.55, 0.6123])
    figures = np.stack([unaided, unaided + gain])
    with pytest.raises(StudyError, match="do not differ"):
        from_components(figures, (1e-3, 5e-4, 2e-4, 3e-4), 40)
    between = from_components(figures, (1e-3, 5e-4, 3e-4, 2e-4), 40)
    assert between.degrees == np.inf
    assert between.difference == pytest.approx(gain)
    assert between.standard_error == pytest.approx(np.sqrt(2 * 1e-4))
    half = 1.959964 * between.standard_error
    assert (between.interval.low, between.interval.high) == pytest.approx((gain - half, gain + half))


def test_without_readers_of_their_own_the_p_value_is_that_of_a_normal_difference() -> None:
    figures = np.array([[0.8, 0.8], [0.83, 0.83]])
    found = from_components(figures, (0.0, 0.0, 2e-4, 0.0), 40)
    z = found.difference / found.standard_error
    assert found.p_value == pytest.approx(2 * norm.sf(z))
    assert found.arms[0].degrees == np.inf
    assert found.arms[0].standard_error == pytest.approx(np.sqrt(2e-4))


def test_arms_whose_covariance_is_below_0_are_not_narrower_for_it() -> None:
    """A covariance estimated below 0 counts as 0, as Hillis 2007 has it."""
    figures = np.array([[0.8, 0.9, 0.7], [0.85, 0.88, 0.8]])
    at_nothing, below = (
        from_components(figures, (1e-3, 0.0, cov2, 0.0), 40).arms[0] for cov2 in (0.0, -1e-3)
    )
    assert below == at_nothing
    assert below.standard_error == pytest.approx(np.std(figures[0], ddof=1) / np.sqrt(3))
    assert below.degrees == pytest.approx(2.0)


def test_the_components_of_a_study_are_those_of_its_mean_squares() -> None:
    """By hand: two readers, arms (0.8, 0.9) and (0.8, 0.7)."""
    found = from_components(np.array([[0.8, 0.9], [0.8, 0.7]]), (0.004, 0.001, 0.002, 0.0005), 50)
    assert found.components.arm_reader == pytest.approx(0.01 - (0.004 - 0.001 - 0.0015))
    assert found.components.reader == pytest.approx((0.0 - 0.01) / 2 - (0.001 - 0.0005))
    assert found.difference == pytest.approx(-0.1)
    assert found.f == pytest.approx(0.01 / (0.01 + 2 * 0.0015))
    assert found.degrees == pytest.approx(0.013**2 / 0.01**2)


def test_error_is_needed_to_plan_and_more_readers_are_worth_more_where_they_differ() -> None:
    nothing = ReaderStudyPlan(0.05, Components(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 100))
    with pytest.raises(ConfigurationError, match="no error at all"):
        power_of(nothing, 5, 100)
    plan = ReaderStudyPlan(0.05, Components(0.0, 1e-3, 1e-3, 5e-4, 4e-4, 2e-4, 100))
    assert power_of(plan, 12, 100) > power_of(plan, 6, 200)
