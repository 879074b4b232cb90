from __future__ import annotations

import numpy as np
import pytest

from cxpath.agreement.base import draw_cases
from cxpath.agreement.cells import (
    ImagePair,
    ObservedCells,
    confusion,
    count_ratio_errors,
    detection,
    same_class,
)


def image(places: list[list[float]], classes: list[int], shift: float = 0.0, drop: int = 0) -> ImagePair:
    points, codes = np.array(places, dtype=float), np.array(classes)
    kept = slice(drop, None)
    return ImagePair(
        "one", ObservedCells(points, codes), ObservedCells(points[kept] + [shift, 0], codes[kept])
    )


GRID = [[float(x), float(y)] for x in range(0, 100, 20) for y in range(0, 100, 20)]


def test_detection_by_hand_at_two_radii() -> None:
    pair = image(GRID, [0] * 25, shift=4.0, drop=5)
    draws = draw_cases(np.arange(1), 100, 0.95, 1)
    near = {one.key: one.value for one in detection([pair], draws, 3.0)}
    far = {one.key: one.value for one in detection([pair], draws, 6.0)}
    assert near["cell_f1"] == 0
    assert far == {"cell_recall": 0.8, "cell_precision": 1, "cell_f1": pytest.approx(40 / 45)}


def test_the_assignment_is_the_best_one_not_the_nearest_first() -> None:
    reference = ObservedCells(np.array([[0.0, 0], [5, 0]]), np.zeros(2, dtype=np.int64))
    compared = ObservedCells(np.array([[3.0, 0], [9.0, 0]]), np.zeros(2, dtype=np.int64))
    found = detection([ImagePair("a", reference, compared)], draw_cases(np.arange(1), 100, 0.95, 1), 4.0)
    assert found[0].value == 1


def test_classes_of_matched_cells_and_the_error_of_the_ratio() -> None:
    reference = ObservedCells(np.array(GRID), np.array([0] * 5 + [1] * 20))
    compared = ObservedCells(np.array(GRID), np.array([0] * 4 + [1] * 20 + [-1]))
    pair = ImagePair("a", reference, compared)
    table = confusion([pair], 2, 6.0)
    assert table.tolist() == [[4, 1], [0, 19]]
    draws = draw_cases(np.arange(1), 100, 0.95, 1)
    assert same_class([pair], draws, 6.0).value == pytest.approx(23 / 24)
    bias, absolute = count_ratio_errors([pair], (0,), (0, 1), draws)
    assert bias.value == pytest.approx(100 * 4 / 24 - 20)
    assert absolute.value == pytest.approx(-bias.value)


def test_an_image_without_tumour_has_no_ratio_and_is_counted() -> None:
    empty = ObservedCells(np.zeros((0, 2)), np.zeros(0, dtype=np.int64))
    pair = ImagePair("a", empty, empty)
    bias, _ = count_ratio_errors([pair], (0,), (0, 1), draw_cases(np.arange(1), 100, 0.95, 1))
    assert np.isnan(bias.value)
    assert "1 images without" in bias.note
