"""PNG files are whole or not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cxpath.errors import OutputError
from cxpath.report.drawing import INK, draw_scale_bar, font, length_in_words, scale_bar_um, write_png


@pytest.mark.parametrize(
    ("width_px", "mpp", "length_um"), [(1000, 0.5, 100), (1000, 16.0, 2000), (100, 0.25, 5), (10, 0.1, 5)]
)
def test_the_bar_is_round_and_at_most_a_quarter(width_px: int, mpp: float, length_um: float) -> None:
    assert scale_bar_um(width_px, mpp) == length_um


def test_lengths_in_words() -> None:
    assert [length_in_words(length) for length in (50, 2000)] == ["50 µm", "2 mm"]


def test_the_letters_have_a_micro_sign() -> None:
    assert font(20).getmask("µ").getbbox() != font(20).getmask("\uffff").getbbox()


def test_the_bar_is_as_long_as_it_says() -> None:
    sheet = Image.new("RGB", (1000, 40), "white")
    draw_scale_bar(ImageDraw.Draw(sheet), 990, 20, 1000, 0.5, 16)
    dark = (np.asarray(sheet)[20] == INK).all(axis=1)
    bar = np.flatnonzero(dark[700:]) + 700
    assert bar[-1] == 990
    assert np.count_nonzero(dark[bar[-1] - 200 :]) == 201
    assert not dark[bar[-1] - 201]


def test_no_pixel_changes(tmp_path: Path) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    write_png(Image.fromarray(pixels), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as back:
        assert back.format == "PNG"
        assert np.array_equal(np.asarray(back), pixels)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"gone.*cannot be written"):
        write_png(Image.new("RGB", (4, 4)), tmp_path / "gone" / "a.png")


def test_a_grey_picture_becomes_one_of_three_equal_channels(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (37, 53), dtype=np.uint8)
    write_png(Image.fromarray(grey), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as back:
        assert np.array_equal(np.asarray(back), np.repeat(grey[..., None], 3, axis=2))


def test_nothing_is_left_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    (tmp_path / "a.png" / "kept").touch()
    with pytest.raises(OutputError, match=r"a\.png"):
        write_png(Image.new("RGB", (4, 4)), tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
