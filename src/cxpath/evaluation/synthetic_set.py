"""The synthetic evaluation set: plan, recipes, staining and the slides themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cxpath.data import Kind
from cxpath.evaluation.settings import Arm, Stratum, SyntheticSettings, TissueSettings
from cxpath.metrics import rescaled
from cxpath.synth import (
    HELD_OUT_STAINS,
    MARGIN_UM,
    REGION_STRIDE_PX,
    TRAINING_STAINS,
    Artefacts,
    CellPlan,
    FieldRecipe,
    Ground,
    HardNegatives,
    Layout,
    SyntheticCells,
    TissueMix,
    Window,
    World,
    as_developed,
    build_world,
    cell_borders,
    clear_stain,
    jpeg_round_trip,
    lay_artefacts,
    optical_density,
    paint,
    random_hard_negatives,
    random_nuclei,
    random_scanner,
    random_stain_look,
    random_staining,
    random_tissue,
    scan,
    stain_cells,
    true_cells,
)

# Staining all fields of a synthetic slide together, so that the slide's true CPS lies where it was asked.
#
# `slide_staining` does this for one world to the cell; here positives are spread unevenly over many fields,
# as stain is on a slide, and only cells that are evaluated count.


TRIES = 200

Counts = NDArray[np.int64]


def stain_together(
    rng: np.random.Generator,
    worlds: Sequence[World],
    cps: float,
    accepted: Callable[[Sequence[CellPlan]], bool],
) -> list[World]:
    """Return the worlds stained again.

    Parameters
    ----------
    rng : numpy.random.Generator
    worlds : sequence of World
        Left untouched.
    cps : float
        Aimed at over all visible cells.
    accepted : callable
        Evaluates the cells of all worlds; they are stained again until it agrees.

    Raises
    ------
    ValueError
        When no staining was accepted after `TRIES`.
    """
    for _ in range(TRIES):
        cells = _stained(rng, worlds, cps)
        if accepted(cells):
            return [
                replace(world, cells=plan, borders=cell_borders(plan))
                for world, plan in zip(worlds, cells, strict=True)
            ]
    raise ValueError(f"no staining in {TRIES} gave the score asked for, about {cps:.2f}")


def _stained(rng: np.random.Generator, worlds: Sequence[World], cps: float) -> list[CellPlan]:
    tumour = np.array([_visible_tumour(world.cells) for world in worlds])
    # Without tumour in sight an immune cell is nowhere near one, and would not count.
    immune = np.array([_immune(world.cells) for world in worlds]) * (tumour > 0)
    wanted = round(cps * int(tumour.sum()) / 100)
    from_immune = min(round(wanted * rng.uniform(0.25, 0.75)), int(immune.sum()) // 2)
    from_immune = min(max(from_immune, wanted - int(tumour.sum())), int(immune.sum()))
    from_tumour = min(wanted - from_immune, int(tumour.sum()))
    evenness = rng.gamma(2.0, 0.5, (2, len(worlds))) + 0.1
    tumour_positive = spread(rng, from_tumour, tumour, evenness[0])
    immune_positive = spread(rng, from_immune, immune, evenness[1])
    return [
        _restained(rng, world, int(t), int(i))
        for world, t, i in zip(worlds, tumour_positive, immune_positive, strict=True)
    ]


def _restained(rng: np.random.Generator, world: World, tumour: int, immune: int) -> CellPlan:
    cells = world.cells.copy()
    staining = replace(
        world.recipe.staining,
        tumour_positive_share=tumour / max(1, _visible_tumour(cells)),
        immune_positive_share=immune / max(1, _immune(cells)),
    )
    developed = as_developed(staining, world.recipe.stains, world.recipe.scanner)
    clear_stain(cells)
    stain_cells(rng, cells, world.layout, developed, world.recipe.hard_negatives)
    return cells


def spread(rng: np.random.Generator, number: int, room: Counts, weight: NDArray[np.float64]) -> Counts:
    """Share a number out by chance, to each place by its room and weight and never more than its room.

    Parameters
    ----------
    rng : numpy.random.Generator
    number : int
        At most the sum of `room`.
    room : int64 array, (N,)
    weight : float64 array, (N,)
        Above 0.
    """
    given = np.zeros(len(room), dtype=np.int64)
    while (left := number - int(given.sum())) > 0:
        chance = (room - given) * weight
        given = np.minimum(given + rng.multinomial(left, chance / chance.sum()), room)
    return given


def _visible_tumour(cells: CellPlan) -> int:
    return int(((cells["kind"] == Kind.TUMOUR) & cells["visible"]).sum())


def _immune(cells: CellPlan) -> int:
    return int((cells["kind"] == Kind.IMMUNE).sum())


# Which slides the synthetic test set contains, in the order in which they are evaluated.
#
# The order mixes arms and strata, so that the first N are a fair sample of all.


@dataclass(frozen=True)
class PlannedSlide:
    """One slide to make.

    Parameters
    ----------
    name : str
    arm : Arm
    stratum : Stratum
        Where its true CPS must lie.
    seed : tuple of int
        Seeds its random numbers.
    cps : float
        The CPS to aim at.
    mpp : float
        Micrometres per pixel of its scanner.
    """

    name: str
    arm: Arm
    stratum: Stratum
    seed: tuple[int, ...]
    cps: float
    mpp: float

    def rng(self, *purpose: int) -> np.random.Generator:
        """Return a fresh generator for one purpose, always the same for this slide."""
        return np.random.default_rng([*self.seed, *purpose])


def plan_slides(settings: SyntheticSettings) -> list[PlannedSlide]:
    """Plan every slide of the test set."""
    strata = {stratum.name: (index, stratum) for index, stratum in enumerate(settings.stratum)}
    planned = []
    for arm_index, arm in enumerate(settings.arm):
        for name, number in arm.slides.items():
            stratum_index, stratum = strata[name]
            for slide in range(number):
                seed = (settings.seed, arm_index, stratum_index, slide)
                place = ((slide + 0.5) / number, arm_index, stratum_index)
                planned.append((place, _plan(arm, stratum, seed, settings)))
    return [slide for _, slide in sorted(planned, key=lambda item: item[0])]


def _plan(arm: Arm, stratum: Stratum, seed: tuple[int, ...], settings: SyntheticSettings) -> PlannedSlide:
    rng = np.random.default_rng(seed)
    tissue = settings.tissue
    jitter = rng.uniform(1 - tissue.mpp_jitter, 1 + tissue.mpp_jitter)
    return PlannedSlide(
        name=f"{arm.name}-{stratum.name}-{seed[-1]:03d}",
        arm=arm,
        stratum=stratum,
        seed=seed,
        cps=_asked_cps(rng, stratum),
        mpp=float(rng.choice(tissue.mpps) * jitter),
    )


def _asked_cps(rng: np.random.Generator, stratum: Stratum) -> float:
    if rng.random() < stratum.zero_share:
        return 0.0
    if stratum.scale == "logarithmic":
        return float(np.exp(rng.uniform(np.log(stratum.low_cps), np.log(stratum.high_cps))))
    return float(rng.uniform(stratum.low_cps, stratum.high_cps))


# Recipes of the synthetic test set's fields: one look a slide, and in each field its own tissue and hard
# negatives.


_RANGES = {"held_out": HELD_OUT_STAINS, "training": TRAINING_STAINS}
_LOOK, _FIELD = 1, 2


def slide_look(planned: PlannedSlide, tissue: TissueSettings) -> FieldRecipe:
    """Sample what all fields of a slide share: nuclei, style of staining, colours, scanner, µm/px.

    Nobody is positive yet; see `shared_staining`.
    """
    rng = planned.rng(_LOOK)
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
    """Sample one field's tissue, hard negatives and artefacts, and the generator that paints it."""
    rng = planned.rng(_FIELD, field)
    mix = _mix(rng)
    recipe = replace(
        look,
        tissue=mix,
        hard_negatives=_hard_negatives(rng, mix),
        artefacts=_artefacts(rng, tissue.artefact_share),
    )
    return recipe, rng


