"""PNG files are whole or not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxpath.report.png_file import write_png
from cxpath.values.errors import OutputError


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
