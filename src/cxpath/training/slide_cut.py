"""The staining cut, chosen on whole drawn slides that no network learned from.

Fields for learning are crowded with traps, so that a cut chosen on them alone calls too little on slides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from cxpath.network.detector import Detector
from cxpath.network.device import Device
from cxpath.network.model_store import Model
from cxpath.pipeline.find_cells import find_cells, plan_slide
from cxpath.pipeline.settings import PipelineSettings
from cxpath.slide.open_slide import open_slide
from cxpath.tissue.find_tissue import find_tissue
from cxpath.training.settings import SlideCutSettings
from cxpath.training.synthetic.slide import draw_slide
from cxpath.values.cell_table import CellTable, Kind

CUTS = np.round(np.arange(0.30, 0.96, 0.025), 3)


@dataclass(frozen=True, eq=False)
class DrawnScore:
    """The cells found on a drawn slide, and its true CPS."""

    cells: CellTable
    true_cps: float

    def called_cps(self, cut: float) -> float:
        """Return the CPS of the cells at a staining cut; every drawn stained immune cell is near tumour."""
        tumour = self.cells.kind == Kind.TUMOUR
        counted = (self.cells.stained >= cut) & (self.cells.kind != Kind.OTHER)
        return min(100.0, 100.0 * int(counted.sum()) / max(1, int(tumour.sum())))


def choose_cut(scores: Sequence[DrawnScore]) -> float:
    """Return the cut with the smallest mean error of log10(CPS + 1) over the slides."""

    def error(cut: float) -> float:
        return float(np.mean([abs(np.log10((s.called_cps(cut) + 1) / (s.true_cps + 1))) for s in scores]))

    return float(min(CUTS, key=error))


def drawn_scores(model: Model, device: Device, settings: SlideCutSettings) -> list[DrawnScore]:
    """Draw slides of their own seeds and find their cells.

    Parameters
    ----------
    model : Model
        With the calibration and centre threshold that will be packed.
    device : Device
    settings : SlideCutSettings
    """
    with TemporaryDirectory(prefix="cxpath-slides-") as folder:
        return [
            _drawn_score(
                model, device, settings, Path(folder) / f"{number}.svs", settings.first_seed + number
            )
            for number in range(len(settings.cps))
        ]


def _drawn_score(
    model: Model, device: Device, settings: SlideCutSettings, path: Path, seed: int
) -> DrawnScore:
    cps = settings.cps[seed - settings.first_seed]
    truth = draw_slide(path, seed=seed, cps=cps, width_px=settings.side_px, height_px=settings.side_px)
    with open_slide(path) as slide:
        tissue = find_tissue(slide)
        detector = Detector(model, device, tissue.stains)
        plan = plan_slide(slide, tissue, detector, PipelineSettings())
        cells = find_cells(slide, tissue, plan, detector, PipelineSettings())
    path.unlink()
    return DrawnScore(cells, truth.cps)
