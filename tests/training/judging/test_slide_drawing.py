from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cxpath.training.confusion import detection_f1, macro_f1, true_cps
from cxpath.training.judging.calls import Calls
from cxpath.training.judging.settings_file import evaluation_settings
from cxpath.training.judging.slide_counts import field_counts
from cxpath.training.judging.slide_drawing import JudgedArea, JudgedField, JudgedSlide, draw_test_slide
from cxpath.training.judging.slide_plan import PlannedSlide, plan_slides
from cxpath.training.judging.synthetic_settings import SyntheticSettings
from cxpath.values.cell_table import Kind
from tests.training.judging.called_cells import small_recipe


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> SyntheticSettings:
    return evaluation_settings(SyntheticSettings, small_recipe(tmp_path_factory.mktemp("recipe")))


@pytest.fixture(scope="module")
def drawn(recipe: SyntheticSettings) -> list[tuple[PlannedSlide, JudgedSlide]]:
    return [(slide, draw_test_slide(slide, recipe.tissue, 0.5)) for slide in plan_slides(recipe)]


def perfect(field: JudgedField) -> Calls:
    """Calls that are the truth."""
    positive = field.cells.positive
    stained = np.where(positive, 0.9, 0.1).astype(np.float32)
    return Calls(field.points_um, field.cells.kind, stained, positive, np.ones(len(positive), np.float32))


def table(slide: JudgedSlide) -> NDArray[np.int64]:
    tables = [field_counts(field, perfect(field), 6.0)[0] for field in slide.fields]
    return np.asarray(np.sum(tables, axis=0), dtype=np.int64)


def test_every_slide_has_its_cells_and_its_score(
    recipe: SyntheticSettings, drawn: list[tuple[PlannedSlide, JudgedSlide]]
) -> None:
    for planned, slide in drawn:
        counts = table(slide)
        assert counts[:2].sum() >= recipe.tissue.tumour_cells
        assert planned.stratum.holds(true_cps(counts)), planned.name
        assert all(field.rgb.dtype == np.uint8 and field.rgb.ndim == 3 for field in slide.fields)
    assert true_cps(table(drawn[-1][1])) != true_cps(table(drawn[0][1]))


def test_the_truth_judged_by_itself_is_perfect(drawn: list[tuple[PlannedSlide, JudgedSlide]]) -> None:
    counts = np.stack([table(slide) for _, slide in drawn]).sum(axis=0)
    assert detection_f1(counts) == 1.0
    assert macro_f1(counts) == 1.0


def test_true_cells_lie_on_stain(drawn: list[tuple[PlannedSlide, JudgedSlide]]) -> None:
    """Nuclei are darker than the field around them: pixels and truth share a frame."""
    for _, slide in drawn:
        for field in slide.fields:
            cells = field.cells.kind == Kind.TUMOUR
            column, row = (field.points_um[cells] / 0.5).astype(int).T
            if len(row) > 20:
                grey = field.rgb.mean(axis=2)
                inside = (row < grey.shape[0]) & (column < grey.shape[1])
                assert grey[row[inside], column[inside]].mean() < grey.mean()


def test_the_same_plan_draws_the_same_pixels(
    recipe: SyntheticSettings, drawn: list[tuple[PlannedSlide, JudgedSlide]]
) -> None:
    planned, slide = drawn[0]
    again = draw_test_slide(planned, recipe.tissue, 0.5)
    assert np.array_equal(again.fields[0].rgb, slide.fields[0].rgb)
    half = draw_test_slide(planned, recipe.tissue, 1.0)
    assert half.fields[0].rgb.shape[0] == slide.fields[0].rgb.shape[0] // 2
    assert np.array_equal(half.fields[0].points_um, slide.fields[0].points_um)


def test_too_little_tumour_is_said(recipe: SyntheticSettings) -> None:
    poor = recipe.tissue.model_copy(update={"most_fields": 1, "tumour_cells": 100_000})
    with pytest.raises(ValueError, match="tumour cells only"):
        draw_test_slide(plan_slides(recipe)[0], poor, 0.5)


def test_edge_and_spoiled_pixels_are_not_judged() -> None:
    spoiled = np.zeros((100, 200), bool)
    spoiled[40:60, 100:120] = True
    area = JudgedArea(spoiled, 0.5, 10.0)
    points = np.array([[9.0, 25.0], [11.0, 25.0], [55.0, 25.0], [89.0, 25.0], [91.0, 25.0], [50.0, 41.0]])
    assert area.holds(points).tolist() == [False, True, False, True, False, False]


def test_the_truth_believes_itself_as_far_as_it_says(drawn: list[tuple[PlannedSlide, JudgedSlide]]) -> None:
    field = drawn[-1][1].fields[0]
    table, stained, kind = field_counts(field, perfect(field), 6.0)
    assert kind[9].tolist() == pytest.approx([table[:5, :5].sum(), table[:5, :5].sum(), table[:5, :5].sum()])
    assert kind[:9].sum() == 0
    positive, negative = table[[0, 2], [0, 2]].sum(), table[[1, 3], [1, 3]].sum()
    assert stained[9].tolist() == pytest.approx([positive, 0.9 * positive, positive])
    assert stained[1].tolist() == pytest.approx([negative, 0.1 * negative, 0])


def test_settings_are_found_where_they_travel(tmp_path: Path) -> None:
    assert evaluation_settings(SyntheticSettings, small_recipe(tmp_path)).seed == 5
