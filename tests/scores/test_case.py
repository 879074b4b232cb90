from dataclasses import replace

import pytest

from cxpath.scores.case import CaseRule, CaseSlide, score_case
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
