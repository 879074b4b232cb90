"""Expression of another marker (HER2, EGFR, VEGF) on tumour cells, as an H-score and nothing more.

No therapy follows from it here, and no PD-L1 score is made from another marker's stain.
"""

from __future__ import annotations

from cxpath.scores.adequacy import why_inadequate
from cxpath.scores.counting import count_cells
from cxpath.scores.h_score import Compartment, grade_percentages, h_score
from cxpath.scores.settings import ScoringSettings
from cxpath.scores.slide_score import SlideScore
from cxpath.values.cell_table import CellTable
from cxpath.values.errors import ConfigurationError

NO_CALL = 1.1
"""A threshold that no probability reaches: another marker's stain makes no cell PD-L1 positive."""

COMPARTMENTS = {
    "her2": Compartment.MEMBRANE,
    "egfr": Compartment.MEMBRANE,
    "vegf": Compartment.CYTOPLASM,
}
"""Where each marker is read (clinical brief 3.2, 3.3)."""


def require_intensity_cuts(marker: str, settings: ScoringSettings) -> tuple[float, float, float]:
    """Return the lab's intensity cuts.

    Raises
    ------
    ConfigurationError
        When the lab has set none: no default is claimed.
    """
    if settings.intensity_cuts_od is None:
        raise ConfigurationError(
            f"marker {marker} needs the lab's own cuts between 1+, 2+ and 3+",
            "pass --set 'scoring.intensity_cuts_od=[0.1, 0.25, 0.5]' with your values",
        )
    return settings.intensity_cuts_od


def score_expression(
    cells: CellTable, marker: str, settings: ScoringSettings, already_because: tuple[str, ...] = ()
) -> SlideScore:
    """Score a marker's expression: an H-score over all tumour cells, with CPS and TPS left null.

    Parameters
    ----------
    cells : CellTable
    marker : str
        A key of `COMPARTMENTS`.
    settings : ScoringSettings
        With `intensity_cuts_od` set.
    already_because : tuple of str
        Reasons found earlier that make the slide not evaluable.
    """
    cuts = require_intensity_cuts(marker, settings)
    counts = count_cells(cells, NO_CALL, settings.association_distance_um)
    because = (*already_because, *why_inadequate(counts, settings.minimum_tumour_cells))
    return SlideScore(
        settings.minimum_tumour_cells,
        because,
        counts,
        h_score=None if because else h_score(cells, cuts, COMPARTMENTS[marker]),
        h_score_grades=None if because else grade_percentages(cells, cuts, COMPARTMENTS[marker]),
        null_because=dict.fromkeys(("ic_area", "ic_cells", "tap"), f"{marker} is not PD-L1"),
        warnings=(f"marker {marker}: positive counts are not PD-L1 calls and are 0",),
    )
