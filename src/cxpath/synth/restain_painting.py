"""PD-L1 painted onto the cells of a real tile, with exact truth: who is stained, how, and who only looks so.

Truth is what is painted. Where a border is painted for a neighbour's sake and takes half of a cell that is
itself negative, a reader could call either: that cell's staining is stated as unknown. Knows nothing of
colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from cxpath.synth.labelled_tissue import LABELS, Tissue
from cxpath.synth.noise import FloatImage, smooth_field
from cxpath.synth.restain_cells import CellMap, neighbours_of

Flags = NDArray[np.bool_]
Numbers = NDArray[np.float64]


class Painting(StrEnum):
    """How staining is laid over tissue."""

    USUAL = "usual"
    """As PD-L1 stains: tumour membranes in patches, immune cells next to them, hard negatives."""
    INDEPENDENT = "independent"
    """Cells of every class stain alike: nothing brown says what a cell is."""
    RESERVED = "reserved"
    """Whole nests at once, membranes as strings of beads, cytoplasm that fades from one side: never trained
    on."""


class Pattern(StrEnum):
    """How the positive tumour cells of a tile stain."""

    COMPLETE = "complete"
    CONFLUENT = "confluent"
    PARTIAL = "partial"
    GRANULAR = "granular"
    APICAL = "apical"
    CYTOPLASM_TOO = "cytoplasm_too"


@dataclass(frozen=True)
class PaintingRecipe:
    """What is painted on one tile; shares are 0-1 of the cells concerned, OD base 10 before optics.

    Parameters
    ----------
    painting : Painting
    pattern : Pattern
    tumour_share, immune_share, stroma_share : float
        Share of tumour cells with a stained membrane, of immune and of stromal cells with any staining.
    patch_um : float
        Size of positive patches.
    membrane_od, membrane_um : float
        Amount at the middle of a membrane, and its full width.
    visible_od : float
        Least amount that a reader calls convincing.
    spread : float
        Logarithmic spread of amounts from cell to cell.
    unevenness : float
        How much amounts vary along one outline.
    cytoplasm_only_share, faint_share, dots_share : float
        Of negative tumour cells: stained cytoplasm without a membrane; a membrane too faint to count; a few
        brown dots.
    brown_nuclei_share : float
        Share of all nuclei that are brown, as from a nuclear marker or an over-developed slide.
    immune_clumps : float
        0: rims and cytoplasm of immune cells are even; 1: coarse clumps.
    haze_od : float
        Brown haze over fibres and cytoplasm.
    granules_mm2 : float
        Brown specks that belong to no cell.
    """

    painting: Painting
    pattern: Pattern
    tumour_share: float
    immune_share: float
    stroma_share: float
    patch_um: float
    membrane_od: float
    membrane_um: float
    visible_od: float
    spread: float
    unevenness: float
    cytoplasm_only_share: float
    faint_share: float
    dots_share: float
    brown_nuclei_share: float
    immune_clumps: float
    haze_od: float
    granules_mm2: float


@dataclass(frozen=True, eq=False)
class Painted:
    """DAB on a tile and the truth about it.

    Parameters
    ----------
    dab : float32 array, (height, width)
        Optical density of DAB.
    covered : float32 array, (height, width)
        How far DAB hides haematoxylin in brown nuclei, 0-1.
    membrane, any_stain : bool array, (N,)
    known : bool array, (N,)
        False where a reader could call the cell either way.
    """

    dab: FloatImage
    covered: FloatImage
    membrane: Flags
    any_stain: Flags
    known: Flags


def random_painting(rng: np.random.Generator, painting: Painting) -> PaintingRecipe:
    """Draw a recipe."""
    none = rng.random() < 0.15
    share = float(rng.choice([rng.beta(0.5, 6), rng.beta(1.2, 1.2), 1.0], p=[0.35, 0.55, 0.1]))
    nuclear = rng.random() < 0.1
    visible = float(rng.uniform(0.13, 0.2))
    return PaintingRecipe(
        painting=painting,
        pattern=Pattern(rng.choice(list(Pattern), p=[0.25, 0.15, 0.25, 0.12, 0.08, 0.15])),
        tumour_share=0.0 if none or nuclear else share,
        immune_share=0.0 if none or nuclear else float(rng.choice([rng.beta(0.6, 8), rng.beta(1, 2)])),
        stroma_share=float(rng.choice([0.0, 0.03, 0.15], p=[0.5, 0.3, 0.2]) * rng.random()),
        patch_um=float(np.exp(rng.uniform(np.log(25), np.log(400)))),
        membrane_od=max(visible, float(np.exp(rng.normal(np.log(0.45), 0.55)))),
        membrane_um=float(rng.uniform(0.7, 1.7)),
        visible_od=visible,
        spread=float(rng.uniform(0.1, 0.5)),
        unevenness=float(rng.uniform(0.05, 0.5)),
        cytoplasm_only_share=float(rng.choice([0.0, 0.1, 0.6], p=[0.55, 0.3, 0.15]) * rng.random()),
        faint_share=float(rng.choice([0.0, 0.5]) * rng.random()),
        dots_share=float(rng.choice([0.0, 0.15], p=[0.7, 0.3]) * rng.random()),
        brown_nuclei_share=float(rng.uniform(0.2, 1.0)) if nuclear else float(rng.choice([0.0, 0.03])),
        immune_clumps=float(rng.random()),
        haze_od=float(rng.choice([0.0, 0.03, 0.12], p=[0.5, 0.35, 0.15]) * rng.random()),
        granules_mm2=float(rng.choice([0.0, 60.0, 500.0], p=[0.6, 0.3, 0.1]) * rng.random()),
    )


def paint(
    rng: np.random.Generator,
    cells: CellMap,
    places_px: tuple[Numbers, Numbers],
    label: NDArray[np.int64],
    nuclei: FloatImage,
    recipe: PaintingRecipe,
) -> Painted:
    """Paint PD-L1 on the cells of a tile.

    Parameters
    ----------
    rng : Generator
    cells : CellMap
    places_px : tuple of float64 array, (N,)
        Columns and rows of the centres.
    label : int64 array, (N,)
    nuclei : float32 array, (height, width)
        Haematoxylin, about 1 in nuclei: cytoplasm is painted next to them.
    recipe : PaintingRecipe
    """
    tissue = np.array([one.tissue for one in LABELS])[label]
    positive = _positive(rng, places_px, tissue, cells.mpp, recipe)
    plan = _Plan.empty(len(label))
    like_tumour = tissue == Tissue.EPITHELIUM
    if recipe.painting is Painting.INDEPENDENT:
        like_tumour[:] = True
    _plan_membranes(rng, plan, positive & like_tumour, recipe)
    _plan_immune(rng, plan, positive & ~like_tumour & (tissue == Tissue.IMMUNE), recipe)
    _plan_stroma(rng, plan, positive & ~like_tumour & (tissue == Tissue.STROMA), recipe)
    _plan_hard_negatives(rng, plan, ~positive & like_tumour, recipe)
    brown = ~plan.any_stain & (rng.random(len(label)) < recipe.brown_nuclei_share)
    textures = _Textures.sampled(rng, cells.border_um.shape, cells.mpp)
    membrane, foreign = _membranes(cells, plan, textures, recipe)
    dab = membrane + _cytoplasm(cells, plan, textures, nuclei, recipe)
    nuclear, covered = _nuclear(rng, cells, brown, nuclei)
    dab += nuclear + _granules(rng, dab.shape, cells.mpp, recipe.granules_mm2)
    doubtful = ~plan.membrane & (foreign > 0.4)
    return Painted(dab.astype(np.float32), covered, plan.membrane, plan.any_stain, ~doubtful)


@dataclass(frozen=True, eq=False)
class _Plan:
    """What each cell gets; arrays of one entry a cell."""

    membrane_od: Numbers
    around: Numbers
    heading: Numbers
    cytoplasm_od: Numbers
    granular: Numbers
    clumps: Numbers
    membrane: Flags
    any_stain: Flags

    @classmethod
    def empty(cls, number: int) -> _Plan:
        """Return a plan that paints nothing, for so many cells."""
        od, around, heading, cytoplasm, granular, clumps = np.zeros((6, number))
        membrane, any_stain = np.zeros((2, number), bool)
        return cls(od, around, heading, cytoplasm, granular, clumps, membrane, any_stain)


@dataclass(frozen=True, eq=False)
class _Textures:
    """Noise of three grains, mean 0 and standard deviation 1."""

    fine: FloatImage
    granules: FloatImage
    coarse: FloatImage

    @classmethod
    def sampled(cls, rng: np.random.Generator, shape: tuple[int, int], mpp: float) -> _Textures:
        """Return random textures of three grains for a picture."""
        return cls(*(smooth_field(rng, shape, mpp, scale) for scale in (2.2, 3.6, 7.0)))


def _positive(
    rng: np.random.Generator,
    places_px: tuple[Numbers, Numbers],
    tissue: NDArray[np.str_],
    mpp: float,
    recipe: PaintingRecipe,
) -> Flags:
    """Choose who is positive, each tissue by its own share."""
    score = _score(rng, places_px, mpp, recipe)
    if recipe.painting is Painting.INDEPENDENT:
        return _highest(score, np.ones(len(score), bool), recipe.tumour_share)
    if recipe.painting is Painting.RESERVED:
        score = _nest_score(rng, places_px, tissue == Tissue.EPITHELIUM, mpp)
    near_tumour = _near_tumour(places_px, tissue, mpp)
    positive = _highest(score, tissue == Tissue.EPITHELIUM, recipe.tumour_share)
    immune = rng.normal(0, 1, len(score)) + near_tumour
    positive |= _highest(immune, tissue == Tissue.IMMUNE, recipe.immune_share)
    return positive | _highest(rng.normal(0, 1, len(score)), tissue == Tissue.STROMA, recipe.stroma_share)


def _score(
    rng: np.random.Generator, places_px: tuple[Numbers, Numbers], mpp: float, recipe: PaintingRecipe
) -> Numbers:
    """Return a smooth score that neighbours share."""
    column, row = places_px
    shape = (int(row.max()) + 2, int(column.max()) + 2)
    patch = smooth_field(rng, shape, mpp, recipe.patch_um)[row.astype(int), column.astype(int)]
    noise = rng.normal(0, 1, len(row))
    shared = noise[neighbours_of(column, row, 4)]
    return np.asarray(rng.uniform(0.5, 2.0) * patch + shared.sum(axis=1) / np.sqrt(shared.shape[1]))


def _nest_score(
    rng: np.random.Generator, places_px: tuple[Numbers, Numbers], tumour: Flags, mpp: float
) -> Numbers:
    """Return one score for all tumour cells of a nest: those linked by steps of at most 15 µm."""
    score = np.zeros(len(tumour))
    places = np.column_stack(places_px)[tumour] * mpp
    if not len(places):
        return score
    links = cKDTree(places).sparse_distance_matrix(cKDTree(places), 15.0)
    number, nest = connected_components(links)
    score[tumour] = rng.normal(0, 1, number)[nest] + 0.2 * rng.normal(0, 1, len(places))
    return score


def _near_tumour(places_px: tuple[Numbers, Numbers], tissue: NDArray[np.str_], mpp: float) -> Numbers:
    """Return 1.5 at a tumour cell, falling off within some 25 µm: stained immune cells gather there."""
    places = np.column_stack(places_px) * mpp
    tumour = tissue == Tissue.EPITHELIUM
    if not tumour.any():
        return np.zeros(len(places))
    distance, _ = cKDTree(places[tumour]).query(places)
    return np.asarray(1.5 * np.exp(-distance / 25))


def _highest(score: Numbers, among: Flags, share: float) -> Flags:
    chosen = np.zeros(len(score), bool)
    rows = np.flatnonzero(among)
    chosen[rows[np.argsort(-score[rows], kind="stable")[: round(share * len(rows))]]] = True
    return chosen


def _amounts(rng: np.random.Generator, number: int, median: float, recipe: PaintingRecipe) -> Numbers:
    return np.maximum(recipe.visible_od, median * np.exp(rng.normal(0, recipe.spread, number)))


def _plan_membranes(rng: np.random.Generator, plan: _Plan, chosen: Flags, recipe: PaintingRecipe) -> None:
    n, pattern = int(chosen.sum()), recipe.pattern
    around = {
        Pattern.PARTIAL: rng.uniform(0.35, 0.8, n),
        Pattern.APICAL: rng.uniform(0.3, 0.55, n),
        Pattern.GRANULAR: rng.uniform(0.5, 1.0, n),
    }.get(pattern, rng.uniform(0.8, 1.0, n))
    amount = _amounts(rng, n, recipe.membrane_od, recipe)
    # A short faint line convinces nobody: the less of the outline, the stronger it must be.
    plan.membrane_od[chosen] = np.maximum(amount, recipe.visible_od / (0.4 + 0.6 * around))
    plan.around[chosen] = around
    plan.heading[chosen] = _headings(rng, n, shared=pattern is Pattern.APICAL)
    blush = {Pattern.CONFLUENT: 0.8, Pattern.CYTOPLASM_TOO: 0.55, Pattern.APICAL: 0.15}.get(pattern, 0.12)
    plan.cytoplasm_od[chosen] = plan.membrane_od[chosen] * blush * rng.uniform(0.4, 1.4, n)
    plan.granular[chosen] = 0.9 if pattern is Pattern.GRANULAR else rng.uniform(0, 0.4, n)
    plan.membrane[chosen] = plan.any_stain[chosen] = True


def _headings(rng: np.random.Generator, number: int, *, shared: bool) -> Numbers:
    if shared:
        return np.asarray(rng.uniform(-np.pi, np.pi) + 0.3 * rng.normal(0, 1, number))
    return rng.uniform(-np.pi, np.pi, number)


def _plan_immune(rng: np.random.Generator, plan: _Plan, chosen: Flags, recipe: PaintingRecipe) -> None:
    n = int(chosen.sum())
    amount = 1.3 * _amounts(rng, n, recipe.membrane_od, recipe)
    plan.membrane_od[chosen] = amount * rng.uniform(0.5, 1.2, n)
    plan.around[chosen] = rng.uniform(0.4, 1.0, n)
    plan.heading[chosen] = rng.uniform(-np.pi, np.pi, n)
    plan.cytoplasm_od[chosen] = amount * rng.uniform(0.2, 1.0, n)
    plan.granular[chosen] = rng.uniform(0.2, 1.0, n)
    plan.clumps[chosen] = np.clip(recipe.immune_clumps + rng.normal(0, 0.2, n), 0, 1)
    plan.membrane[chosen] = plan.any_stain[chosen] = True


def _plan_stroma(rng: np.random.Generator, plan: _Plan, chosen: Flags, recipe: PaintingRecipe) -> None:
    n = int(chosen.sum())
    lined = rng.random(n) < 0.5
    plan.membrane_od[chosen] = 0.8 * _amounts(rng, n, recipe.membrane_od, recipe) * lined
    plan.around[chosen] = rng.uniform(0.4, 1.0, n)
    plan.heading[chosen] = rng.uniform(-np.pi, np.pi, n)
    plan.cytoplasm_od[chosen] = 0.7 * _amounts(rng, n, recipe.membrane_od, recipe)
    plan.clumps[chosen] = rng.uniform(0, 0.8, n)
    plan.membrane[chosen] = lined
    plan.any_stain[chosen] = True


def _plan_hard_negatives(
    rng: np.random.Generator, plan: _Plan, negative: Flags, recipe: PaintingRecipe
) -> None:
    draw = rng.random(len(negative))
    cytoplasm = negative & (draw < recipe.cytoplasm_only_share)
    n = int(cytoplasm.sum())
    plan.cytoplasm_od[cytoplasm] = 0.6 * _amounts(rng, n, recipe.membrane_od, recipe)
    plan.clumps[cytoplasm] = rng.uniform(0, 0.8, n)
    plan.any_stain[cytoplasm] = True
    faint = negative & ~cytoplasm & (rng.random(len(negative)) < recipe.faint_share)
    n = int(faint.sum())
    plan.membrane_od[faint] = rng.uniform(0.1, 0.4, n) * recipe.visible_od
    plan.around[faint] = rng.uniform(0.3, 1.0, n)
    dots = negative & ~cytoplasm & (rng.random(len(negative)) < recipe.dots_share)
    plan.cytoplasm_od[dots] = rng.uniform(0.15, 0.5, int(dots.sum()))
    plan.clumps[dots] = 2.0


def _membranes(
    cells: CellMap, plan: _Plan, textures: _Textures, recipe: PaintingRecipe
) -> tuple[FloatImage, Numbers]:
    """Return the membranes' DAB, and the share of each cell's rim that is stained for a neighbour's sake."""
    width = recipe.membrane_um / 2
    beyond = np.maximum(cells.border_um, 0)
    at_border = np.exp(-((beyond / width) ** 2)) * (cells.next_edge_um > -width)
    at_edge = np.exp(-((cells.edge_um / width) ** 2)) * (beyond > 0.5 * width)
    own = _around(cells.own, cells.angle, plan) * np.maximum(at_border * cells.inside, at_edge)
    other = _around(cells.next, cells.next_angle, plan) * at_border * (cells.next_edge_um > 0)
    texture = _membrane_texture(cells, plan, textures, recipe)
    return (np.maximum(own, other) * texture).astype(np.float32), _foreign_share(cells, other, recipe)


