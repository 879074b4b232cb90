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
