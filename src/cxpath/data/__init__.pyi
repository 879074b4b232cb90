from .cells import (
    COLUMNS as COLUMNS,
    EMBEDDING_COMPONENTS as EMBEDDING_COMPONENTS,
    FINE_CLASSES as FINE_CLASSES,
    IMMUNE_SUBKINDS as IMMUNE_SUBKINDS,
    REGION_CLASSES as REGION_CLASSES,
    STAIN_CLASSES as STAIN_CLASSES,
    Calibration as Calibration,
    CellPeaks as CellPeaks,
    CellTable as CellTable,
    CellTableFacts as CellTableFacts,
    Kind as Kind,
    Subkind as Subkind,
    TissueRegion as TissueRegion,
)
from .extras import (
    import_extra as import_extra,
)
from .frames import (
    from_anndata as from_anndata,
    staining_codes as staining_codes,
    to_anndata as to_anndata,
    to_pandas as to_pandas,
)
from .matching import (
    match_points as match_points,
)
from .reads import (
    NO_READ as NO_READ,
    NOT_EVALUABLE as NOT_EVALUABLE,
    Read as Read,
    ReadState as ReadState,
    ReadValue as ReadValue,
    ScoreMap as ScoreMap,
    exactly as exactly,
)
from .reasons import (
    RESEARCH_USE as RESEARCH_USE,
    Reason as Reason,
    ReasonCode as ReasonCode,
    ResearchUse as ResearchUse,
    coded as coded,
)
from .regions import (
    Region as Region,
    RegionMeaning as RegionMeaning,
    Regions as Regions,
    RegionUse as RegionUse,
)
from .settings import (
    AnySettings as AnySettings,
    Settings as Settings,
    bundled as bundled,
    parse_toml as parse_toml,
    read_settings as read_settings,
    usable_cores as usable_cores,
)
from .slide_info import (
    DEFAULT_DAB as DEFAULT_DAB,
    DEFAULT_HEMATOXYLIN as DEFAULT_HEMATOXYLIN,
    ColourProfile as ColourProfile,
    Direction as Direction,
    SlideInfo as SlideInfo,
    StainBasis as StainBasis,
    TileFrame as TileFrame,
    TissueAreas as TissueAreas,
    optical_density as optical_density,
    unit as unit,
)
from .variants import (
    Consequence as Consequence,
    GenomeIntervals as GenomeIntervals,
    Known as Known,
    SampleVariants as SampleVariants,
    Variant as Variant,
    plain_chromosome as plain_chromosome,
)
from .workers import (
    default_workers as default_workers,
    worker_processes as worker_processes,
)
