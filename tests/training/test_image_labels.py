from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shapely.geometry import MultiPoint, Point, box
from shapely.geometry.base import BaseGeometry

from cxpath.data.cells import TissueRegion
from cxpath.training.annotations import (
    EDGE_UM,
    AnnotationsError,
    ClassMap,
    Frame,
    ImageLabels,
    MarkedObject,
    image_labels,
)
from cxpath.training.data import STAIN_UNKNOWN
from cxpath.training.targets import ANY_IMMUNE, TUMOUR, UNLABELLED

FRAME = Frame(Path("field.png"), 1000, 800, 0.5)


def class_map(**other: Any) -> ClassMap:
    given: dict[str, Any] = {
        "complete_areas": ["Region*"],
        "ignored": ["Ignore*"],
        "cells": {
            "Tumor": {"kind": "tumour"},
            "Tumor: Positive": {"kind": "tumour", "stained": True},
            "Immune cells": {"kind": "immune"},
            "Negative": {"stained": False},
        },
        "regions": {"Stroma": "stroma", "Tumor": "nest"},
    }
    return ClassMap.model_validate(given | other)


def marked(outline: BaseGeometry, name: str, *, drawn: bool = True) -> MarkedObject:
    return MarkedObject(f"field.geojson: {name}", name, drawn, outline)


def labels(*objects: MarkedObject, **other: Any) -> ImageLabels:
    return image_labels(objects, class_map(**other), FRAME)


def test_every_cell_says_what_its_class_teaches_and_no_more() -> None:
    cells = labels(
        marked(Point(10, 20), "TUMOR: positive"), marked(Point(30, 40), "Immune cells"),
        marked(MultiPoint([(50, 60), (70, 80)]), "Negative"),
    ).cells  # fmt: skip
    assert cells.x_px.tolist() == [10, 30, 50, 70]
    assert cells.y_px.tolist() == [20, 40, 60, 80]
    assert cells.fine.tolist() == [TUMOUR, ANY_IMMUNE, UNLABELLED, UNLABELLED]
    assert cells.stained.tolist() == [1, STAIN_UNKNOWN, 0, 0]


def test_absence_is_known_inside_complete_areas_but_for_their_border() -> None:
    area = labels(marked(box(100, 100, 300, 300), "Region*"), marked(Point(150, 150), "Tumor")).complete
    edge = EDGE_UM / FRAME.mpp
    assert area.contains(Point(100 + edge + 1, 200))
    assert not area.contains(Point(100 + edge - 1, 200))
    assert not area.contains(Point(500, 500))


def test_without_every_kind_nothing_is_known_to_be_absent() -> None:
    area = marked(box(100, 100, 300, 300), "Region*")
    assert labels(area, complete_kinds=["tumour"]).complete.is_empty


def test_an_area_that_leaves_the_picture_is_cut_there() -> None:
    complete = labels(marked(box(-500, -500, 5000, 5000), "Region*")).complete
    assert complete.bounds == pytest.approx((6, 6, 994, 794))


def test_around_ignored_cells_and_in_ignored_areas_nothing_is_learned() -> None:
    seen = labels(
        marked(box(0, 0, 400, 400), "Region*"), marked(Point(100, 100), "Ignore*"),
        marked(box(200, 200, 300, 300), "Ignore*"), marked(Point(250, 250), "Tumor"),
        marked(Point(104, 100), "Tumor"),
    )  # fmt: skip
    assert not seen.complete.contains(Point(105, 105))
    assert seen.complete.contains(Point(120, 100))
    assert not seen.complete.contains(Point(250, 210))
    assert seen.cells.x_px.tolist() == [104], "next to an unsure cell a sure one still teaches"


def test_cells_outside_the_areas_can_be_left_out() -> None:
    objects = (
        marked(box(0, 0, 100, 100), "Region*"), marked(Point(50, 50), "Tumor"),
        marked(Point(150, 50), "Tumor"),
    )  # fmt: skip
    assert labels(*objects).cells.x_px.tolist() == [50, 150]
    assert labels(*objects, outside_areas="ignore").cells.x_px.tolist() == [50]


def test_outlines_drawn_around_tissue_are_regions_and_detections_are_cells() -> None:
    seen = labels(
        marked(box(0, 0, 400, 400), "Tumor"), marked(box(100, 100, 120, 120), "Tumor", drawn=False),
        marked(box(0, 0, 50, 50), "Stroma"),
    )  # fmt: skip
    assert [tissue for tissue, _ in seen.regions] == [TissueRegion.NEST, TissueRegion.STROMA]
    assert np.column_stack([seen.cells.x_px, seen.cells.y_px]).tolist() == [[110, 110]]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (marked(Point(1, 1), "Blob"), r"field\.geojson: Blob has the class 'Blob'"),
        (marked(Point(1, 1), "(no class)"), "has no class"),
        (marked(Point(1001, 1), "Tumor"), r"\(1001, 1\) lies outside field\.png \(1000 x 800 px\)"),
        (marked(Point(1, -3), "Tumor"), "lies outside"),
        (marked(Point(1, 1), "Region*"), "means an area"),
        (marked(box(0, 0, 400, 400), "Negative"), "200 µm wide, is not a cell"),
        (marked(Point(5, 5), "Stroma"), "means an area"),
    ],
)
def test_what_does_not_fit_is_named(wrong: MarkedObject, said: str) -> None:
    with pytest.raises(AnnotationsError, match=said):
        labels(wrong)


def test_objects_without_a_class_can_be_given_a_meaning() -> None:
    cells = {"(no class)": {"kind": "tumour"}}
    assert labels(marked(Point(1, 1), "(no class)"), cells=cells).cells.fine.tolist() == [TUMOUR]
