"""Looks that training's even ranges bring together too seldom, though real slides show them whole.

Each was seen on a real field that the network named wrongly: pale tumour whose small nuclei lie evenly in
cytoplasm that nobody sees, taken for lymphocytes; and macrophages so heavily and coarsely stained that
their nuclei are hardly seen, not taken for cells. Ranges are named here; nothing is cut from those fields.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cxpath.training.synthetic.recipe import FieldRecipe

PALE_SHEET, HEAVY_IMMUNE = 0.15, 0.12
"""How often a field is given each look."""


def with_scarce_looks(recipe: FieldRecipe, rng: np.random.Generator) -> FieldRecipe:
    """Return the recipe, now and then as a pale sheet of tumour or with heavily stained macrophages."""
    if rng.random() < PALE_SHEET:
        recipe = pale_sheet(recipe, rng)
    if rng.random() < HEAVY_IMMUNE:
        recipe = heavy_immune(recipe, rng)
    return recipe


def pale_sheet(recipe: FieldRecipe, rng: np.random.Generator) -> FieldRecipe:
    """Return the recipe with tumour of small pale nuclei, evenly spread, without borders between cells."""
    radius_um = float(rng.uniform(2.9, 4.4))
    nuclei = replace(
        recipe.nuclei,
        tumour_radius_um=radius_um,
        lymphocyte_radius_um=min(recipe.nuclei.lymphocyte_radius_um, 0.8 * radius_um),
        pleomorphism=float(rng.uniform(0.08, 0.25)),
        tumour_elongation=float(rng.uniform(0.1, 0.4)),
        tumour_cover=float(rng.uniform(0.7, 0.98)),
        haematoxylin_od=float(rng.uniform(0.07, 0.18)),
        cytoplasm_od=float(rng.uniform(0.002, 0.015)),
        cytoplasm_tan_od=float(rng.choice([0.0, 0.01])),
        pale_border=float(rng.uniform(0.0, 0.3)),
    )
    tissue = replace(
        recipe.tissue,
        nest_share=float(rng.uniform(0.6, 1.0)),
        nest_scale_um=float(rng.uniform(80.0, 220.0)),
        benign_share=0.0,
        tumour_spacing_um=radius_um * float(rng.uniform(2.5, 3.5)),
        cohesion=float(rng.uniform(0.7, 1.0)),
        disorder=float(rng.uniform(0.0, 0.15)),
        nearest_nuclei=float(rng.uniform(0.8, 1.0)),
        stroma_within=float(rng.choice([0.0, 0.3])),
    )
    return replace(recipe, nuclei=nuclei, tissue=tissue)


def heavy_immune(recipe: FieldRecipe, rng: np.random.Generator) -> FieldRecipe:
    """Return the recipe with macrophages, many of them stained in dense coarse clumps."""
    staining = replace(
        recipe.staining,
        immune_positive_share=float(rng.uniform(0.1, 0.5)),
        immune_od=float(rng.uniform(0.7, 2.2)),
        immune_clumping=float(rng.uniform(0.6, 1.0)),
    )
    tissue = replace(
        recipe.tissue,
        macrophage_share=float(rng.uniform(0.2, 0.6)),
        intratumour_immune_share=float(rng.uniform(0.03, 0.2)),
    )
    return replace(recipe, staining=staining, tissue=tissue)
