from .clinical import (
    Clinical as Clinical,
    Therapy as Therapy,
)
from .criteria import (
    JURISDICTIONS as JURISDICTIONS,
    Approval as Approval,
    CautionState as CautionState,
    Certainty as Certainty,
    Criteria as Criteria,
    CriteriaFile as CriteriaFile,
    Criterion as Criterion,
    Scalar as Scalar,
    Source as Source,
    Verdict as Verdict,
)
from .profile import (
    ASSUMED_TUMOUR_CELLS as ASSUMED_TUMOUR_CELLS,
    HINT as HINT,
    BiomarkerProfile as BiomarkerProfile,
    Expression as Expression,
    Her2 as Her2,
    HpvClass as HpvClass,
    Pdl1Score as Pdl1Score,
    ScoreKind as ScoreKind,
    ScoreOrigin as ScoreOrigin,
    names_a_person as names_a_person,
    profile_from as profile_from,
)
from .review import (
    WORDING as WORDING,
    CautionResult as CautionResult,
    ClauseResult as ClauseResult,
    CriterionResult as CriterionResult,
    Finding as Finding,
    Severity as Severity,
    TherapyReview as TherapyReview,
    condition_in_words as condition_in_words,
    label_of as label_of,
    lint as lint,
    review_therapy as review_therapy,
)
from .tmb import (
    LEVEL as LEVEL,
    STATED_NOTHING as STATED_NOTHING,
    Burden as Burden,
    Circumstances as Circumstances,
    Preset as Preset,
    mutational_burden as mutational_burden,
    require_annotation as require_annotation,
)