def _foreign_share(cells: CellMap, other: FloatImage, recipe: PaintingRecipe) -> Numbers:
    rim = cells.inside & (np.minimum(cells.border_um, cells.edge_um) < recipe.membrane_um / 2)
    number = len(cells.reach_um)
    whole = np.bincount(cells.own[rim], minlength=number)
    stained = rim & (other > 0.5 * recipe.visible_od)
    return np.bincount(cells.own[stained], minlength=number) / np.maximum(1, whole)


def _around(cell: NDArray[np.int64], angle: FloatImage, plan: _Plan) -> FloatImage:
    """Return each pixel's membrane amount by where on the cell's outline it lies, with soft ends."""
    turned = np.abs((angle - plan.heading[cell] + np.pi) % (2 * np.pi) - np.pi)
    half = np.pi * plan.around[cell]
    soft = np.where(plan.around[cell] > 0.97, 1.0, np.clip((half - turned) / 0.35 + 0.5, 0, 1))
    return np.asarray(plan.membrane_od[cell] * soft, np.float32)


def _membrane_texture(cells: CellMap, plan: _Plan, textures: _Textures, recipe: PaintingRecipe) -> FloatImage:
    if recipe.painting is Painting.RESERVED:
        beads = 1 / (1 + np.exp(-(4.0 * textures.fine + 0.5)))
        return np.asarray(0.35 + 1.3 * beads, np.float32)
    granular = np.maximum(plan.granular[cells.own], plan.granular[cells.next])
    grain = np.clip(1 + 0.9 * textures.granules, 0.1, 2.6)
    uneven = np.clip(1 + recipe.unevenness * textures.coarse, 0.25, 1.9)
    even = uneven * (1 + 0.15 * textures.fine)
    return np.asarray((1 - granular) * even + granular * grain, np.float32)


