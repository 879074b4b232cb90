"""The endless plane that windows of synthetic tissue are cut from, and how its cells are stained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cxpath.data import Kind, Subkind
from cxpath.synth.cells import Borders, CellPlan, cell_borders, join, without_overlap
from cxpath.synth.clutter import Clutter, scatter_clutter
from cxpath.synth.layout import STEP_UM, Ground, Layout, lay_out
from cxpath.synth.noise import (
    FloatImage,
    periodic_texture,
    points_in_map,
    sample_map,
    sample_periodic,
    smooth_field,
)
from cxpath.synth.optics import Scanner, StainLook
from cxpath.synth.populate import (
    endothelium,
    fibroblasts,
    gland_cells,
    necrotic_cells,
    nest_cells,
    squamous_cells,
    stromal_immune_cells,
)
from cxpath.synth.recipe import FieldRecipe, HardNegatives, Staining

# Who carries DAB, where and how much: the positives, and the cell-borne hard negatives.
#
# Truth is what is painted: `membrane` and `any_stain` are set here, nowhere else.


Flags = NDArray[np.bool_]
IMMUNE_REACH_UM = 300.0
"""No positive immune cell is placed farther than this from a tumour cell, where a tumour is in sight."""

SMALL_CELL = 1.4
"""How much denser than on a tumour cell the least stain of an immune cell is: its rim is short."""

NEIGHBOURS_ALIKE = 4
"""Nearest tumour cells whose chance of being positive a tumour cell shares."""

EXCLUDED = (Subkind.PLASMA, Subkind.NEUTROPHIL, Subkind.EOSINOPHIL, Subkind.FIBROBLAST, Subkind.ENDOTHELIUM)


def stain_cells(
    rng: np.random.Generator,
    cells: CellPlan,
    layout: Layout,
    staining: Staining,
    hard_negatives: HardNegatives,
) -> None:
    """Give every cell its DAB, in place.

    Parameters
    ----------
    staining : Staining
        With `visible_od` as it must be on the cell; see `as_developed`.
    """
    tumour_score = _tumour_score(rng, cells, layout, staining)
    immune_score = _immune_score(rng, cells, layout, staining)
    tumour = cells["kind"] == Kind.TUMOUR
    immune = cells["kind"] == Kind.IMMUNE
    positive = _best(tumour_score, tumour & cells["visible"], staining.tumour_positive_share)
    positive |= tumour & ~cells["visible"] & (tumour_score >= _least(tumour_score, positive))
    within = immune & np.isfinite(immune_score)
    share = staining.immune_positive_share * immune.sum() / max(1, within.sum())
    _stain_membranes(rng, cells, positive, staining)
    _stain_immune(rng, cells, _best(immune_score, within, min(1.0, share)), staining)
    _tumour_hard_negatives(rng, cells, tumour & ~positive, staining, hard_negatives)
    _other_hard_negatives(rng, cells, staining, hard_negatives)


def as_developed(staining: Staining, stains: StainLook, scanner: Scanner) -> Staining:
    """Return the staining with `visible_od` before the slide's DAB, the optics and the sensor change it.

    A thin line loses height when it is blurred: of a Gaussian profile of standard deviation s, blur b
    leaves s / sqrt(s² + b²). What is painted below that, no reader of the picture could call convincing.
    """
    line_um = staining.membrane_width_um / 2
    left = line_um / np.hypot(line_um, scanner.blur_um)
    shown = stains.dab_gain * stains.section_thickness * scanner.gamma * float(left)
    return replace(staining, visible_od=staining.visible_od / shown)


def clear_stain(cells: CellPlan) -> None:
    """Take all DAB away, in place."""
    for name in (
        "membrane_od",
        "completeness",
        "cytoplasm_dab_od",
        "nuclear_dab_od",
        "granularity",
        "clumping",
    ):
        cells[name] = 0
    cells["membrane"] = cells["any_stain"] = False


def _tumour_score(
    rng: np.random.Generator, cells: CellPlan, layout: Layout, staining: Staining
) -> NDArray[np.float64]:
    patch = points_in_map(
        smooth_field(rng, layout.ground.shape, STEP_UM, staining.patch_scale_um),
        cells["x_um"],
        cells["y_um"],
        STEP_UM,
    ).astype(np.float64)
    return staining.patchiness * 1.6 * patch + (1.05 - staining.patchiness) * _like_neighbours(rng, cells)


def _like_neighbours(rng: np.random.Generator, cells: CellPlan) -> NDArray[np.float64]:
    """Return normal noise that a cell shares with its nearest neighbours.

    A stained border belongs to two cells, and a reader calls both. Were positives sampled one by one, every
    second border in a nest would be half of a cell that the truth calls negative.
    """
    noise = rng.normal(0, 1, len(cells))
    tumour = np.flatnonzero(cells["kind"] == Kind.TUMOUR)
    if len(tumour) > NEIGHBOURS_ALIKE:
        places = np.stack((cells["x_um"][tumour], cells["y_um"][tumour]), axis=1)
        _, nearest = cKDTree(places).query(places, k=NEIGHBOURS_ALIKE + 1)
        noise[tumour] = noise[tumour][nearest].sum(axis=1) / np.sqrt(NEIGHBOURS_ALIKE + 1)
    return noise


def _immune_score(
    rng: np.random.Generator, cells: CellPlan, layout: Layout, staining: Staining
) -> NDArray[np.float64]:
    """Prefer macrophages and the border of nests; refuse what lies far from any tumour."""
    patch = points_in_map(
        smooth_field(rng, layout.ground.shape, STEP_UM, 90.0), cells["x_um"], cells["y_um"], STEP_UM
    ).astype(np.float64)
    depth = points_in_map(layout.nest_depth_um, cells["x_um"], cells["y_um"], STEP_UM).astype(np.float64)
    score = rng.normal(0, 1, len(cells)) + patch + 0.9 * (cells["subkind"] == Subkind.MACROPHAGE)
    score += staining.border_preference * 2 * np.exp(-np.abs(depth) / 25)
    tumour = (cells["kind"] == Kind.TUMOUR) & cells["visible"]
    if tumour.any():
        places = np.stack((cells["x_um"], cells["y_um"]), axis=1)
        nearest, _ = cKDTree(places[tumour]).query(places)
        score[nearest > IMMUNE_REACH_UM] = -np.inf
    return np.asarray(score, np.float64)


def _best(score: NDArray[np.float64], among: Flags, share: float) -> Flags:
    chosen = np.zeros(len(score), bool)
    rows = np.flatnonzero(among)
    number = round(share * len(rows))
    chosen[rows[np.argsort(-score[rows], kind="stable")[:number]]] = True
    return chosen


def _least(score: NDArray[np.float64], chosen: Flags) -> float:
    return float(score[chosen].min()) if chosen.any() else np.inf


def _amount(rng: np.random.Generator, number: int, median: float, staining: Staining) -> NDArray[np.float64]:
    return np.maximum(staining.visible_od, median * np.exp(rng.normal(0, staining.intensity_spread, number)))


def _stain_membranes(rng: np.random.Generator, cells: CellPlan, chosen: Flags, staining: Staining) -> None:
    n = int(chosen.sum())
    complete = rng.random(n) < staining.complete_share
    amount = _amount(rng, n, staining.membrane_od, staining)
    cells["membrane_um"][chosen] = staining.membrane_width_um * rng.uniform(0.85, 1.2, n)
    around = np.where(complete, rng.uniform(0.9, 1.0, n), 0.3 + 0.6 * rng.beta(1.6, 1.4, n))
    cells["completeness"][chosen] = around
    # A short faint line convinces nobody: the less of the outline, the stronger it must be.
    amount = np.maximum(amount, staining.visible_od / (0.4 + 0.6 * around))
    cells["membrane_od"][chosen] = amount
    cells["cytoplasm_dab_od"][chosen] = amount * staining.blush * rng.uniform(0.3, 1.4, n)
    cells["granularity"][chosen] = np.clip(staining.granularity + rng.normal(0, 0.15, n), 0, 1)
    cells["clumping"][chosen] = 0.3 * staining.granularity
    cells["membrane"][chosen] = True
    cells["any_stain"][chosen] = True


def _stain_immune(rng: np.random.Generator, cells: CellPlan, chosen: Flags, staining: Staining) -> None:
    """Macrophages stain in cytoplasm and membrane, lymphocytes mostly as a thin rim."""
    n = int(chosen.sum())
    large = cells["subkind"][chosen] == Subkind.MACROPHAGE
    amount = np.maximum(_amount(rng, n, staining.immune_od, staining), SMALL_CELL * staining.visible_od)
    rim = np.where(large, rng.uniform(0.2, 1.2, n), rng.uniform(0.7, 1.3, n))
    cells["membrane_od"][chosen] = amount * rim
    cells["membrane_um"][chosen] = staining.membrane_width_um * rng.uniform(0.8, 1.3, n)
    cells["completeness"][chosen] = rng.uniform(0.35, 1.0, n)
    cells["cytoplasm_dab_od"][chosen] = amount * np.where(
        large, rng.uniform(0.4, 1.2, n), rng.uniform(0.1, 0.8, n)
    )
    cells["granularity"][chosen] = np.clip(staining.granularity + rng.normal(0, 0.2, n), 0, 1)
    cells["clumping"][chosen] = np.clip(staining.immune_clumping + rng.normal(0, 0.2, n), 0, 1)
    cells["reach_um"][chosen] += np.where(large, 0.0, 0.4).astype(np.float32)
    cells["membrane"][chosen] = cells["completeness"][chosen] > 0.3
    cells["any_stain"][chosen] = True


def _tumour_hard_negatives(
    rng: np.random.Generator,
    cells: CellPlan,
    negative: Flags,
    staining: Staining,
    hard_negatives: HardNegatives,
) -> None:
    draw = rng.random(len(cells))
    cytoplasm = negative & (draw < hard_negatives.cytoplasm_only_share)
    n = int(cytoplasm.sum())
    cells["cytoplasm_dab_od"][cytoplasm] = _amount(rng, n, 0.6 * staining.membrane_od, staining)
    cells["clumping"][cytoplasm] = rng.uniform(0, 0.8, n)
    cells["any_stain"][cytoplasm] = True
    brown = negative & (rng.random(len(cells)) < hard_negatives.nuclear_brown_share)
    cells["nuclear_dab_od"][brown] = (
        rng.uniform(0.13, 1.0, int(brown.sum())) * hard_negatives.nuclear_brown_od
    )
    dots = negative & ~cytoplasm & (rng.random(len(cells)) < hard_negatives.punctate_share)
    n = int(dots.sum())
    cells["cytoplasm_dab_od"][dots] = rng.uniform(0.15, 0.5, n)
    cells["clumping"][dots] = 2.0
    trace = negative & (rng.random(len(cells)) < hard_negatives.subvisible_share)
    n = int(trace.sum())
    cells["membrane_od"][trace] = rng.uniform(0.1, 0.4, n) * staining.visible_od
    cells["completeness"][trace] = rng.uniform(0.2, 1, n)


def _other_hard_negatives(
    rng: np.random.Generator, cells: CellPlan, staining: Staining, hard_negatives: HardNegatives
) -> None:
    excluded = np.isin(cells["subkind"], EXCLUDED) & (
        rng.random(len(cells)) < hard_negatives.excluded_stained_share
    )
    n = int(excluded.sum())
    cells["membrane_od"][excluded] = _amount(rng, n, 0.7 * staining.immune_od, staining) * (
        rng.random(n) < 0.5
    )
    cells["completeness"][excluded] = rng.uniform(0.3, 1, n)
    cells["cytoplasm_dab_od"][excluded] = _amount(rng, n, 0.5 * staining.immune_od, staining)
    cells["clumping"][excluded] = rng.uniform(0, 1, n)
    cells["any_stain"][excluded] = True
    cells["membrane"][excluded] = (cells["membrane_od"] > 0)[excluded]
    benign = (cells["subkind"] == Subkind.BENIGN_EPITHELIUM) & (
        rng.random(len(cells)) < hard_negatives.benign_stained_share
    )
    n = int(benign.sum())
    cells["membrane_od"][benign] = _amount(rng, n, hard_negatives.benign_stained_od, staining)
    cells["completeness"][benign] = rng.uniform(0.4, 1, n)
    cells["membrane"][benign] = cells["any_stain"][benign] = True
    quiet = (cells["kind"] == Kind.IMMUNE) & ~cells["any_stain"]
    brown = quiet & (rng.random(len(cells)) < hard_negatives.nuclear_brown_immune_share)
    cells["nuclear_dab_od"][brown] = rng.uniform(0.12, 0.8, int(brown.sum()))


# The endless plane that windows of synthetic tissue are cut from.


# Window: a rectangle of a world's pixel lattice, and the noise all painters share there.
#
# A pixel is addressed by its place in the whole world, so neighbouring windows paint the same values.


@dataclass(frozen=True)
class Window:
    """A rectangle of the world's lattice.

    Parameters
    ----------
    row, column, height, width : int
        In pixels; row and column may be negative.
    mpp : float
        Micrometres per pixel.
    """

    row: int
    column: int
    height: int
    width: int
    mpp: float

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width

    @property
    def x_um(self) -> NDArray[np.float64]:
        """World coordinate of each column's centre."""
        return np.asarray((np.arange(self.column, self.column + self.width) + 0.5) * self.mpp, np.float64)

    @property
    def y_um(self) -> NDArray[np.float64]:
        """World coordinate of each row's centre."""
        return np.asarray((np.arange(self.row, self.row + self.height) + 0.5) * self.mpp, np.float64)

    def grown(self, margin_px: int) -> Window:
        """Return the window with a margin on all sides."""
        return Window(
            self.row - margin_px,
            self.column - margin_px,
            self.height + 2 * margin_px,
            self.width + 2 * margin_px,
            self.mpp,
        )

    def texture(
        self, seed: int, grain_um: float, start_um: tuple[float, float], *, band: bool = False
    ) -> FloatImage:
        """Sample a periodic texture of structures from about `grain_um`; `band` removes large ones."""
        texel_um = grain_um / 2.0
        texture = periodic_texture(seed, 2.0, 6.0 if band else 0.0)
        return sample_periodic(texture, self.x_um + start_um[0], self.y_um + start_um[1], texel_um)

    def world_map(self, field: FloatImage, step_um: float) -> FloatImage:
        """Sample a map of the world."""
        return sample_map(field, self.x_um, self.y_um, step_um)


