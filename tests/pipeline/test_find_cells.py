"""Stages that run at once, and the cells that they find."""

from __future__ import annotations

import threading
import time
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
from cxpath.pipeline.find_cells import (
    SlideContext,
    StageProfiler,
    StageTimes,
    added,
    bottleneck,
    find_cells,
    no_cells,
    plan_slide,
    prefetch,
    side_by_side,
)
from cxpath.pipeline.settings import PipelineSettings, TileSettings
from cxpath.slide.open import open_slide
from cxpath.tissue.tissue import find_tissue
from tests.conftest import SyntheticSlide


def profiler(name: str = "work") -> StageProfiler:
    return StageProfiler(name)


def test_results_come_in_order() -> None:
    assert list(prefetch(range(50), lambda number: number * 2, profiler())) == list(range(0, 100, 2))
    assert list(prefetch([], str, profiler())) == []


def test_stages_work_at_the_same_time() -> None:
    """Each waits until the other has begun its next item: one after the other, both would hang."""
    meeting = threading.Barrier(2, timeout=20)

    def first(number: int) -> int:
        if number > 0:
            meeting.wait()
        return number

    def second(number: int) -> int:
        if number < 4:
            meeting.wait()
        return number

    chain = prefetch(prefetch(range(5), first, profiler(), 1), second, profiler(), 1)
    assert list(chain) == list(range(5))


@pytest.mark.parametrize("most_waiting", [1, 3])
def test_a_slow_taker_holds_up_the_work(most_waiting: int) -> None:
    taken: list[int] = []
    started: list[int] = []

    def work(number: int) -> int:
        started.append(number)
        return number

    results = prefetch(iter(range(100)), work, profiler(), most_waiting)
    for result in results:
        taken.append(result)
        time.sleep(0.002)
        # beyond those taken: those that wait, and one in hand
        assert len(started) <= len(taken) + most_waiting + 1
        if result == 20:
            break
    results.close()
    assert len(started) <= 21 + most_waiting + 1


def broken_items() -> Iterator[int]:
    yield 1
    raise OSError("tile 2 is damaged")


def test_errors_of_items_and_of_work_reach_the_taker() -> None:
    results = prefetch(prefetch(broken_items(), str, profiler()), str, profiler())
    assert next(results) == "1"
    with pytest.raises(OSError, match="tile 2"):
        next(results)
    with pytest.raises(ZeroDivisionError):
        list(prefetch([1, 0], lambda number: 1 // number, profiler()))


def test_leaving_early_stops_every_stage_and_closes_its_items() -> None:
    closed: list[str] = []
    before = threading.active_count()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append("items")

    results = prefetch(prefetch(endless(), str, profiler()), str, profiler())
    assert next(results) == "1"
    results.close()
    assert closed == ["items"]
    assert threading.active_count() == before


def test_the_clock_tells_work_from_waiting() -> None:
    slow, quick = profiler("slow"), profiler("quick")

    def sleep(number: int) -> int:
        time.sleep(0.02)
        return number

    list(prefetch(prefetch(range(10), sleep, slow), lambda number: number, quick))
    stages = side_by_side([slow.times(), quick.times()])
    assert bottleneck(stages) == stages[0]
    assert stages[0].elapsed_s == stages[1].elapsed_s
    assert stages[0].busy_s >= 0.2
    assert stages[1].waited_for_input_s > stages[1].busy_s
    for stage in stages:
        spent = stage.busy_s + stage.waited_for_input_s + stage.waited_for_space_s
        assert spent == pytest.approx(stage.elapsed_s, rel=0.05)


def test_what_no_worker_reports_was_waiting_for_room() -> None:
    times = StageTimes("read", 2, elapsed_s=10.0, busy_s=5.0, waited_for_input_s=0.0, waited_for_space_s=15.0)
    assert times.busy_share == 0.25
    assert bottleneck([]) is None
    assert added([[times], [times]])[0].busy_s == 10.0
    two = StageProfiler("read", 2)
    with two.working():
        time.sleep(0.01)
    found = two.times()
    assert found.busy_s + found.waited_for_space_s == pytest.approx(2 * found.elapsed_s)


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
