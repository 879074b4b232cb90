"""The audit queue: which questions a reader has still to answer, in an order that tells nothing."""

from __future__ import annotations

from dataclasses import dataclass

from cxpath.review.state import ReviewState
from cxpath.scores import AuditQuestion


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
