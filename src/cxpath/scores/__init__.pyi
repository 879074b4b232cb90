from .adaptation import (
    Adaptation as Adaptation,
    LogOddsMap as LogOddsMap,
    Regression as Regression,
    adapted_cells as adapted_cells,
    fit_adaptation as fit_adaptation,
)
from .audit import (
    AuditedScore as AuditedScore,
    answers_for_width as answers_for_width,
    audited_estimate as audited_estimate,
    estimate_audit as estimate_audit,
    probability_at_least as probability_at_least,
)
from .audit_answers import (
    SQUARE_UM as SQUARE_UM,
    AuditAnswer as AuditAnswer,
    CellAnswer as CellAnswer,
    MissedSquare as MissedSquare,
    draw_squares as draw_squares,
)
from .audit_sample import (
    DEFAULT_QUESTIONS as DEFAULT_QUESTIONS,
    AuditDraw as AuditDraw,
    AuditError as AuditError,
    AuditFrame as AuditFrame,
    AuditQuestion as AuditQuestion,
    audit_frame as audit_frame,
    draw_audit as draw_audit,
)
from .case import (
    CaseRule as CaseRule,
    CaseScore as CaseScore,
    CaseSlide as CaseSlide,
    ReadSlide as ReadSlide,
    score_case as score_case,
)
from .counts import (
    NEVER_COUNTED as NEVER_COUNTED,
    CalledCells as CalledCells,
    CellCounts as CellCounts,
    GroupedCounts as GroupedCounts,
    call_cells as call_cells,
    combined_positive_score as combined_positive_score,
    count_cells as count_cells,
    countable_kind as countable_kind,
    grouped_counts as grouped_counts,
    in_uncounted_region as in_uncounted_region,
    near_tumour as near_tumour,
    places_on_lattice as places_on_lattice,
    printed_form as printed_form,
    printed_interval as printed_interval,
    two_decimals as two_decimals,
    why_inadequate as why_inadequate,
)
from .fields import (
    FieldLattice as FieldLattice,
    field_number as field_number,
    lay_fields as lay_fields,
    rank_fields as rank_fields,
    sample_fields as sample_fields,
)
from .intervals import (
    sample_scores as sample_scores,
)
from .other_scores import (
    ASSAY_BOUND as ASSAY_BOUND,
    OTHER_SCORES as OTHER_SCORES,
    Assay as Assay,
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
    estimate_cps as estimate_cps,
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
    borderline_rule as borderline_rule,
    decide_cutoff as decide_cutoff,
    slide_error_of as slide_error_of,
    threshold_of as threshold_of,
    with_threshold_of as with_threshold_of,
)
