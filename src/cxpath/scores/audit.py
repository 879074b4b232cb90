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
from numpy.typing import NDArray
from scipy import special

from cxpath.scores.audit_answers import (
    AuditAnswer,
    MissedSquare,
    Tally,
    Told,
    cps_of,
    found_in,
    matched_answers,
    missed_effect,
    tally_of,
    told_by,
    totals_of,
)
from cxpath.scores.audit_interval import hidden_cells, interval_of, recalibrated_staining
from cxpath.scores.audit_sample import (
    ASKED,
    IN_DENOMINATOR,
    IN_NUMERATOR,
    STAINED_IMMUNE,
    STAINED_TUMOUR,
    STRATA,
    UNCOUNTED,
    UNSTAINED_TUMOUR,
    Array,
    AuditDraw,
    AuditError,
    AuditFrame,
    linear_effect,
    sums_by_stratum,
)
from cxpath.scores.counts import MAXIMUM, GroupedCounts, printed_form
from cxpath.scores.intervals import MOST_UNEVEN, field_dispersion
from cxpath.scores.score import ScoreEstimate
from cxpath.scores.settings import Cutoff, ScoringSettings, borderline_rule, decide_cutoff

METHOD = "stratified difference estimator, log-delta interval/2"


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


def answers_for_width(answered: int, interval: tuple[float, float], fold: float) -> int | None:
    """Return about how many answers in all give an interval whose ends are `fold` times apart.

    The width falls with the square root of the number of answers. None where the lower end is 0.

    Parameters
    ----------
    answered : int
        So far, at least one.
    interval : tuple of float
        That they gave.
    fold : float
        Upper end divided by lower end; above 1.
    """
    low, high = interval
    if low <= 0:
        return None
    return max(answered, int(np.ceil(answered * (np.log(high / low) / np.log(fold)) ** 2)))


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
    told = told_by(frame, draw, given)
    tally = tally_of(frame, draw, told)
    if 2 * tally.answered.sum() < len(answers):
        unsure = int(tally.cannot_tell.sum())
        raise AuditError(
            f"{unsure} of {len(answers)} cells are answered 'cannot tell', more than half",
            "the slide is no base for an audit: have it stained or scanned again",
        )
    unguarded = [question for question in draw.questions if not question.guard]
    stained = recalibrated_staining(frame, unguarded, given)
    tally = _assisted(frame, tally, told, stained)
    totals = totals_of(frame, tally)
    if totals @ IN_DENOMINATOR <= 0:
        raise AuditError("by the answers there is no viable tumour cell to divide by", "score another block")
    hidden = hidden_cells(frame, recalibrated_staining(frame, draw.questions, given))
    found = [found_in(frame, square) for square in squares]
    return AuditedScore(
        cps=_capped_cps(totals),
        interval=interval_of(frame, tally, stained, hidden, missed_effect(squares, found), level),
        level=level,
        bounds=_bounds(frame, tally),
        answered=len(answers),
        cannot_tell=int(tally.cannot_tell.sum()),
        strata=_by_stratum(frame, tally),
        tumour_cells=float(totals @ IN_DENOMINATOR),
        hidden_cells=hidden,
        squares=len(squares),
        warnings=tuple(_warnings(frame, draw, given, squares)),
    )


def _capped_cps(totals: Array) -> float:
    return min(MAXIMUM, cps_of(totals))


def _assisted(frame: AuditFrame, tally: Tally, told: Told, stained: Array) -> Tally:
    """Return the tally with the difference estimator's correction (Särndal, Swensson & Wretman 1992, 6).

    The correction is the mean of predictions over a stratum less that over its answered cells, times one
    coefficient for the whole slide, estimated from the answers as in prediction-powered inference: where the
    probabilities predict nothing, nothing is added. Nothing is added either where no answer is in the
    numerator, or where a total would fall below zero.
    """
    stratum, count = frame.stratum[told.rows], tally.answered
    if tally.ways.sum(axis=0) @ IN_NUMERATOR <= 0:
        return tally
    predicted = _predicted_ways(frame, stained)
    coefficient, explained = _coefficient(frame, stratum, told.ways, predicted[told.rows], tally)
    drawn = sums_by_stratum(stratum, predicted[told.rows]) / np.maximum(count, 1.0)[:, None]
    weight = coefficient * np.where(count > 0, 1.0, 0.0)[:, None]
    assisted = replace(tally, assistance=weight * (frame.mean_of(predicted) - drawn), explained=explained)
    totals = totals_of(frame, assisted)
    return assisted if min(totals @ IN_NUMERATOR, totals @ IN_DENOMINATOR) > 0 else tally


