from __future__ import annotations

from pathlib import Path

import numpy as np
import openslide
import pytest

from cxpath.training.synthetic.svs_writer import TILE_PX, SvsCanvas, encode_block


def _picture(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack((x % 251, y % 241, (x + y) % 199), axis=2).astype(np.uint8) // 4 + 120


def _write(path: Path, rgb: np.ndarray) -> None:
    canvas = SvsCanvas(rgb.shape[1], rgb.shape[0])
    for row in range(0, rgb.shape[0], 512):
        for column in range(0, rgb.shape[1], 512):
            canvas.add(row, column, *encode_block(rgb[row : row + 512, column : column + 512], row, column))
    canvas.write(path, 0.25)


def test_openslide_reads_what_was_written(tmp_path: Path) -> None:
    rgb = _picture(1024, 1280)
    path = tmp_path / "drawn.svs"
    _write(path, rgb)
    with openslide.OpenSlide(str(path)) as slide:
        assert slide.properties["openslide.vendor"] == "aperio"
        assert float(slide.properties["openslide.mpp-x"]) == 0.25
        assert float(slide.properties["openslide.objective-power"]) == 40
        assert slide.level_dimensions == ((1280, 1024), (320, 256), (80, 64))
        assert slide.level_downsamples == pytest.approx((1, 4, 16))
        back = np.asarray(slide.read_region((0, 0), 0, (1280, 1024)).convert("RGB")).astype(int)
        small = np.asarray(slide.read_region((0, 0), 1, (320, 256)).convert("RGB")).astype(int)
    assert np.abs(back - rgb).mean() < 4
    assert np.abs(small - rgb.reshape(256, 4, 320, 4, 3).mean(axis=(1, 3))).mean() < 4
    assert [entry.name for entry in tmp_path.iterdir()] == ["drawn.svs"]


def test_blocks_may_come_in_any_order_and_missing_ones_are_glass(tmp_path: Path) -> None:
    canvas = SvsCanvas(512, 256, (230, 231, 232))
    canvas.add(0, TILE_PX, *encode_block(np.full((256, 256, 3), 90, np.uint8), 0, TILE_PX))
    canvas.write(tmp_path / "half.svs", 0.5)
    with openslide.OpenSlide(str(tmp_path / "half.svs")) as slide:
        picture = np.asarray(slide.read_region((0, 0), 0, (512, 256)).convert("RGB")).astype(int)
        assert float(slide.properties["openslide.mpp-x"]) == 0.5
    assert np.abs(picture[:, :240] - (230, 231, 232)).max() < 4
    assert np.abs(picture[:, 270:] - 90).max() < 4


def test_a_size_that_is_no_multiple_of_the_tile(tmp_path: Path) -> None:
    rgb = _picture(700, 900)
    _write(tmp_path / "odd.svs", rgb)
    with openslide.OpenSlide(str(tmp_path / "odd.svs")) as slide:
        assert slide.dimensions == (900, 700)
        back = np.asarray(slide.read_region((0, 0), 0, (900, 700)).convert("RGB")).astype(int)
    assert np.abs(back - rgb).mean() < 4
