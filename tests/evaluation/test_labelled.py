"""Labelled real images: labels read from files, and how they meet calls."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cxpath.documents.evaluation import CountedLabels
from cxpath.errors import CellsFileError, MissingFileError
from cxpath.evaluation.labelled import (
    COLUMNS,
    LabelledImage,
    block_counts,
    brown_classified_positive,
    brown_figure,
    component_points,
    curve_point,
    detections_per_label,
    find_labels,
    found_f1,
    found_recall,
    label_figures,
    number_of_labels,
    polygon_points,
    read_labels,
    table_points,
    units_of,
)
from cxpath.evaluation.settings import LabelForm, LabelledSet
from tests.evaluation.called_cells import IMMUNE, OTHER, REAL, TUMOUR, calls_at

BCDATA, SHIDC = (next(one for one in REAL.labelled_set if one.name == name) for name in ("bcdata", "shidc"))
MPP = 0.5

# A field of 150 x 50 µm: blocks of 100 and 50 µm.
IMAGE = LabelledImage(
    np.zeros((100, 300, 3), np.uint8),
    np.array([[10.0, 10.0], [50.0, 10.0], [198.0, 50.0], [250.0, 50.0]]) / MPP * 0.5,
    ("pos_tumour", "pos_tumour", "neg_tumour", "pos_tumour"),
)
CALLS = calls_at(
    [(5.5, 5.0), (25.0, 5.0), (101.0, 25.0), (140.0, 45.0)],
    [TUMOUR, OTHER, TUMOUR, IMMUNE],
    [True, False, True, False],
)


def counts(wanted: LabelledSet) -> dict[str, list[int]]:
    rows = block_counts(IMAGE, CALLS, wanted, REAL, MPP)
    return {name: rows[:, column].tolist() for column, name in enumerate(COLUMNS)}


def test_labels_detections_and_pairs_by_block() -> None:
    found = counts(BCDATA)
    assert found["labels"] == [3, 1]
    # The detection at 101 µm belongs to the label at 99 µm, in the first block.
    assert found["detections"] == [3, 1]
    assert found["pairs"] == [3, 0]
    assert found["brown_found"] == [2, 0]
    assert found["brown_called"] == [1, 0]
    # Of three tumour nuclei found, two are called tumour and one is called other.
    assert found["tumour_found"] == [3, 0]
    assert found["tumour_called"] == [2, 0]


def test_tumour_nuclei_are_judged_only_where_labels_say_which_they_are() -> None:
    names = [figure.name for figure in label_figures(BCDATA, [labels(counts_rows(BCDATA))], REAL)]
    assert "tumour_classified_tumour" in names
    silent = BCDATA.model_copy(update={"tumour": ()})
    rows = np.array(counts_rows(silent))
    assert rows[:, COLUMNS.index("tumour_found")].sum() == 0
    assert "tumour_classified_tumour" not in [
        figure.name for figure in label_figures(silent, [labels(rows.tolist())], REAL)
    ]


def labels(blocks: list[list[int]]) -> CountedLabels:
    return CountedLabels(name="a", blocks=blocks)


def counts_rows(wanted: LabelledSet) -> list[list[int]]:
    rows: list[list[int]] = block_counts(IMAGE, CALLS, wanted, REAL, MPP).tolist()
    return rows


def test_a_set_that_labels_some_kinds_counts_those_alone() -> None:
    found = counts(SHIDC)
    assert found["detections"] == [2, 1]
    assert found["pairs"] == [2, 0]
    assert found["detections_all"] == [3, 1]
    assert found["pairs_all"] == [3, 0], "recall is of any detection"


def test_figures_by_hand() -> None:
    rows = block_counts(IMAGE, CALLS, BCDATA, REAL, MPP).astype(np.float64)
    assert found_f1(rows) == pytest.approx(6 / 8)
    assert found_recall(rows) == pytest.approx(3 / 4)
    assert detections_per_label(rows) == 1.0
    assert brown_classified_positive(rows) == 0.5
    assert np.isnan(found_f1(np.zeros((1, len(COLUMNS)))))


@pytest.mark.parametrize(("images", "unit", "units"), [(9, "blocks", 18), (10, "images", 10)])
def test_ten_images_are_drawn_as_images_fewer_as_blocks(images: int, unit: str, units: int) -> None:
    result = labels(block_counts(IMAGE, CALLS, BCDATA, REAL, MPP).tolist())
    rows, kind = units_of([result] * images, REAL.bootstrap)
    assert (len(rows), kind) == (units, unit)
    assert rows[:, 0].sum() == 4 * images


def test_every_figure_has_its_target_and_its_resolution() -> None:
    result = labels(block_counts(IMAGE, CALLS, BCDATA, REAL, MPP).tolist())
    figures = {one.name: one for one in label_figures(BCDATA, [result] * 3, REAL)}
    assert figures["f1"].met is False
    assert figures["f1"].target == BCDATA.f1
    assert figures["f1"].n == 12
    assert figures["detections_per_label"].met is True
    assert figures["recall"].target is None
    assert {one.mpp for one in figures.values()} == {0.25}
    assert "within 6 µm" in figures["f1"].method
    brown = brown_figure([result] * 3, ["bcdata", "shidc"], REAL)
    assert (brown.value, brown.n, brown.met) == (0.5, 6, False)
    assert "bcdata and shidc" in brown.method


def test_a_point_of_a_curve_is_the_figures_at_that_resolution() -> None:
    result = labels(block_counts(IMAGE, CALLS, BCDATA, REAL, MPP).tolist())
    point = curve_point(0.4, BCDATA, [result] * 3)
    assert (point.mpp, point.f1, point.detections_per_label) == (0.4, 0.75, 1.0)
    assert point.brown_classified_positive == 0.5
    assert point.tumour_classified_tumour == pytest.approx(2 / 3, abs=1e-4)
    assert number_of_labels([result] * 3) == 12
    silent = BCDATA.model_copy(update={"tumour": ()})
    assert curve_point(0.4, silent, [result]).tumour_classified_tumour is None


def test_what_was_not_there_is_none_and_not_nought() -> None:
    nothing = labels(np.zeros((1, len(COLUMNS)), int).tolist())
    point = curve_point(0.25, BCDATA, [nothing])
    assert (point.f1, point.detections_per_label, point.brown_classified_positive) == (None, None, None)


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
