"""Reading real files: the resolution, the frame, the errors a lab will meet."""

from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cxpath.data.cells import FINE_CLASSES
from cxpath.errors import ConfigurationError, MissingFileError, ResolutionError, UnreadableSlideError
from cxpath.io.geojson import UNCLASSIFIED, plain
from cxpath.network.card import ModelCard
from cxpath.network.model import load_card
from cxpath.training.annotations import (
    FINE_LABEL_OF_KIND,
    AnnotationsError,
    ClassMap,
    annotations_digest,
    default_class_map,
    find_pairs,
    read_annotated_images,
    read_class_map,
    read_objects,
)
from cxpath.training.targets import ANY_IMMUNE, ANY_OTHER, TUMOUR, UNLABELLED
from tests.training.annotated_pictures import feature, point, rectangle, write_geojson, write_png, write_tiff

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
    with pytest.raises(AnnotationsError, match=r"a\.geojson: nothing to train on"):
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


CELLS = '[cells]\n"Tumor" = { kind = "tumour" }\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "map.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_map_that_travels_with_cxpath_says_what_qupaths_classes_mean() -> None:
    shipped = read_class_map(default_class_map())
    assert shipped.states_absence
    assert shipped.mpp is None, "never a silent default"
    positive = shipped.cells["Tumor: Positive"]
    assert (positive.fine, positive.stained_code) == (TUMOUR, 1)
    immune = shipped.cells["Immune cells"]
    assert (immune.fine, immune.stained_code) == (ANY_IMMUNE, -1)
    assert shipped.cells["Negative"].fine == UNLABELLED
    assert shipped.cells["Negative"].stained_code == 0
    assert {taught.kind for taught in shipped.cells.values()} == set(FINE_LABEL_OF_KIND)
    assert "Tumor" not in shipped.regions, "a generous outline of a tumour is no nest"


def test_every_fine_class_and_both_sets_can_be_named() -> None:
    assert set(FINE_LABEL_OF_KIND) == {*FINE_CLASSES, "immune", "other", "unknown"}
    assert FINE_LABEL_OF_KIND["other"] == ANY_OTHER
    assert FINE_LABEL_OF_KIND["macrophage"] == FINE_CLASSES.index("macrophage")


@pytest.mark.parametrize(
    ("name", "same"),
    [("Region*", "region"), (" Tumor:Positive ", "tumor: positive"), ("IGNORE *", "ignore"), ("A", "a")],
)
def test_case_spaces_and_star_do_not_matter(name: str, same: str) -> None:
    assert plain(name) == plain(same)


def test_absence_is_taught_only_when_all_kinds_are_complete(tmp_path: Path) -> None:
    some = read_class_map(written(tmp_path, 'complete_kinds = ["tumour"]\n' + CELLS))
    assert not some.states_absence


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("complete_aeras = []\n" + CELLS, "complete_aeras: Extra inputs"),
        ('[cells]\n"Tumor" = { kind = "cancer" }\n', "'cancer' is not a kind"),
        ('[cells]\n"Tumor" = { kind = "tumour", stain = true }\n', "stain: Extra inputs"),
        ('[cells]\n"Tumor" = { stained = "maybe" }\n', "stained"),
        ('complete_kinds = ["lymphocyte"]\n' + CELLS, "complete_kinds"),
        ('outside_areas = "maybe"\n' + CELLS, "outside_areas"),
        (CELLS + '[regions]\n"Stroma" = "muscle"\n', "'muscle' is no tissue"),
        (CELLS + '"tumor " = {}\n', "'tumor' has two meanings"),
        ('ignored = ["TUMOR*"]\n' + CELLS, "'tumor' has two meanings"),
        ('complete_areas = ["Region*"]\nignored = ["region"]\n' + CELLS, "'region' has two meanings"),
        ("mpp = 250.0\n" + CELLS, "mpp"),
        ("[cells]\n", "cells"),
        ("ignored = []\n", "cells: Field required"),
        ("cells = [\n", "not readable as TOML"),
    ],
)
def test_what_a_map_cannot_say_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_class_map(written(tmp_path, text))
    assert said in str(caught.value)
    assert str(tmp_path / "map.toml") in str(caught.value)
    assert "\n" not in caught.value.message


