from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cxpath.data.cells import Kind
from cxpath.evaluation.calls import CellClassifier
from cxpath.metrics.cells import CLASSES
from cxpath.network.device import choose_device
from cxpath.network.model import Model, load_model
from tests.evaluation.called_cells import IMMUNE, OTHER, TUMOUR, calls_at


def test_calls_name_their_class() -> None:
    calls = calls_at(
        [(0, 0), (1, 1), (2, 2), (3, 3)], [TUMOUR, TUMOUR, IMMUNE, OTHER], [True, False, False, True]
    )
    assert [CLASSES[place] for place in calls.places] == [
        "tumour_positive", "tumour_negative", "immune_negative", "other"
    ]  # fmt: skip
    assert calls.tumour_positive.tolist() == [True, False, False, False]
    some = calls.take(calls.kind == Kind.TUMOUR)
    assert len(some) == 2
    assert some.points_um.tolist() == [[0.0, 0.0], [1.0, 1.0]]


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("small")


def nuclei() -> NDArray[np.uint8]:
    rgb = np.full((160, 200, 3), 228, np.uint8)
    for x, y in ((40, 40), (120, 60), (80, 120)):
        cv2.circle(rgb, (x, y), 8, (95, 95, 165), -1, cv2.LINE_AA)
    return rgb


def test_cells_are_called_in_micrometres(model: Model) -> None:
    classifier = CellClassifier(model, choose_device("cpu"))
    calls = classifier.calls(nuclei())
    for x, y in ((40.5, 40.5), (120.5, 60.5), (80.5, 120.5)):
        away = np.hypot(*(calls.points_um - np.array([x, y]) * classifier.mpp).T)
        assert away.min() < 2.0


def test_the_cards_decision_decides(model: Model) -> None:
    """The same weights with a threshold nobody reaches call nobody positive, with one of 0 everybody."""
    for threshold, expected in ((0.9999999, False), (1e-9, True)):
        thresholds = model.card.thresholds.model_copy(update={"stained_threshold": threshold})
        card = model.card.model_copy(update={"thresholds": thresholds})
        calls = CellClassifier(Model(card, model.network), choose_device("cpu")).calls(nuclei())
        assert len(calls) >= 3
        assert calls.positive.all() == expected
        assert calls.positive.any() == expected
