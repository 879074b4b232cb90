"""The audited score: a random sample of cells, answered blind by a person, corrects the network's counts.

The cells found on the slide are the frame. They are divided into strata by called class and by how near the
staining probability lies to the threshold; a seeded sample of each stratum is shown to a person, and the
difference (ratio) estimator of survey sampling (Cochran 1977, 5 and 6) gives a CPS and its interval. Cells
that the detector missed are outside the frame and are looked for in squares of their own. Knows no files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from cxpath.data.cells import CellTable, Kind
from cxpath.errors import CxpathError
from cxpath.scores.counts import MAXIMUM, countable_kind, counted_positive, near_tumour, places_on_lattice
from cxpath.scores.settings import ScoringSettings, threshold_of, with_threshold_of

METHOD = "stratified difference estimator, log-delta interval/1"
DEFAULT_QUESTIONS = 100
FEWEST_QUESTIONS = 20
NEAR_FROM = 0.1
"""Staining probability from which an unstained cell is near the threshold."""

GUARDS = 9
"""Cells of the unstained strata that are asked about their staining, too: they can widen the interval
upwards and never move the score."""

SQUARE_UM = 50.0
"""Side of a square in which a person marks the cells that the detector missed."""


class AuditError(CxpathError, ValueError):
    """A slide that cannot be audited, or answers that do not belong to the questions."""


class CellAnswer(StrEnum):
    """What a person says about a cell."""

    TUMOUR = "tumour"
    IMMUNE = "immune"
    OTHER = "other"
    NOT_A_CELL = "not a cell"
    CANNOT_TELL = "cannot tell"


class Band(IntEnum):
    """How the staining probability of a cell lies to the threshold."""

    STAINED = 0
    NEAR = 1
    UNSTAINED = 2


BANDS = len(Band)
STRATA = tuple(f"{kind.name.lower()} {band.name.lower()}" for kind in Kind for band in Band)
"""Names of the strata; the number of a stratum is `BANDS` x class + band."""

_ASKED = np.array([band != Band.UNSTAINED for _ in Kind for band in Band])
"""Strata whose cells are asked about their staining."""

_CUSTOMARY = np.array([0.16, 0.04, 0.25, 0.16, 0.04, 0.15, 0.04, 0.01, 0.15])
"""Shares of the questions that suit a network of unknown error."""

_CUSTOMARY_WEIGHT = 0.2
"""Of the allocation, how much follows `_CUSTOMARY`; the rest follows the predicted variances."""

_FEWEST_IN_STRATUM = 3

_USUAL_CLASSES = np.array([[0.75, 0.10, 0.15], [0.15, 0.65, 0.20], [0.10, 0.10, 0.80]])
"""Rows called, columns true: what is mixed with the network's probabilities, which are overconfident."""

_USUAL_STAINED = np.array([0.8, 0.3, 0.0])
_USUAL_WEIGHT = 0.25

_PRIOR_ANSWERS = 0.5
"""Answers that the network's call counts for in the estimate."""

_SMOOTHING_ANSWERS = 1.0
"""Answers that the expectation counts for in the variance: agreement of few answers is no certainty."""

_MOST_LOG_ODDS = 9.0
_SHIFT_SPREAD, _SLOPE_SPREAD = 2.0, 0.5
"""How far the log-odds of staining may be off beforehand: standard deviations of shift and of slope."""

_FEWEST_DEGREES = 6.0

