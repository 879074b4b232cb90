"""The audited score: blind answers about a random sample of cells correct the network's counts.

The stratified difference estimator of survey sampling (Cochran 1977, 5 and 6), assisted by the network's
probabilities (Särndal, Swensson & Wretman 1992, 6). An audit speaks for the cells of its slide; cut-offs are
decided for the tumour, as those of the network's score are, so that the unevenness of its fields is added to
the doubt that the answers leave. Knows no files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from cxpath.scores.audit_answers import (
    AnsweredCells,
    AuditAnswer,
    MissedSquare,
    answered_cells,
    found_in,
    matched_answers,
    missed_effect,
)
from cxpath.scores.audit_estimate import (
    AuditSample,
    audit_sample,
    hidden_cells,
    interval_of,
    recalibrated_staining,
)
from cxpath.scores.audit_sample import (
    ASKED,
    IN_DENOMINATOR,
    IN_NUMERATOR,
    STAINED_IMMUNE,
    STAINED_TUMOUR,
    STRATA,
    UNCOUNTED,
    UNSTAINED_TUMOUR,
    AuditDraw,
    AuditError,
    AuditFrame,
    sums_by_stratum,
)
from cxpath.scores.counts import MAXIMUM, GroupedCounts, printed_form
from cxpath.scores.intervals import MOST_UNEVEN, field_dispersion
from cxpath.scores.score import ScoreEstimate
from cxpath.scores.settings import Cutoff, ScoringSettings, borderline_rule, decide_cutoff

METHOD = "difference estimator of unequal probabilities, log-delta interval/3"


@dataclass(frozen=True)
class StratumAnswers:
    """Cells of one stratum, how many were answered, and how they enter the CPS."""

    name: str
    cells: int
    answered: int
    cannot_tell: int
    in_numerator: int
    in_denominator: int


@dataclass(frozen=True)
class AuditedScore:
    """A CPS that rests on a person's answers.

    Parameters
    ----------
    cps : float
        Unrounded, capped at 100.
    interval : tuple of float
        For this slide's own CPS.
    level : float
        Coverage that the interval aims at.
    bounds : tuple of float
        The CPS if every "cannot tell" were counted so as to lower it, and so as to raise it.
    answered : int
    cannot_tell : int
    strata : tuple of StratumAnswers
    tumour_cells : float
        Viable tumour cells among those found, by the answers.
    hidden_cells : float
        Stained cells that may lie in the unstained strata; they widen the interval upwards only.
    squares : int
        Squares in which missed cells were counted; 0 says nothing about missed cells.
    warnings : tuple of str
    """

    cps: float
    interval: tuple[float, float]
    level: float
    bounds: tuple[float, float]
    answered: int
    cannot_tell: int
    strata: tuple[StratumAnswers, ...]
    tumour_cells: float
    hidden_cells: float
    squares: int
    warnings: tuple[str, ...] = ()


def probability_at_least(score: AuditedScore, cutoff: float) -> float:
    """Return P(this slide's CPS >= cutoff): the logarithm is normal, with a spread for each side.

    What the interval leaves out above a CPS of
    0 is all that is known: half of one minus the level beyond its upper end, in proportion below it.

    Parameters
    ----------
    score : AuditedScore
    cutoff : float
        Above 0.
    """
    low, high = score.interval
    tail = (1.0 - score.level) / 2
    if score.cps <= 0:
        return tail if cutoff > high else max(tail, 1.0 - (1.0 - tail) * cutoff / high)
    end = high if cutoff > score.cps else low
    if end <= 0 or end == score.cps:
        return 1.0 if cutoff <= score.cps else 0.0
    distance = float(np.log(cutoff / score.cps) / abs(np.log(end / score.cps)))
    return float(special.ndtr(distance * special.ndtri(tail)))


def answers_for_width(answered: int, interval: tuple[float, float], fold: float, cells: int) -> int | None:
    """Return about how many answers in all give an interval whose ends are `fold` times apart.

    The width falls with the square root of the number of answers. None where the lower end is 0, or where
    the slide has not so many cells.

    Parameters
    ----------
    answered : int
        So far, at least one.
    interval : tuple of float
        That they gave.
    fold : float
        Upper end divided by lower end; above 1.
    cells : int
        Cells of the slide that can be asked about.

    Returns
    -------
    int or None
        At least `answered`.
    """
    low, high = interval
    if low <= 0:
        return None
    needed = max(answered, int(np.ceil(answered * (np.log(high / low) / np.log(fold)) ** 2)))
    return needed if needed <= cells else None


def estimate_audit(
    frame: AuditFrame,
    draw: AuditDraw,
    answers: Sequence[AuditAnswer],
    squares: Sequence[MissedSquare] = (),
    level: float = 0.95,
) -> AuditedScore:
    """Return the CPS that the answers speak for, with its interval.

    Parameters
    ----------
    frame : AuditFrame
    draw : AuditDraw
    answers : sequence of AuditAnswer
        One for every question of the draw.
    squares : sequence of MissedSquare
        Answered; none says nothing about missed cells.
    level : float

    Raises
    ------
    AuditError
        When an answer is missing, twice, of a cell that was not drawn or without the staining asked for; or
        when no viable tumour cell is left.
    """
    given = matched_answers(draw, answers)
    answered, unsure = answered_cells(frame, draw, given)
    if len(answered.rows) < len(unsure.rows):
        raise AuditError(
            f"{len(unsure.rows)} of {len(answers)} cells are answered 'cannot tell', more than half",
            "the slide is unsuitable for an audit: have it stained or scanned again",
        )
    if not len(answered.rows):
        raise AuditError("no answered cell lies in the regions to score", "sample another audit with --seed")
    unguarded = [question for question in draw.questions if not question.guard]
    sample = audit_sample(frame, answered, recalibrated_staining(frame, unguarded, given))
    if sample.totals @ IN_DENOMINATOR <= 0:
        raise AuditError("according to the answers there is no viable tumour cell", "score another block")
    hidden = hidden_cells(sample, draw.questions, given)
    return AuditedScore(
        cps=min(MAXIMUM, sample.cps),
        interval=interval_of(sample, hidden, missed_effect(squares, _found(sample, squares)), level),
        level=level,
        bounds=_bounds(sample, unsure),
        answered=len(answered.rows) + len(unsure.rows),
        cannot_tell=len(unsure.rows),
        strata=_by_stratum(sample, unsure),
        tumour_cells=float(sample.totals @ IN_DENOMINATOR),
        hidden_cells=hidden,
        squares=len(squares),
        warnings=tuple(_warnings(frame, draw, given, squares)),
    )


def _found(sample: AuditSample, squares: Sequence[MissedSquare]) -> list[tuple[float, float]]:
    """Return the found cells of each square in numerator and denominator.

    The network's counts, corrected by what the answers make of them on the whole slide.
    """
    if not squares:
        return []
    called, totals = sample.frame.called.sum(axis=0), sample.totals
    of_positive, of_tumour = (
        float(totals @ which) / max(float(called @ which), 1.0) for which in (IN_NUMERATOR, IN_DENOMINATOR)
    )
    counts = (found_in(sample.frame, square) for square in squares)
    return [(positive * of_positive, tumour * of_tumour) for positive, tumour in counts]


def _bounds(sample: AuditSample, unsure: AnsweredCells) -> tuple[float, float]:
    """Return the CPS with every "cannot tell" counted against it, and for it."""
    asked = ASKED[unsure.stratum][:, None]
    lowering = np.tile(UNSTAINED_TUMOUR, (len(unsure.rows), 1))
    raising = np.where(asked, STAINED_IMMUNE, UNCOUNTED)
    # a stained tumour cell raises a low CPS nearly as much and leaves a denominator: both are tried
    alternative = np.where(asked, STAINED_TUMOUR, UNCOUNTED)
    low, *highs = (
        min(MAXIMUM, max(sample.entering_as(sample.answered.and_also(unsure.entering_as(ways))).cps, 0.0))
        for ways in (lowering, raising, alternative)
    )
    return low, max(highs)


def _by_stratum(sample: AuditSample, unsure: AnsweredCells) -> tuple[StratumAnswers, ...]:
    answered, sizes = sample.answered, sample.frame.sizes
    ways = sums_by_stratum(answered.stratum, answered.ways)
    return tuple(
        StratumAnswers(
            name=name,
            cells=int(sizes[place]),
            answered=int(answered.numbers[place]),
            cannot_tell=int(unsure.numbers[place]),
            in_numerator=int(ways[place] @ IN_NUMERATOR),
            in_denominator=int(ways[place] @ IN_DENOMINATOR),
        )
        for place, name in enumerate(STRATA)
    )


def _warnings(
    frame: AuditFrame, draw: AuditDraw, given: Mapping[int, AuditAnswer], squares: Sequence[MissedSquare]
) -> list[str]:
    unasked = [question for question in draw.questions if not ASKED[question.stratum]]
    stained = sum(given[question.row].stained is True for question in unasked)
    warnings = []
    if stained:
        warnings.append(
            f"{stained} of {len(unasked)} cells far below the staining threshold were answered as stained: "
            "the threshold is doubtful on this slide"
        )
    if not (frame.sizes[ASKED] > 0).any():
        warnings.append("no cell is stained or near the threshold: the audit cannot find positive cells")
    outside = sum(not frame.inside[question.row] for question in draw.questions)
    if outside:
        warnings.append(
            f"{outside} of {len(draw.questions)} answers are left out: their cells lie outside the regions"
        )
    if not squares:
        warnings.append("cells that the detector missed were not looked for (0 squares)")
    return warnings


def audited_estimate(
    score: AuditedScore, fields: GroupedCounts, settings: ScoringSettings, cutoffs: Sequence[Cutoff] = ()
) -> ScoreEstimate:
    """Return an audited score with the interval for the tumour and its cut-offs.

    Parameters
    ----------
    score : AuditedScore
    fields : GroupedCounts
        Of the slide's fields, as the network counts them: how unevenly positive cells lie.
    settings : ScoringSettings
    cutoffs : sequence of Cutoff
    """
    tissue = tissue_interval(score, fields)
    of_tumour = replace(score, interval=tissue)
    rule = borderline_rule(settings)
    return ScoreEstimate(
        value=score.cps,
        interval_slide=score.interval,
        interval_tissue=tissue,
        level=score.level,
        method=METHOD,
        reported=printed_form(score.cps),
        cutoffs=tuple(
            decide_cutoff(score.cps, tissue, probability_at_least(of_tumour, cutoff.value), cutoff, rule)
            for cutoff in cutoffs
        ),
    )


def tissue_interval(score: AuditedScore, fields: GroupedCounts) -> tuple[float, float]:
    """Return the interval for the tumour's CPS.

    On the logarithm's scale the doubt of the answers and that of the fields are independent; each end moves
    by the root of their summed squares. Where no answer was in the numerator, the upper end alone moves.
    """
    low, high = score.interval
    if score.cps <= 0:
        reach = _reach_of_fields(high * score.tumour_cells / 100.0, fields, score.level)
        return 0.0, min(MAXIMUM, high * float(np.exp(reach)))
    reach = _reach_of_fields(score.cps * score.tumour_cells / 100.0, fields, score.level)
    below = float(np.hypot(np.log(score.cps / low), reach)) if low > 0 else np.inf
    above = float(np.hypot(np.log(high / score.cps), reach))
    return score.cps * float(np.exp(-below)), min(MAXIMUM, score.cps * float(np.exp(above)))


def _reach_of_fields(positive: float, fields: GroupedCounts, level: float) -> float:
    """Return how far the tumour's log CPS may lie from the slide's: counting noise and uneven fields.

    Parameters
    ----------
    positive : float
        Cells in the numerator, by the answers.
    """
    counted = int(fields.positive.sum())
    spread = field_dispersion(fields.positive, fields.tumour)
    uneven = max(0.0, spread.variance - counted) / (counted + 0.5) ** 2
    variance = 1.0 / max(positive, 1.0) + min(uneven, MOST_UNEVEN)
    quantile = float(special.stdtrit(max(spread.degrees, 6.0), (1 + level) / 2))
    return quantile * float(np.sqrt(variance))
