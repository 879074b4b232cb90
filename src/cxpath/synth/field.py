"""A synthetic field with every cell known, before and after the scanner."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.data import Kind
from cxpath.synth.clutter import lay_artefacts
from cxpath.synth.layout import REGION_OF_GROUND, STEP_UM, Layout
from cxpath.synth.noise import points_in_map
from cxpath.synth.optics import jpeg_round_trip, optical_density, scan
from cxpath.synth.painting import paint
from cxpath.synth.recipe import FieldRecipe, random_recipe, with_rare_appearances
from cxpath.synth.world import Window, World, build_world

# SyntheticField: one synthetic picture of tissue and the exact truth about it.


REGION_STRIDE_PX = 8


@dataclass(frozen=True, eq=False)
class SyntheticCells:
    """True cells of a drawing; every array has one entry per cell.

    Parameters
    ----------
    x_px, y_px : float64 array
        Nuclear centre in pixels of the drawing, pixel centres at .5.
    kind, subkind : uint8 array
        `Kind` and `Subkind`.
    membrane : bool array
        Convincing partial or complete linear membrane staining: what makes a *tumour* cell positive.
    any_stain : bool array
        Membrane and/or cytoplasmic staining: what makes an *immune* cell positive.
    completeness : float32 array
        Share of the cell's outline that is stained, 0-1.
    radius_um : float32 array
        Mean radius of the nucleus.
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    kind: NDArray[np.uint8]
    subkind: NDArray[np.uint8]
    membrane: NDArray[np.bool_]
    any_stain: NDArray[np.bool_]
    completeness: NDArray[np.float32]
    radius_um: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.x_px)

    @property
    def positive(self) -> NDArray[np.bool_]:
        """PD-L1 positive by the rule of the cell's kind (tumour: membrane; others: any)."""
        return np.where(self.kind == Kind.TUMOUR, self.membrane, self.any_stain)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> SyntheticCells:
        """Return the cells at `rows` (a boolean mask or an index array)."""
        return SyntheticCells(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})

    def true_cps(self) -> float:
        """Return the drawing's CPS, capped at 100; NaN without a tumour cell."""
        tumour = self.kind == Kind.TUMOUR
        if not tumour.any():
            return float("nan")
        counted = self.positive & (self.kind != Kind.OTHER)
        return min(100.0, 100.0 * float(counted.sum()) / float(tumour.sum()))


@dataclass(frozen=True, eq=False)
class SyntheticField:
    """A drawing and its truth.

    Parameters
    ----------
    rgb : uint8 array, (height, width, 3)
    mpp : float
        Micrometres per pixel of `rgb`.
    cells : SyntheticCells
        Only cells whose centre lies inside the picture and that a reader could see.
    region : uint8 array, (height / 8, width / 8)
        `TissueRegion` of each 8 by 8 pixel square; `UNKNOWN` is glass or unreadable tissue.
    ignore : bool array, (height / 8, width / 8)
        Squares in which cells are painted but not to be learned from or evaluated (blurred, under pen,
        crushed).
    """

    rgb: NDArray[np.uint8]
    mpp: float
    cells: SyntheticCells
    region: NDArray[np.uint8]
    ignore: NDArray[np.bool_]


# make_field: one training field and its truth, from a recipe and a generator.


MARGIN_UM = 24.0
"""Tissue made around the field, so that cells at its border have neighbours."""


def make_field(recipe: FieldRecipe, rng: np.random.Generator) -> SyntheticField:
    """Draw one field; the same recipe and generator state give the same pixels.

    Parameters
    ----------
    recipe : FieldRecipe
    rng : numpy.random.Generator

    Returns
    -------
    SyntheticField
        Picture, cells inside it, and region and ignore maps at one value per 8 pixels.
    """
    height, width = recipe.size_px
    margin_px = int(np.ceil(MARGIN_UM / recipe.mpp))
    window = Window(margin_px, margin_px, height, width, recipe.mpp)
    world = build_world(
        rng, (width + 2 * margin_px) * recipe.mpp, (height + 2 * margin_px) * recipe.mpp, recipe
    )
    od = optical_density(paint(world, window), recipe.stains)
    od, spoiled = lay_artefacts(rng, od, recipe.artefacts, recipe.mpp)
    start = (int(rng.integers(4096)), int(rng.integers(4096)))
    rgb = jpeg_round_trip(scan(od, recipe.scanner, recipe.mpp, start), recipe.scanner)
    ignore = _squares(spoiled)
    region = region_squares(world.layout, window)
    return SyntheticField(rgb, recipe.mpp, true_cells(world, window), region, ignore)