# The four ways in which a cell can enter the CPS, in the order of the last axis of every table here.
_IN_NUMERATOR = np.array([1.0, 0.0, 1.0, 0.0])
_IN_DENOMINATOR = np.array([1.0, 1.0, 0.0, 0.0])
_STAINED_TUMOUR, _UNSTAINED_TUMOUR, _STAINED_IMMUNE, _UNCOUNTED = np.eye(4)

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class AuditFrame:
    """The cells that an audit speaks for; N cells.

    Parameters
    ----------
    cells : CellTable
    reach_um : float
        Of the tumour-association rule.
    stratum : int array, (N,)
        Index into `STRATA`.
    probabilities : float array, (N, 3)
        Of tumour, immune, other; as stated by the network.
    log_odds : float array, (N,)
        Of staining, as stated by the network.
    called : float array, (N, 4)
        How the network counts each cell.
    """

    cells: CellTable
    reach_um: float
    stratum: NDArray[np.int64]
    probabilities: Array
    log_odds: Array
    called: Array

    @property
    def sizes(self) -> Array:
        """Cells in each stratum."""
        return np.bincount(self.stratum, minlength=len(STRATA)).astype(np.float64)

    def mean_of(self, values: Array) -> Array:
        """Return the mean over each stratum, (strata, columns); 0 in an empty one."""
        return _sums(self.stratum, values) / np.maximum(self.sizes, 1.0)[:, None]


def audit_frame(cells: CellTable, settings: ScoringSettings, near_from: float = NEAR_FROM) -> AuditFrame:
    """Return the frame of an audit.

    Parameters
    ----------
    cells : CellTable
        All cells that were scored.
    settings : ScoringSettings
        Those of the score.
    near_from : float
        Probability from which an unstained cell is near the threshold.

    Raises
    ------
    AuditError
        When there is no cell, or the staining of all is unknown.
    """
    if not len(cells) or not np.isfinite(cells.stained).any():
        raise AuditError("there is no cell of known staining to audit", "score the slide first")
    settings = with_threshold_of(cells, settings)
    threshold, reach_um = threshold_of(settings), settings.association_distance_um
    kind = countable_kind(cells)
    stained = np.nan_to_num(cells.stained.astype(np.float64), nan=0.0)
    near = stained >= min(near_from, threshold)
    # compared as the score compares: a float32 probability with the threshold as it stands
    band = np.where(cells.stained >= threshold, Band.STAINED, np.where(near, Band.NEAR, Band.UNSTAINED))
    counted = counted_positive(cells, threshold, reach_um)
    log_odds = special.logit(np.clip(stained, 1e-12, 1.0 - 1e-12))
    return AuditFrame(
        cells=cells,
        reach_um=reach_um,
        stratum=kind.astype(np.int64) * BANDS + band,
        probabilities=_class_probabilities(cells, kind),
        log_odds=np.clip(log_odds, -_MOST_LOG_ODDS, _MOST_LOG_ODDS),
        called=_ways(kind == Kind.TUMOUR, counted),
    )


def _class_probabilities(cells: CellTable, kind: NDArray[np.uint8]) -> Array:
    """Return the stated probabilities; certainty where none, or another class, is stated."""
    stated = np.stack([cells.p_tumour, cells.p_immune, cells.p_other], axis=1).astype(np.float64)
    total = stated.sum(axis=1)
    usable = np.isfinite(total) & (total > 0) & (kind == cells.kind)
    stated[~usable] = np.eye(3)[kind[~usable]]
    return np.asarray(stated / stated.sum(axis=1, keepdims=True))


def _ways(tumour: NDArray[np.bool_], counted: NDArray[np.bool_]) -> Array:
    """Return how cells enter the CPS, (N, 4), from whether they are tumour and in the numerator."""
    ways = np.stack([tumour & counted, tumour & ~counted, ~tumour & counted, ~tumour & ~counted], axis=1)
    return ways.astype(np.float64)


# Which cells are asked about.


@dataclass(frozen=True)
class AuditQuestion:
    """One cell to show.

    Parameters
    ----------
    row : int
        Of the table of cells.
    stratum : int
        Index into `STRATA`; hidden from whoever answers.
    asks_stained : bool
    guard : bool
        Whether its staining is asked only to guard the unstained strata.
    """

    row: int
    stratum: int
    asks_stained: bool
    guard: bool


@dataclass(frozen=True)
class AuditDraw:
    """A sample of cells, drawn by a seed, in the order in which they are shown."""

    seed: int
    questions: tuple[AuditQuestion, ...]

    @property
    def rows(self) -> tuple[int, ...]:
        """Rows of the cells, in order."""
        return tuple(question.row for question in self.questions)


