from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cxpath.data.cells import Kind
from cxpath.data.slide_info import StainBasis
from cxpath.documents.evaluation import CountedTile
from cxpath.errors import OutputError
from cxpath.evaluation.classifier import (
    LARGEST_PX,
    CellClassifier,
    ResultsCache,
    file_digest,
    keep_picture,
    picture_stains,
)
from cxpath.evaluation.labelled import read_rgb
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


def test_stains_of_pictures_are_those_of_their_clean_parts() -> None:
    """A pen stroke over half of a picture is no haematoxylin."""
    rgb = np.full((240, 240, 3), 240, np.uint8)
    rgb[:120] = (116, 132, 184)
    rgb[:40] = (150, 100, 60)
    inked = rgb.copy()
    inked[120:] = (20, 110, 160)
    spoiled = np.zeros((60, 60), bool)
    spoiled[30:] = True
    white = (240.0, 240.0, 240.0)
    clean = picture_stains([rgb[:120]], (), white)
    assert picture_stains([inked], [spoiled], white) == clean
    assert picture_stains([inked], (), white).hematoxylin != clean.hematoxylin
    assert picture_stains([rgb]).white_point == white


def test_strange_stains_change_what_is_called_where_the_card_knows_others(model: Model) -> None:
    strange = StainBasis((228.0, 228.0, 228.0), hematoxylin=(0.44, 0.83, 0.335), dab=(0.05, 0.28, 0.96))
    unknowing = Model(model.card.model_copy(update={"stains": None}), model.network)
    cpu = choose_device("cpu")
    calls = [CellClassifier(one, cpu).calls(nuclei(), strange) for one in (model, unknowing)]
    usual = CellClassifier(unknowing, cpu).calls(nuclei(), StainBasis())
    assert not np.array_equal(calls[0].stained, calls[1].stained)
    assert np.array_equal(calls[1].stained, usual.stained)


def test_the_middle_is_kept_with_its_cells(tmp_path: Path) -> None:
    (tmp_path / "items").mkdir()
    rgb = np.zeros((LARGEST_PX, LARGEST_PX + 200, 3), np.uint8)
    rgb[:, :100] = 255
    rgb[50, 140] = (10, 20, 30)
    calls = calls_at([(70.25, 25.25), (20.0, 20.0)], [TUMOUR, IMMUNE], [True, False])
    kept = keep_picture(tmp_path / "items" / "a-0123.json", rgb, calls, 0.5, set_name="trial", title="a")
    assert kept.picture == "items/a-0123.png"
    picture = read_rgb(tmp_path / kept.picture)
    assert picture.shape == (LARGEST_PX, LARGEST_PX, 3)
    assert picture.max() < 255, "100 px are cut off on either side"
    cells = json.loads((tmp_path / kept.cells).read_text())
    assert cells == {"x_px": [40.5], "y_px": [50.5], "kind": [0], "positive": [True]}
    assert picture[int(cells["y_px"][0]), int(cells["x_px"][0])].tolist() == [10, 20, 30]


def test_a_small_picture_is_kept_whole(tmp_path: Path) -> None:
    calls = calls_at([(5.0, 5.0)], [TUMOUR], [False])
    kept = keep_picture(
        tmp_path / "b.json", np.full((30, 40, 3), 7, np.uint8), calls, 0.5, set_name="trial", title="b"
    )
    assert read_rgb(tmp_path / "b.png").shape == (30, 40, 3)
    assert json.loads((tmp_path / "b.cells.json").read_text())["x_px"] == [10.0]
    assert kept.mpp == 0.5


def counted(value: int) -> CountedTile:
    return CountedTile(name="one", counts=(value,))


def counting(calls: list[int]) -> CountedTile:
    calls.append(1)
    return counted(len(calls))


def test_a_result_is_measured_once(tmp_path: Path) -> None:
    calls: list[int] = []
    for _ in range(2):
        cache = ResultsCache(tmp_path, "model A")
        assert cache.result("one", "content", CountedTile, lambda: counting(calls)) == counted(1)
    assert len(calls) == 1
    assert cache.computed == 0


@pytest.mark.parametrize(
    ("basis", "item", "content"),
    [("model B", "one", "content"), ("model A", "two", "content"), ("model A", "one", "other")],
)
def test_another_model_item_or_content_is_measured_anew(
    tmp_path: Path, basis: str, item: str, content: str
) -> None:
    calls: list[int] = []
    ResultsCache(tmp_path, "model A").result("one", "content", CountedTile, lambda: counting(calls))
    ResultsCache(tmp_path, basis).result(item, content, CountedTile, lambda: counting(calls))
    assert len(calls) == 2


def test_an_interrupted_or_damaged_result_is_measured_anew(tmp_path: Path) -> None:
    cache = ResultsCache(tmp_path, "model A")

    def interrupted() -> CountedTile:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.result("one", "content", CountedTile, interrupted)
    assert cache.known("one", "content", CountedTile) is None
    cache.keep("one", "content", counted(1))
    assert cache.known("one", "content", CountedTile) == counted(1)
    for damage in ('{"cou', '{"name": "one", "count": [1]}', '{"name": "one", "counts": "many"}'):
        cache.path("one", "content").write_text(damage)
        assert cache.known("one", "content", CountedTile) is None, damage
    assert cache.result("one", "content", CountedTile, lambda: counted(2)) == counted(2)
    assert not list(tmp_path.rglob("*.partial"))


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        ResultsCache(tmp_path / "file", "model A")


def test_the_digest_of_files_depends_on_content_alone(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"1")
    second.write_bytes(b"1")
    assert file_digest(first) == file_digest(second)
    second.write_bytes(b"2")
    assert file_digest(first) != file_digest(second)
