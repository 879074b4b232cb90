"""The frame of an audit, and which of its cells are asked about.

The cells that were found are divided into strata: called class by how near the staining probability lies to
the threshold. How many of each stratum are asked about follows Neyman's allocation for the logarithm of the
CPS (Cochran 1977, 5). Knows no files.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy import special

from cxpath.data import CellTable, Kind
from cxpath.errors import CxpathError
from cxpath.scores.counts import countable_kind, counted_positive
from cxpath.scores.settings import ScoringSettings, threshold_of, with_threshold_of

NEAR_FROM = 0.1
"""Staining probability from which an unstained cell is near the threshold."""


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

ASKED = np.array([band != Band.UNSTAINED for _ in Kind for band in Band])
"""Strata whose cells are asked about their staining."""

_USUAL_CLASSES = np.array([[0.75, 0.10, 0.15], [0.15, 0.65, 0.20], [0.10, 0.10, 0.80]])
"""Rows called, columns true: what is mixed with the network's probabilities, which are overconfident."""

_USUAL_STAINED = np.array([0.8, 0.3, 0.0])
_USUAL_WEIGHT = 0.25

_MOST_LOG_ODDS = 9.0

# The four ways in which a cell can enter the CPS, in the order of the last axis of every table here.
IN_NUMERATOR = np.array([1.0, 0.0, 1.0, 0.0])
IN_DENOMINATOR = np.array([1.0, 1.0, 0.0, 0.0])
STAINED_TUMOUR, UNSTAINED_TUMOUR, STAINED_IMMUNE, UNCOUNTED = np.eye(4)

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
        return sums_by_stratum(self.stratum, values) / np.maximum(self.sizes, 1.0)[:, None]


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


def expected_ways(frame: AuditFrame, stained: Array) -> Array:
    """Return the expected share of each way to enter the CPS in each stratum, (strata, 4)."""
    kind = np.arange(len(STRATA)) // BANDS
    band = np.arange(len(STRATA)) % BANDS
    classes = (1.0 - _USUAL_WEIGHT) * frame.mean_of(frame.probabilities) + (
        _USUAL_WEIGHT * _USUAL_CLASSES[kind]
    )
    stated = frame.mean_of(stained[:, None])[:, 0]
    positive = (1.0 - _USUAL_WEIGHT) * stated + _USUAL_WEIGHT * _USUAL_STAINED[band]
    positive = np.where(ASKED, positive, 0.0)
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
    """Return the sum over each stratum, (strata, columns)."""
    columns = [np.bincount(stratum, column, minlength=len(STRATA)) for column in values.T]
    return np.stack(columns, axis=1).astype(np.float64)


DEFAULT_QUESTIONS = 100
FEWEST_QUESTIONS = 20

GUARDS = 9
"""Cells of the unstained strata that are asked about their staining, too: they can widen the interval
upwards and never move the score."""

_CUSTOMARY = np.array([0.16, 0.04, 0.25, 0.16, 0.04, 0.15, 0.04, 0.01, 0.15])
"""Shares of the questions that suit a network of unknown error."""

_CUSTOMARY_WEIGHT = 0.2
"""Of the allocation, how much follows `_CUSTOMARY`; the rest follows the predicted variances."""

_FEWEST_IN_STRATUM = 3


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
    expected = expected_ways(frame, special.expit(frame.log_odds))
    totals = sizes @ expected
    spread = sizes * np.sqrt(variances(expected, linear_effect(totals)))
    customary = np.where(sizes > 0, _CUSTOMARY, 0.0)
    weight = (1.0 - _CUSTOMARY_WEIGHT) * _shares(spread) + _CUSTOMARY_WEIGHT * _shares(customary)
    return _whole_numbers(np.maximum(weight, 1e-9), sizes.astype(np.int64), number)


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
        guarded = 0 if ASKED[stratum] else -(-guards // len(Kind))
        drawn += [
            AuditQuestion(int(row), stratum, bool(ASKED[stratum]) or place < guarded, place < guarded)
            for place, row in enumerate(rows)
        ]
    return AuditDraw(seed, tuple(drawn[place] for place in rng.permutation(len(drawn))))
