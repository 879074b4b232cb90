"""The frame of an audit, and which of its cells are asked about.

The cells that were found are divided into strata: called class by how near the staining probability lies to
the threshold. How many of each stratum are asked about follows Neyman's allocation for the logarithm of the
CPS (Cochran 1977, 5); within a stratum a cell is drawn with a probability in proportion to what its call is
expected to be off (Isaki & Fuller 1982). Knows no files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import special

from cxpath.data import CellTable, Kind
from cxpath.errors import CxpathError
from cxpath.scores.counts import countable_kind, counted_positive
from cxpath.scores.settings import ScoringSettings, threshold_of, with_threshold_of

DEFAULT_QUESTIONS = 100
FEWEST_QUESTIONS = 20

GUARDS = 9
"""Cells of the unstained strata that are asked about their staining, too: they can widen the interval
upwards and never move the score."""

MOST_LOG_ODDS = 9.0
"""Stated probabilities nearer to 0 or 1 are taken as this far."""

_FEWEST_IN_STRATUM = 3


class AuditError(CxpathError, ValueError):
    """A slide that cannot be audited, or answers that do not belong to the questions."""


class Band(IntEnum):
    """How the staining probability of a cell lies to the threshold."""

    STAINED = 0
    NEAR = 1
    UNSTAINED = 2


BANDS = len(Band)
STRATA = tuple(f"{kind.name.lower()} {band.name.lower()}" for kind in Kind for band in Band)
"""Names of the strata; the number of a stratum is `BANDS` x class + band."""

OUTSIDE = len(STRATA)
"""Number of the stratum of cells that the score is not made of: those outside the regions to score."""

ASKED = np.array([band != Band.UNSTAINED for _ in Kind for band in Band])
"""Strata whose cells are asked about their staining."""

# The four ways in which a cell can enter the CPS, in the order of the last axis of every table here.
IN_NUMERATOR = np.array([1.0, 0.0, 1.0, 0.0])
IN_DENOMINATOR = np.array([1.0, 1.0, 0.0, 0.0])
STAINED_TUMOUR, UNSTAINED_TUMOUR, STAINED_IMMUNE, UNCOUNTED = np.eye(4)

Array = NDArray[np.float64]


def log_odds_of(probabilities: Array) -> Array:
    """Return log-odds, bounded."""
    held = np.clip(probabilities, 1e-12, 1.0 - 1e-12)
    return np.asarray(np.clip(special.logit(held), -MOST_LOG_ODDS, MOST_LOG_ODDS))


@dataclass(frozen=True, eq=False)
class AuditFrame:
    """The cells that an audit speaks for; N cells, those outside the regions to score included.

    Parameters
    ----------
    cells : CellTable
    threshold : float
        Staining probability from which the network calls a cell stained.
    reach_um : float
        Of the tumour-association rule.
    near_from : float
        Staining probability from which an unstained cell is near the threshold.
    stratum : int array, (N,)
        Index into `STRATA`, or `OUTSIDE`.
    probabilities : float array, (N, 3)
        Of tumour, immune, other; as stated by the network.
    log_odds : float array, (N,)
        Of staining, as stated by the network.
    spread : float array, (N,)
        Standard deviation that the doubt about each cell is expected to give the logarithm of the CPS.
    """

    cells: CellTable
    threshold: float
    reach_um: float
    near_from: float
    stratum: NDArray[np.int64]
    probabilities: Array
    log_odds: Array
    spread: Array

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Which cells lie where to score, (N,)."""
        return np.asarray(self.stratum != OUTSIDE)

    @property
    def asked(self) -> NDArray[np.bool_]:
        """Which cells are asked about their staining, where they are drawn, (N,)."""
        return np.append(ASKED, False)[self.stratum]

    @cached_property
    def called(self) -> Array:
        """How the network counts each cell, (N, 4); zeros outside."""
        kind = np.where(self.inside, self.cells.kind, Kind.OTHER).astype(np.uint8)
        within = replace(self.cells, kind=kind)
        counted = counted_positive(within, self.threshold, self.reach_um)
        ways = ways_from(np.eye(len(Kind))[countable_kind(within)], counted.astype(np.float64))
        return np.asarray(ways * self.inside[:, None])

    @property
    def sizes(self) -> Array:
        """Cells in each stratum, (9,)."""
        return self.sums_of(np.ones((len(self.stratum), 1)))[:, 0]

    def sums_of(self, values: Array) -> Array:
        """Return the sum over each stratum, (strata, columns), of values of all cells."""
        return sums_by_stratum(self.stratum, values)


