from .classifier import (
    CellClassifier as CellClassifier,
)
from .evaluate import (
    EvaluationRequest as EvaluationRequest,
    evaluate_model as evaluate_model,
    record_in_card as record_in_card,
)
from .settings import (
    Arm as Arm,
    SyntheticSettings as SyntheticSettings,
    bundled_settings as bundled_settings,
    evaluation_settings as evaluation_settings,
)
from .synthetic import (
    field_counts as field_counts,
)
from .synthetic_set import (
    PlannedSlide as PlannedSlide,
    make_test_slide as make_test_slide,
    plan_slides as plan_slides,
)
