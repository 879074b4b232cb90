"""The endless plane that windows of synthetic tissue are cut from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cxpath.synth.cells import Borders, CellPlan, cell_borders, join, without_overlap
from cxpath.synth.clutter import Clutter, scatter_clutter
from cxpath.synth.layout import Ground, Layout, lay_out
from cxpath.synth.noise import FloatImage, periodic_texture, sample_map, sample_periodic
from cxpath.synth.populate import (
    endothelium,
    fibroblasts,
    gland_cells,
    necrotic_cells,
    nest_cells,
    squamous_cells,
    stromal_immune_cells,
)
from cxpath.synth.recipe import FieldRecipe
from cxpath.synth.staining import as_developed, stain_cells

# Window: a rectangle of a world's pixel lattice, and the noise all painters share there.
#
# A pixel is addressed by its place in the whole world, so neighbouring windows paint the same values.


@dataclass(frozen=True)
class Window:
    """A rectangle of the world's lattice.

    Parameters
    ----------
    row, column, height, width : int
        In pixels; row and column may be negative.
    mpp : float
        Micrometres per pixel.
    """

    row: int
    column: int
    height: int
    width: int
    mpp: float

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width

    @property
    def x_um(self) -> NDArray[np.float64]:
        """World coordinate of each column's centre."""
        return np.asarray((np.arange(self.column, self.column + self.width) + 0.5) * self.mpp, np.float64)

    @property
    def y_um(self) -> NDArray[np.float64]:
        """World coordinate of each row's centre."""
        return np.asarray((np.arange(self.row, self.row + self.height) + 0.5) * self.mpp, np.float64)

    def grown(self, margin_px: int) -> Window:
        """Return the window with a margin on all sides."""
        return Window(
            self.row - margin_px,
            self.column - margin_px,
            self.height + 2 * margin_px,
            self.width + 2 * margin_px,
            self.mpp,
        )

    def texture(
        self, seed: int, grain_um: float, start_um: tuple[float, float], *, band: bool = False
    ) -> FloatImage:
        """Sample a periodic texture of structures from about `grain_um`; `band` removes large ones."""
        texel_um = grain_um / 2.0
        texture = periodic_texture(seed, 2.0, 6.0 if band else 0.0)
        return sample_periodic(texture, self.x_um + start_um[0], self.y_um + start_um[1], texel_um)

    def world_map(self, field: FloatImage, step_um: float) -> FloatImage:
        """Sample a map of the world."""
        return sample_map(field, self.x_um, self.y_um, step_um)


# World: everything a piece of synthetic tissue is, in micrometres, before anybody looks at it through pixels.


@dataclass(frozen=True, eq=False)
class World:
    """Layout, cells, clutter and the recipe they came from; made once, painted anywhere.

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
    stain_cells(rng, cells, layout, staining, recipe.hard_negatives)
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
