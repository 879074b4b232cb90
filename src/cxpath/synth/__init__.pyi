from .cells import (
    CellPlan as CellPlan,
    cell_borders as cell_borders,
)
from .clutter import (
    lay_artefacts as lay_artefacts,
)
from .field import (
    MARGIN_UM as MARGIN_UM,
    REGION_STRIDE_PX as REGION_STRIDE_PX,
    SyntheticCells as SyntheticCells,
    SyntheticField as SyntheticField,
    brought_to as brought_to,
    make_field as make_field,
    make_scanned_field as make_scanned_field,
    true_cells as true_cells,
)
from .labelled_tissue import (
    KIND_OF_LABEL as KIND_OF_LABEL,
    LABELS as LABELS,
    SOURCES as SOURCES,
    LabelledTile as LabelledTile,
    Part as Part,
    Tissue as Tissue,
    TissueSource as TissueSource,
    read_tiles as read_tiles,
)
from .layout import (
    Ground as Ground,
    Layout as Layout,
)
from .optics import (
    HELD_OUT_STAINS as HELD_OUT_STAINS,
    TRAINING_STAINS as TRAINING_STAINS,
    jpeg_round_trip as jpeg_round_trip,
    optical_density as optical_density,
    random_scanner as random_scanner,
    random_stain_look as random_stain_look,
    scan as scan,
)
from .painting import (
    paint as paint,
)
from .recipe import (
    Artefacts as Artefacts,
    FieldRecipe as FieldRecipe,
    HardNegatives as HardNegatives,
    TissueMix as TissueMix,
    random_hard_negatives as random_hard_negatives,
    random_nuclei as random_nuclei,
    random_recipe as random_recipe,
    random_staining as random_staining,
    random_tissue as random_tissue,
)
from .restain import (
    PreparedTile as PreparedTile,
    RestainedTile as RestainedTile,
    RestainRecipe as RestainRecipe,
    prepare as prepare,
    random_restain as random_restain,
    write_examples as write_examples,
)
from .restain_cells import (
    Outline as Outline,
    read_outlines as read_outlines,
)
from .restain_painting import (
    Painting as Painting,
)
from .slide import (
    SlideTruth as SlideTruth,
    write_synthetic_slide as write_synthetic_slide,
)
from .world import (
    Window as Window,
    World as World,
    as_developed as as_developed,
    build_world as build_world,
    clear_stain as clear_stain,
    stain_cells as stain_cells,
)
