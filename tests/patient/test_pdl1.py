import pytest
from hypothesis import given, strategies as st

from cxpath.patient.pdl1 import Pdl1Score
from cxpath.patient.tmb import exact_count_interval


@pytest.mark.parametrize(
    ("cells", "low", "high"), [(100, 0.03, 5.6), (1_000, 0.48, 1.84), (20_000, 0.87, 1.15)]
)
def test_the_interval_of_cps_1_is_that_of_the_brief(cells: int, low: float, high: float) -> None:
    bounds = exact_count_interval(cells / 100)
    assert 100 * bounds[0] / cells == pytest.approx(low, abs=0.006)
    assert 100 * bounds[1] / cells == pytest.approx(high, abs=0.03)


@given(st.integers(0, 5000))
def test_the_interval_holds_the_count_and_rises(count: int) -> None:
    low, high = exact_count_interval(count)
    assert low <= count < high
    assert exact_count_interval(count + 1)[0] > low


@pytest.mark.parametrize(
    ("stated", "near"),
    [
        ({"value": 0.96}, True),
        ({"value": 1.0}, True),
        ({"value": 0.0}, False),
        ({"value": 4.0}, False),
        ({"value": 2.5, "viable_tumour_cells": 150}, True),
        ({"value": 1.2, "viable_tumour_cells": 60_000}, False),
        ({"value": 1.0, "near_cutoff": False}, False),
        ({"value": 30.0, "near_cutoff": True}, True),
        ({"value": 4.0, "interval": (0.8, 9.0)}, True),
        ({"value": 4.0, "borderline_at": (1.0,)}, True),
        ({"value": 1.4, "clear_at": (1.0,)}, False),
        ({"value": "<1"}, True),
        ({"value": "<1", "near_cutoff": False}, False),
    ],
)
def test_near_the_cutoff(stated: dict[str, object], near: bool) -> None:
    assert bool(Pdl1Score.model_validate(stated).why_near(1.0)) is near


def test_a_confirmation_is_a_name_and_a_date() -> None:
    assert not Pdl1Score(value=3.0, confirmed_by="Dr A").confirmed
    assert Pdl1Score.model_validate({"confirmed_by": "Dr A", "confirmed_on": "2026-11-20"}).confirmed
