"""The score of a slide from its cells, with intervals, cut-offs and sensitivity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cxpath.data import CellTable, Kind, Reason, ReasonCode, TissueAreas, coded
from cxpath.errors import ConfigurationError
from cxpath.scores.counts import (
    MAXIMUM,
    CalledCells,
    CellCounts,
    GroupedCounts,
    call_cells,
    combined_positive_score,
    count_cells,
    countable_kind,
    distance_to_tumour_um,
    grouped_counts,
    printed_form,
    tally_cells,
    tumour_proportion_score,
    why_inadequate,
)
from cxpath.scores.fields import (
    FieldLattice,
    Heterogeneity,
    InfluentialField,
    heterogeneity,
    influential_fields,
    lay_fields,
)
from cxpath.scores.intervals import METHOD, ScoreDraws, sample_scores
from cxpath.scores.other_scores import (
    ASSAY_BOUND,
    Compartment,
    ScoreBasis,
    grade_percentages,
    h_score,
    immune_negative_associated,
    other_scores,
)
from cxpath.scores.settings import (
    Cutoff,
    CutoffVerdict,
    ScoringSettings,
    borderline_rule,
    decide_cutoff,
    slide_error_of,
    threshold_of,
    with_threshold_of,
)

# Would another choice have flipped a cut-off? The CPS under a changed threshold, rule or distance.
#
# Each choice is one that a reader or a laboratory could have made otherwise; nothing is decided by them.


THRESHOLD_CHANGE = 0.1
DISTANCE_CHANGE = 2.0


@dataclass(frozen=True)
class SensitivityCase:
    """The CPS under one changed choice.

    Parameters
    ----------
    choice : str
        "staining threshold", "membrane completeness" or "association distance".
    setting : float
        The changed value.
    unit : str
        "probability", "share of outline" or "µm".
    cps : float or None
        Unrounded; None where the cells do not say (`because`).
    flips : tuple of float
        Cut-offs of which the score would change sides.
    because : str
        Why there is no CPS; else empty.
    """

    choice: str
    setting: float
    unit: str
    cps: float | None
    flips: tuple[float, ...] = ()
    because: str = ""


def sensitivity_panel(
    cells: CellTable,
    stained_threshold: float,
    distance_um: NDArray[np.float64],
    association_distance_um: float,
    least_completeness: float,
    cutoffs: Sequence[Cutoff],
) -> tuple[SensitivityCase, ...]:
    """Score the same cells under changed choices, one at a time.

    Parameters
    ----------
    cells : CellTable
        With at least one viable tumour cell.
    stained_threshold, association_distance_um : float
        The choices that were made.
    distance_um : float array, (N,)
        How far immune cells lie from tumour, distinguished from half to twice the association distance.
    least_completeness : float
        Share of the outline that must be stained under the stricter membrane rule.
    cutoffs : sequence of Cutoff
    """
    kind = countable_kind(cells)
    tumour, immune = kind == Kind.TUMOUR, kind == Kind.IMMUNE
    number = int(np.count_nonzero(tumour))

    def score(threshold: float, reach_um: float, membrane: NDArray[np.bool_] | None = None) -> float:
        """Return the CPS of the same cells with other thresholds; `membrane` masks tumour cells."""
        positive = cells.stained >= threshold
        own = positive & tumour if membrane is None else positive & tumour & membrane
        with_tumour = positive & immune & (distance_um <= reach_um * (1 + 1e-9))
        return min(MAXIMUM, 100.0 * int(np.count_nonzero(own) + np.count_nonzero(with_tumour)) / number)

    made = score(stained_threshold, association_distance_um)

    def case(choice: str, setting: float, unit: str, cps: float) -> SensitivityCase:
        flips = tuple(cut.value for cut in cutoffs if (cps >= cut.value) != (made >= cut.value))
        return SensitivityCase(choice, setting, unit, cps, flips)

    def cases() -> Iterator[SensitivityCase]:
        """Yield one case for each choice that was changed, one at a time."""
        for factor in (1 - THRESHOLD_CHANGE, 1 + THRESHOLD_CHANGE):
            threshold = stained_threshold * factor
            yield case(
                "staining threshold", threshold, "probability", score(threshold, association_distance_um)
            )
        choice, unit = "membrane completeness", "share of outline"
        if np.isfinite(cells.membrane_completeness[tumour & (cells.stained >= stained_threshold)]).any():
            complete = ~(cells.membrane_completeness < least_completeness)  # NaN is not excluded
            cps = score(stained_threshold, association_distance_um, complete)
            yield case(choice, least_completeness, unit, cps)
        else:
            because = "no membrane was measured on a stained tumour cell"
            yield SensitivityCase(choice, least_completeness, unit, None, because=because)
        for factor in (1 / DISTANCE_CHANGE, DISTANCE_CHANGE):
            reach_um = association_distance_um * factor
            yield case("association distance", reach_um, "µm", score(stained_threshold, reach_um))

    return tuple(cases())


# SlideScore: what one slide's cells amount to, or why they amount to nothing.


Interval = tuple[float, float]


@dataclass(frozen=True)
class ScoreEstimate:
    """One score with its intervals.

    Parameters
    ----------
    value : float
        Unrounded; this is what cut-offs are compared with.
    interval_slide : tuple of float
        For this slide's own score, given doubt about its cells.
    interval_tissue : tuple of float
        For the tumour's score, of which the slide is a sample.
    level : float
        Coverage that both aim at.
    method : str
        How the intervals were made.
    reported : str
        The printed form.
    cutoffs : tuple of CutoffVerdict
    """

    value: float
    interval_slide: Interval
    interval_tissue: Interval
    level: float
    method: str
    reported: str
    cutoffs: tuple[CutoffVerdict, ...] = ()


@dataclass(frozen=True)
class SlideScore:
    """Scores of one slide.

    Parameters
    ----------
    not_evaluable_because : tuple of Reason
        Every reason, each with what to do; empty for an evaluable slide.
    required_tumour_cells : int
        The adequacy limit that was used.
    counts : CellCounts or None
        None where no cell was ever counted.
    cps, tps : ScoreEstimate or None
        None on a slide that is not evaluable: never 0.
    others : mapping of str to float
        The registered scores besides CPS and TPS (`OTHER_SCORES`) that have a value, by key; `null_because`
        says why one is not there.
    h_score_grades : mapping of str to float, or None
        Of another marker than PD-L1: percentage of tumour cells that are 0, 1+, 2+ and 3+.
    null_because : mapping of str to str
        Why a score besides CPS and TPS is null, by its name.
    influence : tuple of InfluentialField
    heterogeneity : Heterogeneity or None
    sensitivity : tuple of SensitivityCase
    warnings : tuple of Reason
    """

    required_tumour_cells: int
    not_evaluable_because: tuple[Reason, ...] = ()
    counts: CellCounts | None = None
    cps: ScoreEstimate | None = None
    tps: ScoreEstimate | None = None
    others: Mapping[str, float] = field(default_factory=dict)
    h_score_grades: Mapping[str, float] | None = None
    null_because: Mapping[str, str] = field(default_factory=dict)
    influence: tuple[InfluentialField, ...] = ()
    heterogeneity: Heterogeneity | None = None
    sensitivity: tuple[SensitivityCase, ...] = ()
    warnings: tuple[Reason, ...] = ()

    @property
    def evaluable(self) -> bool:
        """Whether there is a score."""
        return not self.not_evaluable_because


# Expression of another marker (HER2, EGFR, VEGF) on tumour cells, as an H-score and nothing more.
#
# No therapy follows from it here, and no PD-L1 score is made from another marker's stain.


NO_CALL = 1.1
"""A threshold that no probability reaches: another marker's stain makes no cell PD-L1 positive."""

