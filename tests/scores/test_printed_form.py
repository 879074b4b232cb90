import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxpath.scores.printed_form import printed_form, two_decimals


@pytest.mark.parametrize(
    ("score", "printed"),
    [
        (0.0, "0"),
        (0.001, "<1"),
        (0.6, "<1"),
        (0.96, "<1"),
        (0.9999999999, "<1"),
        (1.0, "1.0"),
        (1.04, "1.0"),
        (9.96, "9.9"),
        (9.999999, "9.9"),
        (10.0, "10"),
        (12.34, "12"),
        (99.99, "99"),
        (100.0, "100"),
    ],
)
def test_as_the_design_says(score: float, printed: str) -> None:
    assert printed_form(score) == printed


@given(st.floats(0, 100), st.sampled_from([1.0, 5.0, 10.0, 20.0, 50.0]))
def test_the_printed_number_never_crosses_a_cut_off(score: float, cutoff: float) -> None:
    printed = printed_form(score)
    shown = 0.5 if printed == "<1" else float(printed)
    assert (shown >= cutoff) == (score >= cutoff)


@given(st.floats(0, 100))
def test_two_decimals_never_cross_a_cut_off_either(score: float) -> None:
    assert float(two_decimals(score)) <= score
    assert score - float(two_decimals(score)) < 0.0100001
