"""Drawings that several tests look at; drawn once."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from cxpath.synth.layout import Layout, lay_out
from cxpath.synth.optics import Scanner
from cxpath.synth.recipe import Artefacts, FieldRecipe, HardNegatives, Staining, TissueMix
from cxpath.synth.world import World, build_world

CLEAN = HardNegatives(**{item.name: 0.0 for item in fields(HardNegatives)})
SHARP = Scanner(blur_um=0.0, sharpen=0.0, noise=0.0, jpeg_quality=0)


@pytest.fixture(scope="session")
def rich_mix() -> TissueMix:
    """Some of every tissue."""
    return TissueMix(
        glass_share=0.1, nest_share=0.55, benign_share=0.1, nest_scale_um=120, necrosis_share=0.15,
        keratin_share=0.1, lumen_share=0.1, vessels_mm2=60, glands_mm2=40, plasma_share=0.15,
        neutrophil_share=0.1, eosinophil_share=0.1, macrophage_sheet_share=0.1,
    )  # fmt: skip


@pytest.fixture(scope="session")
def rich_layout(rich_mix: TissueMix) -> Layout:
    return lay_out(np.random.default_rng(8), 500.0, 400.0, rich_mix)


@pytest.fixture(scope="session")
def plain_recipe() -> FieldRecipe:
    """Nest and stroma, half of the tumour stained, no hard negatives, a flawless scanner."""
    staining = Staining(tumour_positive_share=0.5, immune_positive_share=0.4, membrane_od=0.4)
    return FieldRecipe((256, 320), 0.5, TissueMix(nest_share=0.7), staining=staining, hard_negatives=CLEAN,
                       scanner=SHARP, artefacts=Artefacts())  # fmt: skip


@pytest.fixture(scope="session")
def rich_recipe(plain_recipe: FieldRecipe, rich_mix: TissueMix) -> FieldRecipe:
    return replace(plain_recipe, tissue=rich_mix, hard_negatives=HardNegatives())


@pytest.fixture(scope="session")
def rich_world(rich_recipe: FieldRecipe) -> World:
    return build_world(np.random.default_rng(14), 400.0, 360.0, rich_recipe)


@pytest.fixture(scope="session")
def plain_world(plain_recipe: FieldRecipe) -> World:
    return build_world(np.random.default_rng(5), 300.0, 260.0, plain_recipe)