def test_a_class_may_be_cell_and_region(tmp_path: Path) -> None:
    both = read_class_map(written(tmp_path, CELLS + '[regions]\n"Tumor" = "nest"\n'))
    assert both.regions == {"Tumor": "nest"}


def test_a_missing_map_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"gone\.toml: no such file"):
        read_class_map(tmp_path / "gone.toml")


def folder_of(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).touch()
    return folder


def test_files_of_one_stem_belong_together(tmp_path: Path) -> None:
    names = (
        "b.svs",
        "b.geojson",
        "a.PNG",
        "a.geojson.gz",
        "c.ome.tif",
        "c.geojson",
        "d.tif",
        "d.tif.geojson",
    )
    pairs, alone = find_pairs(folder_of(tmp_path, *names, "notes.txt", ".hidden.geojson"))
    assert [(pair.image.name, pair.annotations.name, pair.stem) for pair in pairs] == [
        ("a.PNG", "a.geojson.gz", "a"), ("b.svs", "b.geojson", "b"), ("c.ome.tif", "c.geojson", "c"),
        ("d.tif", "d.tif.geojson", "d.tif"),
    ]  # fmt: skip
    assert alone == []


def test_an_image_without_annotations_is_listed_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        _, alone = find_pairs(folder_of(tmp_path, "a.png", "a.geojson", "lonely.png"))
    assert [path.name for path in alone] == ["lonely.png"]
    assert "lonely.png: no .geojson of the same name" in caplog.text


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), "no .geojson file there"),
        (("a.png",), "no .geojson file there"),
        (("a.geojson",), r"a\.geojson: no image of the same name"),
        (("a.geojson", "ab.png"), r"a\.geojson: no image of the same name"),
        (("a.geojson", "a.png", "a.svs"), r"several images have this name: a\.png, a\.svs"),
        (("a.geojson", "a.geojson.gz", "a.png"), r"a\.png: two annotation files"),
    ],
)
def test_what_does_not_pair_is_named(tmp_path: Path, names: tuple[str, ...], said: str) -> None:
    with pytest.raises(AnnotationsError, match=said):
        find_pairs(folder_of(tmp_path, *names))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="gone: no such folder"):
        find_pairs(tmp_path / "gone")


WHOLE = (0, 0, 1000, 1000)


