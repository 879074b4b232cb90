import numpy as np
import pytest

from cxpath.scores.counting import counted_positive
from cxpath.scores.field_buckets import draw_fields, sort_fields
from cxpath.scores.fields import FieldLattice, lay_fields
from tests.drawn_cells import drawn_cells

PICTURE = "T+ T+ T- T+ T- T- T- T- T- T- .. .. L+ L-"
"""Six fields of two places: local CPS 100, 50, 0, 0, 0; an empty place; and one that holds no tumour."""


def lattice(picture: str = PICTURE) -> FieldLattice:
    cells = drawn_cells(picture)
    return lay_fields(cells, 0.5, counted_positive(cells, 0.5, 500.0), 24.0)


def test_every_field_with_tumour_lies_in_one_bucket() -> None:
    none, low, middle, high = sort_fields(lattice())
    assert [bucket.fields for bucket in (none, low, middle, high)] == [3, 0, 0, 2]
    assert [none.share_of_tumour_cells, high.share_of_tumour_cells] == [0.6, 0.4]


def test_positive_cells_of_fields_without_tumour_are_not_lost() -> None:
    """Three positive tumour cells and a lymphocyte in a field of its own: all in the highest bucket."""
    assert [bucket.share_of_positive_cells for bucket in sort_fields(lattice())] == [0.0, 0.0, 0.0, 1.0]
    assert sort_fields(lattice("T- T-"))[0].share_of_positive_cells is None


@pytest.mark.parametrize(("positive", "expected"), [(0, 0), (1, 1), (2, 2), (19, 2), (20, 3)])
def test_a_local_cps_of_1_or_10_opens_the_next_bucket(positive: int, expected: int) -> None:
    """200 tumour cells in one field: 1 positive is 0.5, 2 are 1, 19 are 9.5 and 20 are 10."""
    words = ["T+"] * positive + ["T-"] * (200 - positive)
    cells = drawn_cells(" ".join(words), spacing_um=1.0)
    held = sort_fields(lay_fields(cells, 0.5, counted_positive(cells, 0.5, 500.0), 500.0))
    assert [bucket.fields for bucket in held] == [int(number == expected) for number in range(4)]


def test_fields_are_drawn_once_from_every_bucket_and_never_those_that_are_shown() -> None:
    drawn = draw_fields(lattice(), 2, besides=[0])
    assert [bucket for bucket, _ in drawn] == ["10 or more", "no positive cell", "no positive cell"]
    rows = [row for _, row in drawn]
    assert rows[0] == 1
    assert len(set(rows)) == 3
    assert drawn == draw_fields(lattice(), 2, besides=[0])
    assert draw_fields(lattice(), 0, besides=[]) == ()


def test_fields_without_tumour_are_not_drawn() -> None:
    all_rows = {row for _, row in draw_fields(lattice(), 9, besides=[])}
    assert all_rows == set(np.flatnonzero(lattice().counts.tumour > 0))
