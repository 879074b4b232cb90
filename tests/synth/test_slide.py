from __future__ import annotations

from pathlib import Path

import numpy as np
import openslide
import pytest
from scipy.spatial import cKDTree

from cxpath.data.cells import Kind
from cxpath.synth.field import true_cells
from cxpath.synth.slide import (
    TILE_PX,
    SlideTruth,
    SvsCanvas,
    encode_block,
    slide_truth,
    slide_world,
    write_synthetic_slide,
)
from cxpath.synth.world import Window

SIZE = 1024


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SlideTruth]:
    path = tmp_path_factory.mktemp("slides") / "a.svs"
    return path, write_synthetic_slide(
        path, seed=3, cps=20.0, width_px=SIZE, height_px=SIZE, mpp=0.5, workers=1
    )


def test_it_opens_as_an_aperio_slide_of_three_levels(drawn: tuple[Path, SlideTruth]) -> None:
    with openslide.OpenSlide(str(drawn[0])) as slide:
        assert slide.properties["openslide.vendor"] == "aperio"
        assert float(slide.properties["openslide.mpp-x"]) == 0.5
        assert slide.level_count == 3
        corner = np.asarray(slide.read_region((0, 0), 0, (40, 40)).convert("RGB"))
    assert corner.min() > 215


def test_a_quarter_micrometre_slide_opens_too(tmp_path: Path) -> None:
    write_synthetic_slide(tmp_path / "b.svs", seed=1, cps=5.0, width_px=1024, height_px=1024, workers=1)
    with openslide.OpenSlide(str(tmp_path / "b.svs")) as slide:
        assert float(slide.properties["openslide.mpp-x"]) == 0.25
        assert slide.level_dimensions == ((1024, 1024), (256, 256), (64, 64))


def test_cells_are_inside_and_dark(drawn: tuple[Path, SlideTruth]) -> None:
    path, truth = drawn
    cells = truth.cells
    assert ((cells.x_px >= 0) & (cells.x_px < SIZE) & (cells.y_px >= 0) & (cells.y_px < SIZE)).all()
    with openslide.OpenSlide(str(path)) as slide:
        red = np.asarray(slide.read_region((0, 0), 0, (SIZE, SIZE)).convert("RGB"))[..., 0].astype(float)
    at_cells = red[cells.y_px.astype(int), cells.x_px.astype(int)]
    assert at_cells.mean() < red.mean() - 30


def test_counts_add_up_to_the_score(drawn: tuple[Path, SlideTruth]) -> None:
    truth = drawn[1]
    assert truth.cps == pytest.approx(
        100 * (truth.tumour_positive + truth.immune_positive) / truth.tumour_cells
    )
    total = truth.tumour_cells + truth.immune_positive + truth.immune_negative + truth.other
    assert total == len(truth.cells)
    assert slide_truth(truth.cells, 0.5).cps == truth.cps


@pytest.mark.parametrize("cps", [0.0, 0.5, 5.0, 40.0, 100.0])
def test_the_score_asked_for_is_met(cps: float) -> None:
    size_um = 1024.0
    world = slide_world(11, cps, size_um, size_um, 0.5)
    truth = slide_truth(true_cells(world, Window(0, 0, 2048, 2048, 0.5)), 0.5)
    assert truth.tumour_cells > 300
    assert truth.cps == pytest.approx(cps, abs=100 / truth.tumour_cells * 2)


def test_positive_immune_cells_are_near_tumour(drawn: tuple[Path, SlideTruth]) -> None:
    cells = drawn[1].cells
    places = np.stack((cells.x_px, cells.y_px), axis=1) * 0.5
    stained = (cells.kind == Kind.IMMUNE) & cells.any_stain
    assert stained.any()
    assert cKDTree(places[cells.kind == Kind.TUMOUR]).query(places[stained])[0].max() < 310


@pytest.mark.slow
def test_workers_do_not_change_the_slide(drawn: tuple[Path, SlideTruth], tmp_path: Path) -> None:
    again = write_synthetic_slide(
        tmp_path / "c.svs", seed=3, cps=20.0, width_px=SIZE, height_px=SIZE, mpp=0.5, workers=2
    )
    assert (tmp_path / "c.svs").read_bytes() == drawn[0].read_bytes()
    assert np.array_equal(again.cells.x_px, drawn[1].cells.x_px)


def test_an_impossible_score_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="between 0 and 100"):
        write_synthetic_slide(tmp_path / "d.svs", seed=1, cps=120.0)


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
