"""What a reader looks at next: open questions of the audit, cells whose doubtful call moves the score most.

Knows no files.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import special

from cxpath.data import CellTable, Kind
from cxpath.review.state import ReviewState
from cxpath.scores import AuditQuestion, CellCounts, in_uncounted_region


@dataclass(frozen=True)
class AuditQueue:
    """One reader's audit.

    Parameters
    ----------
    open : tuple of AuditQuestion
        Not answered yet, in the order of the draw, which is shuffled over the strata.
    answered : int
    """

    open: tuple[AuditQuestion, ...]
    answered: int

    @property
    def done(self) -> bool:
        """Whether every question has its answer."""
        return not self.open


def audit_queue(state: ReviewState, actor: str) -> AuditQueue:
    """Return what a reader has still to answer; empty before an audit is drawn."""
    questions = state.audit.draw.questions if state.audit else ()
    waiting = tuple(one for one in questions if (actor, one.row) not in state.answers)
    return AuditQueue(waiting, len(questions) - len(waiting))


Array = NDArray[np.float64]

_FARTHEST = 1e-6
"""Probabilities nearer to 0 or 1 than this are clipped there."""


class Doubt(StrEnum):
    """What of a cell's call is doubted."""

    ALL = "all"
    CLASS = "class"
    STAINING = "staining"


def uncertainty(
    cells: CellTable, counts: CellCounts, stained_threshold: float, doubt: Doubt = Doubt.ALL
) -> Array:
    """Return for each cell the standard deviation that its doubtful call gives the logarithm of the CPS.

    A cell enters the CPS as stained or unstained tumour, as stained immune cell, or not at all; its
    probabilities of these and what each would change give the variance. Probabilities of staining are
    shifted in log-odds, so that the threshold stands at one half.

    Parameters
    ----------
    cells : CellTable
    counts : CellCounts
        Of the slide.
    stained_threshold : float
    doubt : Doubt
        What is taken as doubtful; the rest as it is called.

    Returns
    -------
    float array, (N,)
        0 for cells whose call is certain or not stated, and in necrosis or benign epithelium.
    """
    tumour, immune = _class_probabilities(cells, certain=doubt is Doubt.STAINING)
    stained = _stained_probability(cells, stained_threshold, certain=doubt is Doubt.CLASS)
    up = 1.0 / max(counts.positive, 1)
    down = 1.0 / max(counts.tumour, 1)
    in_numerator = (tumour + immune) * stained
    mean = in_numerator * up - tumour * down
    square = tumour * stained * (up - down) ** 2 + tumour * (1 - stained) * down**2 + immune * stained * up**2
    spread = np.sqrt(np.maximum(square - mean**2, 0.0))
    spread[in_uncounted_region(cells)] = 0.0
    return np.asarray(spread)


def _class_probabilities(cells: CellTable, *, certain: bool) -> tuple[Array, Array]:
    stated = [column.astype(np.float64) for column in (cells.p_tumour, cells.p_immune, cells.p_other)]
    total = stated[0] + stated[1] + stated[2]
    known = np.isfinite(total) & (total > 0) & (not certain)
    whole = np.where(known, total, 1.0)
    tumour, immune = (
        np.where(known, stated[kind], cells.kind == kind) / whole for kind in (Kind.TUMOUR, Kind.IMMUNE)
    )
    return tumour, immune


def _stained_probability(cells: CellTable, threshold: float, *, certain: bool) -> Array:
    called = (cells.stained >= threshold).astype(np.float64)
    if certain:
        return called
    stated = cells.stained.astype(np.float64)
    held = np.clip(stated, _FARTHEST, 1.0 - _FARTHEST)
    centre = special.logit(np.clip(threshold, _FARTHEST, 1.0 - _FARTHEST))
    shifted = special.expit(special.logit(held) - centre)
    doubtful = np.isfinite(stated) & (stated > 0.0) & (stated < 1.0)
    return np.where(doubtful, shifted, called)


def most_uncertain(spread: Array, usable: NDArray[np.bool_], number: int) -> NDArray[np.int64]:
    """Return the rows of the most uncertain usable cells, most uncertain first; certain ones are left out."""
    rows = np.flatnonzero(usable & (spread > 0))
    if len(rows) > number:
        rows = rows[np.argpartition(-spread[rows], number)[:number]]
    return rows[np.lexsort((rows, -spread[rows]))]
