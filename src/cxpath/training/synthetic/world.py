"""World: everything a piece of drawn tissue is, in micrometres, before anybody looks at it through pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cxpath.training.synthetic.benign import gland_cells, squamous_cells
from cxpath.training.synthetic.cell_plan import CellPlan, join
from cxpath.training.synthetic.cell_shapes import Borders, cell_borders
from cxpath.training.synthetic.clutter import Clutter, scatter_clutter
from cxpath.training.synthetic.layout import Ground, Layout, lay_out
from cxpath.training.synthetic.nests import necrotic_cells, nest_cells
from cxpath.training.synthetic.noise import FloatImage
from cxpath.training.synthetic.recipe import FieldRecipe
from cxpath.training.synthetic.scatter import without_overlap
from cxpath.training.synthetic.staining import as_developed, stain_cells
from cxpath.training.synthetic.stroma import endothelium, fibroblasts, stromal_immune_cells


@dataclass(frozen=True, eq=False)
class World:
    """Layout, cells, clutter and the recipe they came from; drawn once, painted anywhere.

    Parameters
    ----------
    texture_um : tuple of float
        Where the periodic textures start, so that no two worlds share them.
    """

    layout: Layout
    cells: CellPlan
    borders: Borders
    clutter: Clutter
    recipe: FieldRecipe
    texture_um: tuple[float, float]

    @cached_property
    def ground_maps(self) -> dict[Ground, FloatImage]:
        """Share of each ground present, 0-1, one map a ground."""
        present = np.unique(self.layout.ground)
        return {Ground(name): (self.layout.ground == name).astype(np.float32) for name in present}


def build_world(
    rng: np.random.Generator, width_um: float, height_um: float, recipe: FieldRecipe, *, islands: bool = False
) -> World:
    """Draw a world: ground plan, cells, their staining, clutter."""
    layout = lay_out(rng, width_um, height_um, recipe.tissue, islands=islands)
    cells = populate(rng, layout, recipe)
    staining = as_developed(recipe.staining, recipe.stains, recipe.scanner)
    stain_cells(rng, cells, layout, staining, recipe.traps)
    clutter = scatter_clutter(rng, layout, recipe)
    texture = (float(rng.uniform(0, 128)), float(rng.uniform(0, 128)))
    return World(layout, cells, cell_borders(cells), clutter, recipe, texture)


def populate(rng: np.random.Generator, layout: Layout, recipe: FieldRecipe) -> CellPlan:
    """Place all cells; where two would overlap the one of the firmer structure stays."""
    cells = join(
        [
            endothelium(rng, layout, recipe),
            gland_cells(rng, layout, recipe),
            nest_cells(rng, layout, recipe),
            squamous_cells(rng, layout, recipe),
            necrotic_cells(rng, layout, recipe),
            stromal_immune_cells(rng, layout, recipe),
            fibroblasts(rng, layout, recipe),
        ]
    )
    _soften(rng, cells, recipe.nuclei.focus_spread_um)
    inside = (cells["x_um"] >= 0) & (cells["x_um"] < layout.width_um)
    inside &= (cells["y_um"] >= 0) & (cells["y_um"] < layout.height_um)
    cells = cells[inside]
    points = np.stack((cells["x_um"], cells["y_um"]), axis=1)
    return cells[without_overlap(points, np.maximum(cells["nucleus_um"], 1.0), recipe.tissue.nearest_nuclei)]


def _soften(rng: np.random.Generator, cells: CellPlan, spread_um: float) -> None:
    """Put some nuclei out of focus, as they lie deeper in the section."""
    if spread_um > 0:
        softer = spread_um * np.abs(rng.standard_normal(len(cells)))
        cells["blur"] = np.minimum(cells["blur"] + softer, 2.6)
