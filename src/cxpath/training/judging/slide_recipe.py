"""Recipes of the drawn test set's fields: one look a slide, and in each field its own tissue and traps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cxpath.training.judging.slide_plan import PlannedSlide
from cxpath.training.judging.synthetic_settings import TissueSettings
from cxpath.training.synthetic.artefacts_recipe import Artefacts
from cxpath.training.synthetic.drawn_field import REGION_STRIDE_PX
from cxpath.training.synthetic.recipe import (
    FieldRecipe,
    HardNegatives,
    TissueMix,
    random_nuclei,
    random_staining,
    random_tissue,
    random_traps,
)
from cxpath.training.synthetic.scanner import random_scanner
from cxpath.training.synthetic.stains import HELD_OUT_STAINS, TRAINING_STAINS, random_stain_look

_RANGES = {"held_out": HELD_OUT_STAINS, "training": TRAINING_STAINS}
_LOOK, _FIELD = 1, 2


def slide_look(planned: PlannedSlide, tissue: TissueSettings) -> FieldRecipe:
    """Draw what all fields of a slide share: nuclei, style of staining, colours, scanner, µm/px.

    Nobody is positive yet; see `shared_staining`.
    """
    rng = planned.dice(_LOOK)
    side_px = round(tissue.field_um / planned.mpp / REGION_STRIDE_PX) * REGION_STRIDE_PX
    return FieldRecipe(
        size_px=(side_px, side_px),
        mpp=planned.mpp,
        nuclei=random_nuclei(rng),
        staining=replace(random_staining(rng), tumour_positive_share=0.0, immune_positive_share=0.0),
        stains=random_stain_look(rng, _RANGES[planned.arm.stains]),
        scanner=random_scanner(rng),
    )


def field_recipe(
    planned: PlannedSlide, look: FieldRecipe, field: int, tissue: TissueSettings
) -> tuple[FieldRecipe, np.random.Generator]:
    """Draw one field's tissue, traps and artefacts; returns the dice to draw it with, too."""
    rng = planned.dice(_FIELD, field)
    mix = _mix(rng)
    recipe = replace(
        look, tissue=mix, traps=_traps(rng, mix), artefacts=_artefacts(rng, tissue.artefact_share)
    )
    return recipe, rng


def _mix(rng: np.random.Generator) -> TissueMix:
    """Draw training's scenes in other proportions: more CIN, glands and lumens."""
    mix = random_tissue(rng)
    return replace(
        mix,
        cervical_intraepithelial=bool(rng.random() < 0.6),
        benign_share=mix.benign_share or float(rng.uniform(0.1, 0.4)) * bool(rng.random() < 0.08),
        glands_mm2=mix.glands_mm2 or float(rng.uniform(20.0, 60.0)) * bool(rng.random() < 0.3),
        lumen_share=mix.lumen_share or float(rng.uniform(0.1, 0.3)) * bool(rng.random() < 0.1),
    )


def _traps(rng: np.random.Generator, mix: TissueMix) -> HardNegatives:
    """Draw training's traps; an edge that is there is brown more often than not."""
    traps = random_traps(rng)
    if mix.glass_share > 0 and rng.random() < 0.5:
        traps = replace(traps, edge_od=float(rng.uniform(0.05, 0.4)))
    return traps


def _artefacts(rng: np.random.Generator, share: float) -> Artefacts:
    pen, bubble, fold, crush, defocus = (bool(rng.random() < share) for _ in range(5))
    return Artefacts(pen, bubble, fold, crush, float(rng.uniform(1.5, 4.0)) if defocus else 0.0)
