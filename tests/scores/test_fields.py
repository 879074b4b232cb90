import numpy as np
import pytest

from cxpath.scores.counting import counted_positive
from cxpath.scores.fields import FieldLattice, lay_fields
from cxpath.values.cell_table import CellTable
from tests.drawn_cells import drawn_cells


def fields(cells: CellTable, field_um: float) -> FieldLattice:
    return lay_fields(cells, 0.5, counted_positive(cells, 0.5, 500.0), field_um)


def test_counts_of_fields_add_up_to_the_slide() -> None:
    lattice = fields(drawn_cells("T+ T- L+\nT- P+ L-\nT+ T+ .."), 24.0)
    assert lattice.counts.tumour_positive.sum() == 3
    assert lattice.counts.tumour_negative.sum() == 2
    assert lattice.counts.immune_positive.sum() == 1
    assert lattice.counts.other.sum() == 1
    assert len(lattice.left_px) == 3


def test_influence_is_the_score_less_the_score_without_the_field() -> None:
    lattice = fields(drawn_cells("T+ T+\nT- T-"), 12.0)
    assert lattice.influence() == pytest.approx([50 - 100 / 3, 50 - 100 / 3, 50 - 200 / 3, 50 - 200 / 3])


def test_the_only_field_has_no_influence_to_speak_of() -> None:
    assert np.isnan(fields(drawn_cells("T+ T-"), 1000.0).influence()).all()


def test_a_field_without_tumour_has_no_local_cps() -> None:
    lattice = fields(drawn_cells("T+ T- .. .. L+"), 24.0)
    assert lattice.counts.cps()[0] == 50.0
    assert np.isnan(lattice.counts.cps()[1])
