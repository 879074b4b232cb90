import pytest

from cxpath.scores.cutoffs import BorderlineRule, Cutoff, judge

ONE = Cutoff(1.0, "label")
RULE = BorderlineRule(tail=0.025, fold=2.0, tail_beyond=0.125)


@pytest.mark.parametrize(
    ("score", "probability", "borderline"),
    [
        (1.0, 0.98, False),
        (1.0, 0.97, True),
        (2.0, 0.97, True),
        (2.1, 0.97, False),
        (2.1, 0.87, True),
        (0.5, 0.03, True),
        (0.49, 0.03, False),
        (0.0, 0.12, False),
        (0.0, 0.13, True),
    ],
)
def test_near_the_cut_off_a_small_chance_of_the_other_side_asks_for_review_and_far_away_a_larger_one(
    score: float, probability: float, *, borderline: bool
) -> None:
    verdict = judge(score, probability, ONE, RULE)
    assert verdict.met is (score >= 1.0)
    assert verdict.borderline is borderline


@pytest.mark.parametrize(("score", "probability"), [(0.2, 0.99), (5.0, 0.01)])
def test_a_count_on_the_less_likely_side_is_borderline_however_sure_that_is(
    score: float, probability: float
) -> None:
    """Calls are known to miss or to invent cells: the score is what was counted, the chance knows better."""
    assert judge(score, probability, ONE, RULE).borderline
