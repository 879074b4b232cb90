import pytest

from cxpath.scores.counting import CellCounts, count_cells, counted_positive
from tests.drawn_cells import drawn_cells

TISSUE = """
T+ T- T- L+ M+
T- T+ P+ N+ E+
L- M- F+ X+ B+
"""


def count(picture: str, distance_um: float = 500.0) -> CellCounts:
    return count_cells(drawn_cells(picture), 0.5, distance_um)


def test_every_kind_counts_where_the_rule_puts_it() -> None:
    assert count(TISSUE) == CellCounts(
        tumour_positive=2,
        tumour_negative=3,
        immune_positive=2,
        immune_negative=2,
        immune_positive_not_associated=0,
        other=6,
    )


def test_macrophages_count_and_plasma_cells_neutrophils_and_eosinophils_do_not() -> None:
    assert count("T- M+").positive == 1
    for excluded in ("P+", "N+", "E+", "F+", "X+", "B+"):
        assert count(f"T- {excluded}").positive == 0


def test_numerator_and_denominator() -> None:
    counts = count(TISSUE)
    assert (counts.positive, counts.tumour) == (4, 5)


def test_a_stained_immune_cell_far_from_tumour_is_shown_but_not_counted() -> None:
    far = "T- " + ".. " * 9 + "L+"  # ten places of 12 µm: 120 µm
    near = count(far, distance_um=120.0)
    assert (near.immune_positive, near.immune_positive_not_associated) == (1, 0)
    beyond = count(far, distance_um=119.0)
    assert (beyond.immune_positive, beyond.immune_positive_not_associated) == (0, 1)


def test_without_tumour_no_immune_cell_is_associated() -> None:
    counts = count("L+ L+ M+")
    assert (counts.immune_positive, counts.immune_positive_not_associated, counts.tumour) == (0, 3, 0)


@pytest.mark.parametrize(("threshold", "positive"), [(0.5, 1), (0.99, 1), (0.999, 0)])
def test_a_cell_is_positive_from_the_threshold_on(threshold: float, positive: int) -> None:
    counts = count_cells(drawn_cells("T+"), threshold, 500.0)
    assert counts.tumour_positive == positive


def test_an_unknown_staining_is_not_positive() -> None:
    cells = drawn_cells("T+ L+")
    cells.stained[:] = float("nan")
    counts = count_cells(cells, 0.5, 500.0)
    assert (counts.tumour_negative, counts.immune_negative, counts.positive) == (1, 1, 0)


def test_the_counted_cells_are_the_numerator() -> None:
    assert counted_positive(drawn_cells("T+ T- L+ L- P+"), 0.5, 500.0).tolist() == [
        True,
        False,
        True,
        False,
        False,
    ]
