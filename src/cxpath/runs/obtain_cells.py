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
from cxpath.pipeline.find_cells import Keep, Progress, cell_facts, find_cells, plan_slide
from cxpath.runs.adaptive_reading import ALL_WAS_READ, DrawnSample, read_adaptively
from cxpath.runs.engines import choose_engine
from cxpath.runs.score_request import ADAPTIVE, PDL1, ScoreRequest
from cxpath.scores.settings import ScoringSettings
from cxpath.slide.slide import Slide
from cxpath.tiles.plan import TilePlan
from cxpath.tiles.stage_clock import StageTimes
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
    stages : tuple of StageTimes
        How long each stage worked and waited; empty for cells that the user brought.
    sample : DrawnSample or None
        Which tiles were drawn, where `--mode adaptive` did not read all.
    """

    cells: CellTable
    plan: TilePlan
    tiles_read: int
    form: str = ""
    warnings: tuple[str, ...] = ()
    stages: tuple[StageTimes, ...] = ()
    sample: DrawnSample | None = None


def obtain_cells(
    request: ScoreRequest,
    slide: Slide,
    tissue: Tissue,
    device: Device,
    regions: Regions | None = None,
    progress: Progress | None = None,
    keep: Keep = lambda _: None,
    scoring: ScoringSettings | None = None,
) -> SlideCells:
    """Run the network over the tissue, or read the cells that the request names.

    `keep` gets all cells, part by part, as they are found; `scoring`, what the card filled in included, tells
    `--mode adaptive` when it has read enough.

    Raises
    ------
    CellsFileError
        When given cells cannot be read, belong to another slide, or nobody said whether they are stained.
    """
    settings = request.configuration.pipeline
    model = load_model(request.model)
    threshold = settings.network.centre_threshold
    engine = None if request.cells else choose_engine(model, device, settings.network)
    detector = Detector(model, device, tissue.stains, centre_threshold=threshold, engine=engine)
    plan = plan_slide(slide, tissue, detector, settings)
    if request.cells:
        given = _given(request.cells, request, model.card, slide, tissue, plan, regions)
        keep(given.cells)
        return given
    keep(CellTable.from_columns(cell_facts(slide, tissue, model.card.digest), x_px=(), y_px=()))
    if request.mode == ADAPTIVE and plan.with_tissue:
        scoring = scoring or request.configuration.scoring
        read = read_adaptively(request, slide, tissue, plan, detector, scoring, regions, progress, keep)
        return SlideCells(
            read.cells,
            read.plan,
            len(read.plan.with_tissue),
            warnings=(ALL_WAS_READ if read.whole else read.sample.warning,),
            stages=read.stages,
            sample=None if read.whole else read.sample,
        )
    found = find_cells(slide, tissue, plan, detector, settings, regions, progress, keep)
    return SlideCells(found.cells, plan, tiles_read=len(plan.with_tissue), stages=found.stages)


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
