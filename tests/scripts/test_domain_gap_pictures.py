from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cxpath.evaluation.settings import RealSettings, bundled_settings, evaluation_settings
from scripts.studies.domain_gap import real_pictures, sheet, synthetic_pictures


def test_drawn_pictures_hold_cells() -> None:
    seen = synthetic_pictures(seed=5, number=3)
    assert 1 <= len(seen.measures["drawn"]) <= 3
    assert len(seen.squares) == len(seen.measures["drawn"])
    assert all(0 < one["spacing_um"] < 40 for one in seen.measures["drawn"])


def test_real_pictures_are_measured_set_by_set(data_dir: Path) -> None:
    whole = evaluation_settings(RealSettings, bundled_settings("real"))
    few = whole.model_copy(update={"labelled_set": whole.labelled_set[1:2]})
    seen = real_pictures(data_dir, few)
    assert {name: len(found) for name, found in seen.measures.items()} == {"deepliif": 2, "pd-l1": 5}
    assert "contrast" in seen.measures["deepliif"][0]
    assert "contrast" not in seen.measures["pd-l1"][0]
    assert len(seen.squares) == 2 + 4


def test_a_folder_without_pictures_gives_nothing(tmp_path: Path) -> None:
    seen = real_pictures(tmp_path, evaluation_settings(RealSettings, bundled_settings("real")))
    assert seen.measures == {}


@pytest.mark.parametrize(("first", "second", "rows"), [(3, 1, 2), (9, 2, 3)])
def test_each_body_of_squares_begins_a_row(first: int, second: int, rows: int) -> None:
    squares = [np.zeros((224, 224, 3), np.uint8)] * max(first, second)
    laid = sheet(squares[:first], squares[:second])
    assert laid.shape == (rows * 224, 8 * 224, 3)
    assert (laid[-1, -1] == 255).all()
