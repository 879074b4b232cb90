from __future__ import annotations

import logging
from pathlib import Path

import pytest

from cxpath.training.annotations.pairs import find_pairs
from cxpath.training.annotations.qupath_objects import AnnotationsError
from cxpath.values.errors import MissingFileError


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