def _cytoplasm(
    cells: CellMap, plan: _Plan, textures: _Textures, nuclei: FloatImage, recipe: PaintingRecipe
) -> FloatImage:
    within = np.clip(np.minimum(cells.border_um, cells.edge_um) / 0.6 + 0.5, 0, 1) * cells.inside
    beside_nucleus = 1 - 0.75 * np.clip(nuclei - 0.25, 0, 0.6) / 0.6
    amount = plan.cytoplasm_od[cells.own] * within * beside_nucleus
    if recipe.painting is Painting.RESERVED:
        fading = 0.5 + 0.5 * np.cos(cells.angle - plan.heading[cells.own])
        return np.asarray(amount * fading * (1 + 0.1 * textures.coarse), np.float32)
    clumps = plan.clumps[cells.own]
    coarse = np.clip(2.2 * (textures.granules + 0.4 * textures.fine) - 0.6, 0, 4.0)
    even = np.clip(1 + 0.2 * textures.coarse + 0.12 * textures.fine, 0.2, 2)
    dots = np.where(clumps > 1.5, np.clip(3 * (textures.fine - 1.6), 0, 2), 0)
    mixed = np.where(clumps > 1.5, dots, (1 - clumps) * even + clumps * coarse)
    return np.asarray(amount * mixed, np.float32)


