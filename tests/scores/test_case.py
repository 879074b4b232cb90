from dataclasses import replace

import pytest

from cxpath.scores.case import CaseRule, CaseSlide, ReadSlide, pooled_counts, score_case
from cxpath.scores.counts import CellCounts
from cxpath.scores.settings import Cutoff, ScoringSettings
from tests.scores.tissues import GOOD, even_fields

SETTINGS = ScoringSettings(slide_error=GOOD)


def slide(name: str, fields: int, positive: int, negative: int, immune: int = 0) -> CaseSlide:
    counts = CellCounts(fields * positive, fields * negative, fields * immune, 0, 0, 0)
    return CaseSlide(name, counts, even_fields(fields, positive, negative, immune))


A, B = slide("a.svs", 10, 2, 98), slide("b.svs", 30, 20, 80, immune=5)


def test_pooled_counts_are_added_and_divided_once() -> None:
    case = score_case([A, B], CaseRule.POOLED, SETTINGS)
    assert case.cps.value == pytest.approx(100 * (20 + 600 + 150) / 4000)
    assert case.tps.value == pytest.approx(100 * 620 / 4000)
    assert case.cps.value != pytest.approx((2 + 25) / 2)  # never the mean of the slides' scores


def test_each_slides_part_is_shown() -> None:
    parts = score_case([A, B], CaseRule.POOLED, SETTINGS).parts
    assert [part.name for part in parts] == ["a.svs", "b.svs"]
    assert [part.cps for part in parts] == pytest.approx([2.0, 25.0])
    assert [part.share_of_tumour_cells for part in parts] == pytest.approx([0.25, 0.75])
    assert parts[1].share_of_positive_cells == pytest.approx(750 / 770)
    assert all(part.stands_for_case for part in parts)


def test_the_highest_block_stands_for_the_case() -> None:
    case = score_case([A, B], CaseRule.HIGHEST, SETTINGS, (Cutoff(10.0, "trial stratum, not a label"),))
    assert case.cps.value == pytest.approx(25.0)
    assert [part.stands_for_case for part in case.parts] == [False, True]
    assert case.cps.cutoffs[0].met
    low, high = case.cps.interval_tissue
    assert low < 25.0 < high


def test_the_interval_of_the_highest_knows_that_another_may_be() -> None:
    twin = replace(A, name="twin.svs")
    alone = score_case([A], CaseRule.HIGHEST, SETTINGS).cps.interval_tissue
    of_four = score_case([A, twin, twin, twin], CaseRule.HIGHEST, SETTINGS).cps.interval_tissue
    assert of_four[0] > alone[0]


def test_pooling_makes_surer_and_one_slide_alone_is_itself() -> None:
    one = score_case([A], CaseRule.POOLED, SETTINGS).cps
    same = score_case([A], CaseRule.HIGHEST, SETTINGS).cps
    assert one.value == same.value
    assert one.interval_tissue == pytest.approx(same.interval_tissue)
    four = score_case([A] * 4, CaseRule.POOLED, SETTINGS).cps
    assert four.interval_tissue[1] - four.interval_tissue[0] < one.interval_tissue[1] - one.interval_tissue[0]


def test_a_slide_without_positive_cells_brings_its_tumour_cells() -> None:
    case = score_case([slide("n", 5, 0, 100), slide("m", 5, 0, 50)], CaseRule.POOLED, SETTINGS)
    assert case.cps.value == 0.0
    assert case.parts[0].share_of_positive_cells is None


def test_a_case_without_slides_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        score_case([], CaseRule.POOLED, SETTINGS)


def test_every_rule_says_itself_in_words() -> None:
    assert all(rule.words for rule in CaseRule)


def read(cps: float, low: float, high: float, tumour_cells: float = 1000.0, level: float = 0.95) -> ReadSlide:
    """A person's review whose two intervals are the same."""
    return ReadSlide("audited", cps, (low, high), (low, high), level, tumour_cells)


def test_a_review_replaces_the_networks_cps_and_leaves_counts_and_tps() -> None:
    seen = replace(B, read=read(4.0, 3.0, 6.0))
    case, plain = (score_case([one], CaseRule.HIGHEST, SETTINGS) for one in (seen, B))
    assert case.cps.value == 4.0
    assert case.counts == plain.counts
    assert case.tps == plain.tps
    assert [(part.cps, part.basis) for part in case.parts] == [(4.0, "audited")]
    assert plain.parts[0].basis == "network"


@pytest.mark.parametrize("rule", CaseRule)
@pytest.mark.parametrize(("low", "high"), [(3.0, 6.0), (2.0, 4.5)])
def test_a_case_of_one_reviewed_slide_has_the_interval_of_its_review(
    rule: CaseRule, low: float, high: float
) -> None:
    seen = replace(B, read=read(4.0, low, high))
    estimate = score_case([seen], rule, SETTINGS).cps
    assert estimate.value == pytest.approx(4.0)
    assert estimate.interval_slide == pytest.approx((low, high), rel=0.05)
    assert estimate.interval_tissue == pytest.approx((low, high), rel=0.05)


