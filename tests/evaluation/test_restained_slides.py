from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cxpath.data.cells import Kind
from cxpath.data.slide_info import StainBasis
from cxpath.evaluation.classifier import Calls, CellClassifier, ResultsCache
from cxpath.evaluation.restained_slides import (
    ARM,
    SET_NAME,
    MosaicEvaluation,
    PlannedMosaic,
    count_mosaic,
    count_tile,
    mosaic_figures,
    mosaic_tiles,
    plan_mosaics,
)
from cxpath.evaluation.settings import (
    MosaicSettings,
    RestainedSetSettings,
    bundled_settings,
    evaluation_settings,
)
from cxpath.metrics.cells import NOTHING, true_cps
from cxpath.network.device import choose_device
from cxpath.network.model import load_model
from cxpath.synth.labelled_tissue import BRCA_M2C, KIND_OF_LABEL, Part, part_of
from cxpath.synth.restain import PreparedTile, RestainedTile, prepare
from cxpath.synth.restain_painting import Painting
from tests.tissue_tiles import tissue_tile, write_tile


def settings(**changes: int) -> RestainedSetSettings:
    found = evaluation_settings(RestainedSetSettings, bundled_settings("restained"))
    return found.model_copy(update={"mosaic": MosaicSettings(**{"slides": 8, "tiles": 2} | changes)})


@pytest.fixture(scope="module")
def prepared() -> list[PreparedTile]:
    return [prepare(tissue_tile(seed), np.random.default_rng(seed)) for seed in (1, 2)]


def planned(number: int = 0, painting: Painting = Painting.USUAL) -> PlannedMosaic:
    return PlannedMosaic(f"brca_m2c-{number:03d}", BRCA_M2C, number, painting)


def all_right(tile: RestainedTile) -> Calls:
    """Return what a network without fault calls."""
    kind = KIND_OF_LABEL[tile.label]
    positive = np.where(kind == Kind.TUMOUR, tile.membrane, tile.any_stain)
    return Calls(
        points_um=np.column_stack([tile.x_px, tile.y_px]) * tile.mpp,
        kind=kind,
        stained=positive.astype(np.float32),
        positive=positive,
        certainty=np.ones(len(kind), np.float32),
    )


def test_the_plan_takes_sources_in_turn_and_half_of_each_in_the_reserved_painting() -> None:
    slides = plan_mosaics(settings(slides=8))
    assert len({slide.name for slide in slides}) == 8
    pairs = [(slide.source.name, slide.painting) for slide in slides]
    assert all(pairs.count(pair) == 2 for pair in pairs)
    assert Painting.INDEPENDENT not in {painting for _, painting in pairs}


def test_a_slide_is_the_same_whenever_it_is_painted_and_others_differ(prepared: list[PreparedTile]) -> None:
    first, again = ([tile.rgb for tile in mosaic_tiles(planned(), prepared, settings())] for _ in range(2))
    other = [tile.rgb for tile in mosaic_tiles(planned(1), prepared, settings())]
    assert len(first) == 2
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_right_calls_fill_the_diagonal_alone(prepared: list[PreparedTile]) -> None:
    for tile in mosaic_tiles(planned(), prepared, settings()):
        table, bins = count_tile(tile, all_right(tile), radius_um=6.0)
        assert table.sum() == tile.stain_known.sum()
        assert np.array_equal(table, np.diag(np.diag(table)))
        counted = np.diag(table)[:4].sum()
        assert bins[:, 0].sum() == counted


def test_missed_and_invented_cells_are_counted_as_nothing(prepared: list[PreparedTile]) -> None:
    tile = next(mosaic_tiles(planned(), prepared, settings()))
    calls = all_right(tile)
    keep = np.arange(len(calls)) > 0
    moved = replace(calls, points_um=calls.points_um + np.where(keep, 0, 1e4)[:, None])
    table, _ = count_tile(tile, moved, radius_um=6.0)
    assert table[:, NOTHING].sum() == int(tile.stain_known[0])
    assert table[NOTHING].sum() == 1


def test_a_cell_that_could_be_called_either_way_counts_nowhere(prepared: list[PreparedTile]) -> None:
    tile = next(mosaic_tiles(planned(), prepared, settings()))
    known = np.ones(len(tile.label), bool)
    known[:3] = False
    table, _ = count_tile(replace(tile, stain_known=known), all_right(tile), radius_um=6.0)
    assert table.sum() == known.sum()


def test_the_figures_of_right_calls_are_perfect(prepared: list[PreparedTile]) -> None:
    tiles = {number: list(mosaic_tiles(planned(number), prepared, settings())) for number in range(4)}
    slides = []
    for number, painted in tiles.items():
        calls = iter([all_right(tile) for tile in painted])

        def classify(_: NDArray[np.uint8], __: StainBasis, ahead: Iterator[Calls] = calls) -> Calls:
            return next(ahead)

        slides.append(count_mosaic(planned(number), prepared, settings(), classify))
    assert {slide.arm for slide in slides} == {ARM}
    figures = {figure.name: figure for figure in mosaic_figures(slides, settings())}
    assert set(figures) == {"macro_f1", "concordance", "right_side_of_1", "right_side_of_10"}
    assert figures["right_side_of_1"].value == figures["right_side_of_10"].value == 1.0
    assert figures["concordance"].value == pytest.approx(1.0)
    assert any(true_cps(np.array(slide.table)) > 0 for slide in slides)


def validation_patient() -> str:
    names = (f"TCGA-A0-{number:04d}-tile" for number in range(1000))
    return next(name for name in names if part_of(BRCA_M2C, name, name[:12]) is Part.VALIDATE)


def test_an_evaluation_goes_on_where_it_was_left_and_names_missing_sets(tmp_path: Path) -> None:
    write_tile(tissue_tile(name=validation_patient()), tmp_path / "data")
    classifier = CellClassifier(load_model("small"), choose_device("cpu", threads=1))
    cache = ResultsCache(tmp_path / "out", "model")
    seen: list[tuple[str, int, int]] = []
    evaluation = MosaicEvaluation(
        classifier, settings(slides=4), cache, tmp_path / "data", None, lambda *step: seen.append(step)
    )
    findings = evaluation.evaluate()
    assert cache.computed == 2
    assert seen[-1] == (SET_NAME, 4, 4)
    assert [one.items for one in findings.sets] == [2]
    assert "consep" in " ".join(one.reason for one in findings.skipped)
    again = evaluation.evaluate()
    assert cache.computed == 2
    assert again.figures == findings.figures


def test_without_a_data_folder_it_says_so_and_measures_nothing(tmp_path: Path) -> None:
    classifier = CellClassifier(load_model("small"), choose_device("cpu", threads=1))
    cache = ResultsCache(tmp_path, "model")
    findings = MosaicEvaluation(classifier, settings(), cache, None, None, lambda *_: None).evaluate()
    assert not findings.figures
    assert {one.reason for one in findings.skipped} == {"CXPATH_DATA is not set"}
