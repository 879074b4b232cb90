from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

from cxpath.agreement.cells import match_points
from cxpath.data.cells import Calibration, CellPeaks, Kind
from cxpath.data.slide_info import StainBasis
from cxpath.evaluation.labelled import LabelFiles, read_labels
from cxpath.metrics.cells import (
    CLASSES,
    FIGURES,
    NOTHING,
    FieldTables,
    Observation,
    above,
    class_f1,
    detect_in_picture,
    detection_f1,
    false_tumour_positive,
    macro_f1,
    predicted_cps,
    rescaled,
    score_class,
    stained_recall,
    stained_specificity,
    table_of,
    tally,
    true_cps,
)
from cxpath.network.detector import Detector
from cxpath.network.device import choose_device
from cxpath.network.model import load_model
from tests.training.blob_fields import cells_at
from tests.training.peak_examples import IMMUNE, TUMOUR, peaks_at

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
    assert predicted_cps(TABLE) == pytest.approx(100 * (12 + 8) / (12 + 88))


def test_pairs_misses_and_inventions_are_counted_where_judged() -> None:
    truth, found = np.array([0, 1, 2, 3]), np.array([0, 3, 1, 4, 0])
    pairs = np.array([[0, 0], [1, 1], [3, 2]])
    scored_truth, scored_found = np.array([True, True, True, False]), np.array([True] * 4 + [False])
    table = tally(truth, found, pairs, scored_truth, scored_found)
    expected = np.zeros((6, 6), int)
    expected[0, 0] = expected[1, 3] = expected[2, 5] = expected[5, 4] = 1
    assert np.array_equal(table, expected)


def test_cps_is_capped_and_needs_a_tumour_cell() -> None:
    table = np.zeros((6, 6), int)
    assert np.isnan(true_cps(table))
    table[0, 0], table[2, 2] = 1, 9
    assert true_cps(table) == predicted_cps(table) == 100.0


@given(arrays(np.int64, (6, 6), elements=st.integers(0, 50)))
def test_every_figure_is_a_share_or_unknown(table: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> None:
    for figure in FIGURES.values():
        value = figure(table)
        assert np.isnan(value) or -1e-12 <= value <= 1 + 1e-12


def test_the_interval_encloses_the_figure_and_narrows_with_fields() -> None:
    rng = np.random.default_rng(4)
    tables = rng.poisson(TABLE, (200, 6, 6))
    few, many = (FieldTables(tables[:n]).metric(macro_f1, "trial") for n in (10, 200))
    assert few is not None
    assert many is not None
    for metric in (few, many):
        assert metric.low is not None
        assert metric.high is not None
        assert metric.low <= metric.value <= metric.high
    assert many.high is not None
    assert few.high is not None
    assert many.high - (many.low or 0) < few.high - (few.low or 0)
    assert many.count == 200
    assert many == FieldTables(tables).metric(macro_f1, "trial"), "the bootstrap is seeded"


def test_a_figure_of_cells_that_no_field_has_is_no_number() -> None:
    assert FieldTables(np.zeros((5, 6, 6), dtype=np.int64)).metric(macro_f1, "trial") is None


def two_cells_and_a_ghost() -> Observation:
    """A tumour cell found surely, a lymphocyte found faintly, and a faint peak at nothing."""
    x, y = np.array([20.0, 50.0, 80.0]), np.array([20.0, 50.0, 80.0])
    kind = np.array([TUMOUR, IMMUNE, TUMOUR])
    return Observation(
        peaks=peaks_at(x, y, kind, np.array([2.0, -2.0, -2.0]), np.array([0.9, 0.4, 0.2])),
        truth=cells_at(x[:2], y[:2], kind[:2], np.array([True, False])),
        scored_peaks=np.ones(3, bool),
        scored_truth=np.ones(2, bool),
        pairs=np.array([[0, 0], [1, 1]]),
    )


def test_calls_are_counted_as_the_score_will_count_them() -> None:
    table = table_of(two_cells_and_a_ghost(), Calibration(), 0.5)
    assert table[0, 0] == table[3, 3] == table[NOTHING, 1] == 1
    assert table.sum() == 3


def test_a_higher_stain_cut_makes_a_positive_cell_negative() -> None:
    table = table_of(two_cells_and_a_ghost(), Calibration(), 0.95)
    assert table[0, 1] == 1


def test_calibration_moves_calls() -> None:
    table = table_of(two_cells_and_a_ghost(), Calibration(any_bias=4.0), 0.5)
    assert table[3, 2] == 1


def test_a_higher_centre_cut_loses_the_ghost_then_the_faint_cell() -> None:
    seen = above(two_cells_and_a_ghost(), 0.3, 12.0)
    assert len(seen.peaks) == 2
    assert table_of(seen, Calibration(), 0.5)[NOTHING].sum() == 0
    table = table_of(above(seen, 0.5, 12.0), Calibration(), 0.5)
    assert table[3, NOTHING] == 1


def test_what_is_not_judged_is_not_counted() -> None:
    seen = two_cells_and_a_ghost()
    seen = replace(seen, scored_truth=np.array([True, False]), scored_peaks=np.array([True, True, False]))
    table = table_of(seen, Calibration(), 0.5)
    assert table[0, 0] == table.sum() == 1


def places(peaks: CellPeaks) -> np.ndarray:
    return np.column_stack([peaks.x_px, peaks.y_px])


@pytest.mark.parametrize(("scale", "shape"), [(1.5, (15, 30, 3)), (0.5, (5, 10, 3)), (0.01, (1, 1, 3))])
def test_pictures_grow_and_shrink(scale: float, shape: tuple[int, int, int]) -> None:
    assert rescaled(np.zeros((10, 20, 3), np.uint8), scale).shape == shape


def test_shrinking_averages() -> None:
    chequered = np.tile(np.array([[0, 200], [200, 0]], np.uint8), (8, 8))
    assert (rescaled(np.repeat(chequered[..., None], 3, axis=2), 0.5) == 100).all()


def test_a_picture_of_any_size_is_seen_whole() -> None:
    detector = Detector(load_model("small"), choose_device("cpu"), StainBasis(), centre_threshold=0.2)
    rgb = np.full((101, 133, 3), 225, np.uint8)
    for x, y in ((20, 50), (66, 30), (118, 84)):
        cv2.circle(rgb, (x, y), 7, (90, 90, 160), -1)
    peaks = detect_in_picture(detector, rgb)
    labels = np.array([[20.5, 50.5], [66.5, 30.5], [118.5, 84.5]])
    assert len(match_points(labels, places(peaks), 8.0)) == 3
    assert (peaks.x_px < 133).all()
    assert (peaks.y_px < 101).all()


def test_real_nuclei_are_found(data_dir: Path) -> None:
    """Labelled tumour nuclei of a Ki-67 tile nobody trained on (µm/px unstated, 0.25 assumed)."""
    folder = data_dir / "cells" / "bcdata"
    detector = Detector(load_model("small"), choose_device("cpu"), StainBasis())
    files = LabelFiles("1", folder / "1.png", folder / "1.csv")
    image = read_labels(files, "points", image_mpp=0.25, mpp=detector.mpp)
    peaks = detect_in_picture(detector, image.rgb)
    pairs = match_points(image.points_px, places(peaks), 6.0 / detector.mpp)
    assert len(pairs) / len(image.points_px) > 0.7
