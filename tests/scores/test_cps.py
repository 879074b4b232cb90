"""The combined positive score of counts."""

from hypothesis import given
from hypothesis import strategies as st

from cxpath.scores.counting import CellCounts
from cxpath.scores.cps import combined_positive_score

COUNT = st.integers(0, 10_000)


def counts(tumour_positive: int, tumour_negative: int, immune_positive: int) -> CellCounts:
    return CellCounts(tumour_positive, tumour_negative, immune_positive, 50, 7, 30)


def test_the_textbook_case() -> None:
    assert combined_positive_score(counts(10, 90, 15)) == 25.0


def test_without_tumour_there_is_no_score_however_many_immune_cells_are_positive() -> None:
    assert combined_positive_score(counts(0, 0, 40)) is None


def test_more_positive_cells_than_tumour_cells_is_a_hundred() -> None:
    assert combined_positive_score(counts(60, 40, 90)) == 100.0


@given(COUNT, COUNT, COUNT)
def test_another_positive_immune_cell_never_lowers_it(positive: int, negative: int, immune: int) -> None:
    before = combined_positive_score(counts(positive, negative + 1, immune))
    after = combined_positive_score(counts(positive, negative + 1, immune + 1))
    assert before is not None
    assert after is not None
    assert before <= after <= 100.0
