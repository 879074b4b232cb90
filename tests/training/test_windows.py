"""Windows put together again must show what the whole picture shows: every cell once, none twice.
Windows and their cache, from real files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree
from shapely.geometry import Polygon, box

from cxpath.data.cells import TissueRegion
from cxpath.data.slide_info import StainBasis
from cxpath.network.detector import Detector
from cxpath.network.device import choose_device
from cxpath.network.model import Model, load_model
from cxpath.slide.slide import Slide
from cxpath.synth.field import SyntheticField
from cxpath.training.annotations import AnnotatedImage, ImageLabels
from cxpath.training.data import REGION_UNLABELLED, AnnotatedCells, AnnotatedField, Turn, make_random_field
from cxpath.training.settings import CropSettings
from cxpath.training.targets import TUMOUR
from cxpath.training.windows import (
    Seen,
    WindowCache,
    WindowSize,
    cached_windows,
    cut_window,
    marked_squares,
    observe_windows,
    read_windows,
    sample_annotated_crops,
    turned_window,
    window_size,
)
from tests.training.annotated_pictures import write_tiff

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
    crops = sample_annotated_crops(windows, CROPS, 40, 1, 1)
    assert all(crop.rgb.shape == (96, 96, 3) and crop.complete.shape == (24, 24) for crop in crops)
    marked = [(crop, place) for crop in crops for place in dots_of(crop)]
    assert len(marked) > 40
    for crop, (x, y) in marked:
        assert crop.rgb[min(y, 95), min(x, 95), 0] == DARK


def test_every_image_is_seen_and_every_crop_teaches_something(windows: WindowCache) -> None:
    crops = sample_annotated_crops(windows, CROPS, 60, 2, 1)
    assert all(len(crop.cells) or crop.complete.any() for crop in crops)
    empty = sum(bool(crop.complete.any()) for crop in crops)
    single = sum(len(crop.cells) == 1 and not crop.complete.any() for crop in crops)
    assert empty >= 10, "an image with an area alone is as likely as one with sixty cells"
    assert single >= 10


def test_a_step_can_be_drawn_again(windows: WindowCache) -> None:
    first, again, other = (sample_annotated_crops(windows, CROPS, 4, 5, step) for step in (7, 7, 8))
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


SIDE, HALO = 320, 96
SIZE = WindowSize(core_px=112, margin_px=HALO, mpp=0.5)
CPU = choose_device("cpu", precision="float32", threads=1)


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("small")


@pytest.fixture(scope="module")
def field() -> SyntheticField:
    return make_random_field(21, 3, SIDE)


def seen_in(folder: Path, field: SyntheticField, model: Model, complete: Polygon, *, every: int = 1) -> Seen:
    cells = field.cells.take(np.arange(len(field.cells)) % every == 0)
    number = len(cells)
    marked = AnnotatedCells(cells.x_px, cells.y_px, np.full(number, TUMOUR), np.zeros(number, np.int8))
    write_tiff(folder / "a.tif", field.rgb, 0.5)
    image = AnnotatedImage(folder / "a.tif", "a", None, 0.5, ImageLabels(marked, complete, ()), "a")
    (seen,) = observe_windows(model, CPU, cached_windows(folder / "work", [image], SIZE, "x"))
    return seen


def found_in_one_piece(
    field: SyntheticField, model: Model
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    tile = np.pad(field.rgb, ((HALO, HALO), (HALO, HALO), (0, 0)), mode="symmetric")
    peaks = Detector(model, CPU, StainBasis()).detect(tile[None])[0]
    places = np.column_stack([peaks.x_px, peaks.y_px]) - HALO
    return places[((places >= 0) & (places < SIDE)).all(axis=1)]


def test_windows_show_what_the_whole_picture_shows(
    tmp_path: Path, field: SyntheticField, model: Model
) -> None:
    seen = seen_in(tmp_path, field, model, box(0, 0, SIDE, SIDE))
    inside = ((seen.found_px >= 0) & (seen.found_px < SIDE)).all(axis=1)
    found, whole = seen.found_px[inside], found_in_one_piece(field, model)
    assert len(whole) > 30
    assert len(found) == len(whole)
    distance, _ = cKDTree(found).query(whole)
    assert distance.max() < 0.01
    assert seen.found_complete[inside].all()


def test_marked_cells_are_there_once_and_where_they_were(
    tmp_path: Path, field: SyntheticField, model: Model
) -> None:
    seen = seen_in(tmp_path, field, model, Polygon())
    assert sorted(seen.marked.x_px) == pytest.approx(sorted(field.cells.x_px))
    assert not seen.marked_complete.any()
    assert not seen.found_complete.any()


def test_completeness_is_that_of_the_place(tmp_path: Path, field: SyntheticField, model: Model) -> None:
    seen = seen_in(tmp_path, field, model, box(0, 0, 160, SIDE))
    np.testing.assert_array_equal(seen.marked_complete, seen.marked.x_px < 160)
    np.testing.assert_array_equal(
        seen.found_complete,
        (seen.found_px[:, 0] < 160) & (seen.found_px[:, 1] < SIDE) & (seen.found_px >= 0).all(axis=1),
    )


SIZE_OF_WINDOWS = WindowSize(core_px=64, margin_px=32, mpp=0.5)


def cells_at(*places: tuple[float, float]) -> AnnotatedCells:
    x_px, y_px = np.array(places, dtype=np.float64).reshape(-1, 2).T
    number = len(places)
    return AnnotatedCells(x_px, y_px, np.full(number, TUMOUR), np.ones(number, dtype=np.int8))


def image_of(
    path: Path, mpp: float, cells: AnnotatedCells, complete: Polygon | None = None, digest: str = "a"
) -> AnnotatedImage:
    """A picture whose red tells the column and whose green tells the row, at 2 µm per level."""
    side = int(400 * 0.5 / mpp)
    row, column = np.mgrid[:side, :side]
    rgb = np.stack([column * mpp // 2, row * mpp // 2, row * 0 + 90], axis=-1).astype(np.uint8)
    write_tiff(path, rgb, mpp)
    labels = ImageLabels(cells, complete or Polygon(), ())
    return AnnotatedImage(path, path.stem, None, mpp, labels, digest)


def test_only_marked_squares_are_read(tmp_path: Path) -> None:
    image = image_of(
        tmp_path / "a.tif", 0.5, cells_at((10, 10), (12, 12), (300, 70)), box(130, 130, 200, 140)
    )
    assert marked_squares(image, SIZE_OF_WINDOWS) == [(0, 0), (1, 4), (2, 2), (2, 3)]


def test_a_slide_is_never_read_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    whole = Slide.read

    def spied(slide: Slide, x_px: float, y_px: float, width: int, height: int, mpp: float) -> object:
        read.append(width * height)
        return whole(slide, x_px, y_px, width, height, mpp)

    monkeypatch.setattr(Slide, "read", spied)
    list(read_windows(image_of(tmp_path / "a.tif", 0.5, cells_at((10, 10), (300, 70))), SIZE_OF_WINDOWS))
    assert len(read) == 2
    assert max(read) <= SIZE_OF_WINDOWS.side_px**2


@pytest.mark.parametrize("mpp", [0.25, 0.5])
def test_a_cell_lies_in_its_window_where_it_lies_in_the_picture(tmp_path: Path, mpp: float) -> None:
    place_um = np.array([101.0, 61.0])
    image = image_of(tmp_path / "a.tif", mpp, cells_at(tuple(place_um / mpp)))
    (window,) = read_windows(image, SIZE_OF_WINDOWS)
    cells = window.field.cells
    assert window.field.rgb.shape == (128, 128, 3)
    assert SIZE_OF_WINDOWS.margin_px <= cells.x_px[0] < SIZE_OF_WINDOWS.margin_px + SIZE_OF_WINDOWS.core_px
    pixel = window.field.rgb[int(cells.y_px[0]), int(cells.x_px[0])]
    assert pixel[:2].tolist() == [50, 30], "red and green tell the place in steps of 2 µm"


def test_beyond_the_border_the_picture_is_mirrored(tmp_path: Path) -> None:
    (window,) = read_windows(image_of(tmp_path / "a.tif", 0.5, cells_at((1, 1))), SIZE_OF_WINDOWS)
    rgb = window.field.rgb
    np.testing.assert_array_equal(rgb[:, :32], rgb[:, 32:64][:, ::-1])
    np.testing.assert_array_equal(rgb[:32], rgb[32:64][::-1])


def test_complete_places_and_regions_lie_on_their_grids(tmp_path: Path) -> None:
    image = image_of(tmp_path / "a.tif", 0.5, cells_at((20, 20)), box(16, 16, 40, 32))
    regions = ((TissueRegion.STROMA, box(0, 0, 64, 64)), (TissueRegion.NEST, box(0, 0, 16, 16)))
    (window,) = read_windows(replace(image, labels=replace(image.labels, regions=regions)), SIZE_OF_WINDOWS)
    field = window.field
    rows, columns = np.nonzero(field.complete)
    assert (4 * rows.min(), 4 * rows.max() + 4) == (32 + 16, 32 + 32)
    assert (4 * columns.min(), 4 * columns.max() + 4) == (32 + 16, 32 + 40)
    assert field.region[5, 5] == TissueRegion.NEST
    assert field.region[8, 8] == TissueRegion.STROMA
    assert field.region[0, 0] == REGION_UNLABELLED


def test_windows_hold_any_crop_and_the_networks_halo() -> None:
    size = window_size(256, 64, 0.5)
    assert (size.core_px, size.margin_px, size.side_px) == (512, 128, 768)
    assert window_size(96, 64, 0.5).margin_px == 80
    assert window_size(100, 50, 0.5).side_px % 16 == 0


def test_an_equal_request_is_not_read_again(tmp_path: Path) -> None:
    image = image_of(tmp_path / "patient.tif", 0.5, cells_at((10, 10), (12, 12), (300, 70)))
    other = image_of(tmp_path / "b.tif", 0.5, cells_at((70, 10)), digest="b")
    first = cached_windows(tmp_path / "work", [image, other], SIZE_OF_WINDOWS, "x")
    assert (len(first), first.place.tolist()) == (3, [[0, 0, 0], [0, 1, 4], [1, 0, 1]])
    assert [len(first.field(index).cells) for index in range(3)] == [2, 1, 1]
    (tmp_path / "patient.tif").unlink()
    again = cached_windows(tmp_path / "work", [image, other], SIZE_OF_WINDOWS, "x")
    np.testing.assert_array_equal(first.rgb, again.rgb)
    (window,) = again.of_image(1)
    assert (window.row, window.column) == (0, 1)
    with pytest.raises(FileNotFoundError):
        cached_windows(tmp_path / "work", [image, other], SIZE_OF_WINDOWS, "another meaning")


def test_the_cache_names_no_patient(tmp_path: Path) -> None:
    cached_windows(
        tmp_path / "work", [image_of(tmp_path / "jane-doe.tif", 0.5, cells_at((1, 1)))], SIZE_OF_WINDOWS, "x"
    )
    note = json.loads((tmp_path / "work" / "windows.json").read_text())
    assert note["images"] == ["a"]
    assert not any("jane" in path.name for path in (tmp_path / "work").iterdir())
