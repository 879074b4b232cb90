"""The cells of a slide: found by the network, or brought by the user."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from cxpath.exchange.cells_parquet import read_cells
from cxpath.network.detector import Detector
from cxpath.network.device import Device
from cxpath.network.model_store import load_model
from cxpath.pipeline.find_cells import Progress, find_cells, plan_slide
from cxpath.runs.score_request import ScoreRequest
from cxpath.slide.slide import Slide
from cxpath.tiles.plan import TilePlan
from cxpath.tissue.tissue import Tissue
from cxpath.values.cell_table import CellTable
from cxpath.values.errors import CellsFileError
from cxpath.values.regions import Regions


@dataclass(frozen=True, eq=False)
class SlideCells:
    """The cells to score, the plan of tiles they lie in, and how many of those the network saw."""

    cells: CellTable
    plan: TilePlan
    tiles_read: int


def obtain_cells(
    request: ScoreRequest,
    slide: Slide,
    tissue: Tissue,
    device: Device,
    regions: Regions | None = None,
    progress: Progress | None = None,
) -> SlideCells:
    """Run the network over the tissue, or read the cells that the request names.

    Raises
    ------
    CellsFileError
        When given cells belong to a slide of another size.
    """
    settings = request.configuration.pipeline
    model = load_model(request.model)
    threshold = settings.network.centre_threshold
    detector = Detector(model, device, tissue.stains, centre_threshold=threshold)
    plan = plan_slide(slide, tissue, detector, settings)
    if request.cells:
        return SlideCells(_given(request.cells, slide, plan, regions), plan, tiles_read=0)
    cells = find_cells(slide, tissue, plan, detector, settings, regions, progress)
    return SlideCells(cells, plan, tiles_read=len(plan.with_tissue))


def _given(path: Path, slide: Slide, plan: TilePlan, regions: Regions | None) -> CellTable:
    cells, info = read_cells(path), slide.info
    if (cells.facts.width_px, cells.facts.height_px) != (info.width_px, info.height_px):
        raise CellsFileError(
            f"{path}: cells of a slide of {cells.facts.width_px} x {cells.facts.height_px} px, "
            f"but this one has {info.width_px} x {info.height_px}",
            "pass the cells of this slide",
        )
    if regions:
        cells = cells.take(regions.contains(cells.x_px, cells.y_px, info.width_px, info.height_px))
    return replace(cells, tile=plan.tile_at(cells.x_px, cells.y_px))