def _nuclear(
    rng: np.random.Generator, cells: CellMap, brown: Flags, nuclei: FloatImage
) -> tuple[FloatImage, FloatImage]:
    amount = np.where(brown, rng.uniform(0.2, 0.9) * np.exp(rng.normal(0, 0.35, len(brown))), 0.0)
    near = np.clip((5.5 - cells.distance_um) / 1.0, 0, 1) * cells.inside
    shape = np.clip(nuclei, 0, 1.4) * near
    dab = amount[cells.own] * shape
    return dab.astype(np.float32), (np.clip(2 * amount[cells.own], 0, 0.9) * near).astype(np.float32)


def _granules(rng: np.random.Generator, shape: tuple[int, int], mpp: float, per_mm2: float) -> FloatImage:
    """Return brown specks of 1 to 3 µm anywhere."""
    specks = np.zeros(shape, np.float32)
    row, column = np.mgrid[: shape[0], : shape[1]]
    for _ in range(rng.poisson(per_mm2 * shape[0] * shape[1] * mpp**2 / 1e6)):
        y, x, size = rng.uniform(0, shape[0]), rng.uniform(0, shape[1]), rng.uniform(0.5, 1.5) / mpp
        window = np.s_[
            max(0, int(y - 4 * size)) : int(y + 4 * size), max(0, int(x - 4 * size)) : int(x + 4 * size)
        ]
        away = ((row[window] - y) ** 2 + (column[window] - x) ** 2) / size**2
        specks[window] += rng.uniform(0.3, 1.2) * np.exp(-(away**2)).astype(np.float32)
    return specks
