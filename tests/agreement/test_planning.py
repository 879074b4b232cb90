from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cxpath.agreement.base import Weighting, draw_cases, pair_up
from cxpath.agreement.categorical import cohens_kappa
from cxpath.agreement.continuous import Form, icc
from cxpath.agreement.planning import Plan, Planned, plan_study, share_reached
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


@pytest.mark.parametrize(
    "wrong",
    [{"width": None}, {"value": 1.2}, {"at_least": 0.9}, {"near": 1.0}, {"readers": 1}, {"width": 0.0001}],
)
def test_what_cannot_be_planned_is_refused(wrong: dict[str, float | None]) -> None:
    with pytest.raises(ConfigurationError):
        plan_study(replace(ICC, **wrong))  # type: ignore[arg-type]


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