def _predicted_ways(frame: AuditFrame, stained: Array) -> Array:
    """Return how each cell is predicted to enter the CPS, (N, 4)."""
    positive = np.where(ASKED[frame.stratum], stained, 0.0)
    tumour, immune = frame.probabilities[:, 0], frame.probabilities[:, 1]
    ways = [tumour * positive, tumour * (1.0 - positive), immune * positive, 1.0 - tumour - immune * positive]
    return np.stack(ways, axis=1)


def _coefficient(
    frame: AuditFrame, stratum: NDArray[np.int64], ways: Array, predicted: Array, tally: Tally
) -> tuple[float, float]:
    """Return the coefficient of the predictions, 0 to 1, and the share of variance that they explain."""
    effect, count, sizes = linear_effect(totals_of(frame, tally)), tally.answered, frame.sizes
    told, guess = (_within_strata(stratum, values @ effect, count) for values in (ways, predicted))
    finite = 1.0 - count / np.maximum(sizes, 1.0)
    weight = (sizes**2 * finite / np.maximum(count * (count - 1.0), 1.0))[stratum]
    spread, whole = float(weight @ guess**2), float(weight @ told**2)
    if spread <= 0 or whole <= 0:
        return 0.0, 0.0
    coefficient = float(np.clip(weight @ (told * guess) / spread, 0.0, 1.0))
    left = float(weight @ (told - coefficient * guess) ** 2)
    return coefficient, float(np.clip(1.0 - left / whole, 0.0, 1.0))


def _within_strata(stratum: NDArray[np.int64], values: Array, count: Array) -> Array:
    """Return the values less the mean of their stratum."""
    means = np.bincount(stratum, values, minlength=len(STRATA)) / np.maximum(count, 1.0)
    return np.asarray(values - means[stratum])


def _bounds(frame: AuditFrame, tally: Tally) -> tuple[float, float]:
    """Return the CPS with every "cannot tell" counted against it, and for it."""
    unsure = tally.cannot_tell[:, None]
    lowering = np.tile(UNSTAINED_TUMOUR, (len(STRATA), 1))
    raising = np.where(ASKED[:, None], STAINED_IMMUNE, UNCOUNTED)
    # a stained tumour cell raises a low CPS nearly as much and leaves a denominator: both are tried
    alternative = np.where(ASKED[:, None], STAINED_TUMOUR, UNCOUNTED)
    low, *highs = (
        _capped_cps(totals_of(frame, replace(tally, ways=tally.ways + unsure * way)))
        for way in (lowering, raising, alternative)
    )
    return low, max(highs)


def _by_stratum(frame: AuditFrame, tally: Tally) -> tuple[StratumAnswers, ...]:
    return tuple(
        StratumAnswers(
            name=name,
            cells=int(frame.sizes[place]),
            answered=int(tally.answered[place]),
            cannot_tell=int(tally.cannot_tell[place]),
            in_numerator=int(tally.ways[place] @ IN_NUMERATOR),
            in_denominator=int(tally.ways[place] @ IN_DENOMINATOR),
        )
        for place, name in enumerate(STRATA)
    )


def _warnings(
    frame: AuditFrame, draw: AuditDraw, given: Mapping[int, AuditAnswer], squares: Sequence[MissedSquare]
) -> list[str]:
    unasked = [question for question in draw.questions if not ASKED[question.stratum]]
    stained = sum(given[question.row].stained is True for question in unasked)
    told = []
    if stained:
        told.append(
            f"{stained} of {len(unasked)} cells far below the staining threshold were answered as stained: "
            "the threshold is doubtful on this slide"
        )
    if not (frame.sizes[ASKED] > 0).any():
        told.append("no cell is stained or near the threshold: the audit cannot find positive cells")
    if not squares:
        told.append("cells that the detector missed were not looked for (0 squares)")
    return told


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