def polygon(*rings: list[list[float]]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def square(left: float, top: float, side: float) -> list[list[float]]:
    right, bottom = left + side, top + side
    return [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]


def test_points_have_their_place_and_class(tmp_path: Path) -> None:
    path = write_geojson(tmp_path / "a.geojson", [point(3.5, 4.5, "Tumor: Positive"), point(1, 2, None)])
    first, second = read_objects(path, WHOLE)
    assert (first.class_name, first.centres(), first.is_points) == ("Tumor: Positive", [(3.5, 4.5)], True)
    assert second.class_name == UNCLASSIFIED
    assert first.where == f"{path}: feature 1"


def test_the_points_tool_makes_one_object_of_many_cells(tmp_path: Path) -> None:
    many = {"type": "MultiPoint", "coordinates": [[1, 2], [3, 4], [5, 6]]}
    (marked,) = read_objects(write_geojson(tmp_path / "a.geojson", [feature(many, "Tumor")]), WHOLE)
    assert marked.centres() == [(1, 2), (3, 4), (5, 6)]


def test_the_centre_of_an_outline_is_its_centroid_with_holes_too(tmp_path: Path) -> None:
    with_hole = polygon(square(10, 10, 8), square(12, 12, 4)[::-1])
    path = write_geojson(tmp_path / "a.geojson", [feature(with_hole, "Tumor", "detection")])
    (marked,) = read_objects(path, WHOLE)
    assert marked.centres() == [(14, 14)]
    assert not marked.drawn


def test_a_cell_lies_where_its_nucleus_lies(tmp_path: Path) -> None:
    cell = feature(polygon(square(0, 0, 20)), "Tumor", "cell")
    cell["nucleusGeometry"] = polygon(square(2, 4, 6))
    (marked,) = read_objects(write_geojson(tmp_path / "a.geojson", [cell]), WHOLE)
    assert marked.centres() == [(5, 7)]


def test_several_parts_are_one_cell(tmp_path: Path) -> None:
    parts = {"type": "MultiPolygon", "coordinates": [[square(0, 0, 2)], [square(4, 0, 2)]]}
    (marked,) = read_objects(write_geojson(tmp_path / "a.geojson", [feature(parts, "Tumor")]), WHOLE)
    assert marked.centres() == [(3, 1)]


def test_an_outline_that_crosses_itself_keeps_a_centre(tmp_path: Path) -> None:
    bow_tie = polygon([[0, 0], [4, 4], [4, 0], [0, 4], [0, 0]])
    (marked,) = read_objects(write_geojson(tmp_path / "a.geojson", [feature(bow_tie, "Tumor")]), WHOLE)
    assert marked.centres() == [pytest.approx((2, 2))]


def test_positions_are_moved_by_the_bounds_that_qupath_crops_to(tmp_path: Path) -> None:
    path = write_geojson(tmp_path / "a.geojson", [point(3, 4, "Tumor")])
    (marked,) = read_objects(path, (100, 200, 500, 500))
    assert marked.centres() == [(103, 204)]


def test_older_exports_name_type_and_class_elsewhere(tmp_path: Path) -> None:
    old = {
        "type": "Feature", "id": "PathCellObject", "geometry": polygon(square(0, 0, 4)),
        "properties": {"classification": {"name": "Tumor: Negative", "colorRGB": -1}},
    }  # fmt: skip
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps([old]), encoding="utf-8")
    (marked,) = read_objects(path, WHOLE)
    assert (marked.class_name, marked.drawn) == ("Tumor: Negative", False)


def test_gzipped_and_single_features_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson.gz"
    path.write_bytes(gzip.compress(json.dumps(point(1, 1, "Tumor")).encode()))
    assert len(read_objects(path, WHOLE)) == 1


def test_cores_tiles_and_lines_are_passed_over_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    line = feature({"type": "LineString", "coordinates": [[0, 0], [1, 1]]}, "Tumor")
    core = feature(polygon(square(0, 0, 90)), "A-1", "tmaCore")
    path = write_geojson(tmp_path / "a.geojson", [line, core, point(1, 1, "Tumor")])
    with caplog.at_level(logging.WARNING):
        assert len(read_objects(path, WHOLE)) == 1
    assert "feature 1 passed over" in caplog.text
    assert "feature 2 passed over: tmacore" in caplog.text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"{", "not valid JSON"),
        (b'{"type": "Topology"}', "not a GeoJSON FeatureCollection"),
        (b'{"type": "FeatureCollection", "features": []}', "contains no point or outline"),
        (b"\x1f\x8bbroken", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.geojson"
    path.write_bytes(content)
    with pytest.raises(AnnotationsError, match=said) as caught:
        read_objects(path, WHOLE)
    assert str(path) in caught.value.message


@pytest.mark.parametrize("place", [[1e12, 0], [float("nan"), 0], ["left", "top"], []])
def test_coordinates_that_are_no_pixels_are_named(tmp_path: Path, place: list[Any]) -> None:
    broken = feature({"type": "Point", "coordinates": place}, "Tumor")
    path = write_geojson(tmp_path / "a.geojson", [rectangle(0, 0, 1, 1, "Region*"), broken])
    with pytest.raises(AnnotationsError, match="feature 2"):
        read_objects(path, WHOLE)