def test_the_two_intervals_of_a_review_are_kept_apart() -> None:
    seen = replace(B, read=ReadSlide("edited", 10.0, (9.5, 10.5), (6.0, 16.0), 0.95, 1000.0))
    estimate = score_case([seen], CaseRule.POOLED, SETTINGS).cps
    assert estimate.interval_slide == pytest.approx((9.5, 10.5), rel=0.02)
    assert estimate.interval_tissue == pytest.approx((6.0, 16.0), rel=0.05)


def test_an_interval_of_lower_coverage_is_widened_to_that_of_the_case() -> None:
    """On the logarithm, 80 % ends lie 1.2816 and 95 % ends 1.9600 standard deviations away."""
    seen = replace(B, read=read(10.0, 8.0, 12.5, level=0.8))
    low, high = score_case([seen], CaseRule.HIGHEST, SETTINGS).cps.interval_tissue
    assert low == pytest.approx(10.0 * 0.8 ** (1.96 / 1.2816), rel=0.04)
    assert high == pytest.approx(10.0 * 1.25 ** (1.96 / 1.2816), rel=0.04)


def test_a_review_that_found_nothing_stained_has_an_interval_from_0() -> None:
    """Half a normal spread: 95 % of it lies below the upper end, so 97.5 % lies below 1.1436 times that."""
    seen = replace(B, read=read(0.0, 0.0, 2.0))
    estimate = score_case([seen], CaseRule.HIGHEST, SETTINGS, (Cutoff(1.0, "label"),)).cps
    low, high = estimate.interval_tissue
    assert estimate.value == 0.0
    assert 0.0 <= low < 0.1
    assert high == pytest.approx(2.0 * 2.2414 / 1.96, rel=0.05)
    assert 0.0 < estimate.cutoffs[0].probability < 0.5


def test_a_review_near_100_never_draws_more() -> None:
    seen = replace(B, read=read(95.0, 80.0, 100.0))
    assert score_case([seen], CaseRule.HIGHEST, SETTINGS).cps.interval_tissue[1] <= 100.0
    none_stained = replace(B, read=read(0.0, 0.0, 100.0))
    assert score_case([none_stained], CaseRule.HIGHEST, SETTINGS).cps.interval_tissue[1] == 100.0


def test_reviews_are_pooled_by_their_viable_tumour_cells() -> None:
    """By hand: 1,000 cells at CPS 30 by review, 3,000 at 25 by count."""
    seen = replace(A, read=read(30.0, 24.0, 36.0, tumour_cells=1000.0))
    case = score_case([seen, B], CaseRule.POOLED, SETTINGS)
    assert case.cps.value == pytest.approx((1000 * 30 + 3000 * 25) / 4000)
    assert case.tps.value == pytest.approx(100 * 620 / 4000)
    heavier = replace(A, read=read(30.0, 24.0, 36.0, tumour_cells=9000.0))
    assert score_case([heavier, B], CaseRule.POOLED, SETTINGS).cps.value == pytest.approx(28.75)


def test_reviews_of_different_slides_are_drawn_apart() -> None:
    """The mean of four independent reviews is half as uncertain as one of them."""
    seen = replace(A, read=read(10.0, 9.0, 11.1))
    one, four = (score_case([seen] * number, CaseRule.POOLED, SETTINGS).cps for number in (1, 4))
    widths = [estimate.interval_tissue[1] - estimate.interval_tissue[0] for estimate in (one, four)]
    assert widths[1] == pytest.approx(widths[0] / 2, rel=0.1)


def test_a_reviewed_slide_that_scores_lower_leaves_the_case_to_another() -> None:
    case = score_case([A, replace(B, read=read(1.0, 0.8, 1.2))], CaseRule.HIGHEST, SETTINGS)
    assert case.cps.value == pytest.approx(2.0)
    assert case.counts == A.counts
    assert [part.stands_for_case for part in case.parts] == [True, False]


def test_the_interval_of_the_highest_has_two_ends() -> None:
    """It is that of the higher score draw by draw, not of the highest draw."""
    low, high = score_case([A, B], CaseRule.HIGHEST, SETTINGS).cps.interval_tissue
    alone = score_case([B], CaseRule.HIGHEST, SETTINGS).cps.interval_tissue
    assert high - low == pytest.approx(alone[1] - alone[0], rel=0.15)


@pytest.mark.parametrize("rule", CaseRule)
def test_a_slide_without_tumour_is_refused(rule: CaseRule) -> None:
    with pytest.raises(ValueError, match="without tumour cells is not evaluable"):
        score_case([A, slide("empty.svs", 4, 0, 0, immune=3)], rule, SETTINGS)


@pytest.mark.parametrize(("second", "pooled"), [(4, 7), (0, 3), (None, None)])
def test_lymphocytes_are_pooled_only_where_every_slide_tells_them(
    second: int | None, pooled: int | None
) -> None:
    counts = [
        CellCounts(1, 2, 10, 4, 5, 6, lymphocyte=3, macrophage=7),
        CellCounts(10, 20, 4, 40, 50, 60, lymphocyte=second, macrophage=0),
    ]
    total = pooled_counts(counts)
    assert total.lymphocyte == pooled
    assert total.macrophage == 7
    assert (total.tumour_positive, total.tumour_negative, total.immune_positive) == (11, 22, 14)
    assert (total.immune_negative, total.immune_positive_not_associated, total.other) == (44, 55, 66)
