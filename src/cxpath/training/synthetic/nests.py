"""Tumour nests: packed polygonal tumour cells, the immune cells among them, and necrosis with its debris."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cxpath.training.synthetic.cell_plan import CellPlan, join, new_cells
from cxpath.training.synthetic.immune_cells import draw_subkinds, immune_cells
from cxpath.training.synthetic.layout import STEP_UM, Ground, Layout
from cxpath.training.synthetic.noise import points_in_map, smooth_field
from cxpath.training.synthetic.recipe import FieldRecipe, NuclearLook
from cxpath.training.synthetic.scatter import Points, packed, sprinkled
from cxpath.values.cell_table import Kind, Subkind

Floats = NDArray[np.float64]


def nest_cells(rng: np.random.Generator, layout: Layout, recipe: FieldRecipe) -> CellPlan:
    """Fill nests with tumour cells, and some of their places with immune cells."""
    mix = recipe.tissue
    points = packed(
        rng, layout.width_um, layout.height_um, mix.tumour_spacing_um, rng.uniform(0.08, 0.2) + mix.disorder
    )
    points = _bent(rng, points, layout, mix.tumour_spacing_um)
    ground = points_in_map(layout.ground, points[:, 0], points[:, 1], STEP_UM)
    points = points[(ground == Ground.NEST) | ((ground == Ground.KERATIN) & (rng.random(len(points)) < 0.15))]
    guest = _guests(rng, points, layout, recipe)
    return join(
        [
            tumour_cells(rng, points[guest == 0], layout, recipe),
            immune_cells(rng, guest[guest > 0], points[guest > 0, 0], points[guest > 0, 1], recipe.nuclei),
            lone_tumour_cells(rng, layout, recipe),
        ]
    )


def lone_tumour_cells(rng: np.random.Generator, layout: Layout, recipe: FieldRecipe) -> CellPlan:
    """Scatter tumour cells singly through stroma, as where a tumour invades without nests."""
    if recipe.tissue.lone_tumour_mm2 <= 0:
        return join([])
    points = sprinkled(rng, layout.width_um, layout.height_um, recipe.tissue.lone_tumour_mm2)
    ground = points_in_map(layout.ground, points[:, 0], points[:, 1], STEP_UM)
    return tumour_cells(rng, points[ground == Ground.STROMA], layout, recipe)


def tumour_cells(rng: np.random.Generator, points: Points, layout: Layout, recipe: FieldRecipe) -> CellPlan:
    """Build tumour cells; in keratinising nests they grow and pale towards the middle."""
    mix, look, n = recipe.tissue, recipe.nuclei, len(points)
    depth = points_in_map(layout.nest_depth_um, points[:, 0], points[:, 1], STEP_UM).astype(np.float64)
    ripe = np.clip(depth / 60, 0, 1) * (1.0 if mix.keratin_share > 0 else 0.2)
    size = np.exp(rng.normal(0, look.pleomorphism, n)) * (0.94 + 0.14 * ripe)
    nucleus = np.minimum(look.tumour_radius_um, 0.44 * mix.tumour_spacing_um) * size
    reach = mix.tumour_spacing_um * rng.uniform(0.66, 0.9, n) * mix.cohesion
    direction, away = rng.uniform(0, 2 * np.pi, n), rng.uniform(0, 0.8, n) * np.clip(reach - nucleus, 0, 2.5)
    unseen = rng.random(n) < look.unseen_nucleus_share
    cells = new_cells(
        points[:, 0],
        points[:, 1],
        kind=Kind.TUMOUR,
        visible=~unseen,
        reach_um=np.maximum(reach, nucleus + 0.8),
        weight_um=reach * (0.9 + 0.1 * size),
        body=look.tumour_cover,
        aspect=rng.uniform(1.0, 1.3, n),
        angle=rng.uniform(0, np.pi, n),
        pale_border=look.pale_border,
        nucleus_um=np.where(unseen, 0.0, nucleus),
        nucleus_aspect=1.0 + rng.gamma(2.0, look.tumour_elongation / 2, n),
        nucleus_angle=_lying(rng, points, layout, look.tumour_alignment),
        offset_x_um=away * np.cos(direction),
        offset_y_um=away * np.sin(direction),
        bend=rng.normal(0, 0.03, n),
        wobble=rng.uniform(0.02, 0.10, n) * (1 + look.pleomorphism) * look.tumour_irregularity,
        blur=rng.uniform(0.6, 1.3, n),
        haematoxylin_od=look.haematoxylin_od * np.exp(rng.normal(0, 0.22, n)) * (1 - 0.2 * ripe),
        vesicular=np.clip(look.vesicular + rng.normal(0, 0.15, n), 0, 1),
        chromatin=rng.uniform(0.1, 0.4, n),
        nucleolus=(rng.random(n) < look.nucleolus_share) * rng.uniform(0.3, 1.0, n),
        cytoplasm_od=look.cytoplasm_od * np.exp(rng.normal(0, 0.25, n)),
        tan_od=look.cytoplasm_tan_od * np.exp(rng.normal(0, 0.3, n)),
        foam=rng.uniform(0.0, 0.35, n),
        phase=rng.uniform(0, 2 * np.pi, n),
    )
    _grazed(rng, cells, unseen)
    _mitoses(rng, cells, look)
    return cells


def _lying(rng: np.random.Generator, points: Points, layout: Layout, alignment: float) -> Floats:
    """Turn nuclei along the fibres, the more the higher the alignment."""
    angle = rng.uniform(0, np.pi, len(points))
    along = points_in_map(layout.fibre_angle, points[:, 0], points[:, 1], STEP_UM).astype(np.float64)
    return np.where(alignment > 0, along + (angle - np.pi / 2) * (1 - alignment), angle)


def _bent(rng: np.random.Generator, points: Points, layout: Layout, spacing_um: float) -> Points:
    """Bend the lattice so that rows are lost and density varies."""
    shape = layout.ground.shape
    shift = [
        points_in_map(smooth_field(rng, shape, STEP_UM, 70.0), points[:, 0], points[:, 1], STEP_UM)
        for _ in range(2)
    ]
    return points + np.stack(shift, axis=1).astype(np.float64) * 0.7 * spacing_um


def _guests(
    rng: np.random.Generator, points: Points, layout: Layout, recipe: FieldRecipe
) -> NDArray[np.uint8]:
    """Name the subkind of the immune cell at each place in the nest; 0 leaves the tumour cell."""
    mix, n = recipe.tissue, len(points)
    guest = np.zeros(n, np.uint8)
    inside = rng.random(n) < mix.intratumour_immune_share
    shares = {
        Subkind.MACROPHAGE: 0.25 + 0.3 * mix.macrophage_share,
        Subkind.NEUTROPHIL: mix.neutrophil_share,
        Subkind.PLASMA: 0.2 * mix.plasma_share,
        Subkind.EOSINOPHIL: mix.eosinophil_share,
    }
    guest[inside] = draw_subkinds(rng, int(inside.sum()), shares)
    if mix.macrophage_sheet_share > 0 and n:
        sheet = points_in_map(
            smooth_field(rng, layout.ground.shape, STEP_UM, 80.0), points[:, 0], points[:, 1], STEP_UM
        ).astype(np.float64)
        taken = (sheet > np.quantile(sheet, 1 - mix.macrophage_sheet_share)) & (rng.random(n) < 0.5)
        guest[taken] = Subkind.MACROPHAGE
    return guest


def _grazed(rng: np.random.Generator, cells: CellPlan, unseen: NDArray[np.bool_]) -> None:
    """Leave a pale shade, which nobody would count, of some nuclei that lie just out of the section."""
    shade = unseen & (rng.random(len(cells)) < 0.35)
    cells["nucleus_um"][shade] = rng.uniform(1.2, 2.6, int(shade.sum()))
    cells["haematoxylin_od"][shade] *= 0.3
    cells["blur"][shade] = 2.5


def _mitoses(rng: np.random.Generator, cells: CellPlan, look: NuclearLook) -> None:
    dividing = (rng.random(len(cells)) < look.mitosis_share) & cells["visible"]
    n = int(dividing.sum())
    cells["haematoxylin_od"][dividing] = np.maximum(0.3, 1.9 * look.haematoxylin_od)
    cells["nucleus_um"][dividing] *= rng.uniform(0.55, 0.75, n)
    cells["nucleus_aspect"][dividing] = rng.uniform(1.6, 3.0, n)
    cells["wobble"][dividing] = 0.25
    cells["vesicular"][dividing] = 0
    cells["pale_border"][dividing] = 0.5


def necrotic_cells(rng: np.random.Generator, layout: Layout, recipe: FieldRecipe) -> CellPlan:
    """Ghosts of tumour cells, shrunken dark nuclei, their fragments, and neutrophils."""
    look, mix = recipe.nuclei, recipe.tissue
    ghosts = packed(rng, layout.width_um, layout.height_um, mix.tumour_spacing_um * 1.05, 0.2)
    ghosts = ghosts[_in_necrosis(layout, ghosts) & (rng.random(len(ghosts)) < 0.55)]
    debris = sprinkled(rng, layout.width_um, layout.height_um, rng.uniform(1000, 7000))
    debris = debris[_in_necrosis(layout, debris)]
    guests = sprinkled(rng, layout.width_um, layout.height_um, 3000 * mix.neutrophil_share + 100)
    guests = guests[_in_necrosis(layout, guests)]
    neutrophils = np.full(len(guests), Subkind.NEUTROPHIL, np.uint8)
    return join(
        [
            _ghosts(rng, ghosts, look),
            _debris(rng, debris, look),
            immune_cells(rng, neutrophils, guests[:, 0], guests[:, 1], look),
        ]
    )


def _in_necrosis(layout: Layout, points: Points) -> NDArray[np.bool_]:
    ground = points_in_map(layout.ground, points[:, 0], points[:, 1], STEP_UM)
    return np.asarray(ground == Ground.NECROSIS)


def _ghosts(rng: np.random.Generator, points: Points, look: NuclearLook) -> CellPlan:
    n = len(points)
    shrunken = rng.random(n) < 0.4
    return new_cells(
        points[:, 0],
        points[:, 1],
        kind=Kind.OTHER,
        subkind=Subkind.NECROTIC,
        reach_um=rng.uniform(4, 7, n),
        weight_um=6.0,
        body=0.3,
        aspect=rng.uniform(1, 1.4, n),
        nucleus_um=np.where(
            shrunken, rng.uniform(1.6, 2.6, n), look.tumour_radius_um * rng.uniform(0.7, 1.0, n)
        ),
        nucleus_aspect=rng.uniform(1, 1.7, n),
        nucleus_angle=rng.uniform(0, np.pi, n),
        wobble=rng.uniform(0.05, 0.2, n),
        blur=rng.uniform(0.8, 1.8, n),
        haematoxylin_od=look.haematoxylin_od
        * np.where(shrunken, rng.uniform(1.0, 1.8, n), rng.uniform(0.25, 0.55, n)),
        chromatin=0.25,
        cytoplasm_od=0.3 * look.cytoplasm_od,
        tan_od=rng.uniform(0.01, 0.06, n),
        foam=0.5,
        phase=rng.uniform(0, 2 * np.pi, n),
    )


def _debris(rng: np.random.Generator, points: Points, look: NuclearLook) -> CellPlan:
    n = len(points)
    return new_cells(
        points[:, 0],
        points[:, 1],
        kind=Kind.OTHER,
        subkind=Subkind.NECROTIC,
        visible=False,
        reach_um=2.0,
        weight_um=1.5,
        nucleus_um=rng.uniform(0.4, 1.2, n),
        nucleus_aspect=rng.uniform(1, 2, n),
        nucleus_angle=rng.uniform(0, np.pi, n),
        blur=0.8,
        haematoxylin_od=look.haematoxylin_od * rng.uniform(0.5, 1.6, n),
        phase=rng.uniform(0, 2 * np.pi, n),
    )