# World: everything a piece of synthetic tissue is, in micrometres, before anybody looks at it through pixels.


@dataclass(frozen=True, eq=False)
class World:
    """Layout, cells, clutter and the recipe they came from; made once, painted anywhere.

    Parameters
    ----------
    texture_um : tuple of float
        Where the periodic textures start, so that no two worlds share them.
    """

    layout: Layout
    cells: CellPlan
    borders: Borders
    clutter: Clutter
    recipe: FieldRecipe
    texture_um: tuple[float, float]

    @cached_property
    def ground_maps(self) -> dict[Ground, FloatImage]:
        """Share of each ground present, 0-1, one map a ground."""
        present = np.unique(self.layout.ground)
        return {Ground(name): (self.layout.ground == name).astype(np.float32) for name in present}


def build_world(
    rng: np.random.Generator, width_um: float, height_um: float, recipe: FieldRecipe, *, islands: bool = False
) -> World:
    """Draw a world: ground plan, cells, their staining, clutter."""
    layout = lay_out(rng, width_um, height_um, recipe.tissue, islands=islands)
    cells = populate(rng, layout, recipe)
    staining = as_developed(recipe.staining, recipe.stains, recipe.scanner)
    stain_cells(rng, cells, layout, staining, recipe.hard_negatives)
    clutter = scatter_clutter(rng, layout, recipe)
    texture = (float(rng.uniform(0, 128)), float(rng.uniform(0, 128)))
    return World(layout, cells, cell_borders(cells), clutter, recipe, texture)