def _mix(rng: np.random.Generator) -> TissueMix:
    """Sample training's scenes in other proportions: more CIN, glands and lumens."""
    mix = random_tissue(rng)
    return replace(
        mix,
        cervical_intraepithelial=bool(rng.random() < 0.6),
        benign_share=mix.benign_share or float(rng.uniform(0.1, 0.4)) * bool(rng.random() < 0.08),
        glands_mm2=mix.glands_mm2 or float(rng.uniform(20.0, 60.0)) * bool(rng.random() < 0.3),
        lumen_share=mix.lumen_share or float(rng.uniform(0.1, 0.3)) * bool(rng.random() < 0.1),
    )


def _hard_negatives(rng: np.random.Generator, mix: TissueMix) -> HardNegatives:
    """Sample training's hard negatives; an edge that is there is brown more often than not."""
    hard_negatives = random_hard_negatives(rng)
    if mix.glass_share > 0 and rng.random() < 0.5:
        hard_negatives = replace(hard_negatives, edge_od=float(rng.uniform(0.05, 0.4)))
    return hard_negatives


def _artefacts(rng: np.random.Generator, share: float) -> Artefacts:
    pen, bubble, fold, crush, defocus = (bool(rng.random() < share) for _ in range(5))
    return Artefacts(pen, bubble, fold, crush, float(rng.uniform(1.5, 4.0)) if defocus else 0.0)


