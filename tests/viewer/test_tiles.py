from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxpath.slide.open import open_slide
from cxpath.viewer.tiles import COARSEST_PX, NoTileError, SlideTiles, shown_levels
from tests.conftest import SyntheticSlide


def pixels(content: bytes) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def test_a_stored_tile_leaves_with_the_bytes_of_the_file(synthetic_slide: SyntheticSlide) -> None:
    content = synthetic_slide.path.read_bytes()
    with open_slide(synthetic_slide.path) as slide:
        tiles = SlideTiles(slide)
        tile, stored = tiles.tile(0, 5, 3), slide.stored_tile(0, 5, 3)
    assert tile == stored
    assert tile[-1_000:] in content  # its head is completed, its compressed pixels are the scanner's


def test_a_stored_tile_shows_what_the_reader_shows(synthetic_slide: SyntheticSlide) -> None:
    with open_slide(synthetic_slide.path) as slide:
        tiles = SlideTiles(slide)
        level = tiles.levels[0]
        shown = pixels(tiles.tile(0, 5, 3))
        x_px, y_px = 5 * level.tile_width_px, 3 * level.tile_height_px
        read = slide.read(x_px, y_px, level.tile_width_px, level.tile_height_px, slide.mpp)
    assert np.abs(shown.astype(int) - read).mean() < 1.0


def test_every_level_shows_the_same_tissue_in_the_same_place(synthetic_slide: SyntheticSlide) -> None:
    with open_slide(synthetic_slide.path) as slide:
        tiles = SlideTiles(slide)
        for level in tiles.levels:
            shown = pixels(tiles.tile(level.index, 0, 0))
            read = slide.read(0, 0, shown.shape[1], shown.shape[0], slide.mpp * level.downsample)
            assert np.abs(shown.astype(int) - read).mean() < 3.0, level


def test_a_tile_at_the_edge_ends_with_the_slide(tmp_path: Path) -> None:
    picture = tmp_path / "slide.png"
    Image.fromarray(np.full((700, 1100, 3), 200, dtype=np.uint8)).save(picture)
    with open_slide(picture, 0.5) as slide:
        tiles = SlideTiles(slide)
        level = tiles.levels[0]
        assert (level.across, level.down) == (3, 2)
        assert pixels(tiles.tile(0, 2, 1)).shape == (700 - 512, 1100 - 1024, 3)
        assert slide.stored_tile(0, 0, 0) is None
        assert slide.tile_size(0) is None


def test_a_slide_without_small_levels_gets_computed_ones(tmp_path: Path) -> None:
    picture = tmp_path / "slide.png"
    Image.fromarray(np.full((1000, 5000, 3), 200, dtype=np.uint8)).save(picture)
    with open_slide(picture, 0.5) as slide:
        levels = shown_levels(slide)
    assert [level.downsample for level in levels] == [1, 2, 4, 8]
    assert max(levels[-1].width_px, levels[-1].height_px) <= COARSEST_PX


@pytest.mark.parametrize("place", [(0, 99, 0), (0, 0, 99), (0, -1, 0), (9, 0, 0), (-1, 0, 0)])
def test_a_tile_that_is_not_there_is_refused(
    synthetic_slide: SyntheticSlide, place: tuple[int, int, int]
) -> None:
    with open_slide(synthetic_slide.path) as slide, pytest.raises(NoTileError):
        SlideTiles(slide).tile(*place)


def test_a_crop_has_its_place_in_the_middle_and_its_size_in_micrometres(tmp_path: Path) -> None:
    rgb = np.full((400, 400, 3), 255, dtype=np.uint8)
    rgb[196:204, 296:304] = 0
    picture = tmp_path / "slide.png"
    Image.fromarray(rgb).save(picture)
    with open_slide(picture, 0.5) as slide:
        tiles = SlideTiles(slide)
        crop, beyond = pixels(tiles.crop(300.0, 200.0, 20.0, 80)), pixels(tiles.crop(0.0, 0.0, 20.0, 80))
    dark = np.argwhere(crop.mean(axis=2) < 128)
    assert dark.mean(axis=0) == pytest.approx([39.5, 39.5], abs=0.6)
    assert len(dark) == pytest.approx(16**2, rel=0.1)
    assert beyond.min() > 250  # white where there is no slide
