"""`--mode adaptive`: read fields drawn at random, look, and stop when the CPS is narrow or clear enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxpath.network.detector import Detector
from cxpath.pipeline.field_strata import lay_strata
from cxpath.pipeline.find_cells import FoundCells, Keep, Progress, find_cells, seam_filter
from cxpath.runs.assays import UNKNOWN, read_assay
from cxpath.runs.score_request import ScoreRequest
from cxpath.scores.field_drawing import FieldDrawing, why_enough
from cxpath.scores.field_sample import FieldSample
from cxpath.scores.sampled_score import SampledTiles, sample_of, unassociated
from cxpath.scores.settings import ScoringSettings
from cxpath.slide.slide import Slide
from cxpath.tiles.plan import TilePlan
from cxpath.tiles.stage_clock import StageTimes, added
from cxpath.tissue.tissue import Tissue
from cxpath.values.cell_table import CellTable
from cxpath.values.regions import Regions
from cxpath.values.tile_frame import TileFrame

NOT_DRAWN = "not drawn"
ALL_WAS_READ = "adaptive mode: all of the tissue was read, since no smaller share was enough"


@dataclass(frozen=True, eq=False)
class DrawnSample:
    """Which tiles were drawn, and what that sample says of the whole slide.

    Parameters
    ----------
    tiles : SampledTiles
    estimate : FieldSample
    context_tiles : int
        Tiles read beside, only to see whether tumour lies near stained immune cells of drawn ones.
    looks : int
    because : str
        Why reading stopped.
    level : float
        Of the sampling interval.
    """

    tiles: SampledTiles
    estimate: FieldSample
    context_tiles: int
    looks: int
    because: str
    level: float

    @property
    def warning(self) -> str:
        """What a reader of the score must know."""
        low, high = self.estimate.interval(self.level)
        return (
            f"adaptive mode: {self.estimate.share_read:.0%} of the tissue's tiles were drawn and read; "
            f"reading all would give a CPS between {low:.2f} and {high:.2f} "
            f"({self.level:.0%} sampling interval)"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it as it stands in `score.json`."""
        return {
            "method": "stratified Horvitz-Thompson/1",
            "share_read": self.estimate.share_read,
            "tiles_drawn": int(self.tiles.read.sum()),
            "tiles_with_tissue": len(self.tiles.tile),
            "context_tiles": self.context_tiles,
            "looks": self.looks,
            "stopped_because": self.because,
            "cps": self.estimate.cps if np.isfinite(self.estimate.cps) else None,
            "interval": list(self.estimate.interval(self.level)) if np.isfinite(self.estimate.cps) else None,
            "level": self.level,
            "strata": [
                {"tiles": int(size), "drawn": int(drawn)}
                for size, drawn in zip(self.estimate.sizes, self.estimate.drawn, strict=True)
            ],
        }


@dataclass(frozen=True, eq=False)
class AdaptiveCells:
    """All cells that were read, the plan of the tiles they came from, and how the sample was drawn."""

    cells: CellTable
    plan: TilePlan
    stages: tuple[StageTimes, ...]
    sample: DrawnSample

    @property
    def whole(self) -> bool:
        """Whether all tiles were drawn in the end: then nothing needs to be estimated."""
        return bool(self.sample.tiles.read.all())


def read_adaptively(
    request: ScoreRequest,
    slide: Slide,
    tissue: Tissue,
    plan: TilePlan,
    detector: Detector,
    scoring: ScoringSettings,
    regions: Regions | None = None,
    progress: Progress | None = None,
    keep: Keep | None = None,
) -> AdaptiveCells:
    """Read tiles, drawn from strata, until the CPS is known well enough; `plan` must hold one with tissue."""
    settings = request.configuration.adaptive
    assay = None if request.assay.lower() == UNKNOWN else read_assay(request.assay)
    cutoffs = [cutoff.value for cutoff in request.cutoffs(assay)]
    strata = lay_strata(plan, tissue)
    drawing = FieldDrawing(strata.stratum, strata.rare, settings)
    reading = _Reading(slide, tissue, plan, detector, request, regions, progress, keep)
    read = np.zeros(len(strata.tile), dtype=bool)
    looks, because, drawn = 0, "", drawing.first()
    while not because:
        read[drawn] = True
        looks += 1
        cells = reading.read(strata.tile[drawn])
        tiles = SampledTiles(strata.tile, strata.stratum, read.copy())
        estimate = sample_of(cells, tiles, scoring)
        because = why_enough(estimate, cutoffs, settings)
        drawn = drawing.more(estimate) if not because else drawn
    beside = _beside(cells, tiles, plan, scoring)
    if len(beside):
        cells = reading.read(beside)
        estimate = sample_of(cells, tiles, scoring)
    sample = DrawnSample(tiles, estimate, len(beside), looks, because, settings.level)
    taken = (*strata.tile[read].tolist(), *beside.tolist())
    return AdaptiveCells(cells, plan.limited_to(taken, NOT_DRAWN), added(reading.stages), sample)


class _Reading:
    """Reads tiles of one slide in several goes, as if it were one."""

    def __init__(
        self,
        slide: Slide,
        tissue: Tissue,
        plan: TilePlan,
        detector: Detector,
        request: ScoreRequest,
        regions: Regions | None,
        progress: Progress | None,
        keep: Keep | None,
    ) -> None:
        self._slide, self._tissue, self._plan, self._detector = slide, tissue, plan, detector
        self._settings, self._regions = request.configuration.pipeline, regions
        self._progress, self._keep = progress, keep
        self._seams = seam_filter(slide, plan, detector)
        self._found: list[FoundCells] = []
        self._done = 0

    @property
    def stages(self) -> list[tuple[StageTimes, ...]]:
        """The times of every go."""
        return [found.stages for found in self._found]

    def read(self, numbers: NDArray[np.int64]) -> CellTable:
        """Read tiles by number; return the cells of all read so far."""
        part = self._plan.limited_to(numbers.tolist(), NOT_DRAWN)
        found = find_cells(
            self._slide,
            self._tissue,
            part,
            self._detector,
            self._settings,
            self._regions,
            self._tell if self._progress else None,
            self._keep,
            self._seams,
        )
        self._found.append(found)
        self._done += len(numbers)
        return CellTable.concatenate(one.cells for one in self._found)

    def _tell(self, done: int, _: int) -> None:
        if self._progress:
            self._progress(self._done + done, len(self._plan.with_tissue))


def _beside(
    cells: CellTable, tiles: SampledTiles, plan: TilePlan, scoring: ScoringSettings
) -> NDArray[np.int64]:
    """Return unread tiles so near to stained immune cells without tumour that theirs might be there.

    Only with them do the cells of a drawn tile count as they would if the whole slide were read.
    """
    asked = unassociated(cells, tiles, scoring)
    points = np.column_stack([cells.x_px[asked], cells.y_px[asked]])
    reach_px = scoring.association_distance_um / cells.facts.mpp
    unread = {int(number) for number in tiles.tile[~tiles.read]}
    near = (number for number in unread if _gap_px(points, plan.tiles[number].frame) <= reach_px)
    return np.array(sorted(near), dtype=np.int64)


def _gap_px(points: NDArray[np.float64], frame: TileFrame) -> float:
    """Return how far the nearest point lies from a tile's core, in level-0 pixels."""
    if not len(points):
        return float("inf")
    first = np.array([frame.core_x_px, frame.core_y_px])
    outside = np.maximum(0.0, np.maximum(first - points, points - first - frame.core_side_px))
    return float(np.hypot(outside[:, 0], outside[:, 1]).min())