def populate(rng: np.random.Generator, layout: Layout, recipe: FieldRecipe) -> CellPlan:
    """Place all cells; where two would overlap the one of the firmer structure stays."""
    cells = join(
        [
            endothelium(rng, layout, recipe),
            gland_cells(rng, layout, recipe),
            nest_cells(rng, layout, recipe),
            squamous_cells(rng, layout, recipe),
            necrotic_cells(rng, layout, recipe),
            stromal_immune_cells(rng, layout, recipe),
            fibroblasts(rng, layout, recipe),
        ]
    )
    _soften(rng, cells, recipe.nuclei.focus_spread_um)
    inside = (cells["x_um"] >= 0) & (cells["x_um"] < layout.width_um)
    inside &= (cells["y_um"] >= 0) & (cells["y_um"] < layout.height_um)
    cells = cells[inside]
    points = np.stack((cells["x_um"], cells["y_um"]), axis=1)
    return cells[without_overlap(points, np.maximum(cells["nucleus_um"], 1.0), recipe.tissue.nearest_nuclei)]


def _soften(rng: np.random.Generator, cells: CellPlan, spread_um: float) -> None:
    """Put some nuclei out of focus, as they lie deeper in the section."""
    if spread_um > 0:
        softer = spread_um * np.abs(rng.standard_normal(len(cells)))
        cells["blur"] = np.minimum(cells["blur"] + softer, 2.6)
