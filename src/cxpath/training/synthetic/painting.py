"""Painting a window of a world: ground, cells and clutter composed into stain layers."""

from __future__ import annotations

from cxpath.training.synthetic.cell_painting import paint_cells
from cxpath.training.synthetic.clutter_painting import paint_clutter
from cxpath.training.synthetic.ground_painting import paint_ground
from cxpath.training.synthetic.stains import StainLayers
from cxpath.training.synthetic.window import Window
from cxpath.training.synthetic.world import World


def paint(world: World, window: Window) -> StainLayers:
    """Return the amounts of stain in a window; neighbouring windows meet without a seam."""
    layers = paint_ground(world, window)
    cells = paint_cells(world, window)
    uncovered = 1 - cells.cover
    layers.haematoxylin[:] *= uncovered
    layers.tan[:] *= uncovered
    layers.dab[:] *= 0.5 + 0.5 * uncovered
    layers.haematoxylin[:] += cells.cytoplasm
    layers.tan[:] += cells.tan
    layers.haematoxylin[:] += cells.nucleus
    layers.dab[:] += cells.dab
    paint_clutter(world, window, layers)
    return layers
