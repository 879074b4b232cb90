"""The tumour proportion score of counts."""

from cxpath.scores.counting import CellCounts
from cxpath.scores.tps import tumour_proportion_score


def test_immune_cells_do_not_enter() -> None:
    assert tumour_proportion_score(CellCounts(10, 90, 15, 50, 7, 30)) == 10.0
    assert tumour_proportion_score(CellCounts(10, 90, 900, 0, 0, 0)) == 10.0


def test_without_tumour_there_is_no_score() -> None:
    assert tumour_proportion_score(CellCounts(0, 0, 15, 50, 7, 30)) is None
