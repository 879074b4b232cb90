from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from cxpath.training.judging.contact_picture import LARGEST_PX, keep_picture
from cxpath.training.judging.label_forms import read_rgb
from tests.training.judging.called_cells import IMMUNE, TUMOUR, calls_at


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
