from __future__ import annotations

import numpy as np
import pytest

from cxpath.data.cells import CellTable
from cxpath.scores.counts import call_cells
from cxpath.scores.fields import (
    FieldLattice,
    field_number,
    heterogeneity,
    influential_fields,
    lay_fields,
    rank_fields,
    sample_fields,
    sort_fields,
)
from tests.synthetic_cells import MPP, synthetic_cells

PICTURE = "T+ T+ T- T+ T- T- T- T- T- T- .. .. L+ L-"
"""Six fields of two places: local CPS 100, 50, 0, 0, 0; an empty place; and one that contains no tumour."""


def lattice(picture: str = PICTURE) -> FieldLattice:
    cells = synthetic_cells(picture)
    return lay_fields(call_cells(cells, 0.5, 500.0), 24.0)


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
    cells = synthetic_cells(" ".join(words), spacing_um=1.0)
    held = sort_fields(lay_fields(call_cells(cells, 0.5, 500.0), 500.0))
    assert [bucket.fields for bucket in held] == [int(number == expected) for number in range(4)]


def test_fields_are_drawn_once_from_every_bucket_and_never_those_that_are_shown() -> None:
    drawn = sample_fields(lattice(), 2, besides=[0])
    assert [bucket for bucket, _ in drawn] == ["10 or more", "no positive cell", "no positive cell"]
    rows = [row for _, row in drawn]
    assert rows[0] == 1
    assert len(set(rows)) == 3
    assert drawn == sample_fields(lattice(), 2, besides=[0])
    assert sample_fields(lattice(), 0, besides=[]) == ()


def test_fields_without_tumour_are_not_drawn() -> None:
    all_rows = {row for _, row in sample_fields(lattice(), 9, besides=[])}
    assert all_rows == set(np.flatnonzero(lattice().counts.tumour > 0))


def fields(cells: CellTable, field_um: float) -> FieldLattice:
    return lay_fields(call_cells(cells, 0.5, 500.0), field_um)


def test_counts_of_fields_add_up_to_the_slide() -> None:
    lattice = fields(synthetic_cells("T+ T- L+\nT- P+ L-\nT+ T+ .."), 24.0)
    assert lattice.counts.tumour_positive.sum() == 3
    assert lattice.counts.tumour_negative.sum() == 2
    assert lattice.counts.immune_positive.sum() == 1
    assert lattice.counts.other.sum() == 1
    assert len(lattice.left_px) == 3


def test_influence_is_the_score_less_the_score_without_the_field() -> None:
    lattice = fields(synthetic_cells("T+ T+\nT- T-"), 12.0)
    assert lattice.influence() == pytest.approx([50 - 100 / 3, 50 - 100 / 3, 50 - 200 / 3, 50 - 200 / 3])


def test_the_only_field_has_no_influence_to_speak_of() -> None:
    assert np.isnan(fields(synthetic_cells("T+ T-"), 1000.0).influence()).all()


def test_a_field_without_tumour_has_no_local_cps() -> None:
    lattice = fields(synthetic_cells("T+ T- .. .. L+"), 24.0)
    assert lattice.counts.cps()[0] == 50.0
    assert np.isnan(lattice.counts.cps()[1])


def lattice_of_heterogeneity(picture: str, field_um: float) -> FieldLattice:
    cells = synthetic_cells(picture)
    return lay_fields(call_cells(cells, 0.5, 500.0), field_um)


def test_even_positivity_has_no_gini() -> None:
    found = heterogeneity(lattice_of_heterogeneity("T+ T-\nT+ T-\nT+ T-", 24.0), MPP)
    assert found.fields == 2
    assert found.gini == pytest.approx(0)
    assert found.coefficient_of_variation == pytest.approx(0)


def test_all_in_one_of_four_fields() -> None:
    found = heterogeneity(lattice_of_heterogeneity("T+ T+ T- T- T- T- T- T-", 24.0), MPP)
    assert found.gini == pytest.approx(0.75)
    assert found.coefficient_of_variation == pytest.approx(np.sqrt(3))
    assert found.share_of_hottest_tenth == pytest.approx(0.4)


def test_without_positive_cells_there_is_nothing_to_spread() -> None:
    found = heterogeneity(lattice_of_heterogeneity("T- T-", 24.0), MPP)
    assert (found.gini, found.hottest) == (None, None)


def test_the_hottest_field_needs_enough_tumour_cells() -> None:
    rows = "\n".join("T+ " + "T- " * 9 + "T+" for _ in range(10))
    found = heterogeneity(lattice_of_heterogeneity(rows, 120.0), MPP)
    assert found.hottest is not None
    assert (found.hottest.left_um, found.hottest.tumour_cells, found.hottest.local_cps) == (0.0, 100, 10.0)


def test_a_field_has_the_same_number_in_the_table_and_by_its_place() -> None:
    cells, field_um = synthetic_cells("T+ T- .. T-\n.. T+ T- .."), 24.0
    whole, width_px = fields(cells, field_um), cells.facts.width_px
    corners = zip((whole.left_px * MPP).tolist(), (whole.top_px * MPP).tolist(), strict=True)
    by_place = [field_number(left, top, field_um, width_px, MPP) for left, top in corners]
    assert by_place == whole.numbers.tolist()
    assert len(set(whole.numbers.tolist())) == len(whole.left_px) > 1


