"""The staining cuts, chosen on whole drawn slides that no network learned from.

Some are as `cxpath synth` draws them. Others are crowded with traps and their scanners vary, as those of the
drawn test set (of which they are none): a cut chosen on the first alone calls too much where stain is rare
and traps are many, one chosen on fields of training calls too little on slides.

Stained immune cells are far rarer on slides than on the fields that calibration is fitted on, and more things
look like them. The logit of their staining is therefore moved before the cut that serves both kinds; without
that, tumour cells would be missed for their sake.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from cxpath.network.detector import Detector
from cxpath.network.device import Device
from cxpath.network.model_store import Model
from cxpath.pipeline.find_cells import find_cells, plan_slide
from cxpath.pipeline.settings import PipelineSettings
from cxpath.slide.open_slide import open_slide
from cxpath.tissue.find_tissue import find_tissue
from cxpath.training.confusion import true_cps
from cxpath.training.judging.calls import CellCaller
from cxpath.training.judging.settings_file import bundled_settings, evaluation_settings
from cxpath.training.judging.slide_counts import field_counts
from cxpath.training.judging.slide_drawing import draw_test_slide
from cxpath.training.judging.slide_plan import PlannedSlide, plan_slides
from cxpath.training.judging.synthetic_settings import Arm, SyntheticSettings
from cxpath.training.observation import Decision
from cxpath.training.settings import SlideCutSettings
from cxpath.training.synthetic.slide import draw_slide
from cxpath.values.cell_table import Kind

CUTS = np.round(np.arange(0.25, 0.96, 0.025), 3)
IMMUNE_SHIFTS = np.arange(-4.0, 1.01, 0.25)


class Cuts(NamedTuple):
    """From which probability on a cell is called PD-L1 positive.

    Attributes
    ----------
    stained : float
    immune_shift : float
        What is added before to the logit of an immune cell's staining.
    """

    stained: float
    immune_shift: float


@dataclass(frozen=True, eq=False)
class DrawnScore:
    """The cells found on a drawn slide, and its true CPS.

    Parameters
    ----------
    kind : uint8 array, (N,)
    certainty : float32 array, (N,)
        Probability of that kind.
    stained : float32 array, (N,)
        Probability of being of that kind and PD-L1 positive.
    true_cps : float
    """

    kind: NDArray[np.uint8]
    certainty: NDArray[np.float32]
    stained: NDArray[np.float32]
    true_cps: float

    def called_cps(self, cuts: Cuts) -> float:
        """Return the CPS of the cells; every drawn stained immune cell is near tumour."""
        tumour, immune = (self.kind == kind for kind in (Kind.TUMOUR, Kind.IMMUNE))
        of_immune = moved(self.stained[immune], self.certainty[immune], cuts.immune_shift)
        counted = (self.stained[tumour] >= cuts.stained).sum() + (of_immune >= cuts.stained).sum()
        return min(100.0, 100.0 * int(counted) / max(1, int(tumour.sum())))


def moved(stained: NDArray[np.float32], certainty: NDArray[np.float32], shift: float) -> NDArray[np.floating]:
    """Return the probabilities after a shift of the staining's logit; that of the kind stays."""
    staining = np.clip(stained.astype(np.float64) / certainty, 1e-9, 1 - 1e-9)
    return np.asarray(certainty * expit(logit(staining) + shift))


def choose_cuts(scores: Sequence[DrawnScore]) -> Cuts:
    """Return cut and shift with the smallest mean error of log10(CPS + 1) over the slides."""

    def error(cuts: Cuts) -> float:
        return float(np.mean([abs(np.log10((s.called_cps(cuts) + 1) / (s.true_cps + 1))) for s in scores]))

    return min((Cuts(float(cut), float(shift)) for cut, shift in product(CUTS, IMMUNE_SHIFTS)), key=error)


def cut_at(decision: Decision, cuts: Cuts) -> Decision:
    """Return the decision that cuts so."""
    calibration = replace(decision.calibration, any_bias=decision.calibration.any_bias + cuts.immune_shift)
    return replace(decision, calibration=calibration, stained_threshold=cuts.stained)


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
        cells = find_cells(slide, tissue, plan, detector, PipelineSettings()).cells
    path.unlink()
    return DrawnScore(cells.kind, cells.certainty, cells.stained, truth.cps)


def trapped_scores(model: Model, device: Device, settings: SlideCutSettings) -> list[DrawnScore]:
    """Draw slides full of traps, in training's colours, and find their cells.

    Parameters
    ----------
    model : Model
        With the calibration and centre threshold that will be packed.
    device : Device
    settings : SlideCutSettings
    """
    recipe = trapped_recipe(settings)
    caller = CellCaller(model, device)
    return [_trapped_score(slide, recipe, caller) for slide in plan_slides(recipe)]


def trapped_recipe(settings: SlideCutSettings) -> SyntheticSettings:
    """Return the drawn test set's recipe with other dice and in training's colours."""
    recipe = evaluation_settings(SyntheticSettings, bundled_settings("synthetic"))
    slides = {stratum.name: settings.trapped_slides // len(recipe.stratum) for stratum in recipe.stratum}
    arm = Arm(name="trapped", stains="training", gated=False, slides=slides)
    return recipe.model_copy(update={"seed": settings.first_seed, "arm": (arm,)})


def _trapped_score(planned: PlannedSlide, recipe: SyntheticSettings, caller: CellCaller) -> DrawnScore:
    drawn = draw_test_slide(planned, recipe.tissue, caller.mpp)
    calls, tables = [], []
    for field in drawn.fields:
        seen = caller.calls(field.rgb)
        tables.append(field_counts(field, seen, recipe.match_radius_um)[0])
        calls.append(seen.take(field.area.holds(seen.points_um)))
    kind, sure, stained = (
        np.concatenate([getattr(seen, name) for seen in calls]) for name in ("kind", "certainty", "stained")
    )
    return DrawnScore(kind, sure, stained, true_cps(np.sum(tables, axis=0)))
