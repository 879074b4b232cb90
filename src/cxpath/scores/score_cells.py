"""From a table of cells, anybody's, to a SlideScore."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cxpath.scores import cps, tps
from cxpath.scores.adequacy import why_inadequate
from cxpath.scores.countable import countable_kind
from cxpath.scores.counting import CellCounts, tally_cells
from cxpath.scores.cutoffs import Cutoff, judge
from cxpath.scores.fields import FieldLattice, lay_fields
from cxpath.scores.heterogeneity import heterogeneity
from cxpath.scores.influence import influential_fields
from cxpath.scores.other_scores import immune_negative_associated, other_scores
from cxpath.scores.printed_form import printed_form
from cxpath.scores.score_draws import METHOD, ScoreDraws, draw_scores
from cxpath.scores.sensitivity import DISTANCE_CHANGE, sensitivity_panel
from cxpath.scores.settings import ScoringSettings, borderline_rule, slide_error_of, threshold_of
from cxpath.scores.slide_score import ScoreEstimate, SlideScore
from cxpath.scores.tumour_association import distance_to_tumour_um
from cxpath.values.cell_table import CellTable, Kind
from cxpath.values.tissue_areas import TissueAreas


def score_cells(
    cells: CellTable,
    settings: ScoringSettings | None = None,
    cps_cutoffs: Sequence[Cutoff] = (),
    already_because: Sequence[str] = (),
    areas: TissueAreas | None = None,
    refused: Mapping[str, str] | None = None,
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
    areas : TissueAreas, optional
        Without them scores of area are null.
    refused : mapping of str to str, optional
        Scores that the assay does not support (`ic_area`, `ic_cells`, `tap`), with the reason.

    Returns
    -------
    SlideScore
        Not evaluable, with reasons and without scores, when `already_because` holds any or when too few
        viable tumour cells were found.
    """
    settings = settings or ScoringSettings()
    threshold, reach_um = threshold_of(settings), settings.association_distance_um
    distance_um = immune_distance_um(cells, reach_um)
    counted = counted_within(cells, threshold, distance_um, reach_um)
    counts = tally_cells(cells, threshold, counted)
    because = (*already_because, *why_inadequate(counts, settings.minimum_tumour_cells))
    if because:
        return SlideScore(settings.minimum_tumour_cells, because, counts)
    lattice = lay_fields(cells, threshold, counted, settings.field_um)
    cps_draws, tps_draws = draw_scores([lattice.counts], slide_error_of(settings))
    score = SlideScore(
        settings.minimum_tumour_cells,
        counts=counts,
        cps=estimate_cps(counts, cps_draws, settings, cps_cutoffs),
        tps=estimate_tps(counts, tps_draws, settings),
        influence=influential_fields(lattice, cells.facts.mpp),
        heterogeneity=heterogeneity(lattice, cells.facts.mpp),
        sensitivity=sensitivity_panel(
            cells, threshold, distance_um, reach_um, settings.least_membrane_completeness, cps_cutoffs
        ),
    )
    negative = immune_negative_associated(cells, threshold, distance_um, reach_um)
    found, missing = other_scores(cells, settings, counted, negative, areas, refused or {})
    return replace(
        score,
        ic_area=found["ic_area"],
        ic_cells=found["ic_cells"],
        tap=found["tap"],
        h_score=found["h_score"],
        null_because=missing,
    )


def immune_distance_um(cells: CellTable, association_distance_um: float) -> NDArray[np.float64]:
    """Return how far immune cells lie from tumour, told apart from half to twice the association distance."""
    immune = countable_kind(cells) == Kind.IMMUNE
    nearest_um, farthest_um = (
        association_distance_um / DISTANCE_CHANGE,
        association_distance_um * DISTANCE_CHANGE,
    )
    return distance_to_tumour_um(cells, immune, nearest_um, farthest_um)


def counted_within(
    cells: CellTable, stained_threshold: float, distance_um: NDArray[np.float64], reach_um: float
) -> NDArray[np.bool_]:
    """Say which cells enter the numerator, their distance from tumour known; as `counted_positive`."""
    tumour = countable_kind(cells) == Kind.TUMOUR
    return np.asarray(
        (cells.stained >= stained_threshold) & (tumour | (distance_um <= reach_um * (1 + 1e-9)))
    )


def score_fields(cells: CellTable, settings: ScoringSettings) -> FieldLattice:
    """Return the fields of a slide as its scores saw them."""
    threshold, reach_um = threshold_of(settings), settings.association_distance_um
    counted = counted_within(cells, threshold, immune_distance_um(cells, reach_um), reach_um)
    return lay_fields(cells, threshold, counted, settings.field_um)


def estimate_cps(
    counts: CellCounts, draws: ScoreDraws, settings: ScoringSettings, cutoffs: Sequence[Cutoff]
) -> ScoreEstimate | None:
    """Return the CPS of counts with its intervals and cut-offs; None without a tumour cell."""
    value = cps.combined_positive_score(counts)
    if value is None:
        return None
    judged = partial(judge, borderline=borderline_rule(settings))
    verdicts = (
        judged(score=value, probability=draws.probability_at_least(cut.value), cutoff=cut) for cut in cutoffs
    )
    return replace(_estimate(value, draws, settings), cutoffs=tuple(verdicts))


def estimate_tps(counts: CellCounts, draws: ScoreDraws, settings: ScoringSettings) -> ScoreEstimate | None:
    """Return the TPS of counts with its intervals; None without a tumour cell. It has no cut-off here."""
    value = tps.tumour_proportion_score(counts)
    return None if value is None else _estimate(value, draws, settings)


def _estimate(value: float, draws: ScoreDraws, settings: ScoringSettings) -> ScoreEstimate:
    return ScoreEstimate(
        value=value,
        interval_slide=draws.interval_slide(settings.level),
        interval_tissue=draws.interval_tissue(settings.level),
        level=settings.level,
        method=METHOD,
        reported=printed_form(value),
    )
