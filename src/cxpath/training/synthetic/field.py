"""draw_field: one training field and its truth, from a recipe and dice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cxpath.training.synthetic.artefacts import lay_artefacts
from cxpath.training.synthetic.drawn_field import REGION_STRIDE_PX, DrawnCells, DrawnField
from cxpath.training.synthetic.layout import REGION_OF_GROUND, STEP_UM, Layout
from cxpath.training.synthetic.noise import points_in_map
from cxpath.training.synthetic.painting import paint
from cxpath.training.synthetic.recipe import FieldRecipe
from cxpath.training.synthetic.scanner import jpeg_round_trip, scan
from cxpath.training.synthetic.stains import optical_density
from cxpath.training.synthetic.window import Window
from cxpath.training.synthetic.world import World, build_world

MARGIN_UM = 24.0
"""Tissue drawn around the field, so that cells at its border have neighbours."""


def draw_field(recipe: FieldRecipe, rng: np.random.Generator) -> DrawnField:
    """Draw one field; the same recipe and generator state give the same pixels.

    Parameters
    ----------
    recipe : FieldRecipe
    rng : numpy.random.Generator

    Returns
    -------
    DrawnField
        Picture, cells inside it, and region and ignore maps at one value per 8 pixels.
    """
    height, width = recipe.size_px
    margin_px = int(np.ceil(MARGIN_UM / recipe.mpp))
    window = Window(margin_px, margin_px, height, width, recipe.mpp)
    world = build_world(
        rng, (width + 2 * margin_px) * recipe.mpp, (height + 2 * margin_px) * recipe.mpp, recipe
    )
    od = optical_density(paint(world, window), recipe.stains)
    od, spoiled = lay_artefacts(rng, od, recipe.artefacts, recipe.mpp)
    start = (int(rng.integers(4096)), int(rng.integers(4096)))
    rgb = jpeg_round_trip(scan(od, recipe.scanner, recipe.mpp, start), recipe.scanner)
    ignore = _squares(spoiled)
    region = region_squares(world.layout, window)
    return DrawnField(rgb, recipe.mpp, true_cells(world, window), region, ignore)


def true_cells(world: World, window: Window) -> DrawnCells:
    """Return the truth about the cells whose centre lies in the window; nuclear centres, in its pixels."""
    cells = world.cells[world.cells["visible"]]
    x = (cells["x_um"] + cells["offset_x_um"]) / window.mpp - window.column
    y = (cells["y_um"] + cells["offset_y_um"]) / window.mpp - window.row
    inside = (x >= 0) & (x < window.width) & (y >= 0) & (y < window.height)
    cells = cells[inside]
    completeness = np.where(cells["membrane"], cells["completeness"], 0)
    return DrawnCells(
        x[inside].astype(np.float64),
        y[inside].astype(np.float64),
        cells["kind"].copy(),
        cells["subkind"].copy(),
        cells["membrane"].copy(),
        cells["any_stain"].copy(),
        completeness.astype(np.float32),
        cells["nucleus_um"].copy(),
    )


def region_squares(layout: Layout, window: Window) -> NDArray[np.uint8]:
    """Return the `TissueRegion` at the centre of each 8 by 8 pixel square."""
    half = REGION_STRIDE_PX / 2
    x = (window.column + np.arange(window.width // REGION_STRIDE_PX) * REGION_STRIDE_PX + half) * window.mpp
    y = (window.row + np.arange(window.height // REGION_STRIDE_PX) * REGION_STRIDE_PX + half) * window.mpp
    columns, rows = np.meshgrid(x, y)
    ground = points_in_map(layout.ground, columns.ravel(), rows.ravel(), STEP_UM).astype(np.intp)
    region: NDArray[np.uint8] = REGION_OF_GROUND[ground].reshape(len(y), len(x))
    return region


def _squares(spoiled: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say for each square whether any of it is spoiled."""
    rows, columns = (length // REGION_STRIDE_PX for length in spoiled.shape)
    cut = spoiled[: rows * REGION_STRIDE_PX, : columns * REGION_STRIDE_PX]
    return np.asarray(cut.reshape(rows, REGION_STRIDE_PX, columns, REGION_STRIDE_PX).any(axis=(1, 3)))
