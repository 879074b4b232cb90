"""Windows and their cache, from real files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from shapely.geometry import Polygon, box

from cxpath.slide.slide import Slide
from cxpath.training.annotations.annotated_field import REGION_UNLABELLED, AnnotatedCells
from cxpath.training.annotations.annotated_image import AnnotatedImage
from cxpath.training.annotations.image_labels import ImageLabels
from cxpath.training.annotations.window_cache import cached_windows
from cxpath.training.annotations.windows import WindowSize, marked_squares, read_windows, window_size
from cxpath.training.fine_labels import TUMOUR
from cxpath.values.cell_table import TissueRegion
from tests.training.annotations.annotated_pictures import write_tiff

SIZE = WindowSize(core_px=64, margin_px=32, mpp=0.5)


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
    assert marked_squares(image, SIZE) == [(0, 0), (1, 4), (2, 2), (2, 3)]


def test_a_slide_is_never_read_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    whole = Slide.read

    def spied(slide: Slide, x_px: float, y_px: float, width: int, height: int, mpp: float) -> object:
        read.append(width * height)
        return whole(slide, x_px, y_px, width, height, mpp)

    monkeypatch.setattr(Slide, "read", spied)
    list(read_windows(image_of(tmp_path / "a.tif", 0.5, cells_at((10, 10), (300, 70))), SIZE))
    assert len(read) == 2
    assert max(read) <= SIZE.side_px**2


@pytest.mark.parametrize("mpp", [0.25, 0.5])
def test_a_cell_lies_in_its_window_where_it_lies_in_the_picture(tmp_path: Path, mpp: float) -> None:
    place_um = np.array([101.0, 61.0])
    image = image_of(tmp_path / "a.tif", mpp, cells_at(tuple(place_um / mpp)))
    (window,) = read_windows(image, SIZE)
    cells = window.field.cells
    assert window.field.rgb.shape == (128, 128, 3)
    assert SIZE.margin_px <= cells.x_px[0] < SIZE.margin_px + SIZE.core_px
    pixel = window.field.rgb[int(cells.y_px[0]), int(cells.x_px[0])]
    assert pixel[:2].tolist() == [50, 30], "red and green tell the place in steps of 2 µm"


def test_beyond_the_border_the_picture_is_mirrored(tmp_path: Path) -> None:
    (window,) = read_windows(image_of(tmp_path / "a.tif", 0.5, cells_at((1, 1))), SIZE)
    rgb = window.field.rgb
    np.testing.assert_array_equal(rgb[:, :32], rgb[:, 32:64][:, ::-1])
    np.testing.assert_array_equal(rgb[:32], rgb[32:64][::-1])


def test_complete_places_and_regions_lie_on_their_grids(tmp_path: Path) -> None:
    image = image_of(tmp_path / "a.tif", 0.5, cells_at((20, 20)), box(16, 16, 40, 32))
    regions = ((TissueRegion.STROMA, box(0, 0, 64, 64)), (TissueRegion.NEST, box(0, 0, 16, 16)))
    (window,) = read_windows(replace(image, labels=replace(image.labels, regions=regions)), SIZE)
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
    first = cached_windows(tmp_path / "work", [image, other], SIZE, "x")
    assert (len(first), first.place.tolist()) == (3, [[0, 0, 0], [0, 1, 4], [1, 0, 1]])
    assert [len(first.field(index).cells) for index in range(3)] == [2, 1, 1]
    (tmp_path / "patient.tif").unlink()
    again = cached_windows(tmp_path / "work", [image, other], SIZE, "x")
    np.testing.assert_array_equal(first.rgb, again.rgb)
    (window,) = again.of_image(1)
    assert (window.row, window.column) == (0, 1)
    with pytest.raises(FileNotFoundError):
        cached_windows(tmp_path / "work", [image, other], SIZE, "another meaning")


def test_the_cache_names_no_patient(tmp_path: Path) -> None:
    cached_windows(tmp_path / "work", [image_of(tmp_path / "jane-doe.tif", 0.5, cells_at((1, 1)))], SIZE, "x")
    note = json.loads((tmp_path / "work" / "windows.json").read_text())
    assert note["images"] == ["a"]
    assert not any("jane" in path.name for path in (tmp_path / "work").iterdir())
