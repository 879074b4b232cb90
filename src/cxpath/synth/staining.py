"""Who carries DAB, where and how much: the positives, and the cell-borne hard negatives.

Truth is what is painted: `membrane` and `any_stain` are set here, nowhere else.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cxpath.data import Kind, Subkind
from cxpath.synth.cells import CellPlan
from cxpath.synth.layout import STEP_UM, Layout
from cxpath.synth.noise import points_in_map, smooth_field
from cxpath.synth.optics import Scanner, StainLook
from cxpath.synth.recipe import HardNegatives, Staining

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
