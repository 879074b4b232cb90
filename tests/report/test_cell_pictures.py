from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cxpath.data.cells import Kind
from cxpath.report.cell_pictures import LEGEND, FieldView, field_picture, plain_field_picture, write_fields
from cxpath.report.html import NEGATIVE, OTHER, POSITIVE, POSITIVE_EDGE

GREY = np.full((800, 800, 3), 200, np.uint8)


def _around(kind: Kind, *, positive: bool) -> Any:
    """Return the pixels around one marked cell in the middle of a grey field."""
    centre = np.array([400.5])
    picture = field_picture(GREY, centre, centre, np.array([kind], np.uint8), np.array([positive]), 0.5)
    return np.asarray(picture)[380:421, 380:421].astype(int)


def _near(pixels: Any, colour: tuple[int, int, int]) -> Any:
    return np.abs(pixels - np.array(colour)).max(axis=-1) < 25


def test_positive_is_filled_orange_and_negative_hollow_blue() -> None:
    for kind in (Kind.TUMOUR, Kind.IMMUNE):
        positive, negative = _around(kind, positive=True), _around(kind, positive=False)
        assert _near(positive, POSITIVE)[20, 20]
        assert not _near(positive, NEGATIVE).any()
        assert (negative[20, 20] == 200).all()
        assert _near(negative, NEGATIVE).any()


def test_every_mark_of_the_legend_has_its_own_shape() -> None:
    drawn = [(_around(kind, positive=positive) != 200).any(axis=-1) for kind, positive, _ in LEGEND]
    for one, other in itertools.combinations(drawn, 2):
        assert np.count_nonzero(one ^ other) > 20


def test_other_cells_are_small_hollow_and_grey() -> None:
    pixels = _around(Kind.OTHER, positive=False)
    assert _near(pixels, (200, 200, 200))[20, 20]
    assert _near(pixels, OTHER).any()
    tumour = _around(Kind.TUMOUR, positive=False)
    assert (pixels != 200).any(axis=-1).sum() < (tumour != 200).any(axis=-1).sum()


def test_a_stained_immune_cell_that_does_not_count_is_hollow_and_struck_through() -> None:
    centre, kind = np.array([400.5]), np.array([Kind.IMMUNE], np.uint8)
    one = np.array([True])
    counted, not_counted = (
        np.asarray(field_picture(GREY, centre, centre, kind, one, 0.5, own))[380:421, 380:421].astype(int)
        for own in (one, ~one)
    )
    assert _near(counted, POSITIVE).any()
    assert not _near(not_counted, POSITIVE).any()
    assert _near(not_counted, POSITIVE_EDGE)[20].sum() > 10
    legends = [
        np.asarray(field_picture(GREY, centre, centre, kind, one, 0.5, own))[800:] for own in (one, ~one)
    ]
    assert (legends[0] != legends[1]).any()


def test_positive_cells_lie_on_top() -> None:
    centre = np.array([400.5, 400.5])
    kind = np.array([Kind.TUMOUR, Kind.OTHER], np.uint8)
    picture = field_picture(GREY, centre, centre, kind, np.array([True, False]), 0.5)
    assert _near(np.asarray(picture)[400, 400].astype(int), POSITIVE)


@pytest.mark.parametrize(("side", "shown"), [(100, 700), (800, 800), (2000, 1000)])
def test_fields_have_a_readable_size_and_both_pictures_the_same(side: int, shown: int) -> None:
    rgb, nothing = np.full((side, side, 3), 200, np.uint8), np.empty(0)
    plain = plain_field_picture(rgb, 0.5)
    marked = field_picture(rgb, nothing, nothing, nothing.astype(np.uint8), nothing.astype(bool), 0.5)
    assert plain.width == shown
    assert plain.size == marked.size


def test_marks_move_with_the_scaling() -> None:
    small = np.full((350, 350, 3), 200, np.uint8)
    one = np.array([100.0])
    picture = field_picture(small, one, one * 2, np.array([0], np.uint8), np.array([True]), 0.5)
    assert _near(np.asarray(picture)[400, 200].astype(int), POSITIVE)


def _view(number: int = 1, caption: str = "raises the score most") -> FieldView:
    return FieldView(
        number=number,
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
    assert _view().counts().model_dump() == {
        "tumour_positive": 1,
        "tumour_negative": 1,
        "immune_positive": 1,
        "immune_negative": 1,
        "immune_positive_not_associated": 1,
        "other": 1,
    }


def test_pictures_and_list_are_written(tmp_path: Path) -> None:
    write_fields(tmp_path, [_view(342), _view(12, "drawn at random: µ")])
    names = sorted(path.name for path in (tmp_path / "fields").iterdir())
    assert names == ["12.jpg", "12_cells.jpg", "342.jpg", "342_cells.jpg", "fields.json"]
    document = json.loads((tmp_path / "fields" / "fields.json").read_text(encoding="utf-8"))
    assert document["schema"] == "cxpath/fields/1"
    first, second = document["fields"]
    assert first["bucket"] == "influence"
    assert first["counts"] == _view().counts().model_dump()
    assert (first["left_um"], first["top_um"], first["width_um"], first["height_um"]) == (
        1234.6,
        7.0,
        150.0,
        100.0,
    )
    assert (second["number"], second["marked"], second["caption"]) == (
        12,
        "12_cells.jpg",
        "drawn at random: µ",
    )
    with (
        Image.open(tmp_path / "fields" / "342.jpg") as plain,
        Image.open(tmp_path / "fields" / "342_cells.jpg") as marked,
    ):
        assert plain.size == marked.size
        assert plain.tobytes() != marked.tobytes()


def test_no_fields_is_an_empty_list(tmp_path: Path) -> None:
    write_fields(tmp_path, [])
    assert json.loads((tmp_path / "fields" / "fields.json").read_text())["fields"] == []
