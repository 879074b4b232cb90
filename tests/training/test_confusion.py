from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cxpath.training.confusion import (
    CLASSES,
    FIGURES,
    FieldTables,
    called_cps,
    class_f1,
    detection_f1,
    false_tumour_positive,
    macro_f1,
    score_class,
    stained_recall,
    stained_specificity,
    tally,
    true_cps,
)
from cxpath.values.cell_table import Kind

TABLE = np.array(
    [
        [8, 1, 0, 0, 0, 1],
        [2, 80, 1, 3, 4, 10],
        [0, 0, 5, 1, 0, 0],
        [1, 2, 2, 40, 3, 2],
        [0, 1, 0, 2, 30, 5],
        [1, 4, 0, 1, 2, 0],
    ]
)


def test_places_follow_kind_and_stain() -> None:
    kind = np.array([Kind.TUMOUR, Kind.TUMOUR, Kind.IMMUNE, Kind.IMMUNE, Kind.OTHER, Kind.OTHER], np.uint8)
    positive = np.array([True, False, True, False, True, False])
    names = [CLASSES[place] for place in score_class(kind, positive)]
    expected = ["tumour_positive", "tumour_negative", "immune_positive", "immune_negative", "other", "other"]
    assert names == expected


def test_figures_by_hand() -> None:
    found = TABLE[:5, :5].sum()
    assert detection_f1(TABLE) == pytest.approx(2 * found / (2 * found + 18 + 8))
    assert class_f1(TABLE, 0) == pytest.approx(16 / (10 + 12))
    assert macro_f1(TABLE) == pytest.approx(np.mean([class_f1(TABLE, place) for place in range(4)]))
    assert stained_specificity(TABLE) == pytest.approx(1 - (2 + 1 + 1 + 2) / (90 + 48))
    assert stained_recall(TABLE) == pytest.approx((8 + 5) / (9 + 6))
    assert false_tumour_positive(TABLE) == pytest.approx(1 / (6 + 48 + 33))
    assert true_cps(TABLE) == pytest.approx(100 * 16 / 110)
    assert called_cps(TABLE) == pytest.approx(100 * (12 + 8) / (12 + 88))


def test_pairs_misses_and_inventions_are_counted_where_judged() -> None:
    truth, found = np.array([0, 1, 2, 3]), np.array([0, 3, 1, 4, 0])
    pairs = np.array([[0, 0], [1, 1], [3, 2]])
    judged_truth, judged_found = np.array([True, True, True, False]), np.array([True] * 4 + [False])
    table = tally(truth, found, pairs, judged_truth, judged_found)
    expected = np.zeros((6, 6), int)
    expected[0, 0] = expected[1, 3] = expected[2, 5] = expected[5, 4] = 1
    assert np.array_equal(table, expected)


def test_cps_is_capped_and_needs_a_tumour_cell() -> None:
    table = np.zeros((6, 6), int)
    assert np.isnan(true_cps(table))
    table[0, 0], table[2, 2] = 1, 9
    assert true_cps(table) == called_cps(table) == 100.0


@given(arrays(np.int64, (6, 6), elements=st.integers(0, 50)))
def test_every_figure_is_a_share_or_unknown(table: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> None:
    for figure in FIGURES.values():
        value = figure(table)
        assert np.isnan(value) or -1e-12 <= value <= 1 + 1e-12


def test_the_interval_encloses_the_figure_and_narrows_with_fields() -> None:
    rng = np.random.default_rng(4)
    tables = rng.poisson(TABLE, (200, 6, 6))
    few, many = (FieldTables(tables[:n]).metric(macro_f1, "trial") for n in (10, 200))
    for metric in (few, many):
        assert metric.low is not None
        assert metric.high is not None
        assert metric.low <= metric.value <= metric.high
    assert many.high is not None
    assert few.high is not None
    assert many.high - (many.low or 0) < few.high - (few.low or 0)
    assert many.count == 200
    assert many == FieldTables(tables).metric(macro_f1, "trial"), "the bootstrap is seeded"
