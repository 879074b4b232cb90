"""Filling a layout with cells: nests, stroma, immune and benign cells."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cxpath.data import Kind, Subkind
from cxpath.synth.cells import CellPlan, Points, join, new_cells, packed, sprinkled
from cxpath.synth.layout import STEP_UM, Ground, Layout, Vessel
from cxpath.synth.noise import points_in_map, smooth_field
from cxpath.synth.recipe import FieldRecipe, NuclearLook

# Benign epithelium: layered squamous (or CIN, crowded and dark) and endocervical glands.


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


# How lymphocytes, macrophages, plasma cells, neutrophils and eosinophils are built. Lengths in µm.


Floats = NDArray[np.float64]


def immune_cells(
    rng: np.random.Generator, subkind: NDArray[np.uint8], x_um: Floats, y_um: Floats, look: NuclearLook
) -> CellPlan:
    """Build one cell at each place, of the subkind named for it."""
    cells = new_cells(x_um, y_um, subkind=subkind)
    for name, build in _BUILDERS.items():
        chosen = subkind == name
        if chosen.any():
            cells[chosen] = build(rng, x_um[chosen], y_um[chosen], look)
    cells["subkind"] = subkind
    immune = np.isin(subkind, (Subkind.LYMPHOCYTE, Subkind.MACROPHAGE))
    cells["kind"] = np.where(immune, Kind.IMMUNE, Kind.OTHER)
    return cells


def sample_subkinds(rng: np.random.Generator, number: int, shares: dict[Subkind, float]) -> NDArray[np.uint8]:
    """Draw subkinds by their shares; what is missing to 1 are lymphocytes."""
    names = np.array([Subkind.LYMPHOCYTE, *shares], np.uint8)
    weights = np.array([0.0, *shares.values()])
    weights[0] = max(0.05, 1 - weights.sum())
    return rng.choice(names, number, p=weights / weights.sum())


def _spread(rng: np.random.Generator, number: int, mean: float, spread: float) -> Floats:
    return mean * np.exp(rng.normal(0, spread, number))


def _lymphocytes(rng: np.random.Generator, x: Floats, y: Floats, look: NuclearLook) -> CellPlan:
    n = len(x)
    nucleus = _spread(rng, n, look.lymphocyte_radius_um, 0.1)
    return new_cells(
        x,
        y,
        reach_um=nucleus + rng.uniform(0.5, 1.3, n),
        weight_um=nucleus + 0.8,
        body=0.6,
        nucleus_um=nucleus,
        nucleus_aspect=rng.uniform(1.0, 1.35, n),
        nucleus_angle=rng.uniform(0, np.pi, n),
        wobble=rng.uniform(0.02, 0.07, n),
        blur=rng.uniform(0.6, 1.1, n),
        haematoxylin_od=look.haematoxylin_od * rng.uniform(1.15, 1.8) * np.exp(rng.normal(0, 0.15, n)),
        vesicular=rng.uniform(0.3, 0.8) * look.vesicular,
        chromatin=rng.uniform(0.1, 0.4, n),
        cytoplasm_od=0.6 * look.cytoplasm_od,
        tan_od=0.5 * look.cytoplasm_tan_od,
        phase=rng.uniform(0, 2 * np.pi, n),
    )


def _macrophages(rng: np.random.Generator, x: Floats, y: Floats, look: NuclearLook) -> CellPlan:
    n = len(x)
    nucleus = _spread(rng, n, look.lymphocyte_radius_um * 1.22, 0.14)
    reach = nucleus * rng.uniform(1.6, 2.6, n)
    direction = rng.uniform(0, 2 * np.pi, n)
    away = rng.uniform(0, 0.45, n) * (reach - nucleus)
    return new_cells(
        x,
        y,
        reach_um=reach,
        weight_um=reach * 0.85,
        body=0.8,
        ragged=rng.uniform(1.2, 3.0, n),
        aspect=rng.uniform(1.0, 1.9, n),
        angle=rng.uniform(0, np.pi, n),
        nucleus_um=nucleus,
        nucleus_aspect=rng.uniform(1.2, 1.9, n),
        nucleus_angle=rng.uniform(0, np.pi, n),
        offset_x_um=away * np.cos(direction),
        offset_y_um=away * np.sin(direction),
        bend=rng.uniform(0.0, 0.16, n),
        wobble=rng.uniform(0.03, 0.1, n),
        blur=rng.uniform(0.7, 1.1, n),
        haematoxylin_od=look.haematoxylin_od * rng.uniform(0.65, 0.95) * np.exp(rng.normal(0, 0.18, n)),
        vesicular=min(1.0, 0.35 + 0.65 * look.vesicular),
        chromatin=rng.uniform(0.15, 0.35, n),
        nucleolus=(rng.random(n) < 0.25) * 0.5,
        cytoplasm_od=look.cytoplasm_od * rng.uniform(0.6, 1.1, n),
        tan_od=0.01 + look.cytoplasm_tan_od,
        foam=rng.uniform(0.2, 0.9, n),
        phase=rng.uniform(0, 2 * np.pi, n),
    )


def _plasma(rng: np.random.Generator, x: Floats, y: Floats, look: NuclearLook) -> CellPlan:
    n = len(x)
    nucleus = _spread(rng, n, look.lymphocyte_radius_um * 0.98, 0.08)
    angle = rng.uniform(0, 2 * np.pi, n)
    away = rng.uniform(1.4, 2.6, n)
    return new_cells(
        x,
        y,
        reach_um=nucleus + rng.uniform(2.0, 3.2, n),
        weight_um=nucleus + 2.2,
        body=0.85,
        aspect=rng.uniform(1.25, 1.7, n),
        angle=angle,
        nucleus_um=nucleus,
        nucleus_aspect=rng.uniform(1.0, 1.2, n),
        offset_x_um=away * np.cos(angle),
        offset_y_um=away * np.sin(angle),
        wobble=0.03,
        blur=0.8,
        haematoxylin_od=look.haematoxylin_od * rng.uniform(1.0, 1.45) * np.exp(rng.normal(0, 0.12, n)),
        vesicular=0.5 * look.vesicular,
        chromatin=0.35,
        clock_face=rng.uniform(0.08, 0.3, n),
        cytoplasm_od=0.03 + 1.2 * look.cytoplasm_od * rng.uniform(0.8, 1.3, n),
        tan_od=0.02,
        phase=rng.uniform(0, 2 * np.pi, n),
    )


def _granulocytes(lobes: tuple[int, ...], tan_od: float) -> Callable[..., CellPlan]:
    def build(rng: np.random.Generator, x: Floats, y: Floats, look: NuclearLook) -> CellPlan:
        """Return granulocytes at the given positions (µm)."""
        n = len(x)
        nucleus = _spread(rng, n, look.lymphocyte_radius_um * 0.92, 0.08)
        return new_cells(
            x,
            y,
            reach_um=nucleus + rng.uniform(1.0, 2.0, n),
            weight_um=nucleus + 1.4,
            body=0.7,
            nucleus_um=nucleus,
            nucleus_angle=rng.uniform(0, 2 * np.pi, n),
            lobes=rng.choice(lobes, n),
            wobble=0.03,
            blur=0.7,
            haematoxylin_od=look.haematoxylin_od * rng.uniform(1.2, 1.8) * np.exp(rng.normal(0, 0.12, n)),
            chromatin=0.1,
            cytoplasm_od=0.3 * look.cytoplasm_od,
            tan_od=tan_od + 0.5 * look.cytoplasm_tan_od,
            foam=0.4 if tan_od > 0.03 else 0.1,
            phase=rng.uniform(0, 2 * np.pi, n),
        )

    return build


_BUILDERS: dict[Subkind, Callable[..., CellPlan]] = {
    Subkind.LYMPHOCYTE: _lymphocytes,
    Subkind.MACROPHAGE: _macrophages,
    Subkind.PLASMA: _plasma,
    Subkind.NEUTROPHIL: _granulocytes((2, 3, 3, 4), 0.01),
    Subkind.EOSINOPHIL: _granulocytes((2,), 0.09),
}


# Tumour nests: packed polygonal tumour cells, the immune cells among them, and necrosis with its debris.


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
    guest[inside] = sample_subkinds(rng, int(inside.sum()), shares)
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


# Stroma: fibroblasts along its fibres, immune cells loose or in aggregates, vessels and their lining.


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
    subkind = sample_subkinds(rng, len(points), shares)
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