# Which of the things that make CPS hard a synthetic field contains; each must be in enough fields.


GLAND = "gland"
Seen = frozenset[Ground | str]
"""Every ground that a plan shows, and `GLAND`."""

Test = Callable[[FieldRecipe, Seen], bool]

HARD_NEGATIVES: dict[str, Test] = {
    "keratinising_nest": lambda recipe, ground: Ground.KERATIN in ground,
    "glandular_nest": lambda recipe, ground: Ground.LUMEN in ground and recipe.tissue.lumen_share > 0,
    "necrosis": lambda recipe, ground: Ground.NECROSIS in ground,
    "benign_epithelium": lambda recipe, ground: Ground.BENIGN in ground and recipe.tissue.benign_share > 0,
    "cervical_intraepithelial_neoplasia": lambda recipe, ground: (
        Ground.BENIGN in ground and recipe.tissue.benign_share > 0 and recipe.tissue.cervical_intraepithelial
    ),
    "endocervical_glands": lambda recipe, ground: GLAND in ground,
    "pleomorphic_nuclei": lambda recipe, ground: Ground.NEST in ground and recipe.nuclei.pleomorphism > 0.2,
    "mitoses": lambda recipe, ground: Ground.NEST in ground and recipe.nuclei.mitosis_share > 0.003,
    "cut_beside_the_nucleus": lambda recipe, ground: recipe.nuclei.unseen_nucleus_share > 0.05,
    "macrophage_sheets": lambda recipe, ground: (
        Ground.NEST in ground and recipe.tissue.macrophage_sheet_share > 0
    ),
    "lymphocytes_in_nests": lambda recipe, ground: (
        Ground.NEST in ground and recipe.tissue.intratumour_immune_share > 0.03
    ),
    "lymphocyte_aggregates": lambda recipe, ground: (
        Ground.STROMA in ground and recipe.tissue.aggregate_share > 0
    ),
    "many_plasma_cells": lambda recipe, ground: Ground.STROMA in ground and recipe.tissue.plasma_share > 0.1,
    "many_neutrophils": lambda recipe, ground: recipe.tissue.neutrophil_share > 0.05,
    "many_eosinophils": lambda recipe, ground: recipe.tissue.eosinophil_share > 0.02,
    "vessels": lambda recipe, ground: Ground.VESSEL in ground,
    "cytoplasm_only": lambda recipe, ground: (
        Ground.NEST in ground and recipe.hard_negatives.cytoplasm_only_share > 0
    ),
    "nuclear_brown": lambda recipe, ground: (
        Ground.NEST in ground and recipe.hard_negatives.nuclear_brown_share > 0
    ),
    "punctate": lambda recipe, ground: Ground.NEST in ground and recipe.hard_negatives.punctate_share > 0,
    "brown_immune_nuclei": lambda recipe, ground: recipe.hard_negatives.nuclear_brown_immune_share > 0,
    "membrane_below_visible": lambda recipe, ground: (
        Ground.NEST in ground and recipe.hard_negatives.subvisible_share > 0
    ),
    "faint_membranes": lambda recipe, ground: recipe.staining.membrane_od < 0.2,
    "partial_membranes": lambda recipe, ground: recipe.staining.complete_share < 0.4,
    "granular_membranes": lambda recipe, ground: recipe.staining.granularity > 0.6,
    "excluded_cells_stained": lambda recipe, ground: recipe.hard_negatives.excluded_stained_share > 0,
    "benign_stained": lambda recipe, ground: (
        Ground.BENIGN in ground and recipe.hard_negatives.benign_stained_share > 0
    ),
    "brown_necrosis": lambda recipe, ground: (
        Ground.NECROSIS in ground and recipe.hard_negatives.necrosis_dab_od > 0
    ),
    "brown_mucus": lambda recipe, ground: Ground.LUMEN in ground and recipe.hard_negatives.mucus_dab_od > 0,
    "brown_edge": lambda recipe, ground: Ground.GLASS in ground and recipe.hard_negatives.edge_od > 0,
    "free_granules": lambda recipe, ground: recipe.hard_negatives.granules_mm2 > 0,
    "membrane_fragments": lambda recipe, ground: recipe.hard_negatives.membrane_fragments_mm2 > 0,
    "haemosiderin": lambda recipe, ground: recipe.hard_negatives.pigment_mm2 > 0,
    "anthracosis": lambda recipe, ground: recipe.hard_negatives.anthracosis_mm2 > 0,
    "vacuoles": lambda recipe, ground: recipe.hard_negatives.vacuoles_mm2 > 0,
    "clefts": lambda recipe, ground: Ground.STROMA in ground and recipe.hard_negatives.clefts_share > 0,
    "tan_bodies": lambda recipe, ground: recipe.hard_negatives.tan_ghosts_mm2 > 0,
    "red_cells": lambda recipe, ground: recipe.hard_negatives.red_cells_mm2 > 0,
    "haze": lambda recipe, ground: (
        recipe.hard_negatives.haze_od > 0 or recipe.hard_negatives.haze_patch_od > 0
    ),
    "pen": lambda recipe, ground: recipe.artefacts.pen,
    "bubble": lambda recipe, ground: recipe.artefacts.bubble,
    "fold": lambda recipe, ground: recipe.artefacts.fold,
    "crush": lambda recipe, ground: recipe.artefacts.crush,
    "out_of_focus": lambda recipe, ground: recipe.artefacts.defocus_um > 0,
    "pale_counterstain": lambda recipe, ground: recipe.nuclei.haematoxylin_od < 0.2,
    "strong_counterstain": lambda recipe, ground: recipe.nuclei.haematoxylin_od > 0.35,
    "strong_compression": lambda recipe, ground: 0 < recipe.scanner.jpeg_quality < 75,
}
"""Name of each hard negative to how it is known that a field contains it."""


