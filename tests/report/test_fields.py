from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from cxpath.report.fields import FieldView, write_fields


def _view(caption: str = "raises the score most") -> FieldView:
    return FieldView(
        rgb=np.full((200, 300, 3), 220, np.uint8),
        mpp=0.5,
        x_px=np.array([10.0, 20.0, 30.0, 40.0, 50.0, 60.0]),
        y_px=np.array([10.0, 20.0, 30.0, 40.0, 50.0, 60.0]),
        kind=np.array([0, 0, 1, 2, 1, 1], np.uint8),
        positive=np.array([True, False, True, True, False, True]),
        counted=np.array([True, False, True, False, False, False]),
        left_um=1234.56,
        top_um=7.0,
        caption=caption,
        local_cps=100.0,
    )


def test_counts_are_by_kind_and_stain_and_other_cells_never_count_as_positive() -> None:
    assert _view().counts() == {
        "tumour_positive": 1,
        "tumour_negative": 1,
        "immune_positive": 1,
        "immune_negative": 1,
        "immune_positive_not_associated": 1,
        "other": 1,
    }


def test_pictures_and_list_are_written(tmp_path: Path) -> None:
    write_fields(tmp_path, [_view(), _view("drawn at random: µ")])
    names = sorted(path.name for path in (tmp_path / "fields").iterdir())
    assert names == ["01.png", "01_cells.png", "02.png", "02_cells.png", "fields.json"]
    document = json.loads((tmp_path / "fields" / "fields.json").read_text(encoding="utf-8"))
    assert document["schema"] == "cxpath/fields/1"
    first, second = document["fields"]
    assert first["bucket"] == "influence"
    assert first["counts"] == _view().counts()
    assert (first["left_um"], first["top_um"], first["width_um"], first["height_um"]) == (
        1234.6,
        7.0,
        150.0,
        100.0,
    )
    assert (second["number"], second["marked"], second["caption"]) == (
        2,
        "02_cells.png",
        "drawn at random: µ",
    )
    with (
        Image.open(tmp_path / "fields" / "01.png") as plain,
        Image.open(tmp_path / "fields" / "01_cells.png") as marked,
    ):
        assert plain.size == marked.size
        assert plain.tobytes() != marked.tobytes()


def test_no_fields_is_an_empty_list(tmp_path: Path) -> None:
    write_fields(tmp_path, [])
    assert json.loads((tmp_path / "fields" / "fields.json").read_text())["fields"] == []
