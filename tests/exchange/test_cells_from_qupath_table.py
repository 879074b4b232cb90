"""QuPath's measurement table as its versions and languages export it."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from cxpath.exchange.cell_classes import default_cell_classes, read_cell_classes
from cxpath.exchange.cells_from_qupath_table import cells_in_qupath_table, is_qupath_table
from cxpath.exchange.classified_cells import ClassifiedCells
from cxpath.exchange.text_table import read_text_table
from cxpath.values.errors import CellsFileError
from cxpath.values.slide_info import SlideInfo

CLASSES = read_cell_classes(default_cell_classes())
NEW = (
    "Image\tObject ID\tObject type\tName\tClassification\tParent\tROI\t"
    "Centroid X µm\tCentroid Y µm\tstained\n"
    "case.svs\t7d1f\tAnnotation\t\tRegion*\tRoot\tPolygon\t500\t500\t\n"
    "case.svs\t7d20\tDetection\t\tTumor: Positive\tRoot\tPoint\t25.0\t50.5\t0.75\n"
    "case.svs\t7d21\tCell\t\tImmune cells: Negative\tRoot\tPolygon\t100.25\t50.0\tNaN\n"
    "case.svs\t7d22\tCell\t\t\tRoot\tPolygon\t0.25\t0.5\t\n"
)


def info(mpp: float = 0.25, bounds: tuple[int, int, int, int] = (0, 0, 8000, 8000)) -> SlideInfo:
    return SlideInfo(
        "case.svs", "case", "ab" * 32, "", 8000, 8000, mpp, "user", "openslide", "aperio", (1.0,), bounds
    )


def read(
    text: str, slide: SlideInfo | None = None, names: tuple[str, ...] = ("case.svs", "case")
) -> ClassifiedCells:
    table = read_text_table(text.encode(), "a.tsv")
    return cells_in_qupath_table(table, slide or info(), names, CLASSES, "a.tsv")[0]


def classes(found: ClassifiedCells) -> list[str]:
    return [found.class_names[code] for code in found.class_code]


def test_micrometres_become_pixels_of_the_slide() -> None:
    found = read(NEW)
    assert found.x_px.tolist() == [100, 401, 1]
    assert found.y_px.tolist() == [202, 200, 2]
    assert read(NEW, info(mpp=0.5)).x_px.tolist() == [50, 200.5, 0.5]


def test_bounds_move_the_cells_into_the_files_frame() -> None:
    assert read(NEW, info(bounds=(1000, 40, 4000, 4000))).x_px.tolist() == [1100, 1401, 1001]


def test_classes_and_measurements_follow_their_rows() -> None:
    found = read(NEW)
    assert classes(found) == ["Tumor: Positive", "Immune cells: Negative", "(no class)"]
    np.testing.assert_array_equal(found.measured["stained"], [0.75, np.nan, np.nan])


def test_annotations_are_passed_over_aloud() -> None:
    table = read_text_table(NEW.encode(), "a.tsv")
    _, warnings = cells_in_qupath_table(table, info(), (), CLASSES, "a.tsv")
    assert warnings == ["1 rows that are no cells were passed over"]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("µ", "μ"),
        lambda text: text.replace("µ", "Âµ"),
        lambda text: text.replace("µ", "\ufffd"),
        lambda text: text.replace("X µm", "X (um)").replace("Y µm", "Y (um)"),
        lambda text: text.replace("Classification", "Class"),
        lambda text: text.replace("\t", ";"),
        lambda text: re.sub(r"(\d)\.(\d)", r"\1,\2", text),
        lambda text: re.sub(r"(\d)\.(\d)", r"\1,\2", text).replace("\t", ";"),
    ],
)
def test_spellings_of_programs_and_languages(change: Callable[[str], str]) -> None:
    found, plain = read(change(NEW)), read(NEW)
    np.testing.assert_array_equal(found.x_px, plain.x_px)
    np.testing.assert_array_equal(found.y_px, plain.y_px)
    np.testing.assert_array_equal(found.measured["stained"], plain.measured["stained"])
    assert classes(found) == classes(plain)


def test_pixels_are_taken_as_they_are() -> None:
    found = read("Centroid X px\tCentroid Y px\tClass\n10.5\t20.5\tTumor\n", info(mpp=0.5))
    assert (found.x_px.tolist(), found.y_px.tolist()) == ([10.5], [20.5])


def test_of_several_images_only_the_slides_rows_count() -> None:
    both = NEW + "other.svs\t7d30\tCell\t\tTumor: Negative\tRoot\tPolygon\t1\t1\t\n"
    assert len(read(both).x_px) == 3
    series = both.replace("case.svs", "case.svs - Series 0")
    assert len(read(series).x_px) == 3
    with pytest.raises(CellsFileError, match="cells of 2 images, none of them named like the slide"):
        read(both, names=("third.svs",))
    assert len(read(NEW, names=("renamed.svs",)).x_px) == 3, "one image alone is the slide, whatever its name"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Centroid X px\tCentroid Y px\n1\t1\n", "no column Class or Classification"),
        ("Centroid X px\tCentroid Y px\tClass\n", "holds no cell"),
        ("Centroid X px\tCentroid Y px\tClass\n\t1\tTumor\n", "cells without a centroid"),
        ("Centroid X px\tCentroid Y px\tClass\nleft\t1\tTumor\n", "row 2: 'left' in column 'Centroid X px'"),
        ("Object type\tCentroid X px\tCentroid Y px\tClass\nTile\t1\t1\tTumor\n", "holds no cell"),
    ],
)
def test_unusable_tables_are_one_line(text: str, said: str) -> None:
    with pytest.raises(CellsFileError, match=said):
        read(text)


@pytest.mark.parametrize(
    ("names", "known"),
    [
        (["Centroid X µm", "Centroid Y µm"], True),
        (["centroid x px", "centroid y px", "Class"], True),
        (["Centroid X µm", "Centroid Y px"], False),
        (["x_px", "y_px", "kind"], False),
    ],
)
def test_how_a_table_is_recognised(names: list[str], known: bool) -> None:
    assert is_qupath_table(names) is known