def hard_negatives_in(recipe: FieldRecipe, layout: Layout) -> list[str]:
    """Return the names of the hard negatives in one field, as its recipe and its ground plan say."""
    glands = {GLAND} if any(vessel.gland for vessel in layout.vessels) else set[str]()
    ground: Seen = frozenset({Ground(value) for value in np.unique(layout.ground)} | glands)
    return [name for name, is_in in HARD_NEGATIVES.items() if is_in(recipe, ground)]


# Making one slide's worth of test fields with a true CPS in its stratum, and the truth to compare with.


_STAIN, _ARTEFACT, _SCAN = 3, 4, 5


@dataclass(frozen=True, eq=False)
class EvaluatedArea:
    """Where in a field cells are evaluated: away from its edge and from what artefacts spoiled.

    Parameters
    ----------
    spoiled : bool array, (H, W)
        Pixels of the synthetic field.
    mpp : float
        Micrometres per pixel of the synthetic field.
    margin_um : float
    """

    spoiled: NDArray[np.bool_]
    mpp: float
    margin_um: float

    def contains(self, points_um: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say for each point, (N, 2), whether a cell there is evaluated."""
        height, width = self.spoiled.shape
        far = np.array([width, height]) * self.mpp - self.margin_um
        inside = ((points_um >= self.margin_um) & (points_um < far)).all(axis=1)
        column, row = (points_um / self.mpp).astype(np.int64).reshape(-1, 2).T
        spoiled = self.spoiled[row.clip(0, height - 1), column.clip(0, width - 1)]
        return np.asarray(inside & ~spoiled)


@dataclass(frozen=True, eq=False)
class EvaluatedField:
    """One synthetic field, ready for a network.

    Parameters
    ----------
    rgb : uint8 array, (H, W, 3)
        At the µm/px that was asked for.
    points_um : float64 array, (N, 2)
        True cells; micrometres from the field's top left.
    cells : SyntheticCells
    area : EvaluatedArea
    hard_negatives : list of str
    """

    rgb: NDArray[np.uint8]
    points_um: NDArray[np.float64]
    cells: SyntheticCells
    area: EvaluatedArea
    hard_negatives: list[str]


@dataclass(frozen=True, eq=False)
class EvaluatedSlide:
    """All fields of one slide, the scanner's white and JPEG quality (0: none), and strengths of stain.

    The usual strength is 1.
    """

    fields: tuple[EvaluatedField, ...]
    white_point: tuple[float, float, float]
    jpeg_quality: int
    counterstain: float
    dab: float


@dataclass(frozen=True, eq=False)
class _Sketch:
    """A field before it is painted."""

    number: int
    world: World
    window: Window
    area: EvaluatedArea

    def truth(self, cells: CellPlan) -> SyntheticCells:
        """Return the evaluated ones of these cells."""
        visible = true_cells(_with_cells(self.world, cells), self.window)
        return visible.take(self.area.contains(_points_um(visible, self.window.mpp)))

    @property
    def tumour_cells(self) -> int:
        """The number of tumour cells in the field."""
        return int((self.truth(self.world.cells).kind == Kind.TUMOUR).sum())


def make_test_slide(planned: PlannedSlide, tissue: TissueSettings, mpp: float) -> EvaluatedSlide:
    """Make a slide's worth of fields and bring them to `mpp`.

    Parameters
    ----------
    planned : PlannedSlide
    tissue : TissueSettings
    mpp : float
        Micrometres per pixel of the pictures returned; they are made at the slide's own.

    Raises
    ------
    ValueError
        When `most_fields` contain too few tumour cells, or no staining gives a CPS of the stratum.
    """
    look = slide_look(planned, tissue)
    sketches = _sketches(planned, look, tissue)

    def in_stratum(cells: Sequence[CellPlan]) -> bool:
        truths = [one.truth(plan) for one, plan in zip(sketches, cells, strict=True)]
        return planned.stratum.contains(_cps(truths))

    worlds = stain_together(planned.rng(_STAIN), [one.world for one in sketches], planned.cps, in_stratum)
    fields = [_painted(planned, one, world, tissue, mpp) for one, world in zip(sketches, worlds, strict=True)]
    stains = look.stains
    return EvaluatedSlide(
        tuple(fields),
        look.scanner.white,
        look.scanner.jpeg_quality,
        counterstain=stains.haematoxylin_gain * stains.section_thickness,
        dab=stains.dab_gain * stains.section_thickness,
    )


def _sketches(planned: PlannedSlide, look: FieldRecipe, tissue: TissueSettings) -> list[_Sketch]:
    sketches: list[_Sketch] = []
    tumour_cells = 0
    while tumour_cells < tissue.tumour_cells:
        if len(sketches) == tissue.most_fields:
            raise ValueError(
                f"{planned.name}: {len(sketches)} fields contain {tumour_cells} tumour cells only"
            )
        sketches.append(_sketch(planned, look, len(sketches), tissue))
        tumour_cells += sketches[-1].tumour_cells
    return sketches


def _sketch(planned: PlannedSlide, look: FieldRecipe, number: int, tissue: TissueSettings) -> _Sketch:
    recipe, rng = field_recipe(planned, look, number, tissue)
    (height, width), mpp = recipe.size_px, recipe.mpp
    margin_px = int(np.ceil(MARGIN_UM / mpp))
    world = build_world(rng, (width + 2 * margin_px) * mpp, (height + 2 * margin_px) * mpp, recipe)
    spoiled = np.zeros((height, width), bool)
    if recipe.artefacts != Artefacts():
        # Where artefacts will lie depends on their generator alone, not on the picture beneath.
        blank = np.zeros((height, width, 3), np.float32)
        _, spoiled = lay_artefacts(planned.rng(_ARTEFACT, number), blank, recipe.artefacts, mpp)
    window = Window(margin_px, margin_px, height, width, mpp)
    return _Sketch(number, world, window, EvaluatedArea(spoiled, mpp, tissue.margin_um))


def _painted(
    planned: PlannedSlide, sketch: _Sketch, world: World, tissue: TissueSettings, mpp: float
) -> EvaluatedField:
    recipe, window = world.recipe, sketch.window
    od = optical_density(paint(world, window), recipe.stains)
    od, _ = lay_artefacts(planned.rng(_ARTEFACT, sketch.number), od, recipe.artefacts, recipe.mpp)
    start = planned.rng(_SCAN, sketch.number).integers(4096, size=2)
    picture = scan(od, recipe.scanner, recipe.mpp, (int(start[0]), int(start[1])))
    cells = true_cells(world, window)
    return EvaluatedField(
        rgb=rescaled(jpeg_round_trip(picture, recipe.scanner), recipe.mpp / mpp),
        points_um=_points_um(cells, recipe.mpp),
        cells=cells,
        area=sketch.area,
        hard_negatives=hard_negatives_in(recipe, world.layout),
    )


def _with_cells(world: World, cells: CellPlan) -> World:
    return World(world.layout, cells, world.borders, world.clutter, world.recipe, world.texture_um)


def _points_um(cells: SyntheticCells, mpp: float) -> NDArray[np.float64]:
    return np.column_stack([cells.x_px, cells.y_px]) * mpp


def _cps(fields: Sequence[SyntheticCells]) -> float:
    counted = sum(int((cells.positive & (cells.kind != Kind.OTHER)).sum()) for cells in fields)
    tumour = sum(int((cells.kind == Kind.TUMOUR).sum()) for cells in fields)
    return min(100.0, 100.0 * counted / tumour) if tumour else float("nan")
