"""The audit queue: which questions a reader has still to answer, in an order that tells nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cxpath.review.state import ReviewState
from cxpath.scores.audit import AuditedScore, AuditQuestion


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


def answers_for_width(score: AuditedScore, fold: float) -> int | None:
    """Return about how many answers in all give an interval whose ends are `fold` times apart.

    The width falls with the square root of the number of answers. None where the CPS is 0.

    Parameters
    ----------
    score : AuditedScore
        So far.
    fold : float
        Upper end divided by lower end; above 1.
    """
    low, high = score.interval
    if low <= 0 or fold <= 1:
        return None
    return max(score.answered, math.ceil(score.answered * (math.log(high / low) / math.log(fold)) ** 2))
