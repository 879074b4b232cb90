"""Recipes of synthetic tissue: everything that is sampled, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from cxpath.synth.optics import (
    TRAINING_STAINS,
    Scanner,
    StainLook,
    StainRange,
    random_scanner,
    random_stain_look,
)

# Which artefacts of cutting, mounting and scanning lie on a field, and how heavy they are.


@dataclass(frozen=True)
class Artefacts:
    """Artefacts that hide cells; the squares they spoil are marked to be ignored.

    Parameters
    ----------
    pen, bubble, fold, crush : bool
        Ink of a marker; air bubble under the cover slip; folded section; crushed nuclei.
    defocus_um : float
        Standard deviation of the blur inside an out-of-focus patch; 0 for none.
    """

    pen: bool = False
    bubble: bool = False
    fold: bool = False
    crush: bool = False
    defocus_um: float = 0.0


def random_artefacts(rng: np.random.Generator) -> Artefacts:
    """Draw artefacts for training: each in about one field of twenty-five."""
    pen, bubble, fold, crush, defocus = (bool(rng.random() < 0.04) for _ in range(5))
    return Artefacts(pen, bubble, fold, crush, float(rng.uniform(1.5, 4.0)) if defocus else 0.0)


# FieldRecipe: every named parameter of a drawing, with its unit; and the ranges training draws them from.
#
# Shares are 0-1 of cells or of area, optical densities (OD) are base 10. Knows no pixels.


@dataclass(frozen=True)
class TissueMix:
    """Which tissue, how much of it, and who lives there.

    Parameters
    ----------
    glass_share, nest_share, benign_share : float
        Share of the area outside tissue; share of tissue that is tumour nest; that is benign epithelium.
    nest_scale_um, glass_scale_um : float
        Typical width of a nest; of the tissue's outline.
    necrosis_share, lumen_share, keratin_share : float
        Share of the inner part of nests that is necrosis, glandular lumen, keratin pearl.
    tumour_spacing_um : float
        Distance between neighbouring tumour cells.
    cohesion : float
        1: cells touch everywhere; lower: gaps between tumour cells.
    disorder : float
        How far tumour cells stray from even spacing, in units of the spacing, beyond what packing leaves.
    nearest_nuclei : float
        How near two nuclei may lie, in units of the sum of their radii; below 1 they overlap.
    stroma_within : float
        How much stroma's fibres show between tumour cells (0-1), as in diffuse growth.
    lone_tumour_mm2 : float
        Tumour cells that lie singly in stroma, per mm² of it.
    stroma_cells_mm2, fibroblasts_mm2 : float
        Immune cells and fibroblasts per mm² of stroma.
    aggregate_share : float
        Share of stroma that is a dense lymphocyte aggregate.
    border_inflammation : float
        How many times denser immune cells are at the nest border.
    intratumour_immune_share : float
        Share of places in a nest taken by an immune cell.
    macrophage_sheet_share : float
        Share of nest area invaded by macrophage sheets.
    macrophage_share, plasma_share, neutrophil_share, eosinophil_share : float
        Shares of the stromal immune cells; the rest are lymphocytes.
    vessels_mm2, glands_mm2 : float
        Vessels and benign endocervical glands per mm² of stroma.
    cervical_intraepithelial : bool
        Benign squamous epithelium is crowded and dark as in CIN.
    """

    glass_share: float = 0.0
    nest_share: float = 0.6
    benign_share: float = 0.0
    nest_scale_um: float = 150.0
    glass_scale_um: float = 400.0
    necrosis_share: float = 0.0
    lumen_share: float = 0.0
    keratin_share: float = 0.0
    tumour_spacing_um: float = 12.0
    cohesion: float = 1.0
    disorder: float = 0.0
    nearest_nuclei: float = 0.82
    stroma_within: float = 0.0
    lone_tumour_mm2: float = 0.0
    stroma_cells_mm2: float = 1200.0
    fibroblasts_mm2: float = 900.0
    aggregate_share: float = 0.1
    border_inflammation: float = 1.5
    intratumour_immune_share: float = 0.05
    macrophage_sheet_share: float = 0.0
    macrophage_share: float = 0.2
    plasma_share: float = 0.1
    neutrophil_share: float = 0.05
    eosinophil_share: float = 0.02
    vessels_mm2: float = 25.0
    glands_mm2: float = 0.0
    cervical_intraepithelial: bool = False


@dataclass(frozen=True)
class NuclearLook:
    """How nuclei and cytoplasm look in this slide.

    Parameters
    ----------
    tumour_radius_um, lymphocyte_radius_um : float
        Mean nuclear radius.
    pleomorphism : float
        Logarithmic spread of tumour nuclear size, 0.05 (uniform) to 0.35 (bizarre).
    tumour_elongation : float
        How much longer than wide tumour nuclei are on average: 0.15 round, 1 spindle.
    tumour_alignment : float
        0: tumour nuclei lie in any direction; 1: all along the fibres.
    tumour_irregularity : float
        How wavy the outline of tumour nuclei is; 1 as usual.
    tumour_cover : float
        How far a tumour cell hides the ground beneath (0-1): low where cytoplasm cannot be distinguished from
        stroma.
    focus_spread_um : float
        How much softer than usual the edges of nuclei out of focus are.
    haematoxylin_od : float
        Mean amount of haematoxylin in a tumour nucleus.
    vesicular : float
        0: evenly filled nuclei; 1: empty nuclei with a dark rim and clumps.
    nucleolus_share, mitosis_share : float
        Shares of tumour nuclei with a visible nucleolus; in mitosis.
    cytoplasm_od, cytoplasm_tan_od : float
        Bluish and tan haze of tumour cytoplasm.
    pale_border : float
        How far unstained cell borders in a nest are brightened (0-1), as retraction or bridges do.
    unseen_nucleus_share : float
        Share of tumour cells cut outside their nucleus: outline and cytoplasm, but no cell to count.
    """

    tumour_radius_um: float = 4.6
    lymphocyte_radius_um: float = 3.1
    pleomorphism: float = 0.15
    tumour_elongation: float = 0.28
    tumour_alignment: float = 0.0
    tumour_irregularity: float = 1.0
    tumour_cover: float = 0.92
    focus_spread_um: float = 0.0
    haematoxylin_od: float = 0.25
    vesicular: float = 0.5
    nucleolus_share: float = 0.3
    mitosis_share: float = 0.005
    cytoplasm_od: float = 0.05
    cytoplasm_tan_od: float = 0.03
    pale_border: float = 0.3
    unseen_nucleus_share: float = 0.1


@dataclass(frozen=True)
class Staining:
    """Who carries PD-L1, and how it looks.

    Parameters
    ----------
    tumour_positive_share, immune_positive_share : float
        Shares of tumour cells (membrane) and of lymphocytes and macrophages (any) that are positive.
    patchiness : float
        0: positive tumour cells scattered singly; 1: in smooth patches.
    patch_scale_um : float
        Width of those patches.
    border_preference : float
        How much positive immune cells keep to the border of nests.
    membrane_od : float
        Median DAB on the membrane of a positive tumour cell.
    intensity_spread : float
        Logarithmic spread between cells.
    visible_od : float
        Least DAB on a membrane that counts as convincing, as the picture shows it: in a thin or weakly
        developed section or a soft scan more must be there, and more where only part of the outline is
        stained.
    complete_share : float
        Share of positive tumour cells whose whole outline is stained; the others are partial.
    membrane_width_um : float
        Width (2 standard deviations) of a stained membrane.
    blush : float
        Cytoplasm of a positive tumour cell relative to its membrane.
    granularity : float
        0: even; 1: broken into granules.
    immune_od : float
        Median DAB of a positive immune cell.
    immune_clumping : float
        0: even cytoplasm; 1: opaque clumps, as SP142 shows.
    """

    tumour_positive_share: float = 0.3
    immune_positive_share: float = 0.2
    patchiness: float = 0.7
    patch_scale_um: float = 120.0
    border_preference: float = 0.8
    membrane_od: float = 0.3
    intensity_spread: float = 0.35
    visible_od: float = 0.12
    complete_share: float = 0.5
    membrane_width_um: float = 1.3
    blush: float = 0.15
    granularity: float = 0.3
    immune_od: float = 0.4
    immune_clumping: float = 0.3


@dataclass(frozen=True)
class HardNegatives:
    """What looks like a positive cell and is none.

    Parameters
    ----------
    cytoplasm_only_share, nuclear_brown_share, punctate_share : float
        Shares of negative tumour cells with DAB in the cytoplasm, the nucleus, or as a few granules.
    nuclear_brown_od : float
        The densest DAB of such nuclei.
    nuclear_brown_immune_share : float
        Share of negative immune cells with a brown nucleus.
    subvisible_share : float
        Share of negative tumour cells with a membrane trace below what counts.
    excluded_stained_share : float
        Share of plasma cells, neutrophils, eosinophils, fibroblasts and endothelium with DAB.
    benign_stained_share, benign_stained_od : float
        Share of benign epithelium with membrane DAB, and how much.
    necrosis_dab_od : float
        DAB haze over necrosis.
    granules_mm2, pigment_mm2, anthracosis_mm2 : float
        Free DAB granules; haemosiderin or melanin-like clumps; black carbon, per mm² of tissue.
    vacuoles_mm2, clefts_share : float
        Round empty holes per mm²; share of stroma torn into clefts.
    tan_ghosts_mm2, red_cells_mm2, membrane_fragments_mm2 : float
        Tan bodies without nucleus; red blood cells; loose brown lines, per mm².
    haze_od : float
        DAB background haze over all tissue.
    haze_patch_od : float
        Further haze in smooth patches of stroma.
    edge_od : float
        DAB at the tissue's edge.
    keratin_dab_od, mucus_dab_od : float
        Brown of keratin pearls; of mucus in lumens.
    """

    cytoplasm_only_share: float = 0.02
    nuclear_brown_share: float = 0.0
    nuclear_brown_od: float = 0.9
    punctate_share: float = 0.03
    nuclear_brown_immune_share: float = 0.0
    subvisible_share: float = 0.02
    excluded_stained_share: float = 0.05
    benign_stained_share: float = 0.1
    benign_stained_od: float = 0.2
    necrosis_dab_od: float = 0.05
    granules_mm2: float = 300.0
    pigment_mm2: float = 10.0
    anthracosis_mm2: float = 0.0
    vacuoles_mm2: float = 50.0
    clefts_share: float = 0.03
    tan_ghosts_mm2: float = 50.0
    red_cells_mm2: float = 50.0
    membrane_fragments_mm2: float = 30.0
    haze_od: float = 0.01
    haze_patch_od: float = 0.02
    edge_od: float = 0.0
    keratin_dab_od: float = 0.05
    mucus_dab_od: float = 0.02


@dataclass(frozen=True)
class FieldRecipe:
    """All that determines a synthetic field, but for the random numbers.

    Parameters
    ----------
    size_px : tuple of int
        Height and width of the picture.
    mpp : float
        Micrometres per pixel.
    """

    size_px: tuple[int, int] = (448, 448)
    mpp: float = 0.5
    tissue: TissueMix = field(default_factory=TissueMix)
    nuclei: NuclearLook = field(default_factory=NuclearLook)
    staining: Staining = field(default_factory=Staining)
    hard_negatives: HardNegatives = field(default_factory=HardNegatives)
    stains: StainLook = field(default_factory=StainLook)
    scanner: Scanner = field(default_factory=Scanner)
    artefacts: Artefacts = field(default_factory=Artefacts)


def random_recipe(
    rng: np.random.Generator,
    *,
    size_px: tuple[int, int] = (448, 448),
    mpp: float | None = None,
    stains: StainRange = TRAINING_STAINS,
) -> FieldRecipe:
    """Draw a training recipe.

    Parameters
    ----------
    rng : numpy.random.Generator
    size_px : tuple of int
        Height and width of the field.
    mpp : float, optional
        Micrometres per pixel; sampled from 0.45-0.55 when None.
    stains : StainRange
        Stain directions to draw from; `HELD_OUT_STAINS` for tests of transfer.
    """
    return FieldRecipe(
        size_px=size_px,
        mpp=float(rng.uniform(0.45, 0.55)) if mpp is None else mpp,
        tissue=random_tissue(rng),
        nuclei=random_nuclei(rng),
        staining=random_staining(rng),
        hard_negatives=random_hard_negatives(rng),
        stains=random_stain_look(rng, stains),
        scanner=random_scanner(rng),
        artefacts=random_artefacts(rng),
    )


SCENES: dict[str, float] = {
    "nest": 0.27,
    "border": 0.30,
    "stroma": 0.14,
    "aggregate": 0.08,
    "necrosis": 0.10,
    "benign": 0.11,
}
"""How often each kind of scene is made for training."""


def random_tissue(rng: np.random.Generator) -> TissueMix:
    """Draw a scene: mostly nest, nest border, stroma, lymphoid aggregate, necrosis or benign tissue."""
    scene = str(rng.choice(list(SCENES), p=np.array(list(SCENES.values())) / sum(SCENES.values())))
    nest = {
        "nest": (0.8, 1.0),
        "border": (0.25, 0.75),
        "stroma": (0.0, 0.12),
        "aggregate": (0.0, 0.35),
        "necrosis": (0.75, 1.0),
        "benign": (0.0, 0.3),
    }[scene]
    return TissueMix(
        glass_share=_sometimes(rng, 0.22, 0.05, 0.5),
        nest_share=float(rng.uniform(*nest)),
        benign_share=float(rng.uniform(0.3, 0.9)) if scene == "benign" else _sometimes(rng, 0.04, 0.1, 0.3),
        nest_scale_um=_between(rng, 28, 220),
        glass_scale_um=float(rng.uniform(150, 500)),
        necrosis_share=float(rng.uniform(0.4, 0.9))
        if scene == "necrosis"
        else _sometimes(rng, 0.06, 0.1, 0.3),
        lumen_share=_sometimes(rng, 0.2, 0.05, 0.3),
        keratin_share=_sometimes(rng, 0.2, 0.05, 0.3),
        tumour_spacing_um=_between(rng, 8.5, 19.0),
        cohesion=float(rng.uniform(0.75, 1.0) if rng.random() < 0.65 else rng.uniform(0.45, 0.75)),
        disorder=_sometimes(rng, 0.5, 0.05, 0.3),
        nearest_nuclei=float(rng.uniform(0.55, 0.9)),
        stroma_within=_sometimes(rng, 0.4, 0.3, 1.0),
        lone_tumour_mm2=_sometimes(rng, 0.3, 30.0, 500.0),
        stroma_cells_mm2=float(np.exp(rng.uniform(np.log(150), np.log(4500)))),
        fibroblasts_mm2=float(rng.uniform(300, 2200)),
        aggregate_share=float(rng.uniform(0.5, 1.0))
        if scene == "aggregate"
        else _sometimes(rng, 0.3, 0.05, 0.4),
        border_inflammation=float(rng.uniform(1.0, 3.0)),
        intratumour_immune_share=float(rng.choice([0.0, 0.03, 0.08, 0.2]) * rng.uniform(0.5, 1.5)),
        macrophage_sheet_share=_sometimes(rng, 0.13, 0.05, 0.4),
        macrophage_share=float(rng.uniform(0.03, 0.35)),
        plasma_share=float(rng.choice([0.03, 0.15, 0.4]) * rng.uniform(0.4, 1.4)),
        neutrophil_share=float(rng.choice([0.01, 0.08, 0.3]) * rng.uniform(0.3, 1.4)),
        eosinophil_share=float(rng.choice([0.005, 0.03, 0.12]) * rng.uniform(0.3, 1.4)),
        vessels_mm2=float(rng.uniform(0, 180)),
        glands_mm2=float(rng.uniform(20, 80)) if scene == "benign" else _sometimes(rng, 0.05, 5.0, 30.0),
        cervical_intraepithelial=bool(rng.random() < 0.35),
    )


def random_nuclei(rng: np.random.Generator) -> NuclearLook:
    """Draw the look of nuclei, pale and vesicular to small and dark.

    Lymphocytes are smaller than the tumour cells of their own slide, but not than those of every other.
    """
    tumour_radius_um = float(rng.uniform(3.0, 6.6))
    return NuclearLook(
        tumour_radius_um=tumour_radius_um,
        lymphocyte_radius_um=float(rng.uniform(2.3, min(3.5, 0.8 * tumour_radius_um))),
        pleomorphism=float(rng.uniform(0.06, 0.32)),
        tumour_elongation=float(rng.choice([0.15, 0.35, 0.8], p=[0.4, 0.4, 0.2]) * rng.uniform(0.6, 1.3)),
        tumour_alignment=float(rng.uniform(0.0, 1.0)),
        tumour_irregularity=float(rng.uniform(0.4, 2.2)),
        tumour_cover=float(rng.uniform(0.45, 0.95)),
        focus_spread_um=float(rng.choice([0.0, 0.5, 1.2]) * rng.uniform(0.5, 1.2)),
        haematoxylin_od=_between(rng, 0.1, 0.46),
        vesicular=float(rng.uniform(0.0, 0.9)),
        nucleolus_share=float(rng.uniform(0.0, 0.8)),
        mitosis_share=float(rng.uniform(0.0, 0.02)),
        cytoplasm_od=_between(rng, 0.004, 0.11),
        cytoplasm_tan_od=float(rng.choice([0.0, 0.02, 0.06]) * rng.uniform(0.3, 1.4)),
        pale_border=float(rng.uniform(0.0, 0.8)),
        unseen_nucleus_share=float(rng.uniform(0.03, 0.2)),
    )


def random_staining(rng: np.random.Generator) -> Staining:
    """Draw the staining: about a quarter of fields without any, many with rare positive cells."""
    tumour = float(
        rng.choice(
            [0.0, rng.uniform(0.002, 0.04), rng.uniform(0.04, 0.4), rng.uniform(0.4, 1.0)],
            p=[0.33, 0.17, 0.22, 0.28],
        )
    )
    immune = float(rng.choice([0.0, rng.uniform(0.005, 0.08), rng.uniform(0.08, 0.7)], p=[0.35, 0.25, 0.4]))
    return Staining(
        tumour_positive_share=tumour,
        immune_positive_share=immune,
        patchiness=float(rng.uniform(0.35, 1.0) if rng.random() < 0.8 else rng.uniform(0.0, 0.35)),
        patch_scale_um=float(rng.uniform(40, 250)),
        border_preference=float(rng.uniform(0, 1.5)),
        membrane_od=float(np.exp(rng.uniform(np.log(0.12), np.log(1.0)))),
        intensity_spread=float(rng.uniform(0.15, 0.5)),
        complete_share=float(rng.uniform(0.15, 0.95)),
        membrane_width_um=float(rng.uniform(1.0, 2.0)),
        blush=float(rng.choice([0.05, 0.2, 0.35]) * rng.uniform(0.5, 1.3)),
        granularity=float(rng.uniform(0.0, 0.9)),
        immune_od=float(np.exp(rng.uniform(np.log(0.18), np.log(1.3)))),
        immune_clumping=float(rng.uniform(0.0, 1.0)),
    )


def random_hard_negatives(rng: np.random.Generator) -> HardNegatives:
    """Draw the hard negatives: each absent, light or heavy."""
    return HardNegatives(
        cytoplasm_only_share=_sometimes(rng, 0.35, 0.02, 0.7),
        nuclear_brown_share=_sometimes(rng, 0.2, 0.03, 0.8),
        nuclear_brown_od=float(rng.uniform(0.4, 2.2)),
        punctate_share=_sometimes(rng, 0.4, 0.02, 0.4),
        nuclear_brown_immune_share=_sometimes(rng, 0.1, 0.03, 0.4),
        subvisible_share=_sometimes(rng, 0.3, 0.02, 0.2),
        excluded_stained_share=_sometimes(rng, 0.5, 0.03, 0.3),
        benign_stained_share=_sometimes(rng, 0.4, 0.1, 0.6),
        benign_stained_od=float(rng.uniform(0.1, 0.5)),
        necrosis_dab_od=float(rng.choice([0.0, 0.05, 0.2]) * rng.uniform(0.5, 1.5)),
        granules_mm2=float(
            rng.choice([0, 200, 1500, 6000], p=[0.35, 0.3, 0.25, 0.1]) * rng.uniform(0.5, 1.5)
        ),
        pigment_mm2=float(rng.choice([0, 20, 250], p=[0.6, 0.25, 0.15]) * rng.uniform(0.5, 1.5)),
        anthracosis_mm2=float(rng.choice([0, 150], p=[0.9, 0.1]) * rng.uniform(0.5, 1.5)),
        vacuoles_mm2=float(rng.choice([0, 60, 500], p=[0.4, 0.35, 0.25]) * rng.uniform(0.5, 1.5)),
        clefts_share=float(rng.choice([0.0, 0.05, 0.2], p=[0.35, 0.4, 0.25]) * rng.uniform(0.5, 1.5)),
        tan_ghosts_mm2=float(rng.choice([0, 60, 400], p=[0.4, 0.35, 0.25]) * rng.uniform(0.5, 1.5)),
        red_cells_mm2=float(rng.choice([0, 60, 600], p=[0.4, 0.45, 0.15]) * rng.uniform(0.5, 1.5)),
        membrane_fragments_mm2=float(rng.choice([0, 40, 250], p=[0.45, 0.35, 0.2]) * rng.uniform(0.5, 1.5)),
        haze_od=float(rng.choice([0.0, 0.02, 0.06], p=[0.5, 0.35, 0.15]) * rng.uniform(0.3, 1.4)),
        haze_patch_od=float(rng.choice([0.0, 0.03, 0.09], p=[0.5, 0.35, 0.15]) * rng.uniform(0.3, 1.4)),
        edge_od=_sometimes(rng, 0.3, 0.05, 0.4),
        keratin_dab_od=float(rng.choice([0.0, 0.05, 0.18]) * rng.uniform(0.5, 1.5)),
        mucus_dab_od=float(rng.choice([0.0, 0.03, 0.15]) * rng.uniform(0.5, 1.5)),
    )


def _sometimes(rng: np.random.Generator, probability: float, low: float, high: float) -> float:
    value = float(rng.uniform(low, high))
    return value if rng.random() < probability else 0.0


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw evenly on a logarithmic scale."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


# Looks that training's even ranges bring together too seldom, though real slides show them whole.
#
# Each was seen on a real field that the network named wrongly: pale tumour whose small nuclei lie evenly in
# cytoplasm that nobody sees, taken for lymphocytes; and macrophages so heavily and coarsely stained that
# their nuclei are hardly seen, not taken for cells. Ranges are named here; nothing is cut from those fields.


PALE_SHEET, HEAVY_IMMUNE = 0.15, 0.12
"""How often a field is given each look."""


def with_rare_appearances(recipe: FieldRecipe, rng: np.random.Generator) -> FieldRecipe:
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
