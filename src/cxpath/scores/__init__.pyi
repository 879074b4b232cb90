from .assay import (
    Assay as Assay,
)
from .audit import (
    DEFAULT_QUESTIONS as DEFAULT_QUESTIONS,
    METHOD as METHOD,
    AuditAnswer as AuditAnswer,
    AuditDraw as AuditDraw,
    AuditedScore as AuditedScore,
    AuditQuestion as AuditQuestion,
    CellAnswer as CellAnswer,
    MissedSquare as MissedSquare,
    answers_for_width as answers_for_width,
    audit_frame as audit_frame,
    draw_audit as draw_audit,
    draw_squares as draw_squares,
    estimate_audit as estimate_audit,
)
from .case import (
    CaseRule as CaseRule,
    CaseScore as CaseScore,
    CaseSlide as CaseSlide,
    score_case as score_case,
)
from .counts import (
    CalledCells as CalledCells,
    CellCounts as CellCounts,
    call_cells as call_cells,
    combined_positive_score as combined_positive_score,
    count_cells as count_cells,
    countable_kind as countable_kind,
    grouped_counts as grouped_counts,
    printed_form as printed_form,
    printed_interval as printed_interval,
    two_decimals as two_decimals,
)
from .fields import (
    FieldLattice as FieldLattice,
    lay_fields as lay_fields,
    rank_fields as rank_fields,
    sample_fields as sample_fields,
)
from .other_scores import (
    ASSAY_BOUND as ASSAY_BOUND,
    OTHER_SCORES as OTHER_SCORES,
)
from .sampling import (
    FieldDrawing as FieldDrawing,
    FieldSample as FieldSample,
    SampledTiles as SampledTiles,
    sample_of as sample_of,
    score_sample as score_sample,
    unassociated as unassociated,
    why_enough as why_enough,
)
from .score import (
    COMPARTMENTS as COMPARTMENTS,
    NO_CALL as NO_CALL,
    ScoreEstimate as ScoreEstimate,
    SlideScore as SlideScore,
    require_intensity_thresholds as require_intensity_thresholds,
    score_cells as score_cells,
    score_expression as score_expression,
    score_fields as score_fields,
)
from .settings import (
    METRIC_PREFIX as METRIC_PREFIX,
    REVIEW as REVIEW,
    Cutoff as Cutoff,
    CutoffVerdict as CutoffVerdict,
    Decision as Decision,
    SamplingSettings as SamplingSettings,
    ScoringSettings as ScoringSettings,
    SlideErrorSettings as SlideErrorSettings,
    threshold_of as threshold_of,
    with_threshold_of as with_threshold_of,
)
