"""The audited score: a random sample of cells, answered blind by a person, corrects the network's counts.

The face of its modules: `audit_frame` (cells and strata), `audit_draw` (which cells are asked about),
`audit_answers`, `audit_missed` (cells that the detector missed), `audit_estimate` and `audit_interval`.
"""

from cxpath.scores.audit_answers import AuditAnswer, CellAnswer
from cxpath.scores.audit_draw import (
    DEFAULT_QUESTIONS,
    FEWEST_QUESTIONS,
    GUARDS,
    AuditDraw,
    AuditQuestion,
    allocate_questions,
    draw_audit,
)
from cxpath.scores.audit_estimate import (
    METHOD,
    AuditedScore,
    StratumAnswers,
    answers_for_width,
    estimate_audit,
    probability_at_least,
)
from cxpath.scores.audit_frame import BANDS, NEAR_FROM, STRATA, AuditError, AuditFrame, Band, audit_frame
from cxpath.scores.audit_missed import SQUARE_UM, MissedSquare, draw_squares

__all__ = [
    "BANDS",
    "DEFAULT_QUESTIONS",
    "FEWEST_QUESTIONS",
    "GUARDS",
    "METHOD",
    "NEAR_FROM",
    "SQUARE_UM",
    "STRATA",
    "AuditAnswer",
    "AuditDraw",
    "AuditError",
    "AuditFrame",
    "AuditQuestion",
    "AuditedScore",
    "Band",
    "CellAnswer",
    "MissedSquare",
    "StratumAnswers",
    "allocate_questions",
    "answers_for_width",
    "audit_frame",
    "draw_audit",
    "draw_squares",
    "estimate_audit",
    "probability_at_least",
]
