from .cells import (
    calibrated_logits as calibrated_logits,
    name_cells as name_cells,
    positive_probability as positive_probability,
)
from .find_cells import (
    FoundCells as FoundCells,
    Keep as Keep,
    Progress as Progress,
    SlideContext as SlideContext,
    StageTimes as StageTimes,
    added as added,
    bottleneck as bottleneck,
    deduplicator as deduplicator,
    no_cells as no_cells,
    plan_slide as plan_slide,
)
from .settings import (
    CellSettings as CellSettings,
    PipelineSettings as PipelineSettings,
    TileSettings as TileSettings,
)
from .tiles import (
    TilePlan as TilePlan,
    lay_strata as lay_strata,
)
