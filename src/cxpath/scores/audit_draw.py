"""Which cells an audit asks about: how many of each stratum, and a seeded sample of them.

Neyman's allocation for the logarithm of the CPS (Cochran 1977, 5). Knows no files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from cxpath.data import Kind
from cxpath.scores.audit_frame import (
    ASKED,
    Array,
    AuditError,
    AuditFrame,
    expected_ways,
    linear_effect,
    variances,
)

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