def audit_frame(
    cells: CellTable,
    settings: ScoringSettings,
    inside: NDArray[np.bool_] | None = None,
    near_from: float | None = None,
    questions: int = DEFAULT_QUESTIONS,
) -> AuditFrame:
    """Return the frame of an audit.

    Parameters
    ----------
    cells : CellTable
        All cells that were scored.
    settings : ScoringSettings
        Those of the score.
    inside : bool array, (N,), optional
        Where to score, by the regions of a review; everywhere when left out.
    near_from : float, optional
        Staining probability from which an unstained cell is near the threshold, as a draw states it. Left
        out, the one that is expected to give the smallest error.
    questions : int
        How many are to be asked; the more, the farther down it pays to ask about staining.

    Raises
    ------
    AuditError
        When there is no cell, or the staining of all is unknown.
    """
    if inside is None:
        inside = np.ones(len(cells), dtype=bool)
    if not inside.any() or not np.isfinite(cells.stained[inside]).any():
        raise AuditError("there is no cell of known staining to audit", "score the slide first")
    settings = with_threshold_of(cells, settings)
    threshold = threshold_of(settings)
    kind = countable_kind(cells)
    stained = np.nan_to_num(cells.stained.astype(np.float64), nan=0.0)
    # compared as the score compares: a float32 probability with the threshold as it stands
    called_stained = np.asarray(cells.stained >= threshold)
    frame = AuditFrame(
        cells=cells,
        threshold=threshold,
        reach_um=settings.association_distance_um,
        near_from=threshold,
        stratum=np.where(inside, kind.astype(np.int64) * BANDS, OUTSIDE),
        probabilities=_class_probabilities(cells, kind),
        log_odds=log_odds_of(stained),
        spread=np.zeros(len(cells)),
    )
    return _with_bands(frame, called_stained, stained, near_from, questions)


def _class_probabilities(cells: CellTable, kind: NDArray[np.uint8]) -> Array:
    """Return the stated probabilities; certainty where none, or another class, is stated."""
    stated = np.stack([cells.p_tumour, cells.p_immune, cells.p_other], axis=1).astype(np.float64)
    total = stated.sum(axis=1)
    usable = np.isfinite(total) & (total > 0) & (kind == cells.kind)
    stated[~usable] = np.eye(3)[kind[~usable]]
    return np.asarray(stated / stated.sum(axis=1, keepdims=True))


def ways_from(classes: Array, positive: Array) -> Array:
    """Return the probabilities of the four ways, (N, 4).

    Parameters
    ----------
    classes : float array, (N, 3)
        Probabilities of tumour, immune, other.
    positive : float array, (N,)
        Probability of staining of a tumour or an immune cell.
    """
    tumour, immune = classes[:, 0], classes[:, 1]
    ways = [tumour * positive, tumour * (1.0 - positive), immune * positive, 1.0 - tumour - immune * positive]
    return np.stack(ways, axis=1)


def linear_effect(totals: Array) -> Array:
    """Return by how much one cell of each way changes the logarithm of the CPS, (4,).

    A numerator below one cell counts as one.
    """
    numerator = max(float(totals @ IN_NUMERATOR), 1.0)
    denominator = max(float(totals @ IN_DENOMINATOR), 1.0)
    return np.asarray(IN_NUMERATOR / numerator - IN_DENOMINATOR / denominator)


def variances(shares: Array, effect: Array) -> Array:
    """Return the variance of the effect of one cell, from the shares (..., 4) of the ways."""
    mean = shares @ effect
    return np.asarray(np.maximum(shares @ effect**2 - mean**2, 0.0))


def sums_by_stratum(stratum: NDArray[np.int64], values: Array) -> Array:
    """Return the sum over each stratum, (strata, columns); cells outside are left out."""
    columns = [np.bincount(stratum, column, minlength=OUTSIDE + 1)[:OUTSIDE] for column in values.T]
    return np.stack(columns, axis=1).astype(np.float64)


# How far each call is expected to be off, before anybody was asked.

_NEAR_CHOICES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4)
"""Staining probabilities from which cells may be near the threshold."""

_USUAL_CLASSES = np.array([[0.75, 0.10, 0.15], [0.15, 0.65, 0.20], [0.10, 0.10, 0.80]])
"""Rows called, columns true: what is mixed with the network's probabilities, which are overconfident."""

_USUAL_WEIGHT = 0.25

_MOST_TRIED = 20_000
"""Cells, evenly taken from all, on which the depth of asking is chosen."""

_BIN = 0.5
"""Width in log-odds of staining in which cells are counted."""

_TAIL = 0.05
"""Stained cells below the threshold that are expected in each unit of log-odds, as a share of those above.

The staining probabilities of rare positive cells are far too high among many negative ones: what is expected
in an interval of log-odds is bounded by this, however many cells lie in it."""

