"""From a table of cells, anybody's, to a SlideScore."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cxpath.scores import cps, tps
from cxpath.scores.adequacy import why_inadequate
from cxpath.scores.classification_interval import METHOD as SLIDE_METHOD
from cxpath.scores.classification_interval import classification_interval
from cxpath.scores.counting import CellCounts, count_cells
from cxpath.scores.cutoffs import Cutoff, judge
from cxpath.scores.h_score import h_score
from cxpath.scores.poisson_interval import METHOD as TISSUE_METHOD
from cxpath.scores.poisson_interval import poisson_interval, probability_at_least
from cxpath.scores.printed_form import printed_form
from cxpath.scores.settings import ScoringSettings, threshold_of
from cxpath.scores.slide_score import ScoreEstimate, SlideScore
from cxpath.scores.tumour_association import near_tumour
from cxpath.values.cell_table import CellTable, Kind

METHOD = f"slide: {SLIDE_METHOD}; tissue: {TISSUE_METHOD}"


def score_cells(
    cells: CellTable,
    settings: ScoringSettings | None = None,
    cps_cutoffs: Sequence[Cutoff] = (),
    already_because: Sequence[str] = (),
) -> SlideScore:
    """Score a slide from its cells.

    Parameters
    ----------
    cells : CellTable
        All cells that lie where to score; foreign tables do as well as cxpath's own.
    settings : ScoringSettings, optional
    cps_cutoffs : sequence of Cutoff
        What to compare the CPS with.
    already_because : sequence of str
        Reasons found earlier (stain, resolution) that make the slide not evaluable; its cells are
        counted all the same.

    Returns
    -------
    SlideScore
        Not evaluable, with reasons and without scores, when `already_because` holds any or when too few
        viable tumour cells were found.
    """
    settings = settings or ScoringSettings()
    counts = count_cells(cells, threshold_of(settings), settings.association_distance_um)
    because = (*already_because, *why_inadequate(counts, settings.minimum_tumour_cells))
    if because:
        return SlideScore(settings.minimum_tumour_cells, because, counts)
    cuts = settings.intensity_cuts_od
    return SlideScore(
        settings.minimum_tumour_cells,
        counts=counts,
        cps=_estimate_cps(cells, counts, settings, cps_cutoffs),
        tps=_estimate_tps(cells, counts, settings),
        h_score=h_score(cells, cuts) if cuts else None,
    )


def _estimate_cps(
    cells: CellTable, counts: CellCounts, settings: ScoringSettings, cutoffs: Sequence[Cutoff]
) -> ScoreEstimate | None:
    value = cps.combined_positive_score(counts)
    if value is None:
        return None
    immune = near_tumour(cells, cells.kind == Kind.IMMUNE, settings.association_distance_um)
    stained = np.where((cells.kind == Kind.TUMOUR) | immune, cells.stained, np.float32(0))
    estimate = _estimate(value, counts.positive, counts.tumour, stained, settings.level, cps.MAXIMUM)
    verdicts = (
        judge(
            value,
            probability_at_least(cut.value, counts.positive, counts.tumour),
            cut,
            settings.borderline_tail,
        )
        for cut in cutoffs
    )
    return replace(estimate, cutoffs=tuple(verdicts))


def _estimate_tps(cells: CellTable, counts: CellCounts, settings: ScoringSettings) -> ScoreEstimate | None:
    value = tps.tumour_proportion_score(counts)
    if value is None:
        return None
    stained = np.where(cells.kind == Kind.TUMOUR, cells.stained, np.float32(0))
    return _estimate(value, counts.tumour_positive, counts.tumour, stained, settings.level, tps.MAXIMUM)


def _estimate(
    value: float, positive: int, tumour: int, stained: NDArray[np.float32], level: float, maximum: float
) -> ScoreEstimate:
    return ScoreEstimate(
        value=value,
        interval_slide=classification_interval(value, stained, tumour, level, maximum),
        interval_tissue=poisson_interval(positive, tumour, level, maximum),
        level=level,
        method=METHOD,
        reported=printed_form(value),
    )
