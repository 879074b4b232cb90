"""The combined positive score of counts.
The tumour proportion score of counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.spatial.distance import cdist

from cxpath.data.cells import CellTable, CellTableFacts, Kind, Subkind
from cxpath.scores.counts import (
    CellCounts,
    combined_positive_score,
    count_cells,
    counted_positive,
    distance_to_tumour_um,
    near_tumour,
    printed_end,
    printed_form,
    printed_interval,
    tumour_proportion_score,
    two_decimals,
)
from tests.synthetic_cells import synthetic_cells

TISSUE = """
T+ T- T- L+ M+
T- T+ P+ N+ E+
L- M- F+ X+ B+
"""


def count(picture: str, distance_um: float = 500.0) -> CellCounts:
    return count_cells(synthetic_cells(picture), 0.5, distance_um)


def test_every_kind_counts_where_the_rule_puts_it() -> None:
    assert count(TISSUE) == CellCounts(
        tumour_positive=2,
        tumour_negative=3,
        immune_positive=2,
        immune_negative=2,
        immune_positive_not_associated=0,
        other=6,
        lymphocyte=1,
        macrophage=1,
    )


def test_the_parts_of_the_numerator_are_known_where_the_cells_say_so() -> None:
    """Stained lymphocytes and macrophages near tumour, and their share of all that count."""
    counts = count("T+ T- L+ L+ M+ L- P+")
    assert (counts.lymphocyte, counts.macrophage, counts.immune_share) == (2, 1, 0.75)
    assert count("T- L-").immune_share is None
    cells = synthetic_cells("T- L+")
    cells.subkind[1] = Subkind.UNKNOWN
    unnamed = count_cells(cells, 0.5, 100.0)
    assert (unnamed.immune_positive, unnamed.lymphocyte, unnamed.macrophage) == (1, None, None)


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
    counts = count_cells(synthetic_cells("T+"), threshold, 500.0)
    assert counts.tumour_positive == positive


def test_an_unknown_staining_is_not_positive() -> None:
    cells = synthetic_cells("T+ L+")
    cells.stained[:] = float("nan")
    counts = count_cells(cells, 0.5, 500.0)
    assert (counts.tumour_negative, counts.immune_negative, counts.positive) == (1, 1, 0)


def test_the_counted_cells_are_the_numerator() -> None:
    assert counted_positive(synthetic_cells("T+ T- L+ L- P+"), 0.5, 500.0).tolist() == [
        True,
        False,
        True,
        False,
        False,
    ]


COUNT = st.integers(0, 10_000)


def counts(tumour_positive: int, tumour_negative: int, immune_positive: int) -> CellCounts:
    return CellCounts(tumour_positive, tumour_negative, immune_positive, 50, 7, 30)


def test_the_textbook_case() -> None:
    assert combined_positive_score(counts(10, 90, 15)) == 25.0


def test_without_tumour_there_is_no_score_however_many_immune_cells_are_positive() -> None:
    assert combined_positive_score(counts(0, 0, 40)) is None


def test_more_positive_cells_than_tumour_cells_is_a_hundred() -> None:
    assert combined_positive_score(counts(60, 40, 90)) == 100.0


@given(COUNT, COUNT, COUNT)
def test_another_positive_immune_cell_never_lowers_it(positive: int, negative: int, immune: int) -> None:
    before = combined_positive_score(counts(positive, negative + 1, immune))
    after = combined_positive_score(counts(positive, negative + 1, immune + 1))
    assert before is not None
    assert after is not None
    assert before <= after <= 100.0


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


def test_immune_cells_do_not_enter() -> None:
    assert tumour_proportion_score(CellCounts(10, 90, 15, 50, 7, 30)) == 10.0
    assert tumour_proportion_score(CellCounts(10, 90, 900, 0, 0, 0)) == 10.0


def test_without_tumour_there_is_no_score() -> None:
    assert tumour_proportion_score(CellCounts(0, 0, 15, 50, 7, 30)) is None


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(20, 900))
def test_the_quick_way_agrees_with_every_distance_measured(seed: int, reach_um: float) -> None:
    rng = np.random.default_rng(seed)
    facts = CellTableFacts(mpp=0.25, width_px=20_000, height_px=12_000)
    x, y = rng.uniform(0, 20_000, 120), rng.uniform(0, 12_000, 120)
    kind = rng.choice(3, 120, p=[0.05, 0.8, 0.15])
    cells = CellTable.from_columns(facts, x_px=x, y_px=y, kind=kind)
    immune = cells.kind == Kind.IMMUNE
    points = np.column_stack([x, y]) * 0.25
    tumour = points[cells.kind == Kind.TUMOUR]
    nearest = cdist(points, tumour).min(axis=1) if len(tumour) else np.full(120, np.inf)
    assert (near_tumour(cells, immune, reach_um) == (immune & (nearest <= reach_um))).all()
    found = distance_to_tumour_um(cells, immune, reach_um / 2, reach_um * 2)
    for limit in (reach_um / 2, reach_um, reach_um * 2):
        assert ((found <= limit) == (immune & (nearest <= limit))).all()


@pytest.mark.parametrize("picture", ["L+ M+", "T+ T-", "P+"])
def test_without_tumour_or_immune_cells_nothing_is_near(picture: str) -> None:
    cells = synthetic_cells(picture)
    assert not near_tumour(cells, cells.kind == Kind.IMMUNE, 500.0).any()


@pytest.mark.parametrize(
    ("low", "high", "printed"),
    [
        (0.1234, 22.7, "0.1 to 22"),
        (10.13, 14.92, "10 to 14"),
        (0.04, 3.26, "<0.1 to 3.2"),
        (0.0, 0.999, "0 to 0.9"),
        (0.58, 1.0, "0.5 to 1.0"),
        (99.96, 100.0, "99 to 100"),
    ],
)
def test_an_interval_has_the_digits_that_it_deserves(low: float, high: float, printed: str) -> None:
    assert printed_interval(low, high) == printed


@given(st.floats(0, 100), st.sampled_from([0.1, 1.0, 2.0, 10.0, 50.0, 100.0]))
def test_a_printed_end_stands_on_the_side_of_every_cut_off_that_the_end_does(
    bound: float, cutoff: float
) -> None:
    """A reader who compares the printed interval with a cut-off decides as the software does."""
    printed = printed_end(bound)
    shown = 0.05 if printed == "<0.1" else float(printed)
    assert (shown >= cutoff) == (bound >= cutoff)


def test_any_finite_number_has_a_printed_form() -> None:
    """A damaged document may state one; decimals have 28 digits unless more are asked for."""
    assert printed_form(1e308).startswith("1000")
    assert float(two_decimals(1e308)) == 1e308
    assert printed_interval(0.04, 1e40).startswith("<0.1 to 1000")