def allocate_questions(frame: AuditFrame, number: int) -> NDArray[np.int64]:
    """Return how many cells to draw of each stratum, (9,).

    Neyman's allocation for the logarithm of the CPS, from the network's probabilities mixed with a usual
    confusion, since those of a network on a new laboratory's slides are overconfident; a share follows
    customary proportions. Every stratum that is not empty gets three cells, or all it has.
    """
    sizes = frame.sizes
    expected = _expected_ways(frame, special.expit(frame.log_odds))
    totals = sizes @ expected
    spread = sizes * np.sqrt(_variances(expected, _linear_effect(totals)))
    customary = np.where(sizes > 0, _CUSTOMARY, 0.0)
    weight = (1.0 - _CUSTOMARY_WEIGHT) * _shares(spread) + _CUSTOMARY_WEIGHT * _shares(customary)
    return _whole_numbers(np.maximum(weight, 1e-9), sizes.astype(np.int64), number)


def _expected_ways(frame: AuditFrame, stained: Array) -> Array:
    """Return the expected share of each way to enter the CPS in each stratum, (strata, 4)."""
    kind = np.arange(len(STRATA)) // BANDS
    band = np.arange(len(STRATA)) % BANDS
    classes = (1.0 - _USUAL_WEIGHT) * frame.mean_of(frame.probabilities) + (
        _USUAL_WEIGHT * _USUAL_CLASSES[kind]
    )
    stated = frame.mean_of(stained[:, None])[:, 0]
    positive = (1.0 - _USUAL_WEIGHT) * stated + _USUAL_WEIGHT * _USUAL_STAINED[band]
    positive = np.where(_ASKED, positive, 0.0)
    tumour, immune = classes[:, 0], classes[:, 1]
    ways = [tumour * positive, tumour * (1.0 - positive), immune * positive, 1.0 - tumour - immune * positive]
    return np.stack(ways, axis=1)


def _linear_effect(totals: Array) -> Array:
    """Return by how much one cell of each way changes the logarithm of the CPS, (4,).

    A numerator below one cell counts as one.
    """
    numerator = max(float(totals @ _IN_NUMERATOR), 1.0)
    denominator = max(float(totals @ _IN_DENOMINATOR), 1.0)
    return np.asarray(_IN_NUMERATOR / numerator - _IN_DENOMINATOR / denominator)


def _variances(shares: Array, effect: Array) -> Array:
    mean = shares @ effect
    return np.asarray(np.maximum(shares @ effect**2 - mean**2, 0.0))


def _shares(weights: Array) -> Array:
    total = float(weights.sum())
    return weights / total if total > 0 else weights


