from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cxpath.errors import CellsFileError, MissingFileError
from cxpath.evaluation.real_sets import (
    component_points,
    find_labels,
    polygon_points,
    read_labels,
    table_points,
)
from cxpath.evaluation.settings import LabelForm


def write_picture(path: Path, rgb: NDArray[np.uint8] | None = None) -> None:
    picture = np.full((40, 60, 3), 220, np.uint8) if rgb is None else rgb
    assert cv2.imwrite(str(path), np.ascontiguousarray(picture[..., ::-1]))


def test_pictures_without_labels_and_left_out_ones_are_not_found(tmp_path: Path) -> None:
    for stem in ("10", "2", "twice", "alone"):
        write_picture(tmp_path / f"{stem}.png")
    for stem in ("10", "2", "twice"):
        (tmp_path / f"{stem}.csv").write_text("x,y,class\n1,2,a\n")
    found = find_labels(tmp_path, "points", ("twice",))
    assert [files.name for files in found] == ["2", "10"]
    assert find_labels(tmp_path / "missing", "points") == []


def test_points_are_pixel_centres_at_the_models_resolution(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    (tmp_path / "a.csv").write_text("x,y,class\n9,19,pos_tumour\n")
    (files,) = find_labels(tmp_path, "points")
    image = read_labels(files, "points", image_mpp=0.25, mpp=0.5)
    assert image.rgb.shape == (20, 30, 3)
    assert image.points_px.tolist() == [[4.75, 9.75]]
    assert image.classes == ("pos_tumour",)


def test_picture_and_points_shrink_together(tmp_path: Path) -> None:
    rgb = np.full((80, 120, 3), 220, np.uint8)
    rgb[40:44, 60:64] = (90, 60, 30)
    write_picture(tmp_path / "a.png", rgb)
    (tmp_path / "a.csv").write_text("x,y,class\n61.5,41.5,pos_tumour\n")
    image = read_labels(find_labels(tmp_path, "points")[0], "points", image_mpp=0.25, mpp=0.5)
    x_px, y_px = image.points_px[0]
    assert image.rgb[int(y_px), int(x_px)].tolist() == [90, 60, 30], "red first, and under its label"


@pytest.mark.parametrize("text", ["x,class\n1,a\n", "x,y,class\n1,two,a\n", "x,y,class\n1\n"])
def test_a_table_without_points_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "b.csv").write_text(text)
    with pytest.raises(CellsFileError, match=r"b\.csv: needs columns x, y, class"):
        table_points(tmp_path / "b.csv")


def test_a_table_without_rows_holds_no_points(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("x,y,class\n")
    points, classes = table_points(tmp_path / "b.csv")
    assert points.shape == (0, 2)
    assert classes == ()


def test_components_are_parted_by_green_and_crumbs_are_dropped(tmp_path: Path) -> None:
    colours = np.zeros((60, 60, 3), np.uint8)
    colours[10:20, 10:20] = colours[10:20, 21:31] = (255, 0, 0)
    colours[10:20, 20] = (0, 255, 0)
    colours[40:50, 40:50] = (0, 0, 255)
    colours[55:57, 55:57] = (0, 0, 255)
    write_picture(tmp_path / "seg.png", colours)
    points, classes = component_points(tmp_path / "seg.png")
    assert classes == ("positive", "positive", "negative")
    assert np.allclose(points, [[15.0, 15.0], [26.0, 15.0], [45.0, 45.0]])


def test_a_polygon_stands_for_its_centroid(tmp_path: Path) -> None:
    path = tmp_path / "cells.json"
    square = [[0, 0], [10, 0], [10, 0], [10, 10], [0, 10]]  # a doubled corner moves no centroid
    path.write_text(json.dumps({"positive": [square], "negative": [[[20, 20], [26, 20], [20, 26]]]}))
    points, classes = polygon_points(path)
    assert classes == ("positive", "negative")
    assert np.allclose(points, [[5.5, 5.5], [22.5, 22.5]])


@pytest.mark.parametrize("text", ["[1, 2]", "{", '{"positive": [[[1, "a"]]]}'])
def test_a_file_without_polygons_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "cells.json").write_text(text)
    with pytest.raises(CellsFileError, match="needs polygons by class"):
        polygon_points(tmp_path / "cells.json")


def test_a_missing_picture_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no readable picture"):
        component_points(tmp_path / "none.png")


def test_the_real_labels_are_read(data_dir: Path) -> None:
    """Numbers of labels as the data's own description states them."""
    cells = data_dir / "cells"
    forms: dict[str, LabelForm] = {"bcdata": "points", "deepliif": "components"}
    counts = {
        name: sum(
            len(read_labels(files, form, image_mpp=0.25, mpp=0.5).classes)
            for files in find_labels(cells / name, form)
        )
        for name, form in forms.items()
    }
    assert counts == {"bcdata": 637 + 668, "deepliif": 26 + 218}
    outlines = [polygon_points(files.labels)[1] for files in find_labels(cells / "glioma_ki67", "polygons")]
    together = [name for classes in outlines for name in classes]
    assert (together.count("positive"), together.count("negative")) == (717, 1353)
