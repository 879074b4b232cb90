from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxpath.report.png_file import write_png
from cxpath.values.errors import OutputError


def colours() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 255, (37, 53, 3), np.uint8)


def test_every_pixel_comes_back(tmp_path: Path) -> None:
    write_png(Image.fromarray(colours()), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
        assert np.array_equal(np.asarray(picture), colours())


def test_a_grey_picture_becomes_one_of_three_equal_channels(tmp_path: Path) -> None:
    write_png(Image.fromarray(colours()[..., 0]), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert np.array_equal(np.asarray(picture), np.repeat(colours()[..., :1], 3, axis=2))


def test_nothing_is_left_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    (tmp_path / "a.png" / "kept").touch()
    with pytest.raises(OutputError, match=r"a\.png"):
        write_png(Image.fromarray(colours()), tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