def _whole_numbers(weight: Array, sizes: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """Return whole numbers proportional to `weight`, at least three and at most the stratum's cells."""
    given = np.minimum(sizes, _FEWEST_IN_STRATUM)
    while given.sum() < number and (given < sizes).any():
        wanting = np.where(given < sizes, weight / (given + 0.5), -1.0)
        given[int(wanting.argmax())] += 1
    return given


def draw_audit(
    frame: AuditFrame, number: int = DEFAULT_QUESTIONS, seed: int = 1, guards: int = GUARDS
) -> AuditDraw:
    """Draw the cells to ask about, without replacement, and shuffle them.

    Raises
    ------
    AuditError
        When fewer than `FEWEST_QUESTIONS` are asked for.
    """
    if number < FEWEST_QUESTIONS:
        raise AuditError(
            f"{number} questions are too few for an interval", f"ask for {FEWEST_QUESTIONS} at least"
        )
    rng = np.random.default_rng(seed)
    drawn: list[AuditQuestion] = []
    for stratum, share in enumerate(allocate_questions(frame, number)):
        rows = rng.choice(np.flatnonzero(frame.stratum == stratum), int(share), replace=False)
        guarded = 0 if _ASKED[stratum] else -(-guards // len(Kind))
        drawn += [
            AuditQuestion(int(row), stratum, bool(_ASKED[stratum]) or place < guarded, place < guarded)
            for place, row in enumerate(rows)
        ]
    return AuditDraw(seed, tuple(drawn[place] for place in rng.permutation(len(drawn))))


@dataclass(frozen=True)
class MissedSquare:
    """A square in which the cells that the detector missed were counted by a person.

    Parameters
    ----------
    left_px, top_px, side_px : float
        In level-0 pixels.
    tumour_stained, tumour_unstained, immune_stained : int or None
        Missed cells; None before an answer.
    """

    left_px: float
    top_px: float
    side_px: float
    tumour_stained: int | None = None
    tumour_unstained: int | None = None
    immune_stained: int | None = None


def draw_squares(cells: CellTable, number: int, seed: int) -> tuple[MissedSquare, ...]:
    """Draw squares of `SQUARE_UM` at random among those that hold a found cell."""
    if number <= 0:
        return ()
    side_px = SQUARE_UM / cells.facts.mpp
    place, columns = places_on_lattice(cells, side_px)
    occupied = np.unique(place)
    rng = np.random.default_rng([seed, 1])
    chosen = rng.choice(occupied, min(number, len(occupied)), replace=False)
    return tuple(
        MissedSquare(float(one % columns) * side_px, float(one // columns) * side_px, side_px)
        for one in chosen
    )


# What the answers say.


@dataclass(frozen=True)
class AuditAnswer:
    """What a person said about one cell; `stained` is None where it was not asked or not needed."""

    row: int
    answer: CellAnswer
    stained: bool | None = None


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
    return float(stats.norm.sf(distance * stats.norm.isf(tail)))


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


@dataclass(frozen=True, eq=False)
class _Told:
    """The cells whose answer is no "cannot tell": their rows (M,) and how they enter the CPS (M, 4)."""

    rows: NDArray[np.int64]
    ways: Array


@dataclass(frozen=True, eq=False)
class _Tally:
    """Answers summed up.

    Parameters
    ----------
    ways : float array, (9, 4)
        Cells by stratum and way.
    cannot_tell : float array, (9,)
    assistance : float array, (9, 4)
        What the probabilities of the cells that were not drawn add to the shares.
    explained : float
        Share of the variance between answers that the probabilities explain, 0 to 1.
    """

    ways: Array
    cannot_tell: Array
    assistance: Array
    explained: float = 0.0

    @property
    def answered(self) -> Array:
        return np.asarray(self.ways.sum(axis=1))


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
    given = _matched(draw, answers)
    told = _told(frame, draw, given)
    tally = _tally(frame, draw, told)
    if 2 * tally.answered.sum() < len(answers):
        unsure = int(tally.cannot_tell.sum())
        raise AuditError(
            f"{unsure} of {len(answers)} cells are answered 'cannot tell', more than half",
            "the slide is no base for an audit: have it stained or scanned again",
        )
    unguarded = [question for question in draw.questions if not question.guard]
    stained = _recalibrated_staining(frame, unguarded, given)
    tally = _assisted(frame, tally, told, stained)
    totals = _totals(frame, tally)
    if totals @ _IN_DENOMINATOR <= 0:
        raise AuditError("by the answers there is no viable tumour cell to divide by", "score another block")
    hidden = _hidden_cells(frame, _recalibrated_staining(frame, draw.questions, given, steepest=1.0))
    found = [_found_in(frame, square) for square in squares]
    return AuditedScore(
        cps=_capped_cps(totals),
        interval=_interval(frame, tally, stained, hidden, _missed_effect(squares, found), level),
        level=level,
        bounds=_bounds(frame, tally),
        answered=len(answers),
        cannot_tell=int(tally.cannot_tell.sum()),
        strata=_by_stratum(frame, tally),
        hidden_cells=hidden,
        squares=len(squares),
        warnings=tuple(_warnings(frame, draw, given, squares)),
    )


def _matched(draw: AuditDraw, answers: Sequence[AuditAnswer]) -> Mapping[int, AuditAnswer]:
    given = {answer.row: answer for answer in answers}
    if len(given) < len(answers):
        raise AuditError("a cell is answered twice", "give one answer for each cell")
    asked = {question.row: question for question in draw.questions}
    if foreign := sorted(set(given) - set(asked)):
        raise AuditError(f"cell {foreign[0]} was not drawn", "answer the cells of this audit only")
    for row, question in asked.items():
        if row not in given:
            raise AuditError(f"cell {row} has no answer", "answer every cell, 'cannot tell' included")
        counts = given[row].answer in {CellAnswer.TUMOUR, CellAnswer.IMMUNE}
        if counts and question.asks_stained and given[row].stained is None:
            raise AuditError(f"cell {row} has no answer about its staining", "answer yes or no")
    return given


def _told(frame: AuditFrame, draw: AuditDraw, given: Mapping[int, AuditAnswer]) -> _Told:
    associated = _associated(frame, given)
    rows, ways = [], []
    for question in draw.questions:
        answer = given[question.row]
        if answer.answer is not CellAnswer.CANNOT_TELL:
            stained = bool(answer.stained) and bool(_ASKED[question.stratum])
            rows.append(question.row)
            ways.append(_way_of(answer.answer, stained, associated[question.row]))
    return _Told(np.array(rows, dtype=np.int64), np.array(ways, dtype=np.float64).reshape(-1, 4))


def _tally(frame: AuditFrame, draw: AuditDraw, told: _Told) -> _Tally:
    ways = _sums(frame.stratum[told.rows], told.ways)
    drawn = np.bincount([question.stratum for question in draw.questions], minlength=len(STRATA))
    return _Tally(ways, drawn - ways.sum(axis=1), np.zeros_like(ways))


def _sums(stratum: NDArray[np.int64], values: Array) -> Array:
    """Return the sum over each stratum, (strata, columns)."""
    columns = [np.bincount(stratum, column, minlength=len(STRATA)) for column in values.T]
    return np.stack(columns, axis=1).astype(np.float64)


def _way_of(answer: CellAnswer, stained: bool, associated: bool) -> Array:  # noqa: FBT001
    if answer is CellAnswer.TUMOUR:
        return _STAINED_TUMOUR if stained else _UNSTAINED_TUMOUR
    if answer is CellAnswer.IMMUNE and stained and associated:
        return _STAINED_IMMUNE
    return _UNCOUNTED


def _associated(frame: AuditFrame, given: Mapping[int, AuditAnswer]) -> Mapping[int, bool]:
    """Say of each answered cell whether it lies near tumour, by the answers where there are any."""
    kind = countable_kind(frame.cells).copy()
    rows = np.fromiter(given, dtype=np.int64, count=len(given))
    for row, answer in given.items():
        if answer.answer is not CellAnswer.CANNOT_TELL:
            kind[row] = Kind.TUMOUR if answer.answer is CellAnswer.TUMOUR else Kind.OTHER
    cells = replace(frame.cells, kind=kind, region=np.zeros_like(frame.cells.region))
    asked = np.zeros(len(cells), dtype=bool)
    asked[rows] = True
    near = near_tumour(cells, asked, frame.reach_um)
    return {int(row): bool(near[row]) for row in rows}


def _shares_of(frame: AuditFrame, tally: _Tally) -> Array:
    """Return the estimated share of each way in each stratum, the network's call as a weak prior.

    The prior fades as a stratum is answered whole.
    """
    unasked = 1.0 - tally.answered / np.maximum(frame.sizes, 1.0)
    weight = _PRIOR_ANSWERS * np.clip(unasked, 0.0, 1.0)
    total = tally.answered + weight
    prior = weight[:, None] * frame.mean_of(frame.called)
    direct = (tally.ways + prior) / np.where(total > 0, total, 1.0)[:, None]
    return np.asarray(direct + tally.assistance)


def _totals(frame: AuditFrame, tally: _Tally) -> Array:
    """Return the estimated cells of each way, (4,)."""
    return np.asarray(frame.sizes @ _shares_of(frame, tally))


def _cps(totals: Array) -> float:
    denominator = float(totals @ _IN_DENOMINATOR)
    return 100.0 * float(totals @ _IN_NUMERATOR) / denominator if denominator > 0 else np.inf


def _capped_cps(totals: Array) -> float:
    return min(MAXIMUM, _cps(totals))


# The model-assisted part: what the probabilities of the cells that were not drawn add to the answers.


def _assisted(frame: AuditFrame, tally: _Tally, told: _Told, stained: Array) -> _Tally:
    """Return the tally with the difference estimator's correction (Särndal, Swensson & Wretman 1992, 6).

    The correction is the mean of predictions over a stratum less that over its answered cells, times one
    coefficient for the whole slide, estimated from the answers as in prediction-powered inference: where the
    probabilities predict nothing, nothing is added. Nothing is added either where no answer is in the
    numerator, or where a total would fall below zero.
    """
    stratum, count = frame.stratum[told.rows], tally.answered
    if tally.ways.sum(axis=0) @ _IN_NUMERATOR <= 0:
        return tally
    predicted = _predicted_ways(frame, stained)
    coefficient, explained = _coefficient(frame, stratum, told.ways, predicted[told.rows], tally)
    drawn = _sums(stratum, predicted[told.rows]) / np.maximum(count, 1.0)[:, None]
    weight = coefficient * np.where(count > 0, 1.0, 0.0)[:, None]
    assisted = replace(tally, assistance=weight * (frame.mean_of(predicted) - drawn), explained=explained)
    totals = _totals(frame, assisted)
    return assisted if min(totals @ _IN_NUMERATOR, totals @ _IN_DENOMINATOR) > 0 else tally


def _predicted_ways(frame: AuditFrame, stained: Array) -> Array:
    """Return how each cell is predicted to enter the CPS, (N, 4)."""
    positive = np.where(_ASKED[frame.stratum], stained, 0.0)
    tumour, immune = frame.probabilities[:, 0], frame.probabilities[:, 1]
    ways = [tumour * positive, tumour * (1.0 - positive), immune * positive, 1.0 - tumour - immune * positive]
    return np.stack(ways, axis=1)


def _coefficient(
    frame: AuditFrame, stratum: NDArray[np.int64], ways: Array, predicted: Array, tally: _Tally
) -> tuple[float, float]:
    """Return the coefficient of the predictions, 0 to 1, and the share of variance that they explain."""
    effect, count, sizes = _linear_effect(_totals(frame, tally)), tally.answered, frame.sizes
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


# The interval.


def _interval(
    frame: AuditFrame, tally: _Tally, stained: Array, hidden: float, missed: tuple[float, float], level: float
) -> tuple[float, float]:
    """Return the interval: the delta method on the logarithm, one-sided extensions for what was not asked.

    Parameters
    ----------
    stained : float array, (N,)
        Recalibrated probabilities of staining.
    hidden : float
        Stained cells expected in the unstained strata.
    missed : tuple of float
        By how much missed cells change the logarithm of the CPS, and the standard error of that.
    """
    totals = _totals(frame, tally)
    parts = _variance_parts(frame, tally, stained, _linear_effect(totals)) * (1.0 - tally.explained)
    shift, shift_error = missed
    variance = float(parts.sum()) + shift_error**2
    reach = _quantile(parts, tally.answered, level) * float(np.sqrt(variance))
    numerator = float(totals @ _IN_NUMERATOR)
    if numerator <= 0:
        return 0.0, _upper_without_positive(frame, tally, hidden, reach, shift, level)
    log_cps = float(np.log(_cps(totals)))
    low = log_cps - reach + min(shift, 0.0)
    high = log_cps + reach + max(shift, 0.0) + float(np.log1p(hidden / numerator))
    return min(MAXIMUM, float(np.exp(low))), min(MAXIMUM, float(np.exp(high)))


def _variance_parts(frame: AuditFrame, tally: _Tally, stained: Array, effect: Array) -> Array:
    """Return each stratum's part of the variance of the logarithm of the CPS, (9,)."""
    sizes, answered = frame.sizes, tally.answered
    smoothed = tally.ways + _SMOOTHING_ANSWERS * _expected_ways(frame, stained)
    shares = smoothed / (answered + _SMOOTHING_ANSWERS)[:, None]
    finite = np.clip(1.0 - answered / np.maximum(sizes, 1.0), 0.0, 1.0)
    return np.asarray(sizes**2 * finite * _variances(shares, effect) / np.maximum(answered, 1.0))


def _quantile(parts: Array, answered: Array, level: float) -> float:
    """Return Student's quantile at Satterthwaite's degrees of freedom."""
    total = float(parts.sum())
    if total <= 0:
        return float(stats.norm.ppf((1 + level) / 2))
    degrees = total**2 / float((parts**2 / np.maximum(answered, 1.0)).sum())
    return float(stats.t.ppf((1 + level) / 2, max(degrees, _FEWEST_DEGREES)))


def _upper_without_positive(
    frame: AuditFrame, tally: _Tally, hidden: float, reach: float, shift: float, level: float
) -> float:
    """Return the upper limit where no answer is in the numerator: the exact binomial limit of a stratum."""
    answered = np.maximum(tally.answered, 1.0)
    share = 1.0 - ((1.0 - level) / 2) ** (1.0 / answered)
    unseen = np.where(_ASKED, (frame.sizes - tally.answered).clip(0) * share, 0.0)
    tumour = float(_totals(frame, tally) @ _IN_DENOMINATOR)
    upper = 100.0 * (float(unseen.max()) + hidden) / tumour
    return min(MAXIMUM, upper * float(np.exp(max(shift, 0.0) + min(reach, 1.0))))


def _recalibrated_staining(
    frame: AuditFrame,
    questions: Iterable[AuditQuestion],
    given: Mapping[int, AuditAnswer],
    steepest: float = np.inf,
) -> Array:
    """Return the probabilities of staining, shifted and stretched in log-odds to fit the answers.

    Parameters
    ----------
    frame : AuditFrame
    questions : iterable of AuditQuestion
        Those that are used.
    given : mapping of int to AuditAnswer
    steepest : float
        Largest slope. At 1, cells far below the threshold are never thought more surely unstained than the
        network itself says: answers near the threshold cannot tell that.
    """
    told = [
        (question.row, given[question.row].stained)
        for question in questions
        if question.asks_stained and given[question.row].answer in {CellAnswer.TUMOUR, CellAnswer.IMMUNE}
    ]
    rows = np.array([row for row, _ in told], dtype=np.int64)
    yes = np.array([bool(stained) for _, stained in told], dtype=np.float64)
    shift, slope = _fit_log_odds(frame.log_odds[rows], yes)
    return np.asarray(special.expit(shift + min(slope, steepest) * frame.log_odds))


def _fit_log_odds(log_odds: Array, yes: Array) -> tuple[float, float]:
    """Return shift and slope of the log-odds: logistic regression, shrunken towards the network (0 and 1)."""
    design = np.stack([np.ones_like(log_odds), log_odds], axis=1)
    penalty = np.diag([_SHIFT_SPREAD**-2, _SLOPE_SPREAD**-2])
    network = np.array([0.0, 1.0])
    found = network.copy()
    for _ in range(60):
        probability = special.expit(design @ found)
        gradient = design.T @ (yes - probability) - penalty @ (found - network)
        curvature = (design * (probability * (1.0 - probability))[:, None]).T @ design + penalty
        step = np.clip(np.linalg.solve(curvature, gradient), -0.5, 0.5)
        found = found + step
        if np.abs(step).max() < 1e-9:
            break
    return float(found[0]), float(max(found[1], 0.0))


def _hidden_cells(frame: AuditFrame, stained: Array) -> float:
    """Return how many cells of the unstained strata may be stained tumour or immune cells."""
    relevant = frame.probabilities[:, :2].sum(axis=1)
    return float((stained * relevant)[~_ASKED[frame.stratum]].sum())


# Cells that the detector missed.


_SQUARE_PRIOR_CELLS = 5.0
"""Found cells in the numerator for which the whole square's share of missed cells speaks beforehand."""


def _found_in(frame: AuditFrame, square: MissedSquare) -> tuple[float, float]:
    """Return the cells that the network counts in numerator and denominator inside a square."""
    x, y = frame.cells.x_px - square.left_px, frame.cells.y_px - square.top_px
    ways = frame.called[(x >= 0) & (x < square.side_px) & (y >= 0) & (y < square.side_px)].sum(axis=0)
    return float(ways @ _IN_NUMERATOR), float(ways @ _IN_DENOMINATOR)


def _missed_effect(
    squares: Sequence[MissedSquare], found: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    """Return by how much missed cells change the logarithm of the CPS, and the standard error of that."""
    if not squares:
        return 0.0, 0.0
    positive = sum((square.tumour_stained or 0) + (square.immune_stained or 0) for square in squares)
    tumour = sum((square.tumour_stained or 0) + (square.tumour_unstained or 0) for square in squares)
    in_numerator, in_denominator = (sum(each) for each in zip(*found, strict=True))
    base = max(in_denominator, 1.0)
    of_tumour = tumour / base
    weight = in_numerator + _SQUARE_PRIOR_CELLS
    of_positive = (positive + _SQUARE_PRIOR_CELLS * of_tumour) / weight
    error = np.hypot(
        np.sqrt(of_positive / weight) / (1 + of_positive), np.sqrt(of_tumour / base) / (1 + of_tumour)
    )
    return float(np.log1p(of_positive) - np.log1p(of_tumour)), float(error)


# What is told beside the score.


def _bounds(frame: AuditFrame, tally: _Tally) -> tuple[float, float]:
    """Return the CPS with every "cannot tell" counted against it, and for it."""
    unsure = tally.cannot_tell[:, None]
    lowering = np.tile(_UNSTAINED_TUMOUR, (len(STRATA), 1))
    raising = np.where(_ASKED[:, None], _STAINED_IMMUNE, _UNCOUNTED)
    # a stained tumour cell raises a low CPS nearly as much and leaves a denominator: both are tried
    alternative = np.where(_ASKED[:, None], _STAINED_TUMOUR, _UNCOUNTED)
    low, *highs = (
        _capped_cps(_totals(frame, replace(tally, ways=tally.ways + unsure * way)))
        for way in (lowering, raising, alternative)
    )
    return low, max(highs)


def _by_stratum(frame: AuditFrame, tally: _Tally) -> tuple[StratumAnswers, ...]:
    return tuple(
        StratumAnswers(
            name=name,
            cells=int(frame.sizes[place]),
            answered=int(tally.answered[place]),
            cannot_tell=int(tally.cannot_tell[place]),
            in_numerator=int(tally.ways[place] @ _IN_NUMERATOR),
            in_denominator=int(tally.ways[place] @ _IN_DENOMINATOR),
        )
        for place, name in enumerate(STRATA)
    )


def _warnings(
    frame: AuditFrame, draw: AuditDraw, given: Mapping[int, AuditAnswer], squares: Sequence[MissedSquare]
) -> list[str]:
    unasked = [question for question in draw.questions if not _ASKED[question.stratum]]
    stained = sum(given[question.row].stained is True for question in unasked)
    told = []
    if stained:
        told.append(
            f"{stained} of {len(unasked)} cells far below the staining threshold were answered as stained: "
            "the threshold is doubtful on this slide"
        )
    if not (frame.sizes[_ASKED] > 0).any():
        told.append("no cell is stained or near the threshold: the audit cannot find positive cells")
    if not squares:
        told.append("cells that the detector missed were not looked for (0 squares)")
    return told
