from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from cxpath.agreement import planning
from cxpath.agreement.base import Weighting, draw_cases, pair_up, wilson_interval
from cxpath.agreement.categorical import cohens_kappa
from cxpath.agreement.continuous import Form, icc
from cxpath.agreement.planning import Missing, Plan, Planned, onest_curve, plan_study, share_reached
from cxpath.errors import ConfigurationError

ICC = Plan(Planned.ICC, value=0.8, width=0.2, studies=400, assurance=0.5)


def test_the_icc_needs_about_as_many_cases_as_bonett_says() -> None:
    """Bonett 2002: ICC 0.8, two readers, expected width 0.2: about 51 cases."""
    assert plan_study(ICC).cases == pytest.approx(51, abs=6)


def test_the_lower_bound_of_ppa_is_wilsons() -> None:
    """Observed 90 % of 200 has the lower bound .851, of 100 .826: half of such studies reach .85 between."""
    plan = Plan(Planned.PPA, value=0.9, at_least=0.85, prevalence=0.999, assurance=0.5, studies=400)
    assert 150 <= plan_study(plan).cases <= 215


def test_more_is_needed_for_more_assurance_skew_and_cases_near_the_cutoff() -> None:
    plan = Plan(Planned.KAPPA, value=0.8, width=0.2, studies=200)
    cases = plan_study(plan).cases
    assert plan_study(replace(plan, prevalence=0.9)).cases > cases
    assert plan_study(replace(plan, near=0.4, near_value=0.5)).cases > cases
    assert share_reached(plan, cases * 2) > share_reached(plan, cases // 2)


def test_the_case_mix_is_stated() -> None:
    found = plan_study(ICC)
    assert found.below >= 30
    assert found.near >= found.cases / 4


@pytest.mark.parametrize(("readers", "bias"), [(2, 0.0), (3, 0.3)])
def test_a_planned_icc_study_reaches_its_wish_with_the_interval_that_it_quotes(
    readers: int, bias: float
) -> None:
    """Fresh studies of the planned size, analysed as `cxpath agree run` does it."""
    plan = Plan(Planned.ICC, value=0.7, width=0.3, readers=readers, reader_bias=bias, studies=300)
    cases = plan_study(plan).cases
    rng = np.random.default_rng(21)
    draws = draw_cases(np.arange(cases), 500, 0.95, 5)
    error = np.sqrt(1 - 0.7 - bias**2)
    reached = []
    for _ in range(150):
        true = np.sqrt(0.7) * rng.normal(size=(cases, 1)) + bias * rng.normal(size=(1, readers))
        quoted = icc(true + error * rng.normal(size=(cases, readers)), Form.AGREEMENT, draws).intervals[0]
        assert "bootstrap" in quoted.method
        reached.append(quoted.high - quoted.low <= 0.3)
    assert np.mean(reached) >= 0.72


def test_a_planned_kappa_study_reaches_its_wish_with_the_interval_that_it_quotes() -> None:
    plan = Plan(Planned.KAPPA, value=0.8, width=0.25, prevalence=0.8, studies=400)
    cases = plan_study(plan).cases
    rng = np.random.default_rng(22)
    draws = draw_cases(np.arange(cases), 100, 0.95, 5)
    both = 0.8**2 + 0.8 * 0.8 * 0.2
    chances = [1 - 1.6 + both, 0.8 - both, 0.8 - both, both]
    reached = []
    for _ in range(200):
        code = rng.choice(4, cases, p=chances)
        pair = pair_up((code // 2).astype(float), (code % 2).astype(float), draws)
        quoted = cohens_kappa(pair, 2, Weighting.NONE).intervals[0]
        reached.append(quoted.high - quoted.low <= 0.25)
    assert np.mean(reached) >= 0.73


def test_readers_that_differ_more_than_the_icc_allows_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="leave no room"):
        plan_study(replace(ICC, reader_bias=0.5))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"width": None}, "neither a width nor a lower bound"),
        ({"value": 1.2}, "value must lie between 0 and 1"),
        ({"prevalence": 0.0}, "prevalence must lie between 0 and 1"),
        ({"assurance": 1.0}, "assurance must lie between 0 and 1"),
        ({"level": 95.0}, "level must lie between 0 and 1"),
        ({"near_value": -0.1}, "near and near-value must be shares below 1"),
        ({"at_least": 0.8}, "the lower bound 0.8 is not below what is expected, 0.8"),
        ({"near": 0.5, "near_value": 0.4, "at_least": 0.65}, "0.65 is not below what is expected, 0.6"),
        ({"near": 1.0}, "near and near-value must be shares below 1"),
        ({"width": 0.0001}, "not even 20,000 cases are enough"),
        ({"readers": 1}, "at least 2 readers and 100 simulated studies"),
        ({"reader_bias": -0.1}, "readers' own levels of -0.1 leave no room"),
        ({"studies": 99}, "at least 2 readers and 100 simulated studies"),
    ],
)
def test_what_is_wrong_with_a_plan_is_said_in_one_line(wrong: dict[str, float | None], message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)) as caught:
        plan_study(replace(ICC, **wrong))  # type: ignore[arg-type]
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_cases_near_the_cutoff_are_read_less_alike_and_lower_what_is_expected() -> None:
    assert replace(ICC, near=0.25, near_value=0.4).expected == pytest.approx(0.7)
    assert ICC.expected == 0.8


def test_an_icc_out_of_reach_is_refused_before_anything_is_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    """20,000 cases of two readers give a width of 0.005 at ICC 0.9 (Bonett 2002)."""
    monkeypatch.setattr(planning, "share_reached", lambda plan, cases: pytest.fail("simulated"))
    with pytest.raises(ConfigurationError, match="not even 20,000 cases are enough"):
        plan_study(replace(ICC, value=0.9, width=0.002))


