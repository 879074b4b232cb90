"""Windows put together again must show what the whole picture shows: every cell once, none twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree
from shapely.geometry import Polygon, box

from cxpath.network.detector import Detector
from cxpath.network.device import choose_device
from cxpath.network.model_store import Model, load_model
from cxpath.training.annotations.annotated_field import AnnotatedCells
from cxpath.training.annotations.annotated_image import AnnotatedImage
from cxpath.training.annotations.image_labels import ImageLabels
from cxpath.training.annotations.seen_windows import Seen, observe_windows
from cxpath.training.annotations.window_cache import cached_windows
from cxpath.training.annotations.windows import WindowSize
from cxpath.training.field_cache import draw_random_field
from cxpath.training.fine_labels import TUMOUR
from cxpath.training.synthetic.drawn_field import DrawnField
from cxpath.values.stains import StainBasis
from tests.training.annotations.annotated_pictures import write_tiff

SIDE, HALO = 320, 96
SIZE = WindowSize(core_px=112, margin_px=HALO, mpp=0.5)
CPU = choose_device("cpu", precision="float32", threads=1)


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("small")


@pytest.fixture(scope="module")
def field() -> DrawnField:
    return draw_random_field(21, 3, SIDE)


def seen_in(folder: Path, field: DrawnField, model: Model, complete: Polygon, *, every: int = 1) -> Seen:
    cells = field.cells.take(np.arange(len(field.cells)) % every == 0)
    number = len(cells)
    marked = AnnotatedCells(cells.x_px, cells.y_px, np.full(number, TUMOUR), np.zeros(number, np.int8))
    write_tiff(folder / "a.tif", field.rgb, 0.5)
    image = AnnotatedImage(folder / "a.tif", "a", None, 0.5, ImageLabels(marked, complete, ()), "a")
    (seen,) = observe_windows(model, CPU, cached_windows(folder / "work", [image], SIZE, "x"))
    return seen


def found_in_one_piece(field: DrawnField, model: Model) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    tile = np.pad(field.rgb, ((HALO, HALO), (HALO, HALO), (0, 0)), mode="symmetric")
    peaks = Detector(model, CPU, StainBasis()).detect(tile[None])[0]
    places = np.column_stack([peaks.x_px, peaks.y_px]) - HALO
    return places[((places >= 0) & (places < SIDE)).all(axis=1)]


def test_windows_show_what_the_whole_picture_shows(tmp_path: Path, field: DrawnField, model: Model) -> None:
    seen = seen_in(tmp_path, field, model, box(0, 0, SIDE, SIDE))
    inside = ((seen.found_px >= 0) & (seen.found_px < SIDE)).all(axis=1)
    found, whole = seen.found_px[inside], found_in_one_piece(field, model)
    assert len(whole) > 30
    assert len(found) == len(whole)
    distance, _ = cKDTree(found).query(whole)
    assert distance.max() < 0.01
    assert seen.found_complete[inside].all()


def test_marked_cells_are_there_once_and_where_they_were(
    tmp_path: Path, field: DrawnField, model: Model
) -> None:
    seen = seen_in(tmp_path, field, model, Polygon())
    assert sorted(seen.marked.x_px) == pytest.approx(sorted(field.cells.x_px))
    assert not seen.marked_complete.any()
    assert not seen.found_complete.any()


def test_completeness_is_that_of_the_place(tmp_path: Path, field: DrawnField, model: Model) -> None:
    seen = seen_in(tmp_path, field, model, box(0, 0, 160, SIDE))
    np.testing.assert_array_equal(seen.marked_complete, seen.marked.x_px < 160)
    np.testing.assert_array_equal(
        seen.found_complete,
        (seen.found_px[:, 0] < 160) & (seen.found_px[:, 1] < SIDE) & (seen.found_px >= 0).all(axis=1),
    )