_TAIL_FROM, _TAIL_LENGTH = -2.2, 1.5
"""Log-odds below which the tail thins out, and how far it does so by a factor of e."""

_LEAST_DOUBT = 0.002


def _with_bands(
    frame: AuditFrame,
    called_stained: NDArray[np.bool_],
    stained: Array,
    near_from: float | None,
    questions: int,
) -> AuditFrame:
    """Return the frame with its cells divided by staining, and with their spread."""
    doubt = _expected_doubt(frame, called_stained)
    if near_from is None:
        step = -(-len(stained) // _MOST_TRIED)
        few, lowest = doubt.thinned(step), np.where(called_stained, 1.0, stained)[::step]
        choices = [one for one in _NEAR_CHOICES if one < frame.threshold] or [frame.threshold]
        near_from = min(choices, key=lambda one: few.error(lowest >= one, questions))
    near = ~called_stained & (stained >= min(near_from, frame.threshold))
    band = np.where(called_stained, Band.STAINED, np.where(near, Band.NEAR, Band.UNSTAINED))
    stratum = np.where(frame.inside, frame.stratum + band, OUTSIDE)
    spread = doubt.spread(called_stained | near)
    return replace(frame, near_from=float(near_from), stratum=stratum, spread=spread)


@dataclass(frozen=True, eq=False)
class _Doubt:
    """What is expected of each cell: probabilities of its class, (N, 3), and of staining, (N,)."""

    inside: NDArray[np.bool_]
    classes: Array
    positive: Array

    def thinned(self, step: int) -> _Doubt:
        """Return every so many-th cell."""
        return _Doubt(self.inside[::step], self.classes[::step], self.positive[::step])

    def spread(self, asked: NDArray[np.bool_]) -> Array:
        """Return the standard deviation that each cell gives the logarithm of the CPS, (N,).

        Parameters
        ----------
        asked : bool array, (N,)
            Cells that are asked about their staining.
        """
        ways = ways_from(self.classes, np.where(asked, self.positive, 0.0))
        return np.sqrt(variances(ways, linear_effect(self.inside @ ways))) * self.inside

    def error(self, asked: NDArray[np.bool_], questions: int) -> float:
        """Return the square of the error that is expected to be left.

        The variance of so many answers, and the square of what is hidden among cells that are not asked.
        Thinned cells give the same: each changes the logarithm by so much more.
        """
        expected = self.classes[:, :2].sum(axis=1) * self.positive * self.inside
        hidden = float(expected[~asked].sum()) / max(float(expected.sum()), 1e-9)
        return float(self.spread(asked).sum()) ** 2 / questions + hidden**2


def _expected_doubt(frame: AuditFrame, called_stained: NDArray[np.bool_]) -> _Doubt:
    usual = _USUAL_CLASSES[countable_kind(frame.cells)]
    classes = (1.0 - _USUAL_WEIGHT) * frame.probabilities + _USUAL_WEIGHT * usual
    relevant = classes[:, :2].sum(axis=1) * frame.inside
    return _Doubt(frame.inside, classes, _expected_staining(frame.log_odds, relevant, called_stained))


def _expected_staining(log_odds: Array, relevant: Array, called_stained: NDArray[np.bool_]) -> Array:
    """Return the probability of staining that is expected of each cell, (N,).

    Parameters
    ----------
    log_odds : float array, (N,)
    relevant : float array, (N,)
        Probability of being a tumour or an immune cell.
    called_stained : bool array, (N,)
    """
    number = int(2 * MOST_LOG_ODDS / _BIN) + 1
    place = ((log_odds + MOST_LOG_ODDS) / _BIN).astype(np.int64)
    cells, stated = (
        np.bincount(place, weights, minlength=number)
        for weights in (relevant, relevant * special.expit(log_odds))
    )
    centre = (np.arange(number) + 0.5) * _BIN - MOST_LOG_ODDS
    above = float(relevant[called_stained].sum())
    tail = max(_TAIL * above, 0.5) * _BIN * np.exp(np.minimum(0.0, centre - _TAIL_FROM) / _TAIL_LENGTH)
    bound = np.where(centre >= 0.0, np.maximum(2.0 * tail, 0.35 * stated), tail)
    share = np.minimum(stated, bound) / np.maximum(cells, 1e-9)
    return np.asarray(np.clip(share[place], _LEAST_DOUBT, 1.0 - _LEAST_DOUBT))


# The draw.


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
    inclusion : float
        Probability with which the cell was drawn.
    """

    row: int
    stratum: int
    asks_stained: bool
    guard: bool
    inclusion: float


@dataclass(frozen=True)
class AuditDraw:
    """A sample of cells, drawn by a seed, in the order in which they are shown.

    Parameters
    ----------
    seed : int
    near_from : float
        Of the frame that it was drawn from.
    questions : tuple of AuditQuestion
    """

    seed: int
    near_from: float
    questions: tuple[AuditQuestion, ...]

    @property
    def rows(self) -> tuple[int, ...]:
        """Rows of the cells, in order."""
        return tuple(question.row for question in self.questions)


def allocate_questions(frame: AuditFrame, number: int) -> NDArray[np.int64]:
    """Return how many cells to draw of each stratum, (9,): Neyman's allocation.

    Every stratum that is not empty gets three cells, or all it has.
    """
    spread, sizes = frame.sums_of(frame.spread[:, None])[:, 0], frame.sizes.astype(np.int64)
    given = np.minimum(sizes, _FEWEST_IN_STRATUM)
    while given.sum() < number and (given < sizes).any():
        wanting = np.where(given < sizes, np.maximum(spread, 1e-9) / (given + 0.5), -1.0)
        given[int(wanting.argmax())] += 1
    return given


def draw_audit(
    frame: AuditFrame, number: int = DEFAULT_QUESTIONS, seed: int = 1, guards: int = GUARDS
) -> AuditDraw:
    """Sample the cells to ask about, without replacement, and shuffle them.

    Questions are shared out among strata by Neyman's allocation (Cochran 1977, chapter 5).

    Parameters
    ----------
    frame : AuditFrame
        The cells that may be asked about, in strata.
    number : int
        Questions in all, at least `FEWEST_QUESTIONS`.
    seed : int
        The same seed gives the same sample.
    guards : int
        Cells of unstained strata whose staining is asked as a check.

    Returns
    -------
    AuditDraw
        In the order in which the cells are shown.

    Raises
    ------
    AuditError
        When fewer than `FEWEST_QUESTIONS` are asked for.
    """
    if number < FEWEST_QUESTIONS:
        raise AuditError(
            f"{number} questions are too few for an interval", f"ask for at least {FEWEST_QUESTIONS}"
        )
    rng = np.random.default_rng(seed)
    drawn: list[AuditQuestion] = []
    for stratum, share in enumerate(allocate_questions(frame, number)):
        members = np.flatnonzero(frame.stratum == stratum)
        if not share:
            continue
        inclusion = inclusion_probabilities(frame.spread[members], int(share))
        places = rng.permutation(systematic_sample(inclusion, frame.spread[members], rng))
        guarded = 0 if ASKED[stratum] else -(-guards // len(Kind))
        drawn += [
            AuditQuestion(
                row=int(members[place]),
                stratum=stratum,
                asks_stained=bool(ASKED[stratum]) or number < guarded,
                guard=number < guarded,
                inclusion=float(inclusion[place]),
            )
            for number, place in enumerate(places)
        ]
    order = rng.permutation(len(drawn))
    return AuditDraw(seed, frame.near_from, tuple(drawn[place] for place in order))


def inclusion_probabilities(sizes: Array, number: int) -> Array:
    """Return probabilities in proportion to sizes that sum up to a number; none above 1.

    Parameters
    ----------
    sizes : float array, (N,)
        None negative; where all are 0, all cells are alike.
    number : int
    """
    if number >= len(sizes):
        return np.ones(len(sizes))
    sizes = np.maximum(sizes, 1e-6 * max(float(sizes.max()), 1e-300))
    certain = np.zeros(len(sizes), dtype=bool)
    while True:
        share = (number - certain.sum()) * sizes / sizes[~certain].sum()
        more = ~certain & (share >= 1.0)
        if not more.any():
            return np.where(certain, 1.0, share)
        certain |= more


def systematic_sample(inclusion: Array, order: Array, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return a systematic sample with given inclusion probabilities, from cells sorted by `order`.

    Every n-th part of the sorted cells gives one: the sample is spread over all degrees of doubt.

    Parameters
    ----------
    inclusion : float64 array, (N,)
        Probability of each cell to be in the sample; their sum, rounded, is its size.
    order : float64 array, (N,)
        Equal values are in random order.
    rng : numpy.random.Generator

    Returns
    -------
    int64 array
        Places of the sampled cells in `inclusion`.
    """
    sorted_places = rng.permutation(len(inclusion))
    sorted_places = sorted_places[np.argsort(order[sorted_places], kind="stable")]
    reached = np.cumsum(inclusion[sorted_places])
    number = round(float(reached[-1]))
    ticks = (rng.random() + np.arange(number)) * (reached[-1] / number)
    return np.asarray(sorted_places[np.searchsorted(reached, ticks, side="right").clip(max=len(reached) - 1)])
