"""Stroma: fibroblasts along its fibres, immune cells loose or in aggregates, vessels and their lining."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cxpath.training.synthetic.cell_plan import CellPlan, join, new_cells
from cxpath.training.synthetic.immune_cells import draw_subkinds, immune_cells
from cxpath.training.synthetic.layout import STEP_UM, Ground, Layout, Vessel
from cxpath.training.synthetic.noise import points_in_map, smooth_field
from cxpath.training.synthetic.recipe import FieldRecipe
from cxpath.training.synthetic.scatter import Points, packed, sprinkled
from cxpath.values.cell_table import Kind, Subkind

Floats = NDArray[np.float64]
LATTICE_UM = 7.4


def stromal_immune_cells(rng: np.random.Generator, layout: Layout, recipe: FieldRecipe) -> CellPlan:
    """Sprinkle immune cells, denser at the border of nests, and pack aggregates."""
    mix = recipe.tissue
    points = packed(rng, layout.width_um, layout.height_um, LATTICE_UM, 0.22)
    ground, depth, aggregate = (
        points_in_map(plane, points[:, 0], points[:, 1], STEP_UM)
        for plane in (layout.ground, layout.nest_depth_um, layout.aggregate)
    )
    uneven = points_in_map(
        smooth_field(rng, layout.ground.shape, STEP_UM, 60.0), points[:, 0], points[:, 1], STEP_UM
    ).astype(np.float64)
    per_place = LATTICE_UM**2 * np.sqrt(3) / 2 * 1e-6
    near = 1 + (mix.border_inflammation - 1) * np.exp(np.minimum(depth.astype(np.float64), 0) / 40)
    density = mix.stroma_cells_mm2 * per_place * near * np.exp(0.7 * uneven - 0.25)
    chance = np.where(aggregate.astype(bool), 0.8, np.minimum(density, 0.75))
    keep = (ground == Ground.STROMA) & (rng.random(len(points)) < chance)
    points, dense = points[keep], aggregate[keep].astype(bool)
    shares = {
        Subkind.MACROPHAGE: mix.macrophage_share,
        Subkind.PLASMA: mix.plasma_share,
        Subkind.NEUTROPHIL: mix.neutrophil_share,
        Subkind.EOSINOPHIL: mix.eosinophil_share,
    }
    subkind = draw_subkinds(rng, len(points), shares)
    subkind[dense & (rng.random(len(points)) < 0.8)] = Subkind.LYMPHOCYTE
    return immune_cells(rng, subkind, points[:, 0], points[:, 1], recipe.nuclei)


def fibroblasts(rng: np.random.Generator, layout: Layout, recipe: FieldRecipe) -> CellPlan:
    """Lay spindle cells along the fibres; some cut across and look short."""
    points = sprinkled(rng, layout.width_um, layout.height_um, recipe.tissue.fibroblasts_mm2)
    ground = points_in_map(layout.ground, points[:, 0], points[:, 1], STEP_UM)
    points = points[ground == Ground.STROMA]
    angle = points_in_map(layout.fibre_angle, points[:, 0], points[:, 1], STEP_UM).astype(np.float64)
    return _spindles(rng, points, angle + rng.normal(0, 0.2, len(points)), recipe, Subkind.FIBROBLAST)


def endothelium(rng: np.random.Generator, layout: Layout, recipe: FieldRecipe) -> CellPlan:
    """Line each vessel with flat curved cells."""
    parts = [_lining(rng, vessel, recipe) for vessel in layout.vessels if not vessel.gland]
    return join(parts)


def _lining(rng: np.random.Generator, vessel: Vessel, recipe: FieldRecipe) -> CellPlan:
    around = 2 * np.pi * vessel.radius_um * (1 + vessel.aspect) / 2
    turn = np.sort(rng.uniform(0, 2 * np.pi, max(2, round(around / rng.uniform(13, 22)))))
    radius = vessel.radius_um + 1.2
    along, across = radius * vessel.aspect * np.cos(turn), radius * np.sin(turn)
    cosine, sine = np.cos(vessel.angle), np.sin(vessel.angle)
    points = np.stack(
        (vessel.x_um + along * cosine - across * sine, vessel.y_um + along * sine + across * cosine), axis=1
    )
    slope = np.arctan2(np.cos(turn), -vessel.aspect * np.sin(turn)) + vessel.angle
    cells = _spindles(rng, points, slope, recipe, Subkind.ENDOTHELIUM)
    cells["nucleus_um"] *= 0.9
    cells["bend"] = np.clip(1 / (2.5 * radius), 0, 0.12)
    return cells


def _spindles(
    rng: np.random.Generator, points: Points, angle: Floats, recipe: FieldRecipe, subkind: Subkind
) -> CellPlan:
    look, n = recipe.nuclei, len(points)
    aspect = np.exp(rng.normal(np.log(3.3), 0.4, n)).clip(1.3, 8)
    area_radius = rng.uniform(2.3, 3.5, n)
    return new_cells(
        points[:, 0],
        points[:, 1],
        kind=Kind.OTHER,
        subkind=subkind,
        reach_um=rng.uniform(3.5, 5.5, n),
        weight_um=3.0,
        aspect=np.minimum(aspect * 1.6, 8.0),
        angle=angle,
        body=0.3,
        nucleus_um=area_radius,
        nucleus_aspect=aspect,
        nucleus_angle=angle,
        bend=rng.normal(0, 0.03, n),
        wobble=rng.uniform(0.02, 0.08, n),
        blur=rng.uniform(0.6, 1.2, n),
        haematoxylin_od=look.haematoxylin_od * rng.uniform(0.6, 1.1) * np.exp(rng.normal(0, 0.3, n)),
        vesicular=0.5 * look.vesicular,
        chromatin=rng.uniform(0.1, 0.3, n),
        cytoplasm_od=0.9 * look.cytoplasm_od,
        tan_od=0.7 * look.cytoplasm_tan_od,
        phase=rng.uniform(0, 2 * np.pi, n),
    )
