from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from cxpath.scores.audit import AuditedScore
from cxpath.scores.audit_interval import _quantile_of_range
from cxpath.scores.audit_verdict import audited_estimate, tissue_interval
from cxpath.scores.counts import GroupedCounts
from cxpath.scores.settings import Cutoff, Decision, ScoringSettings

SCORE = AuditedScore(4.0, (3.0, 5.5), 0.95, (4.0, 4.0), 100, 0, (), 20_000.0, 0.0, 0)
CUTOFFS = (Cutoff(1.0, "label"), Cutoff(10.0, "trial stratum, not a label"))


def fields(positive: list[int]) -> GroupedCounts:
    """Fields of 500 tumour cells each, so many of them positive."""
    found = np.array(positive, dtype=np.int64)
    none = np.zeros_like(found)
    return GroupedCounts(found, 500 - found, none, none, none)


EVEN, UNEVEN = fields([20] * 40), fields([400] * 2 + [0] * 38)


def test_the_tumour_is_less_certain_than_the_slide_and_most_where_fields_differ() -> None:
    low, high = SCORE.interval
    even, uneven = tissue_interval(SCORE, EVEN), tissue_interval(SCORE, UNEVEN)
    assert uneven[0] < even[0] < low < SCORE.cps < high < even[1] < uneven[1]


def test_cut_offs_are_decided_for_the_tumour() -> None:
    near = replace(SCORE, cps=6.0, interval=(4.5, 8.0))
    even = {one.cutoff.value: one for one in audited_estimate(near, EVEN, ScoringSettings(), CUTOFFS).cutoffs}
    assert (even[1.0].decision, even[10.0].decision) == (Decision.MET, Decision.NOT_MET)
    uneven = audited_estimate(near, UNEVEN, ScoringSettings(), CUTOFFS)
    assert uneven.cutoffs[1].decision is Decision.UNCERTAIN
    assert uneven.cutoffs[1].probability > even[10.0].probability
    assert uneven.interval_slide == near.interval
    assert uneven.reported == "6.0"


def test_without_a_positive_answer_only_the_upper_end_moves() -> None:
    none = replace(SCORE, cps=0.0, interval=(0.0, 0.5), bounds=(0.0, 0.0))
    low, high = tissue_interval(none, fields([0] * 40))
    assert low == 0.0
    assert high > 0.5


@given(st.floats(0, 1e4), st.floats(6, 1e6))
def test_a_range_needs_between_the_one_sided_and_the_two_sided_quantile(width: float, degrees: float) -> None:
    quantile = _quantile_of_range(width, degrees, 0.95)
    assert stats.t.ppf(0.95, degrees) - 1e-5 <= quantile <= stats.t.ppf(0.975, degrees) + 1e-9
    chance = stats.t.cdf(quantile + width, degrees) - stats.t.cdf(-quantile, degrees)
    assert chance >= 0.95 - 1e-6


def test_a_point_is_covered_from_both_sides_and_no_doubt_leaves_the_normal_quantile() -> None:
    assert _quantile_of_range(0.0, np.inf, 0.95) == pytest.approx(1.95996, abs=1e-4)
    assert _quantile_of_range(50.0, np.inf, 0.95) == pytest.approx(1.64485, abs=1e-4)
