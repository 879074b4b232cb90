from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cxpath.report.number_line import WIDTH, number_line, place


def test_the_ends_of_the_line() -> None:
    assert place(0) == 0
    assert place(100) == WIDTH
    assert place(250) == WIDTH


@given(st.floats(0, 100), st.floats(0, 100))
def test_a_larger_score_lies_further_right(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert place(low) <= place(high)


def test_value_interval_and_cutoffs_are_placed() -> None:
    line = number_line(
        {"value": 12.3, "interval_slide": [11, 13.8], "interval_tissue": None, "cutoffs": {"10": {}, "1": {}}}
    )
    assert line.slide is not None
    assert line.slide[0] < line.value < line.slide[1]
    assert line.tissue is None
    assert [label for _, label in line.cutoffs] == ["≥ 1", "≥ 10"]
    assert line.cutoffs[1][0] < line.slide[0]
