"""Reads as a table: units by readers, bounds, patients and groups."""

from __future__ import annotations

import numpy as np
import pytest

from cxpath.agreement.reads import ReadMatrix, level_names, read_matrix
from cxpath.data.reads import NO_READ, NOT_EVALUABLE, Read, ReadValue, exactly
from cxpath.errors import StudyError

BELOW_1 = ReadValue(0.5, 0.0, 1.0, high_excluded=True)
ABOVE_100 = ReadValue(100.0, 100.0, np.inf, low_excluded=True)


def read(case: str, reader: str, value: ReadValue | float, **others: object) -> Read:
    stated = value if isinstance(value, ReadValue) else exactly(value)
    return Read(case=case, reader=reader, value=stated, **others)  # type: ignore[arg-type]


def table(*reads: Read, of_round: int = 1) -> ReadMatrix:
    return read_matrix(reads, of_round)


def test_units_and_readers_stand_in_the_order_in_which_they_come() -> None:
    found = table(read("b", "Cem", 1), read("a", "Ann", 2), read("b", "Ann", 3))
    assert found.units == (("b", ""), ("a", ""))
    assert found.readers == ("Cem", "Ann")
    np.testing.assert_array_equal(found.values, [[1, 3], [np.nan, 2]])


def test_a_round_contains_its_own_readers_and_the_units_of_all_rounds() -> None:
    reads = read("a", "Ann", 1), read("b", "Bob", 2, round=2)
    second = table(*reads, of_round=2)
    assert (second.units, second.readers) == ((("a", ""), ("b", "")), ("Bob",))
    np.testing.assert_array_equal(second.values[:, 0], [np.nan, 2])
    assert table(*reads, of_round=3).values.shape == (2, 0)


def test_a_bound_that_is_excluded_is_not_reached() -> None:
    found = table(read("a", "Ann", BELOW_1), read("b", "Ann", ABOVE_100), read("c", "Ann", 1))
    np.testing.assert_array_equal(found.reaches(1.0)[:, 0], [0, 1, 1])
    assert not found.indeterminate(1.0).any()
    np.testing.assert_array_equal(found.reaches(100.0)[:, 0], [0, 1, 0])


def test_a_bound_across_a_cutoff_and_not_evaluable_are_indeterminate_and_a_gap_is_not() -> None:
    between = ReadValue(3.0, 1.0, 5.0)
    found = table(read("a", "Ann", between), read("b", "Ann", NOT_EVALUABLE), read("c", "Ann", NO_READ))
    assert np.isnan(found.reaches(2.0)).all()
    np.testing.assert_array_equal(found.indeterminate(2.0)[:, 0], [True, True, False])
    np.testing.assert_array_equal(found.not_evaluable[:, 0], [False, True, False])


def test_levels_count_the_cutoffs_that_are_reached() -> None:
    found = table(*(read(str(place), "Ann", score) for place, score in enumerate([0.0, 1.0, 9.9, 10.0])))
    np.testing.assert_array_equal(found.levels((1.0, 10.0))[:, 0], [0, 1, 1, 2])
    assert np.isnan(table(read("a", "Ann", NO_READ)).levels((1.0,))).all()


def test_a_patient_is_one_cluster_and_a_case_stands_for_a_patient_who_is_not_named() -> None:
    found = table(
        read("a", "Ann", 1, slide="1", patient="P"),
        read("a", "Ann", 2, slide="2", patient="P"),
        read("b", "Ann", 3, patient="P"),
        read("c", "Ann", 4, slide="1"),
        read("c", "Ann", 5, slide="2"),
        read("P", "Ann", 6),
    )
    np.testing.assert_array_equal(found.cluster, [0, 0, 0, 1, 1, 2])


def test_a_patient_stated_in_one_row_holds_for_all_rows_of_the_unit() -> None:
    found = table(read("a", "Ann", 1), read("a", "Bob", 2, patient="P"), read("b", "Ann", 1, patient="P"))
    np.testing.assert_array_equal(found.cluster, [0, 0])


def test_two_patients_of_one_case_are_refused() -> None:
    with pytest.raises(StudyError, match="case a is of patient 'P' and of 'Q'"):
        table(read("a", "Ann", 1, patient="P"), read("a", "Bob", 2, patient="Q"))


def test_a_group_is_what_most_reads_say_and_the_first_of_equals() -> None:
    found = table(
        read("a", "Ann", 1, groups={"site": "north"}),
        read("a", "Bob", 1, groups={"site": "south"}),
        read("a", "Cem", 1, groups={"site": "south"}),
        read("b", "Ann", 1, groups={"site": "east"}),
        read("b", "Bob", 1, groups={"site": "west"}),
        read("c", "Ann", 1, groups={"scanner": "X"}),
    )
    assert found.groups == {"site": ("south", "east", ""), "scanner": ("", "", "X")}


def test_some_readers_are_taken_in_the_order_asked_for() -> None:
    found = table(read("a", "Ann", 1), read("a", "Bob", 2), read("a", "Cem", NOT_EVALUABLE))
    some = found.of_readers(["Cem", "Ann"])
    assert some.readers == ("Cem", "Ann")
    np.testing.assert_array_equal(some.values, [[np.nan, 1]])
    np.testing.assert_array_equal(some.not_evaluable, [[True, False]])
    np.testing.assert_array_equal(some.low, [[np.nan, 1]])


def test_a_reader_who_is_not_there_is_named_with_those_who_are() -> None:
    with pytest.raises(StudyError, match="no reader named 'Dr X'") as error:
        table(read("a", "Ann", 1), read("a", "Bob", 2)).column("Dr X")
    assert error.value.hint == "readers are: Ann, Bob"


def test_levels_are_named_by_their_bounds() -> None:
    assert level_names((1.0, 10.0)) == "< 1 / 1 to < 10 / ≥ 10"
    assert level_names((0.5,)) == "< 0.5 / ≥ 0.5"