def true_cells(world: World, window: Window) -> SyntheticCells:
    """Return the truth about the cells whose centre lies in the window; nuclear centres, in its pixels."""
    cells = world.cells[world.cells["visible"]]
    x = (cells["x_um"] + cells["offset_x_um"]) / window.mpp - window.column
    y = (cells["y_um"] + cells["offset_y_um"]) / window.mpp - window.row
    inside = (x >= 0) & (x < window.width) & (y >= 0) & (y < window.height)
    cells = cells[inside]
    completeness = np.where(cells["membrane"], cells["completeness"], 0)
    return SyntheticCells(
        x[inside].astype(np.float64),
        y[inside].astype(np.float64),
        cells["kind"].copy(),
        cells["subkind"].copy(),
        cells["membrane"].copy(),
        cells["any_stain"].copy(),
        completeness.astype(np.float32),
        cells["nucleus_um"].copy(),
    )


def region_squares(layout: Layout, window: Window) -> NDArray[np.uint8]:
    """Return the `TissueRegion` at the centre of each 8 by 8 pixel square."""
    half = REGION_STRIDE_PX / 2
    x = (window.column + np.arange(window.width // REGION_STRIDE_PX) * REGION_STRIDE_PX + half) * window.mpp
    y = (window.row + np.arange(window.height // REGION_STRIDE_PX) * REGION_STRIDE_PX + half) * window.mpp
    columns, rows = np.meshgrid(x, y)
    ground = points_in_map(layout.ground, columns.ravel(), rows.ravel(), STEP_UM).astype(np.intp)
    region: NDArray[np.uint8] = REGION_OF_GROUND[ground].reshape(len(y), len(x))
    return region


def _squares(spoiled: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say for each square whether any of it is spoiled."""
    rows, columns = (length // REGION_STRIDE_PX for length in spoiled.shape)
    cut = spoiled[: rows * REGION_STRIDE_PX, : columns * REGION_STRIDE_PX]
    return np.asarray(cut.reshape(rows, REGION_STRIDE_PX, columns, REGION_STRIDE_PX).any(axis=(1, 3)))


# A training field as a slide reader delivers it: made at a scanner's µm/px, brought to the network's.
#
# Fine scans grow sharp and quiet when they shrink, coarse ones soft when they grow, and their compression
# shows at another scale; a network that only saw pictures made at its own µm/px meets neither.


NETWORK_MPP = (0.45, 0.55)
"""Range of what fields are brought to: 0.5 with some jitter, as nuclei differ in size between tumours."""

_SHARES = {"own": 0.45, "coarse": 0.2, "fine": 0.35}
_FINE_MPP, _COARSE_MPP = (0.22, 0.45), (0.55, 0.66)


def make_scanned_field(rng: np.random.Generator, side_px: int) -> SyntheticField:
    """Draw a random field of `side_px` (a multiple of 8) as it looks at about the network's µm/px."""
    mpp = float(rng.uniform(*NETWORK_MPP))
    scanned_mpp = _scanned_mpp(rng, mpp)
    scanned_px = int(np.ceil(side_px * mpp / scanned_mpp / REGION_STRIDE_PX)) * REGION_STRIDE_PX
    recipe = random_recipe(rng, size_px=(scanned_px, scanned_px), mpp=scanned_mpp)
    return brought_to(make_field(with_rare_appearances(recipe, rng), rng), side_px)


def brought_to(field: SyntheticField, side_px: int) -> SyntheticField:
    """Return a square field at another size in pixels, a multiple of 8; its µm/px changes with it."""
    side_before = field.rgb.shape[0]
    if side_before == side_px:
        return field
    scale = side_px / side_before
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    rgb = cv2.resize(field.rgb, (side_px, side_px), interpolation=method)
    cells = replace(field.cells, x_px=field.cells.x_px * scale, y_px=field.cells.y_px * scale)
    coarse = side_px // REGION_STRIDE_PX
    return SyntheticField(
        rgb=np.asarray(rgb, dtype=np.uint8),
        mpp=field.mpp / scale,
        cells=cells,
        region=_nearest(field.region, coarse),
        ignore=_nearest(field.ignore.astype(np.uint8), coarse).astype(bool),
    )


def _scanned_mpp(rng: np.random.Generator, own_mpp: float) -> float:
    kind = rng.choice(list(_SHARES), p=list(_SHARES.values()))
    if kind == "own":
        return own_mpp
    return float(rng.uniform(*(_FINE_MPP if kind == "fine" else _COARSE_MPP)))


def _nearest(coarse: NDArray[Any], side: int) -> NDArray[Any]:
    """Read a square map at another number of squares, each at its middle."""
    place = ((np.arange(side) + 0.5) * coarse.shape[0] / side).astype(np.intp)
    return coarse[np.ix_(place, place)]
