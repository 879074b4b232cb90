"""On a real synthetic slide with the real network: how a slide is cut into tiles must not matter."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree
from shapely.geometry import Point

from cxpath.data.cells import CellTable, Kind
from cxpath.data.slide_info import Region, Regions, RegionUse
from cxpath.network.detector import Detector
from cxpath.network.device import choose_device
from cxpath.network.model import load_model
from cxpath.network.settings import NetworkSettings
from cxpath.pipeline.find_cells import SlideContext, find_cells, no_cells, plan_slide
from cxpath.pipeline.settings import PipelineSettings, TileSettings
from cxpath.slide.open import open_slide
from cxpath.tissue.tissue import find_tissue
from tests.conftest import SyntheticSlide

FindCells = Callable[..., CellTable]


@pytest.fixture(scope="module")
def find(synthetic_slide: SyntheticSlide) -> Iterator[FindCells]:
    """Find the synthetic slide's cells with some settings, and perhaps regions."""
    with open_slide(synthetic_slide.path) as slide:
        tissue = find_tissue(slide)
        detector = Detector(load_model("small"), choose_device("cpu"), tissue.stains)

        def found(regions: Regions | None = None, batch_size: int = 2, **tiles: int) -> CellTable:
            settings = PipelineSettings(
                tiles=TileSettings(**tiles), network=NetworkSettings(batch_size=batch_size)
            )
            plan = plan_slide(slide, tissue, detector, settings)
            return find_cells(SlideContext(slide, tissue, plan, detector, settings, regions)).cells

        yield found


@pytest.fixture(scope="module")
def usual(find: FindCells) -> CellTable:
    """The cells at default settings."""
    return find()


def kinds(cells: CellTable) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.bincount(cells.kind, minlength=3)


@pytest.mark.parametrize(
    "cut",
    [
        {"core_px": 512},
        {"core_px": 2048, "batch_size": 1},
        {"core_px": 320, "batch_size": 7, "reader_threads": 4},
        {"reader_threads": 1, "read_ahead": 1},
    ],
)
def test_tile_size_batch_and_threads_change_no_count(
    cut: dict[str, int], find: FindCells, usual: CellTable
) -> None:
    """The design allows 0.05 %: on this slide not a single cell."""
    cells = find(**cut)
    allowed = 0.0005 * len(usual)
    assert abs(len(cells) - len(usual)) <= allowed
    assert np.abs(kinds(cells) - kinds(usual)).max() <= allowed
    assert abs(int((cells.stained >= 0.5).sum()) - int((usual.stained >= 0.5).sum())) <= allowed


@pytest.mark.parametrize("offset_px", [2, 5, 333])
def test_moving_the_lattice_changes_the_count_by_half_a_percent_at_most(
    offset_px: int, find: FindCells, usual: CellTable
) -> None:
    assert abs(len(find(lattice_offset_px=offset_px)) - len(usual)) <= 0.005 * len(usual)


def test_cells_are_found_where_they_were_drawn(usual: CellTable, synthetic_slide: SyntheticSlide) -> None:
    truth = synthetic_slide.truth.cells
    reach_px = 6.0 / 0.25
    distances, _ = cKDTree(np.column_stack([usual.x_px, usual.y_px])).query(
        np.column_stack([truth.x_px, truth.y_px])
    )
    assert (distances <= reach_px).mean() > 0.8
    assert len(usual) == pytest.approx(len(truth), rel=0.25)


def test_no_two_cells_are_nearer_than_two_cells_can_be(usual: CellTable) -> None:
    least_px = load_model("small").card.thresholds.min_distance_um / 0.25
    pairs = cKDTree(np.column_stack([usual.x_px, usual.y_px])).query_pairs(0.99 * least_px)
    assert not pairs


def test_every_column_is_filled(usual: CellTable) -> None:
    for name, column in usual.columns().items():
        assert np.isfinite(column).all(), name
    assert {Kind.TUMOUR, Kind.IMMUNE, Kind.OTHER} == {Kind(kind) for kind in np.unique(usual.kind)}
    assert usual.embedding is not None
    assert usual.embedded.all()
    assert (usual.embedding.std(axis=0) > 5).all()
    assert usual.facts.slide_digest
    assert usual.facts.model_digest


@pytest.mark.parametrize("embeds", [True, False])
def test_a_table_without_cells_has_the_columns_of_one_with(
    synthetic_slide: SyntheticSlide, embeds: bool
) -> None:
    """A run keeps it first: `cells.parquet` then has a place for what follows."""
    model = load_model("small")
    assert model.embedding is not None
    with open_slide(synthetic_slide.path) as slide:
        tissue = find_tissue(slide)
        model = model if embeds else replace(model, embedding=None)
        detector = Detector(model, choose_device("cpu"), tissue.stains)
        settings = PipelineSettings()
        plan = plan_slide(slide, tissue, detector, settings)
        none = no_cells(SlideContext(slide, tissue, plan, detector, settings, None))
    assert len(none) == 0
    assert (none.embedding is not None) == detector.embeds == embeds


def test_drawn_regions_cut_cells_by_their_exact_outline(find: FindCells, usual: CellTable) -> None:
    circle = Point(2048, 2048).buffer(700)
    cells = find(Regions((Region("ROI", RegionUse.INCLUDE, circle),)))
    inside = np.hypot(usual.x_px - 2048, usual.y_px - 2048) < 700 * 0.995
    assert len(cells) >= inside.sum() > 50
    assert np.hypot(cells.x_px - 2048, cells.y_px - 2048).max() <= 700
