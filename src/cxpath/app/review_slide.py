"""The story of a review on disk: draw an audit, read its answers, apply edits, sign, verify.

The face of its modules: `review_folder` (the record), `review_audit` and `review_answers` (the audit),
`review_edits` (edited tables), `review_scores` and `review_outcome`
(what holds now), `review_sign` (undo, signature).
"""

from cxpath.app.review_answers import AnswerTable, audit_name, read_answers
from cxpath.app.review_audit import AuditFiles, score_audit, write_audit
from cxpath.app.review_edits import EditedCells, apply_edits, compare_edited
from cxpath.app.review_folder import (
    AUDIT,
    CXPATH,
    EDITED,
    RECORD,
    SHEET,
    SIGNATURE,
    TABLE,
    ReviewFolder,
    open_review,
)
from cxpath.app.review_outcome import ReviewOutcome, publish_review, review_outcome
from cxpath.app.review_sign import sign_review, undo_event, verify_review

__all__ = [
    "AUDIT",
    "CXPATH",
    "EDITED",
    "RECORD",
    "SHEET",
    "SIGNATURE",
    "TABLE",
    "AnswerTable",
    "AuditFiles",
    "EditedCells",
    "ReviewFolder",
    "ReviewOutcome",
    "apply_edits",
    "audit_name",
    "compare_edited",
    "open_review",
    "publish_review",
    "read_answers",
    "review_outcome",
    "score_audit",
    "sign_review",
    "undo_event",
    "verify_review",
    "write_audit",
]