def test_the_most_influential_field_comes_first_with_its_place() -> None:
    fields = influential_fields(lattice_of_heterogeneity("T- T- T- T+ .. T-", 24.0), MPP)
    first = fields[0]
    assert (first.left_um, first.left_px, first.tumour_cells, first.positive_cells) == (24.0, 48.0, 2, 1)
    assert first.influence == pytest.approx(100 * (1 / 5 - 0 / 3))
    assert first.local_cps == 50.0
    assert len(influential_fields(lattice_of_heterogeneity("T- T- T- T+ .. T-", 24.0), MPP, fields=2)) == 2


def test_one_field_has_no_influence_to_speak_of() -> None:
    assert influential_fields(lattice_of_heterogeneity("T+ T-", 500.0), MPP)[0].influence is None


def test_the_curve_of_the_hottest_is_the_share_of_positive_cells_by_tumour_cells() -> None:
    """A quarter of the tumour cells contains all positive ones: a twentieth of them holds a fifth."""
    found = heterogeneity(lattice_of_heterogeneity("T- T- T- T- T+ T+ T- T-", 24.0), MPP)
    curve = found.positive_share_of_hottest
    assert len(curve) == 20
    assert curve[:5] == pytest.approx((0.2, 0.4, 0.6, 0.8, 1.0))
    assert set(np.round(curve[5:], 12)) == {1.0}


def test_fields_are_weighted_by_their_tumour_cells() -> None:
    """Ratios 1 of one cell and 0 of three: mean 1/4, variance (1 x 9/16 + 3 x 1/16) / 4 = 3/16."""
    found = heterogeneity(lattice_of_heterogeneity("T+ .. .. T- T- T-", 36.0), MPP)
    assert found.coefficient_of_variation == pytest.approx((3 / 16) ** 0.5 / (1 / 4))
    assert found.gini == pytest.approx(0.75)


def test_a_field_of_49_tumour_cells_is_not_named_the_hottest_and_one_of_50_is() -> None:
    few, enough = (
        heterogeneity(lattice_of_heterogeneity(" ".join(["T+"] + ["T-"] * (number - 1)), 6000.0), MPP)
        for number in (49, 50)
    )
    assert few.hottest is None
    assert enough.hottest is not None
    assert enough.hottest.local_cps == pytest.approx(2.0)


def test_the_hottest_field_states_its_place_in_micrometres() -> None:
    blank, cold, hot = [".. " * 10], ["T- " * 10] * 10, ["T+ " * 10] * 10
    rows = [a + b for a, b in zip(cold + blank * 10, blank * 10 + hot, strict=True)]
    found = heterogeneity(lattice_of_heterogeneity("\n".join(rows), 120.0), MPP)
    assert found.hottest is not None
    assert (found.hottest.left_um, found.hottest.top_um, found.hottest.local_cps) == (120.0, 120.0, 100.0)


def test_fields_rank_by_how_far_they_move_the_score_either_way() -> None:
    """Without the first (all stained) the score falls most; the last has least tumour and moves it least."""
    cells = synthetic_cells("T+ T+ T+ .. T- T- T- T- T- T- .. ..")
    made = lay_fields(call_cells(cells, 0.5, 500.0), 48.0)
    influence = made.influence()
    assert influence == pytest.approx([100 * 3 / 9, 100 * (3 / 9 - 3 / 5), 100 * (3 / 9 - 3 / 7)])
    assert rank_fields(made).tolist() == [0, 1, 2]
    shown = influential_fields(made, MPP)
    assert [field.side_um for field in shown] == [48.0] * 3
    assert shown[1].influence == pytest.approx(influence[1])
    assert shown[1].influence is not None
    assert shown[1].influence < 0


def test_where_nothing_is_stained_the_field_with_most_tumour_comes_first() -> None:
    made = lay_fields(call_cells(synthetic_cells("T- .. T- T- T- .."), 0.5, 500.0), 24.0)
    assert rank_fields(made).tolist() == [1, 0, 2]


def test_a_field_with_immune_cells_alone_is_shown_without_a_local_cps() -> None:
    (first, second) = influential_fields(lattice_of_heterogeneity("T- T+ L+ L+", 24.0), MPP)
    assert {first.local_cps, second.local_cps} == {50.0, None}


def test_cells_beyond_the_edges_of_the_slide_stay_in_their_own_row_of_fields() -> None:
    """Foreign tables contain such cells: one must not be counted at the left of the next row."""
    cells = synthetic_cells("T+ T-\nT- T+")
    cells.x_px[1], cells.y_px[0] = 200_000.0, -3.0
    made = lay_fields(call_cells(cells, 0.5, 500.0), 24.0)
    assert made.counts.tumour.sum() == 4
    assert set(made.top_px) == {0.0}


def test_a_field_of_a_single_tumour_cell_lies_in_a_bucket_too() -> None:
    buckets = sort_fields(lattice("T+ .. T- T-"))
    assert [bucket.fields for bucket in buckets] == [1, 0, 0, 1]
    assert sum(bucket.share_of_tumour_cells for bucket in buckets) == pytest.approx(1.0)


def test_where_nothing_is_stained_the_hottest_field_has_a_local_cps_of_0() -> None:
    found = heterogeneity(lattice_of_heterogeneity(" ".join(["T-"] * 60), 6000.0), MPP)
    assert found.hottest is not None
    assert (found.hottest.local_cps, found.hottest.tumour_cells) == (0.0, 60)
