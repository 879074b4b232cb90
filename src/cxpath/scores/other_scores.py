"""The scores beside CPS and TPS: each with its value, or with the reason why it has none."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cxpath.scores.area_scores import TumourArea, tumour_area
from cxpath.scores.countable import countable_kind
from cxpath.scores.h_score import h_score
from cxpath.scores.ic_area import immune_area_share
from cxpath.scores.ic_cells import immune_cell_share
from cxpath.scores.settings import ScoringSettings, threshold_of
from cxpath.scores.tap import tumour_area_positivity
from cxpath.values.cell_table import CellTable, Kind
from cxpath.values.tissue_areas import TissueAreas

ASSAY_BOUND = ("ic_area", "ic_cells", "tap")
"""Scores that are made only where the assay supports them, or for research."""

NO_AREA = "the scored tissue area is not known: score a slide, not cells alone"
NO_IMMUNE = "no lymphocyte or macrophage lies with the tumour"
NO_CUTS = "the laboratory has set no cuts between 1+, 2+ and 3+: set scoring.intensity_cuts_od"
NO_MEMBRANE = "no membrane was measured on a tumour cell"


def other_scores(
    cells: CellTable,
    settings: ScoringSettings,
    counted: NDArray[np.bool_],
    immune_negative: int,
    areas: TissueAreas | None,
    refused: Mapping[str, str],
) -> tuple[dict[str, float | None], dict[str, str]]:
    """Return `ic_area`, `ic_cells`, `tap` and `h_score`, and why those that are null are so.

    Parameters
    ----------
    cells : CellTable
    settings : ScoringSettings
    counted : bool array, (N,)
        Which cells count as positive.
    immune_negative : int
        Unstained lymphocytes and macrophages with the tumour.
    areas : TissueAreas or None
    refused : mapping of str to str
        Scores not to make, with the reason.
    """
    values: dict[str, float | None] = dict.fromkeys((*ASSAY_BOUND, "h_score"))
    because = {name: refused[name] for name in ASSAY_BOUND if name in refused}
    if "ic_cells" not in because:
        positive = int(np.count_nonzero(counted & (countable_kind(cells) == Kind.IMMUNE)))
        values["ic_cells"] = immune_cell_share(positive, positive + immune_negative)
        because |= {} if values["ic_cells"] is not None else {"ic_cells": NO_IMMUNE}
    wanted = [name for name in ("ic_area", "tap") if name not in because]
    if wanted and areas is None:
        because |= dict.fromkeys(wanted, NO_AREA)
    elif wanted and areas is not None:
        measured = _measured(cells, settings, counted, areas)
        made = {"ic_area": immune_area_share(measured), "tap": tumour_area_positivity(measured)}
        values |= {name: made[name] for name in wanted}
    cuts = settings.intensity_cuts_od
    values["h_score"] = h_score(cells, cuts) if cuts else None
    if values["h_score"] is None:
        because["h_score"] = NO_MEMBRANE if cuts else NO_CUTS
    return values, because


def immune_negative_associated(
    cells: CellTable, stained_threshold: float, distance_um: NDArray[np.float64], reach_um: float
) -> int:
    """Count unstained immune cells with the tumour; a cell of unknown staining is not stained."""
    return int(
        np.count_nonzero(~(cells.stained >= stained_threshold) & (distance_um <= reach_um * (1 + 1e-9)))
    )


def _measured(
    cells: CellTable, settings: ScoringSettings, counted: NDArray[np.bool_], areas: TissueAreas
) -> TumourArea:
    """Measure the tumour area; one that a pathologist drew as the tumour bed takes its place."""
    reach_um = settings.association_distance_um
    found = tumour_area(cells, threshold_of(settings), counted, reach_um)
    drawn_mm2 = areas.tumour_bed_mm2
    area_mm2 = drawn_mm2 or min(found.area_mm2, areas.scored_mm2)
    taken = found.immune_positive_mm2 + found.tumour_positive_mm2
    return TumourArea(max(area_mm2, taken), found.immune_positive_mm2, found.tumour_positive_mm2)
