"""The cells of a slide: found by the network, or brought by the user."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from cxpath.exchange.cell_classes import default_cell_classes, read_cell_classes
from cxpath.exchange.cells_file import read_given_cells, refuse_unknown_staining
from cxpath.network.card import ModelCard
from cxpath.network.detector import Detector
from cxpath.network.device import Device
from cxpath.network.model_store import load_model
from cxpath.pipeline.find_cells import Progress, find_cells, plan_slide
from cxpath.runs.score_request import PDL1, ScoreRequest
from cxpath.slide.slide import Slide
from cxpath.tiles.plan import TilePlan
from cxpath.tissue.tissue import Tissue
from cxpath.values.cell_table import CellTable
from cxpath.values.regions import Regions


@dataclass(frozen=True, eq=False)
class SlideCells:
    """The cells to score.

    Parameters
    ----------
    cells : CellTable
    plan : TilePlan
        The tiles they lie in.
    tiles_read : int
        How many of those the network saw.
    form : str
        Of the file that the user brought the cells in; empty when the network found them.
    warnings : tuple of str
        What a reader of the score must know about the cells that the user brought.
    """

    cells: CellTable
    plan: TilePlan
    tiles_read: int
    form: str = ""
    warnings: tuple[str, ...] = ()


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
        When given cells cannot be read, belong to another slide, or nobody said whether they are stained.
    """
    settings = request.configuration.pipeline
    model = load_model(request.model)
    threshold = settings.network.centre_threshold
    detector = Detector(model, device, tissue.stains, centre_threshold=threshold)
    plan = plan_slide(slide, tissue, detector, settings)
    if request.cells:
        return _given(request.cells, request, model.card, slide, tissue, plan, regions)
    cells = find_cells(slide, tissue, plan, detector, settings, regions, progress)
    return SlideCells(cells, plan, tiles_read=len(plan.with_tissue))


def _given(
    path: Path,
    request: ScoreRequest,
    card: ModelCard,
    slide: Slide,
    tissue: Tissue,
    plan: TilePlan,
    regions: Regions | None,
) -> SlideCells:
    info = slide.info
    classes = read_cell_classes(request.cell_classes or default_cell_classes())
    threshold = request.configuration.scoring.stained_threshold or card.thresholds.stained_threshold
    names = (request.slide.name, request.slide.stem, info.name)
    given = read_given_cells(path, info, classes, threshold, names)
    cells = given.cells
    if request.marker == PDL1:
        refuse_unknown_staining(cells, path)
    cells = cells.take(tissue.unspoiled(cells.x_px, cells.y_px))
    if regions:
        cells = cells.take(regions.contains(cells.x_px, cells.y_px, info.width_px, info.height_px))
    cells = replace(cells, tile=plan.tile_at(cells.x_px, cells.y_px))
    return SlideCells(cells, plan, 0, given.form, given.warnings)
