from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from shapely.geometry import Polygon, box

from cxpath.training.annotations.annotated_crops import cut_window, draw_annotated_crops, turned_window
from cxpath.training.annotations.annotated_field import AnnotatedCells, AnnotatedField
from cxpath.training.annotations.annotated_image import AnnotatedImage
from cxpath.training.annotations.image_labels import ImageLabels
from cxpath.training.annotations.window_cache import WindowCache, cached_windows
from cxpath.training.annotations.windows import window_size
from cxpath.training.crops import Turn
from cxpath.training.fine_labels import TUMOUR
from cxpath.training.settings import CropSettings
from tests.training.annotations.annotated_pictures import write_tiff

CROPS = CropSettings(crop_px=96, gain_spread=0, brightness_spread=0)
DARK = 10


def dotted(
    folder: Path, name: str, places: list[tuple[int, int]], area: Polygon | None = None
) -> AnnotatedImage:
    """A pale picture with a dark dot of 4 by 4 px under every marked cell."""
    rgb = np.full((400, 600, 3), 220, np.uint8)
    for x, y in places:
        rgb[y - 2 : y + 2, x - 2 : x + 2] = DARK
    write_tiff(folder / f"{name}.tif", rgb, 0.5)
    x_px, y_px = np.array(places, dtype=np.float64).reshape(-1, 2).T
    cells = AnnotatedCells(x_px, y_px, np.full(len(places), TUMOUR), np.zeros(len(places), np.int8))
    labels = ImageLabels(cells, area or Polygon(), ())
    return AnnotatedImage(folder / f"{name}.tif", name, None, 0.5, labels, name)


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> WindowCache:
    folder = tmp_path_factory.mktemp("dots")
    many = [(x, y) for x in range(20, 590, 60) for y in range(20, 390, 60)]
    images = [
        dotted(folder, "many", many),
        dotted(folder, "one", [(580, 12)]),
        dotted(folder, "none", [], box(300, 300, 400, 380)),
    ]
    return cached_windows(folder / "work", images, window_size(96, 64, 0.5), "x")


def dots_of(field: AnnotatedField) -> list[tuple[int, int]]:
    return [(int(x), int(y)) for x, y in zip(field.cells.x_px, field.cells.y_px, strict=True)]


def test_every_label_stays_on_its_cell_however_the_crop_is_turned(windows: WindowCache) -> None:
    crops = draw_annotated_crops(windows, CROPS, 40, 1, 1)
    assert all(crop.rgb.shape == (96, 96, 3) and crop.complete.shape == (24, 24) for crop in crops)
    marked = [(crop, place) for crop in crops for place in dots_of(crop)]
    assert len(marked) > 40
    for crop, (x, y) in marked:
        assert crop.rgb[min(y, 95), min(x, 95), 0] == DARK


def test_every_image_is_seen_and_every_crop_teaches_something(windows: WindowCache) -> None:
    crops = draw_annotated_crops(windows, CROPS, 60, 2, 1)
    assert all(len(crop.cells) or crop.complete.any() for crop in crops)
    empty = sum(bool(crop.complete.any()) for crop in crops)
    single = sum(len(crop.cells) == 1 and not crop.complete.any() for crop in crops)
    assert empty >= 10, "an image with an area alone is as likely as one with sixty cells"
    assert single >= 10


def test_a_step_can_be_drawn_again(windows: WindowCache) -> None:
    first, again, other = (draw_annotated_crops(windows, CROPS, 4, 5, step) for step in (7, 7, 8))
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a.rgb, b.rgb) for a, b in zip(first, other, strict=True))


def test_cutting_and_turning_keep_picture_cells_and_maps_together() -> None:
    rng = np.random.default_rng(1)
    complete = rng.random((32, 32)) < 0.5
    rgb = np.repeat(np.repeat(complete, 4, 0), 4, 1)[..., None].repeat(3, axis=2).astype(np.uint8)
    region = complete[::2, ::2].astype(np.int8)
    cells = AnnotatedCells(
        np.array([20.0, 90.0]), np.array([50.0, 90.0]), np.zeros(2, np.int64), np.zeros(2, np.int8)
    )
    field = AnnotatedField(rgb, cells, complete, region)
    part = cut_window(field, 16, 40, 64)
    assert (part.cells.x_px.tolist(), part.cells.y_px.tolist()) == ([4], [10])
    np.testing.assert_array_equal(part.rgb[::4, ::4, 0], part.complete)
    np.testing.assert_array_equal(part.region, part.complete[::2, ::2])
    turned = turned_window(part, Turn(mirrored=True, quarters=1))
    np.testing.assert_array_equal(turned.rgb[2::4, 2::4, 0], turned.complete)
    assert turned.rgb[int(turned.cells.y_px[0]), int(turned.cells.x_px[0]), 0] == part.rgb[10, 4, 0]
