"""What reads say of a cut-off: yes, no, or nothing that is certain."""

import math

import pytest

from cxpath.agreement.reads import ReadMatrix, read_matrix
from cxpath.data.reads import Read
from cxpath.io.reads import read_value


def of_one(text: str) -> ReadMatrix:
    return read_matrix([Read(case="a", reader="Ann", value=read_value(text))], round_number=1)


@pytest.mark.parametrize(
    ("text", "cutoff", "reached"),
    [
        ("<1", 1, 0),
        (">50", 10, 1),
        ("1", 1, 1),
        ("0,96", 1, 0),
        (">10", 10, 1),
        ("≥10", 10, 1),
        ("<10", 10, 0),
    ],
)
def test_a_bound_settles_a_cutoff_that_it_does_not_straddle(text: str, cutoff: float, reached: float) -> None:
    reads = of_one(text)
    assert reads.reaches(cutoff).item() == reached
    assert not reads.indeterminate(cutoff).item()


@pytest.mark.parametrize(("text", "cutoff"), [("<=1", 1), ("<10", 1), (">1", 10), ("NE", 1)])
def test_a_bound_across_a_cutoff_and_a_slide_not_evaluable_leave_it_open(text: str, cutoff: float) -> None:
    reads = of_one(text)
    assert math.isnan(reads.reaches(cutoff).item())
    assert reads.indeterminate(cutoff).item()


def test_what_was_not_read_is_not_indeterminate() -> None:
    reads = of_one("NA")
    assert math.isnan(reads.reaches(1).item())
    assert not reads.indeterminate(1).item()