COMPARTMENTS = {
    "her2": Compartment.MEMBRANE,
    "egfr": Compartment.MEMBRANE,
    "vegf": Compartment.CYTOPLASM,
}
"""Where each marker is read (clinical brief 3.2, 3.3)."""


def require_intensity_thresholds(marker: str, settings: ScoringSettings) -> tuple[float, float, float]:
    """Return the lab's intensity cuts.

    Raises
    ------
    ConfigurationError
        When the lab has set none: no default is claimed.
    """
    if settings.intensity_thresholds_od is None:
        raise ConfigurationError(
            f"marker {marker} needs the laboratory's own limits between 1+, 2+ and 3+",
            "pass --set 'scoring.intensity_thresholds_od=[0.1, 0.25, 0.5]' with your values",
        )
    return settings.intensity_thresholds_od


def score_expression(
    cells: CellTable, marker: str, settings: ScoringSettings, already_because: tuple[Reason, ...] = ()
) -> SlideScore:
    """Score a marker's expression: an H-score over all tumour cells, with CPS and TPS left null.

    Parameters
    ----------
    cells : CellTable
    marker : str
        A key of `COMPARTMENTS`.
    settings : ScoringSettings
        With `intensity_thresholds_od` set.
    already_because : tuple of Reason
        Reasons found earlier that make the slide not evaluable.
    """
    cuts = require_intensity_thresholds(marker, settings)
    counts = count_cells(cells, NO_CALL, settings.association_distance_um)
    because = (*already_because, *why_inadequate(counts, settings.minimum_tumour_cells))
    value = h_score(cells, cuts, COMPARTMENTS[marker])
    return SlideScore(
        settings.minimum_tumour_cells,
        because,
        counts,
        others={} if because or value is None else {"h_score": value},
        h_score_grades=None if because else grade_percentages(cells, cuts, COMPARTMENTS[marker]),
        null_because=dict.fromkeys(ASSAY_BOUND, f"{marker} is not PD-L1"),
        warnings=coded(
            ReasonCode.OTHER_MARKER, [f"marker {marker}: positive counts are not PD-L1 calls and are 0"]
        ),
    )


