"""Reading real files: the resolution, the frame, the errors a lab will meet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cxpath.network.card import ModelCard
from cxpath.network.model_store import load_card
from cxpath.training.annotations.annotated_image import annotations_digest, read_annotated_images
from cxpath.training.annotations.class_map import ClassMap, default_class_map, read_class_map
from cxpath.training.annotations.qupath_objects import AnnotationsError
from cxpath.values.errors import ResolutionError, UnreadableSlideError
from tests.training.annotations.annotated_pictures import (
    point,
    rectangle,
    write_geojson,
    write_png,
    write_tiff,
)

GREY = np.full((100, 120, 3), 200, np.uint8)


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return load_card("small")


@pytest.fixture(scope="module")
def class_map() -> ClassMap:
    return read_class_map(default_class_map())


def test_a_file_that_says_its_resolution_is_believed(
    tmp_path: Path, card: ModelCard, class_map: ClassMap
) -> None:
    write_tiff(tmp_path / "a.tif", GREY, 0.25)
    write_geojson(tmp_path / "a.geojson", [point(3, 4, "Tumor")])
    (image,) = read_annotated_images(tmp_path, class_map, card, mpp=0.5)
    assert image.mpp == pytest.approx(0.25), "a given number serves files that say none"
    assert image.labels.cells.x_px.tolist() == [3]


def test_a_picture_needs_its_resolution(tmp_path: Path, card: ModelCard, class_map: ClassMap) -> None:
    write_png(tmp_path / "a.png", GREY)
    write_geojson(tmp_path / "a.geojson", [point(3, 4, "Tumor")])
    with pytest.raises(ResolutionError, match=r"a\.png.*--mpp, or as mpp in the class map"):
        read_annotated_images(tmp_path, class_map, card)
    (image,) = read_annotated_images(tmp_path, class_map, card, mpp=0.4)
    assert image.mpp == 0.4
    mapped = class_map.model_copy(update={"mpp": 0.3})
    assert read_annotated_images(tmp_path, mapped, card)[0].mpp == 0.3
    assert read_annotated_images(tmp_path, mapped, card, mpp=0.4)[0].mpp == 0.4


def test_a_resolution_that_the_model_cannot_take_is_named(
    tmp_path: Path, card: ModelCard, class_map: ClassMap
) -> None:
    write_tiff(tmp_path / "a.tif", GREY, 1.0)
    write_geojson(tmp_path / "a.geojson", [point(3, 4, "Tumor")])
    with pytest.raises(
        ResolutionError, match=r"a\.tif: 1 µm per pixel, but model small takes 0\.15 to 0\.65"
    ):
        read_annotated_images(tmp_path, class_map, card)


def test_marks_of_another_image_are_named(tmp_path: Path, card: ModelCard, class_map: ClassMap) -> None:
    write_tiff(tmp_path / "a.tif", GREY, 0.5)
    write_geojson(tmp_path / "a.geojson", [point(3, 4, "Tumor"), point(500, 4, "Tumor")])
    with pytest.raises(AnnotationsError, match=r"a\.geojson: feature 2.*outside a\.tif \(120 x 100 px\)"):
        read_annotated_images(tmp_path, class_map, card)


def test_a_file_that_teaches_nothing_is_named(tmp_path: Path, card: ModelCard, class_map: ClassMap) -> None:
    write_tiff(tmp_path / "a.tif", GREY, 0.5)
    write_geojson(tmp_path / "a.geojson", [rectangle(0, 0, 50, 50, "Ignore*")])
    with pytest.raises(AnnotationsError, match=r"a\.geojson: teaches nothing"):
        read_annotated_images(tmp_path, class_map, card)


def test_empty_areas_teach_but_not_alone(tmp_path: Path, card: ModelCard, class_map: ClassMap) -> None:
    write_tiff(tmp_path / "a.tif", GREY, 0.5)
    write_geojson(tmp_path / "a.geojson", [rectangle(0, 0, 100, 100, "Region*")])
    with pytest.raises(AnnotationsError, match="no annotation there marks a cell"):
        read_annotated_images(tmp_path, class_map, card)
    write_tiff(tmp_path / "b.tif", GREY, 0.5)
    write_geojson(tmp_path / "b.geojson", [point(3, 4, "Tumor")])
    assert len(read_annotated_images(tmp_path, class_map, card)) == 2


def test_a_broken_image_is_named(tmp_path: Path, card: ModelCard, class_map: ClassMap) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    write_geojson(tmp_path / "a.geojson", [point(3, 4, "Tumor")])
    with pytest.raises(UnreadableSlideError, match=r"a\.png"):
        read_annotated_images(tmp_path, class_map, card)


def test_the_digest_knows_content_and_meaning_but_no_names(
    tmp_path: Path, card: ModelCard, class_map: ClassMap
) -> None:
    digests = []
    for number, (name, x) in enumerate((("ann", 3), ("bob", 3), ("ann", 5))):
        folder = tmp_path / str(number)
        folder.mkdir()
        write_tiff(folder / f"{name}.tif", GREY, 0.5)
        write_geojson(folder / f"{name}.geojson", [point(x, 4, "Tumor")])
        images = read_annotated_images(folder, class_map, card)
        digests.append(annotations_digest(images, class_map))
    same, renamed, changed = digests
    assert same == renamed != changed
    other = class_map.model_copy(update={"outside_areas": "ignore"})
    assert annotations_digest(images, other) != changed
