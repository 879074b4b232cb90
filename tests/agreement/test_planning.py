from __future__ import annotations

from dataclasses import replace

import pytest

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
