import numpy as np
import pytest

from cxpath.scores.counting import counted_positive
from cxpath.scores.fields import FieldLattice, lay_fields
from cxpath.scores.heterogeneity import heterogeneity
from cxpath.scores.influence import influential_fields
from tests.drawn_cells import MPP, drawn_cells


def lattice(picture: str, field_um: float) -> FieldLattice:
    cells = drawn_cells(picture)
    return lay_fields(cells, 0.5, counted_positive(cells, 0.5, 500.0), field_um)


def test_even_positivity_has_no_gini() -> None:
    found = heterogeneity(lattice("T+ T-\nT+ T-\nT+ T-", 24.0), MPP)
    assert found.fields == 2
    assert found.gini == pytest.approx(0)
    assert found.coefficient_of_variation == pytest.approx(0)


def test_all_in_one_of_four_fields() -> None:
    found = heterogeneity(lattice("T+ T+ T- T- T- T- T- T-", 24.0), MPP)
    assert found.gini == pytest.approx(0.75)
    assert found.coefficient_of_variation == pytest.approx(np.sqrt(3))
    assert found.share_of_hottest_tenth == pytest.approx(0.4)


def test_without_positive_cells_there_is_nothing_to_spread() -> None:
    found = heterogeneity(lattice("T- T-", 24.0), MPP)
    assert (found.gini, found.hottest) == (None, None)


def test_the_hottest_field_needs_enough_tumour_cells() -> None:
    rows = "\n".join("T+ " + "T- " * 9 + "T+" for _ in range(10))
    found = heterogeneity(lattice(rows, 120.0), MPP)
    assert found.hottest is not None
    assert (found.hottest.left_um, found.hottest.tumour_cells, found.hottest.local_cps) == (0.0, 100, 10.0)


def test_the_most_influential_field_comes_first_with_its_place() -> None:
    fields = influential_fields(lattice("T- T- T- T+ .. T-", 24.0), MPP)
    first = fields[0]
    assert (first.left_um, first.left_px, first.tumour_cells, first.positive_cells) == (24.0, 48.0, 2, 1)
    assert first.influence == pytest.approx(100 * (1 / 5 - 0 / 3))
    assert first.local_cps == 50.0
    assert len(influential_fields(lattice("T- T- T- T+ .. T-", 24.0), MPP, fields=2)) == 2


def test_one_field_has_no_influence_to_speak_of() -> None:
    assert influential_fields(lattice("T+ T-", 500.0), MPP)[0].influence is None