# From a table of cells, anybody's, to a SlideScore.


def score_cells(
    cells: CellTable,
    settings: ScoringSettings | None = None,
    cps_cutoffs: Sequence[Cutoff] = (),
    already_because: Sequence[Reason] = (),
    areas: TissueAreas | None = None,
    refused: Mapping[str, str] | None = None,
    by_person: NDArray[np.bool_] | None = None,
) -> SlideScore:
    """Score a slide from its cells.

    Parameters
    ----------
    cells : CellTable
        All cells that lie where to score; foreign tables do as well as cxpath's own.
    settings : ScoringSettings, optional
    cps_cutoffs : sequence of Cutoff
        What to compare the CPS with.
    already_because : sequence of Reason
        Reasons found earlier (stain, resolution) that make the slide not evaluable; its cells are
        counted all the same.
    areas : TissueAreas, optional
        Without them scores of area are null.
    refused : mapping of str to str, optional
        Scores that the assay does not support (`ic_area`, `ic_cells`, `tap`), with the reason.
    by_person : bool array, (N,), optional
        Cells that a person classified: they carry no term for the network's errors.

    Returns
    -------
    SlideScore
        Not evaluable, with reasons and without scores, when `already_because` contains any or when too few
        viable tumour cells were found.
    """
    settings = with_threshold_of(cells, settings or ScoringSettings())
    threshold, reach_um = threshold_of(settings), settings.association_distance_um
    distance_um = immune_distance_um(cells, reach_um)
    called = call_within(cells, threshold, distance_um, reach_um)
    counts = tally_cells(called)
    because = (*already_because, *why_inadequate(counts, settings.minimum_tumour_cells))
    if because:
        return SlideScore(settings.minimum_tumour_cells, because, counts)
    lattice = lay_fields(called, settings.field_um)
    certain = None if by_person is None else _counts_of(called, by_person, lattice)
    cps_draws, tps_draws = sample_scores([lattice.counts], slide_error_of(settings), certain=certain)
    basis = ScoreBasis(called, settings, immune_negative_associated(called, distance_um, reach_um), areas)
    values, missing = other_scores(basis, refused or {})
    return SlideScore(
        settings.minimum_tumour_cells,
        counts=counts,
        cps=estimate_cps(counts, cps_draws, settings, cps_cutoffs),
        tps=estimate_tps(counts, tps_draws, settings),
        influence=influential_fields(lattice, cells.facts.mpp),
        heterogeneity=heterogeneity(lattice, cells.facts.mpp),
        sensitivity=sensitivity_panel(
            cells, threshold, distance_um, reach_um, settings.least_membrane_completeness, cps_cutoffs
        ),
        others=values,
        null_because=missing,
    )


