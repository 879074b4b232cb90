""""""

from __future__ import annotations

import numpy as np
import pytest

from cxpath.documents.evaluation import CountedLabels
from cxpath.evaluation.labelled import (
    COLUMNS,
    block_counts,
    brown_classified_positive,
    brown_figure,
    curve_point,
    detections_per_label,
    found_f1,
    found_recall,
    label_figures,
    number_of_labels,
    units_of,
)
from cxpath.evaluation.real_sets import LabelledImage
from cxpath.evaluation.settings import LabelledSet
from tests.evaluation.called_cells import IMMUNE, OTHER, REAL, TUMOUR, calls_at

BCDATA, SHIDC = (next(one for one in REAL.labelled_set if one.name == name) for name in ("bcdata", "shidc"))
MPP = 0.5

# A field of 150 x 50 µm: blocks of 100 and 50 µm.
IMAGE = LabelledImage(
    np.zeros((100, 300, 3), np.uint8),
    np.array([[10.0, 10.0], [50.0, 10.0], [198.0, 50.0], [250.0, 50.0]]) / MPP * 0.5,
    ("pos_tumour", "pos_tumour", "neg_tumour", "pos_tumour"),
)
CALLS = calls_at(
    [(5.5, 5.0), (25.0, 5.0), (101.0, 25.0), (140.0, 45.0)],
    [TUMOUR, OTHER, TUMOUR, IMMUNE],
    [True, False, True, False],
)


def counts(wanted: LabelledSet) -> dict[str, list[int]]:
    rows = block_counts(IMAGE, CALLS, wanted, REAL, MPP)
    return {name: rows[:, column].tolist() for column, name in enumerate(COLUMNS)}


def test_labels_detections_and_pairs_by_block() -> None:
    found = counts(BCDATA)
    assert found["labels"] == [3, 1]
    # The detection at 101 µm belongs to the label at 99 µm, in the first block.
    assert found["detections"] == [3, 1]
    assert found["pairs"] == [3, 0]
    assert found["brown_found"] == [2, 0]
    assert found["brown_called"] == [1, 0]
    # Of three tumour nuclei found, two are called tumour and one is called other.
    assert found["tumour_found"] == [3, 0]
    assert found["tumour_called"] == [2, 0]


def test_tumour_nuclei_are_judged_only_where_labels_say_which_they_are() -> None:
    names = [figure.name for figure in label_figures(BCDATA, [labels(counts_rows(BCDATA))], REAL)]
    assert "tumour_classified_tumour" in names
    silent = BCDATA.model_copy(update={"tumour": ()})
    rows = np.array(counts_rows(silent))
    assert rows[:, COLUMNS.index("tumour_found")].sum() == 0
    assert "tumour_classified_tumour" not in [
        figure.name for figure in label_figures(silent, [labels(rows.tolist())], REAL)
    ]


def labels(blocks: list[list[int]]) -> CountedLabels:
    return CountedLabels(name="a", blocks=blocks)


def counts_rows(wanted: LabelledSet) -> list[list[int]]:
    rows: list[list[int]] = block_counts(IMAGE, CALLS, wanted, REAL, MPP).tolist()
    return rows


def test_a_set_that_labels_some_kinds_counts_those_alone() -> None:
    found = counts(SHIDC)
    assert found["detections"] == [2, 1]
    assert found["pairs"] == [2, 0]
    assert found["detections_all"] == [3, 1]
    assert found["pairs_all"] == [3, 0], "recall is of any detection"


def test_figures_by_hand() -> None:
    rows = block_counts(IMAGE, CALLS, BCDATA, REAL, MPP).astype(np.float64)
    assert found_f1(rows) == pytest.approx(6 / 8)
    assert found_recall(rows) == pytest.approx(3 / 4)
    assert detections_per_label(rows) == 1.0
    assert brown_classified_positive(rows) == 0.5
    assert np.isnan(found_f1(np.zeros((1, len(COLUMNS)))))


@pytest.mark.parametrize(("images", "unit", "units"), [(9, "blocks", 18), (10, "images", 10)])
def test_ten_images_are_drawn_as_images_fewer_as_blocks(images: int, unit: str, units: int) -> None:
    result = labels(block_counts(IMAGE, CALLS, BCDATA, REAL, MPP).tolist())
    rows, kind = units_of([result] * images, REAL.bootstrap)
    assert (len(rows), kind) == (units, unit)
    assert rows[:, 0].sum() == 4 * images


def test_every_figure_has_its_target_and_its_resolution() -> None:
    result = labels(block_counts(IMAGE, CALLS, BCDATA, REAL, MPP).tolist())
    figures = {one.name: one for one in label_figures(BCDATA, [result] * 3, REAL)}
    assert figures["f1"].met is False
    assert figures["f1"].target == BCDATA.f1
    assert figures["f1"].n == 12
    assert figures["detections_per_label"].met is True
    assert figures["recall"].target is None
    assert {one.mpp for one in figures.values()} == {0.25}
    assert "within 6 µm" in figures["f1"].method
    brown = brown_figure([result] * 3, ["bcdata", "shidc"], REAL)
    assert (brown.value, brown.n, brown.met) == (0.5, 6, False)
    assert "bcdata and shidc" in brown.method


def test_a_point_of_a_curve_is_the_figures_at_that_resolution() -> None:
    result = labels(block_counts(IMAGE, CALLS, BCDATA, REAL, MPP).tolist())
    point = curve_point(0.4, BCDATA, [result] * 3)
    assert (point.mpp, point.f1, point.detections_per_label) == (0.4, 0.75, 1.0)
    assert point.brown_classified_positive == 0.5
    assert point.tumour_classified_tumour == pytest.approx(2 / 3, abs=1e-4)
    assert number_of_labels([result] * 3) == 12
    silent = BCDATA.model_copy(update={"tumour": ()})
    assert curve_point(0.4, silent, [result]).tumour_classified_tumour is None


def test_what_was_not_there_is_none_and_not_nought() -> None:
    nothing = labels(np.zeros((1, len(COLUMNS)), int).tolist())
    point = curve_point(0.25, BCDATA, [nothing])
    assert (point.f1, point.detections_per_label, point.brown_classified_positive) == (None, None, None)
