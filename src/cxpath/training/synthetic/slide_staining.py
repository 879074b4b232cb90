"""Staining a whole slide so that its combined positive score is the one asked for, to the cell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cxpath.training.synthetic.staining import as_developed, clear_stain, stain_cells
from cxpath.training.synthetic.world import World
from cxpath.values.cell_table import Kind


def stain_to_cps(rng: np.random.Generator, world: World, cps: float) -> None:
    """Stain the world's cells anew, in place, splitting the positives between tumour and immune cells."""
    cells = world.cells
    tumour = int(((cells["kind"] == Kind.TUMOUR) & cells["visible"]).sum())
    immune = int((cells["kind"] == Kind.IMMUNE).sum())
    wanted = round(cps * tumour / 100)
    from_immune = min(round(wanted * rng.uniform(0.25, 0.75)), int(0.3 * immune))
    from_immune = max(from_immune, wanted - tumour)
    staining = replace(
        world.recipe.staining,
        tumour_positive_share=(wanted - from_immune) / max(1, tumour),
        immune_positive_share=from_immune / max(1, immune),
    )
    developed = as_developed(staining, world.recipe.stains, world.recipe.scanner)
    clear_stain(cells)
    stain_cells(rng, cells, world.layout, developed, world.recipe.traps)
