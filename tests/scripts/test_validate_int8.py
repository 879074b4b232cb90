"""Whether int8 may be chosen: both engines' counts of the same slides, compared."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from scripts.studies import validate_int8
from scripts.studies.validate_int8 import Compared, concordance, is_validated, lines_of, pooled_f1


@pytest.fixture(autouse=True)
def _few_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validate_int8, "REPEATS", 100)


def slides(number: int, missed: int, seed: int = 3) -> NDArray[np.int64]:
    """Return tables, (slides, 6, 6), on which so many of each slide's positive tumour cells are missed."""
    rng = np.random.default_rng(seed)
    tables = np.zeros((number, 6, 6), dtype=np.int64)
    positive = rng.integers(50, 400, number)
    tables[:, 0, 0], tables[:, 0, 1] = positive - missed, missed
    tables[:, 1, 1], tables[:, 2, 2], tables[:, 3, 3] = 2_000, 60, 500
    return tables


def compared(missed: int, number: int = 40) -> Compared:
    return Compared("held_out", slides(number, 5), slides(number, missed))


def test_equal_counts_differ_by_nothing() -> None:
    same = compared(5)
    assert same.difference(pooled_f1) == (0.0, 0.0)
    assert same.difference(concordance) == (0.0, 0.0)
    assert is_validated([same])


def test_missed_cells_are_a_difference_in_the_right_direction() -> None:
    worse = compared(45)
    low, high = worse.difference(pooled_f1)
    assert low < high < 0
    assert not worse.agrees()
    assert not is_validated([compared(5), worse]), "one arm that differs is enough"


def test_a_small_difference_is_allowed() -> None:
    assert compared(6).agrees()


@pytest.mark.parametrize("number", [0, 29])
def test_too_few_slides_validate_nothing(number: int) -> None:
    assert not is_validated([compared(5, number)])
    assert not is_validated([])


def test_a_few_slides_do_not_stand_against_many() -> None:
    assert is_validated([compared(5), compared(45, 10)])


def test_the_row_states_both_engines() -> None:
    (row,) = lines_of(compared(6))
    assert row.startswith("| held_out | 40 | 0.9")
    assert row.count("(") == 2
    assert row.endswith("| 100, 100 % | 98, 98 % |"), "one slide has a CPS of just 10"