def test_the_other_figures_are_tried_up_to_the_largest_study(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def never(plan: Plan, cases: int) -> float:
        asked.append(cases)
        return 0.0

    monkeypatch.setattr(planning, "share_reached", never)
    with pytest.raises(ConfigurationError, match="not even 20,000 cases are enough"):
        plan_study(Plan(Planned.PPA, value=0.9, at_least=0.899))
    assert asked == [8 * 2**step for step in range(12)] + [20_000]


@pytest.mark.parametrize("enough", [5, 8, 9, 37, 99, 101, 640])
def test_the_smallest_study_that_is_enough_is_found(enough: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """To one in a hundred: of 640 cases 636 to 646 will do."""
    monkeypatch.setattr(planning, "share_reached", lambda plan, cases: float(cases >= enough))
    found = plan_study(Plan(Planned.KAPPA, value=0.8, width=0.2, prevalence=0.3, near=0.5))
    assert enough <= found.cases <= enough + enough // 100
    assert found.reached == 1.0
    assert found.below == min(found.cases, max(30, math.ceil(0.7 * found.cases)))
    assert found.near == math.ceil(0.5 * found.cases)


def test_a_width_and_a_lower_bound_must_both_be_reached() -> None:
    wide = Plan(Planned.PPA, value=0.9, width=0.2, prevalence=0.5, studies=300)
    bound = replace(wide, width=None, at_least=0.8)
    both = replace(wide, at_least=0.8)
    of_each = share_reached(wide, 100), share_reached(bound, 100)
    assert share_reached(both, 100) <= min(of_each)
    assert all(0 < share < 1 for share in of_each)


def test_a_study_without_a_positive_case_has_not_reached_its_wish() -> None:
    """Its interval is not defined: it must not pass for one that is narrow enough."""
    plan = Plan(Planned.PPA, value=0.9, width=0.99, prevalence=0.01, studies=200)
    assert share_reached(plan, 4) < 0.15


# ONEST: how agreement falls as more readers read.


def test_a_curve_needs_two_readers_and_a_case() -> None:
    reads = np.array([[1.0, np.nan], [np.nan, 1.0]])
    assert onest_curve(reads, Missing.COMPLETE) is None
    assert onest_curve(reads[:, :1], Missing.IGNORED) is None
    ignored = onest_curve(reads, Missing.IGNORED, orders=20)
    assert ignored is not None
    assert (ignored.cases, ignored.all_readers) == (2, 1.0), "a lone read agrees with nobody's"


def test_enough_readers_are_those_after_whom_the_curve_hardly_falls() -> None:
    curve = onest_curve(np.ones((5, 4)), Missing.COMPLETE, orders=20)
    assert curve is not None
    assert curve.enough_readers == 2, "all agree: a third reader costs nothing"
    falling = replace(curve, mean=np.array([0.9, 0.85, 0.845]))
    assert falling.enough_readers == 3
    steep = replace(curve, mean=np.array([0.9, 0.8, 0.7]))
    assert steep.enough_readers == 4, "it never levels off"


def test_the_two_figures_of_a_curve_name_its_convention_and_what_they_count() -> None:
    reads = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    draws = draw_cases(np.arange(4), 200, 0.95, 1)
    curve = onest_curve(reads, Missing.COMPLETE, draws, orders=20)
    assert curve is not None
    whole, enough = curve.statistics()
    assert (whole.key, enough.key) == ("onest_complete_all", "onest_complete_enough")
    assert whole.method.startswith("2 of 4; share of cases on which all readers agree")
    assert (whole.value, whole.readers) == (0.5, 3)
    (interval,) = whole.intervals
    assert interval.low <= 0.5 <= interval.high
    assert enough.intervals == ()


def test_where_every_draw_agrees_the_curve_has_wilsons_interval() -> None:
    curve = onest_curve(
        np.ones((20, 3)), Missing.COMPLETE, draw_cases(np.arange(20), 100, 0.95, 1), orders=20
    )
    assert curve is not None
    wilson = wilson_interval(20.0, 20.0, 0.95)
    assert wilson is not None
    np.testing.assert_allclose(curve.low, wilson.low)
    assert curve.statistics()[0].intervals[0].low == pytest.approx(wilson.low)


def test_too_few_patients_leave_a_curve_without_an_interval() -> None:
    draws = draw_cases(np.zeros(6, dtype=np.int64), 100, 0.95, 1)
    curve = onest_curve(np.ones((6, 3)), Missing.COMPLETE, draws, orders=20)
    assert curve is not None
    assert np.isnan(curve.low).all()
    assert curve.statistics()[0].intervals == ()


@settings(max_examples=40)
@given(
    arrays(np.float64, (5, 4), elements=st.sampled_from([0.0, 1.0, 2.0, np.nan])),
    st.permutations(range(4)),
)
def test_more_readers_never_agree_more_and_their_order_changes_nothing(
    reads: NDArray[np.float64], order: list[int]
) -> None:
    curve, other = (onest_curve(one, Missing.IGNORED, orders=20) for one in (reads, reads[:, order]))
    if curve is None or other is None:
        assert np.isnan(reads).all()
        return
    assert (np.diff(curve.mean) <= 1e-12).all()
    assert ((curve.mean >= -1e-12) & (curve.mean <= 1 + 1e-12)).all()
    np.testing.assert_allclose(curve.mean, other.mean, atol=1e-12)
    assert (curve.order_low <= curve.order_high).all()
