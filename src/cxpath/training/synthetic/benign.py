"""Benign epithelium: layered squamous (or CIN, crowded and dark) and endocervical glands."""

from __future__ import annotations

import numpy as np

from cxpath.training.synthetic.cell_plan import CellPlan, join, new_cells
from cxpath.training.synthetic.layout import STEP_UM, Ground, Layout, Vessel
from cxpath.training.synthetic.noise import points_in_map
from cxpath.training.synthetic.recipe import FieldRecipe
from cxpath.training.synthetic.scatter import packed
from cxpath.values.cell_table import Kind, Subkind


def squamous_cells(rng: np.random.Generator, layout: Layout, recipe: FieldRecipe) -> CellPlan:
    """Small crowded basal cells, large clear cells above; in CIN crowded and dark throughout."""
    look, crowded = recipe.nuclei, recipe.tissue.cervical_intraepithelial
    points = packed(rng, layout.width_um, layout.height_um, 8.2, 0.13)
    ground = points_in_map(layout.ground, points[:, 0], points[:, 1], STEP_UM)
    points = points[(ground == Ground.BENIGN)]
    depth = points_in_map(layout.benign_depth_um, points[:, 0], points[:, 1], STEP_UM).astype(np.float64)
    points, depth = points[depth > -2], depth[depth > -2]
    ripe = np.clip((depth - 8) / 70, 0, 1) * (0.25 if crowded else 1.0)
    kept = rng.random(len(points)) < 1 / (1 + 1.5 * ripe) ** 2
    points, ripe, n = points[kept], ripe[kept], int(kept.sum())
    nucleus = (
        rng.uniform(2.7, 3.4)
        * np.exp(rng.normal(0, 0.16 if crowded else 0.06, n))
        * (1.15 if crowded else 1.0)
    )
    reach = 5.0 + 7.5 * ripe
    angle = np.pi / 2 + points_in_map(layout.fibre_angle, points[:, 0], points[:, 1], STEP_UM).astype(
        np.float64
    )
    return new_cells(
        points[:, 0],
        points[:, 1],
        kind=Kind.OTHER,
        subkind=Subkind.BENIGN_EPITHELIUM,
        reach_um=reach,
        weight_um=reach,
        body=0.92,
        pale_border=look.pale_border * (1 - 0.5 * ripe),
        nucleus_um=nucleus,
        nucleus_aspect=rng.uniform(1.05, 1.6, n),
        nucleus_angle=angle,
        wobble=0.03,
        blur=rng.uniform(0.7, 1.1, n),
        haematoxylin_od=look.haematoxylin_od * (1.15 if crowded else 0.95) * np.exp(rng.normal(0, 0.12, n)),
        vesicular=0.6 * look.vesicular,
        chromatin=rng.uniform(0.1, 0.25, n),
        cytoplasm_od=look.cytoplasm_od * (1 - 0.6 * ripe),
        tan_od=look.cytoplasm_tan_od * (1 - 0.5 * ripe),
        foam=0.1,
        phase=rng.uniform(0, 2 * np.pi, n),
    )


def gland_cells(rng: np.random.Generator, layout: Layout, recipe: FieldRecipe) -> CellPlan:
    """Tall cells around a lumen: nuclei at the base, pale mucin towards the lumen."""
    return join([_gland(rng, vessel, recipe) for vessel in layout.vessels if vessel.gland])


def _gland(rng: np.random.Generator, gland: Vessel, recipe: FieldRecipe) -> CellPlan:
    look = recipe.nuclei
    around = 2 * np.pi * gland.radius_um * (1 + gland.aspect) / 2
    n = max(6, round(around / rng.uniform(4.6, 6.5)))
    turn = (np.arange(n) + rng.uniform(-0.25, 0.25, n)) * 2 * np.pi / n
    radius = gland.radius_um + rng.normal(2.0, 1.0, n)
    along, across = radius * gland.aspect * np.cos(turn), radius * np.sin(turn)
    cosine, sine = np.cos(gland.angle), np.sin(gland.angle)
    x = gland.x_um + along * cosine - across * sine
    y = gland.y_um + along * sine + across * cosine
    inward = np.arctan2(gland.y_um - y, gland.x_um - x)
    return new_cells(
        x,
        y,
        kind=Kind.OTHER,
        subkind=Subkind.BENIGN_EPITHELIUM,
        reach_um=6.0,
        weight_um=5.0,
        aspect=2.2,
        angle=inward,
        body=0.9,
        nucleus_um=rng.uniform(2.4, 3.0) * np.exp(rng.normal(0, 0.07, n)),
        nucleus_aspect=rng.uniform(1.3, 2.1, n),
        nucleus_angle=inward + rng.normal(0, 0.15, n),
        wobble=0.03,
        blur=rng.uniform(0.6, 1.0, n),
        haematoxylin_od=look.haematoxylin_od * np.exp(rng.normal(0, 0.12, n)),
        vesicular=0.3,
        chromatin=0.2,
        cytoplasm_od=0.5 * look.cytoplasm_od,
        tan_od=0.5 * look.cytoplasm_tan_od,
        foam=0.3,
        phase=rng.uniform(0, 2 * np.pi, n),
    )
