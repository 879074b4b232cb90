"""Which of the things that make CPS hard a drawn field holds; each must be in enough fields."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cxpath.training.synthetic.layout import Ground, Layout
from cxpath.training.synthetic.recipe import FieldRecipe

GLAND = "gland"
Seen = frozenset[Ground | str]
"""Every ground that a plan shows, and `GLAND`."""

Test = Callable[[FieldRecipe, Seen], bool]

TRAPS: dict[str, Test] = {
    "keratinising_nest": lambda recipe, ground: Ground.KERATIN in ground,
    "glandular_nest": lambda recipe, ground: Ground.LUMEN in ground and recipe.tissue.lumen_share > 0,
    "necrosis": lambda recipe, ground: Ground.NECROSIS in ground,
    "benign_epithelium": lambda recipe, ground: Ground.BENIGN in ground and recipe.tissue.benign_share > 0,
    "cervical_intraepithelial_neoplasia": lambda recipe, ground: (
        Ground.BENIGN in ground and recipe.tissue.benign_share > 0 and recipe.tissue.cervical_intraepithelial
    ),
    "endocervical_glands": lambda recipe, ground: GLAND in ground,
    "pleomorphic_nuclei": lambda recipe, ground: Ground.NEST in ground and recipe.nuclei.pleomorphism > 0.2,
    "mitoses": lambda recipe, ground: Ground.NEST in ground and recipe.nuclei.mitosis_share > 0.003,
    "cut_beside_the_nucleus": lambda recipe, ground: recipe.nuclei.unseen_nucleus_share > 0.05,
    "macrophage_sheets": lambda recipe, ground: (
        Ground.NEST in ground and recipe.tissue.macrophage_sheet_share > 0
    ),
    "lymphocytes_in_nests": lambda recipe, ground: (
        Ground.NEST in ground and recipe.tissue.intratumour_immune_share > 0.03
    ),
    "lymphocyte_aggregates": lambda recipe, ground: (
        Ground.STROMA in ground and recipe.tissue.aggregate_share > 0
    ),
    "many_plasma_cells": lambda recipe, ground: Ground.STROMA in ground and recipe.tissue.plasma_share > 0.1,
    "many_neutrophils": lambda recipe, ground: recipe.tissue.neutrophil_share > 0.05,
    "many_eosinophils": lambda recipe, ground: recipe.tissue.eosinophil_share > 0.02,
    "vessels": lambda recipe, ground: Ground.VESSEL in ground,
    "cytoplasm_only": lambda recipe, ground: Ground.NEST in ground and recipe.traps.cytoplasm_only_share > 0,
    "nuclear_brown": lambda recipe, ground: Ground.NEST in ground and recipe.traps.nuclear_brown_share > 0,
    "punctate": lambda recipe, ground: Ground.NEST in ground and recipe.traps.punctate_share > 0,
    "brown_immune_nuclei": lambda recipe, ground: recipe.traps.nuclear_brown_immune_share > 0,
    "membrane_below_visible": lambda recipe, ground: (
        Ground.NEST in ground and recipe.traps.subvisible_share > 0
    ),
    "faint_membranes": lambda recipe, ground: recipe.staining.membrane_od < 0.2,
    "partial_membranes": lambda recipe, ground: recipe.staining.complete_share < 0.4,
    "granular_membranes": lambda recipe, ground: recipe.staining.granularity > 0.6,
    "excluded_cells_stained": lambda recipe, ground: recipe.traps.excluded_stained_share > 0,
    "benign_stained": lambda recipe, ground: (
        Ground.BENIGN in ground and recipe.traps.benign_stained_share > 0
    ),
    "brown_necrosis": lambda recipe, ground: Ground.NECROSIS in ground and recipe.traps.necrosis_dab_od > 0,
    "brown_mucus": lambda recipe, ground: Ground.LUMEN in ground and recipe.traps.mucus_dab_od > 0,
    "brown_edge": lambda recipe, ground: Ground.GLASS in ground and recipe.traps.edge_od > 0,
    "free_granules": lambda recipe, ground: recipe.traps.granules_mm2 > 0,
    "membrane_fragments": lambda recipe, ground: recipe.traps.membrane_fragments_mm2 > 0,
    "haemosiderin": lambda recipe, ground: recipe.traps.pigment_mm2 > 0,
    "anthracosis": lambda recipe, ground: recipe.traps.anthracosis_mm2 > 0,
    "vacuoles": lambda recipe, ground: recipe.traps.vacuoles_mm2 > 0,
    "clefts": lambda recipe, ground: Ground.STROMA in ground and recipe.traps.clefts_share > 0,
    "tan_bodies": lambda recipe, ground: recipe.traps.tan_ghosts_mm2 > 0,
    "red_cells": lambda recipe, ground: recipe.traps.red_cells_mm2 > 0,
    "haze": lambda recipe, ground: recipe.traps.haze_od > 0 or recipe.traps.haze_patch_od > 0,
    "pen": lambda recipe, ground: recipe.artefacts.pen,
    "bubble": lambda recipe, ground: recipe.artefacts.bubble,
    "fold": lambda recipe, ground: recipe.artefacts.fold,
    "crush": lambda recipe, ground: recipe.artefacts.crush,
    "out_of_focus": lambda recipe, ground: recipe.artefacts.defocus_um > 0,
    "pale_counterstain": lambda recipe, ground: recipe.nuclei.haematoxylin_od < 0.2,
    "strong_counterstain": lambda recipe, ground: recipe.nuclei.haematoxylin_od > 0.35,
    "strong_compression": lambda recipe, ground: 0 < recipe.scanner.jpeg_quality < 75,
}
"""Name of each trap to how it is known that a field holds it."""


def traps_in(recipe: FieldRecipe, layout: Layout) -> list[str]:
    """Return the names of the traps in one field, as its recipe and its ground plan say."""
    glands = {GLAND} if any(vessel.gland for vessel in layout.vessels) else set[str]()
    ground: Seen = frozenset({Ground(value) for value in np.unique(layout.ground)} | glands)
    return [name for name, holds in TRAPS.items() if holds(recipe, ground)]
