from .aided import (
    OTHERS as OTHERS,
    AidedReads as AidedReads,
    ArmsTest as ArmsTest,
    aided_reads as aided_reads,
    aided_statistics as aided_statistics,
    arms_tests as arms_tests,
    by_reader as by_reader,
)
from .base import (
    RULE as RULE,
    AgreementSettings as AgreementSettings,
    Interval as Interval,
    Statistic as Statistic,
    draw_cases as draw_cases,
    median_of as median_of,
)
from .calibration import (
    MapChoice as MapChoice,
    ThresholdChoice as ThresholdChoice,
    choose_map as choose_map,
    choose_threshold as choose_threshold,
)
from .cells import (
    DEFAULT_RADIUS_UM as DEFAULT_RADIUS_UM,
    RADII_UM as RADII_UM,
    ImagePair as ImagePair,
    ObservedCells as ObservedCells,
    confusion as confusion,
    count_ratio_errors as count_ratio_errors,
    detection as detection,
    match_points as match_points,
    same_class as same_class,
)
from .comparison import (
    Indeterminate as Indeterminate,
    Scored as Scored,
)
from .continuous import (
    Scale as Scale,
    lins_concordance as lins_concordance,
)
from .mrmc import (
    Components as Components,
    MrmcTest as MrmcTest,
    ReaderStudyPlan as ReaderStudyPlan,
    cases_for_power as cases_for_power,
    power_of as power_of,
)
from .planning import (
    OnestCurve as OnestCurve,
    Plan as Plan,
    Planned as Planned,
    plan_study as plan_study,
)
from .readers import (
    PairwiseMeasure as PairwiseMeasure,
    onest_curves as onest_curves,
    pairwise_matrix as pairwise_matrix,
)
from .reads import (
    ReadMatrix as ReadMatrix,
    level_names as level_names,
    read_matrix as read_matrix,
)
from .study import (
    AgreementStudy as AgreementStudy,
    Roles as Roles,
    study_reads as study_reads,
)