def _counts_of(called: CalledCells, chosen: NDArray[np.bool_], lattice: FieldLattice) -> GroupedCounts:
    """Return the counts of some cells by field of the whole slide's lattice."""
    return grouped_counts(called.take(chosen), lattice.field_of_cell[chosen], len(lattice.left_px))


def immune_distance_um(cells: CellTable, association_distance_um: float) -> NDArray[np.float64]:
    """Return how far immune cells lie from tumour, from half to twice the association distance."""
    immune = countable_kind(cells) == Kind.IMMUNE
    nearest_um, farthest_um = (
        association_distance_um / DISTANCE_CHANGE,
        association_distance_um * DISTANCE_CHANGE,
    )
    return distance_to_tumour_um(cells, immune, nearest_um, farthest_um)


def call_within(
    cells: CellTable, stained_threshold: float, distance_um: NDArray[np.float64], reach_um: float
) -> CalledCells:
    """Decide which cells count, as `call_cells` does, where their distance from tumour is known.

    Parameters
    ----------
    cells : CellTable
    stained_threshold : float
        A cell is positive from this probability on; NaN is not positive.
    distance_um : float64 array, (N,)
        Of each cell from the nearest viable tumour cell.
    reach_um : float
        An immune cell counts within this distance.
    """
    tumour = countable_kind(cells) == Kind.TUMOUR
    near = tumour | (distance_um <= reach_um * (1 + 1e-9))
    return CalledCells(cells, stained_threshold, np.asarray((cells.stained >= stained_threshold) & near))


def score_fields(cells: CellTable, settings: ScoringSettings) -> FieldLattice:
    """Return the fields of a slide as its scores saw them."""
    called = call_cells(cells, threshold_of(settings), settings.association_distance_um)
    return lay_fields(called, settings.field_um)


def estimate_cps(
    counts: CellCounts,
    draws: ScoreDraws,
    settings: ScoringSettings,
    cutoffs: Sequence[Cutoff],
    reviewed: float | None = None,
) -> ScoreEstimate | None:
    """Return the CPS of counts with its intervals and cut-offs.

    Parameters
    ----------
    counts : CellCounts
    draws : ScoreDraws
        Simulated CPS of the slide and of the tumour, from which the intervals are read.
    settings : ScoringSettings
    cutoffs : sequence of Cutoff
        Each is met or not met only where the value and the interval for the tumour lie on one side.
    reviewed : float, optional
        A CPS that replaces the counted one.

    Returns
    -------
    ScoreEstimate or None
        None without a viable tumour cell.
    """
    value = combined_positive_score(counts) if reviewed is None else reviewed
    if value is None:
        return None
    estimate = _estimate(value, draws, settings)
    rule = borderline_rule(settings)
    verdicts = tuple(
        decide_cutoff(value, estimate.interval_tissue, draws.probability_at_least(cut.value), cut, rule)
        for cut in cutoffs
    )
    return replace(estimate, cutoffs=verdicts)


def estimate_tps(counts: CellCounts, draws: ScoreDraws, settings: ScoringSettings) -> ScoreEstimate | None:
    """Return the TPS (per cent) of counts with its intervals and without cut-offs.

    Parameters
    ----------
    counts : CellCounts
    draws : ScoreDraws
        Simulated TPS of the slide and of the tumour.
    settings : ScoringSettings

    Returns
    -------
    ScoreEstimate or None
        None without a viable tumour cell.
    """
    value = tumour_proportion_score(counts)
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
