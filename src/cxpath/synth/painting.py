"""Painting of cells, ground and clutter as densities of dye."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.synth.cells import CellPlan, column, extent_um, inner_distance, nucleus_distance
from cxpath.synth.clutter import Clutter, Thing
from cxpath.synth.layout import STEP_UM, Ground
from cxpath.synth.noise import TEXTURE_SIZE, FloatImage, periodic_texture
from cxpath.synth.optics import StainLayers
from cxpath.synth.world import Window, World

# Painting cells: stamps of outline, nucleus, cytoplasm and DAB, many cells at a time.
#
# Cells of one stamp size are computed together as a stack (cells, height, width); sums and maxima do not
# depend on the order, so any window of a world paints alike.


BUCKET_PX = 4
STACK_VALUES = 60_000
"""Values a stack may contain, so that it stays in the processor's cache."""


@dataclass(frozen=True, eq=False)
class CellLayers:
    """What the cells of a window add; float32 (height, width) each.

    Parameters
    ----------
    nucleus, cytoplasm : haematoxylin.
    tan, dab : as named.
    cover : how far cells hide the ground, 0-1.
    """

    nucleus: FloatImage
    cytoplasm: FloatImage
    tan: FloatImage
    dab: FloatImage
    cover: FloatImage


@dataclass(frozen=True, eq=False)
class _Noise:
    warp_x: FloatImage
    warp_y: FloatImage
    chromatin: FloatImage
    granules: FloatImage
    lumps: FloatImage
    uneven: FloatImage

    def at(self, flat: NDArray[np.intp]) -> _Noise:
        """Return the values of each plane at flat indices, of their shape."""
        return _Noise(*(plane.ravel()[flat] for plane in vars(self).values()))

    def of(self, rows: NDArray[np.intp]) -> _Noise:
        """Return some rows of each plane."""
        return _Noise(*(plane[rows] for plane in vars(self).values()))


def paint_cells(world: World, window: Window) -> CellLayers:
    """Paint all cells that reach into the window."""
    rows = _in_reach(world, window)
    extent = extent_um(world.cells[rows])
    margin = int(np.ceil(2 * extent.max(initial=1.0) / window.mpp)) + 2 * BUCKET_PX
    canvas_window = window.grown(margin)
    layers = CellLayers(*(np.zeros(canvas_window.shape, np.float32) for _ in range(5)))
    noise = _noise(world, canvas_window)
    half_px = BUCKET_PX * np.ceil(extent / window.mpp / BUCKET_PX).astype(int)
    for half in np.unique(half_px):
        same = rows[half_px == half]
        stack = max(1, STACK_VALUES // (2 * half) ** 2)
        for start in range(0, len(same), stack):
            _paint_stack(world, same[start : start + stack], int(half), canvas_window, noise, layers)
    inner = (slice(margin, -margin), slice(margin, -margin))
    return CellLayers(
        layers.nucleus[inner],
        layers.cytoplasm[inner],
        layers.tan[inner],
        layers.dab[inner],
        layers.cover[inner],
    )


def _in_reach(world: World, window: Window) -> NDArray[np.intp]:
    x, y, reach = world.cells["x_um"], world.cells["y_um"], extent_um(world.cells)
    left, top = window.column * window.mpp, window.row * window.mpp
    near = (x > left - reach) & (x < left + window.width * window.mpp + reach)
    near &= (y > top - reach) & (y < top + window.height * window.mpp + reach)
    return np.flatnonzero(near)


def _noise(world: World, window: Window) -> _Noise:
    start = world.texture_um
    slow, quick = 2.6, 0.9
    return _Noise(
        0.75 * window.texture(1, slow, start) + 0.22 * window.texture(2, quick, start),
        0.75 * window.texture(3, slow, start) + 0.22 * window.texture(4, quick, start),
        window.texture(5, 0.75, start, band=True),
        window.texture(6, 1.0, start, band=True),
        window.texture(8, 2.4, start, band=True),
        window.texture(7, 3.0, start),
    )


def _paint_stack(
    world: World, rows: NDArray[np.intp], half: int, canvas: Window, noise: _Noise, layers: CellLayers
) -> None:
    cells, mpp = world.cells[rows], canvas.mpp
    left = np.floor(cells["x_um"] / mpp).astype(int) - half
    top = np.floor(cells["y_um"] / mpp).astype(int) - half
    steps = np.arange(2 * half)
    x: FloatImage = ((left[:, None] + steps + 0.5) * mpp - cells["x_um"][:, None]).astype(np.float32)[
        :, None, :
    ]
    y: FloatImage = ((top[:, None] + steps + 0.5) * mpp - cells["y_um"][:, None]).astype(np.float32)[
        :, :, None
    ]
    flat = ((top - canvas.row)[:, None] + steps)[:, :, None] * canvas.width
    flat = flat + ((left - canvas.column)[:, None] + steps)[:, None, :]
    here = noise.at(flat)
    edge, clock = nucleus_distance(x + 0.5 * here.warp_x, y + 0.5 * here.warp_y, cells)
    ragged = column(cells, "ragged")
    x, y = x + ragged * here.warp_x, y + ragged * here.warp_y
    inside = inner_distance(x, y, cells, world.borders, rows)
    soft = np.float32(max(0.5, 0.8 * mpp))
    body = np.clip(inside / (2 * soft) + 0.5, 0, 1)
    nucleus: FloatImage = np.clip(
        edge / np.maximum(column(cells, "blur"), soft) + 0.5, 0, 1, dtype=np.float32
    )
    nucleus *= cells["nucleus_um"][:, None, None] > 0
    stamps = (
        (layers.nucleus, _nuclear_haematoxylin(cells, nucleus, edge, clock, x, y, here), np.maximum),
        (layers.cytoplasm, _cytoplasm(cells, "cytoplasm_od", inside, body, here), np.maximum),
        (layers.tan, _cytoplasm(cells, "tan_od", inside, body, here), np.maximum),
        (layers.cover, np.clip(inside / 2 + 0.9, 0, 1) * column(cells, "body"), np.maximum),
    )
    windows = [
        (slice(a, a + 2 * half), slice(b, b + 2 * half))
        for a, b in zip((top - canvas.row).tolist(), (left - canvas.column).tolist(), strict=True)
    ]
    for layer, stamp, combine in stamps:
        for index, place in enumerate(windows):
            combine(layer[place], stamp[index], out=layer[place])
    brown = np.flatnonzero(cells["membrane_od"] + cells["cytoplasm_dab_od"] + cells["nuclear_dab_od"] > 0)
    if len(brown):
        few = here.of(brown)
        dab = _dab(cells[brown], inside[brown], body[brown], nucleus[brown], x[brown], y[brown], few)
        for index, stamp in zip(brown.tolist(), dab, strict=True):
            layers.dab[windows[index]] += stamp


def _nuclear_haematoxylin(
    cells: CellPlan,
    nucleus: FloatImage,
    edge: FloatImage,
    clock: FloatImage,
    x: FloatImage,
    y: FloatImage,
    noise: _Noise,
) -> FloatImage:
    """Rim, clumps, nucleoli and the clock face of plasma cells over an even fill."""
    vesicular = column(cells, "vesicular")
    depth = np.clip(edge / np.float32(1.5), 0, 1)
    fill = 1 - 0.55 * vesicular * depth
    fill += column(cells, "chromatin") * (1 + vesicular) * noise.chromatin
    fill += (0.35 + 0.35 * vesicular) * np.exp(-(((edge - 0.5) / 0.55) ** 2)) * vesicular
    if cells["clock_face"].any():
        fill += column(cells, "clock_face") * clock * np.clip(edge / 1.5, 0, 1) * np.clip(2.5 - edge, 0, 1)
    spotted = np.flatnonzero(cells["nucleolus"] > 0)
    if len(spotted):
        chosen = cells[spotted]
        away, phase = 0.35 * column(chosen, "nucleus_um"), column(chosen, "phase")
        dx = x[spotted] - column(chosen, "offset_x_um") - away * np.cos(phase)
        dy = y[spotted] - column(chosen, "offset_y_um") - away * np.sin(phase)
        fill[spotted] += column(chosen, "nucleolus") * 1.3 * np.exp(-(dx * dx + dy * dy) / 0.75)
    np.maximum(fill, 0.12, out=fill)
    amount: FloatImage = column(cells, "haematoxylin_od") * nucleus * fill
    return amount


def _cytoplasm(cells: CellPlan, name: str, inside: FloatImage, body: FloatImage, noise: _Noise) -> FloatImage:
    """Haze within the outline, paler towards an unstained border, holes where foamy."""
    pale = column(cells, "pale_border")
    shade = 1 - pale * np.clip(1 - inside / 1.4, 0, 1)
    shade *= 1 + (0.3 + 0.5 * column(cells, "foam")) * noise.granules + 0.15 * noise.lumps
    amount: FloatImage = column(cells, name) * body * np.maximum(shade, 0)
    return amount


def _dab(
    cells: CellPlan,
    inside: FloatImage,
    body: FloatImage,
    nucleus: FloatImage,
    x: FloatImage,
    y: FloatImage,
    noise: _Noise,
) -> FloatImage:
    width = column(cells, "membrane_um") * np.float32(0.5) * (1 + 0.22 * noise.uneven)
    ring = np.exp(-0.5 * ((inside - 0.35) / np.maximum(width, 0.25)) ** 2)
    ring *= np.maximum(0.0, 1 + 0.3 * noise.uneven + 1.1 * column(cells, "granularity") * noise.granules)
    amount = column(cells, "membrane_od") * ring * _arc(cells, x, y)
    clumping = column(cells, "clumping")
    clumps = np.clip(1.1 * noise.lumps + 0.6 * noise.granules - 0.5 * np.minimum(clumping, 1), 0, 2.5) * 1.7
    even = np.maximum(0, 1 + 0.25 * noise.uneven + 0.25 * noise.granules)
    share = np.minimum(clumping, 1)
    spread = column(cells, "cytoplasm_dab_od") * body * ((1 - share) * even + share * clumps)
    dots = clumping > 1.5
    if dots.any():
        spread = np.where(
            dots, column(cells, "cytoplasm_dab_od") * body * 3 * np.clip(noise.granules - 1.6, 0, 1), spread
        )
    amount += spread * (1 - (0.55 - 0.45 * share) * nucleus)
    amount += column(cells, "nuclear_dab_od") * nucleus * np.maximum(0.3, 1 + 0.3 * noise.chromatin)
    result: FloatImage = amount
    return result


ARC_ANGLES = np.linspace(0, 2 * np.pi, 64, endpoint=False)


def _arc(cells: CellPlan, x: FloatImage, y: FloatImage) -> FloatImage:
    """Which part of the outline is stained: a smooth wave around the cell, cut at its completeness."""
    full = cells["completeness"] > 0.985
    if full.all():
        return np.ones((len(cells), 1, 1), np.float32)
    phase = cells["phase"].astype(np.float64)[:, None]
    wave = _wave(np.cos(ARC_ANGLES), np.sin(ARC_ANGLES), phase)
    cut = -np.sort(-wave, axis=1)
    index = np.clip(cells["completeness"] * 64, 0, 63).astype(int)
    level = np.where(full, -9.0, cut[np.arange(len(cells)), index]).astype(np.float32)[:, None, None]
    radius = np.sqrt(x * x + y * y) + np.float32(1e-3)
    around = _wave(x / radius, y / radius, phase.astype(np.float32)[:, :, None])
    arc: FloatImage = np.clip((around - level) * 1.6 + 0.5, 0, 1).astype(np.float32)
    return arc


def _wave(
    c: NDArray[np.floating], s: NDArray[np.floating], phase: NDArray[np.floating]
) -> NDArray[np.floating]:
    c2, s2 = c * c - s * s, 2 * c * s
    c3, s3 = c * c2 - s * s2, s * c2 + c * s2
    wave: NDArray[np.floating] = c * np.cos(phase) + s * np.sin(phase)
    wave = wave + 0.7 * (c2 * np.cos(7 * phase) + s2 * np.sin(7 * phase))
    wave = wave + 0.6 * (c3 * np.cos(13 * phase) + s3 * np.sin(13 * phase))
    return np.asarray(wave)


# Painting clutter: granules, pigment, carbon, vacuoles, tan bodies, red cells and loose brown lines.


REACH_UM = 14.0


def paint_clutter(world: World, window: Window, layers: StainLayers) -> None:
    """Add the clutter that reaches into the window to its layers, in place."""
    clutter = world.clutter
    left, top = window.column * window.mpp, window.row * window.mpp
    near = (clutter.x_um > left - REACH_UM) & (clutter.x_um < left + window.width * window.mpp + REACH_UM)
    near &= (clutter.y_um > top - REACH_UM) & (clutter.y_um < top + window.height * window.mpp + REACH_UM)
    warp = window.texture(41, 1.6, world.texture_um)
    for index in np.flatnonzero(near).tolist():
        _paint_one(clutter, index, window, warp, layers)


def _paint_one(clutter: Clutter, index: int, window: Window, warp: FloatImage, layers: StainLayers) -> None:
    mpp, radius = window.mpp, float(clutter.radius_um[index])
    aspect = float(np.sqrt(clutter.aspect[index]))
    half = int((radius * aspect + 1.5) / mpp) + 1
    row = int(np.floor(clutter.y_um[index] / mpp)) - window.row
    column = int(np.floor(clutter.x_um[index] / mpp)) - window.column
    rows = slice(max(0, row - half), min(window.height, row + half + 1))
    columns = slice(max(0, column - half), min(window.width, column + half + 1))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    y = ((np.arange(rows.start, rows.stop) + window.row + 0.5) * mpp - clutter.y_um[index]).astype(
        np.float32
    )[:, None]
    x = ((np.arange(columns.start, columns.stop) + window.column + 0.5) * mpp - clutter.x_um[index]).astype(
        np.float32
    )[None, :]
    cosine, sine = np.float32(np.cos(clutter.angle[index])), np.float32(np.sin(clutter.angle[index]))
    distance = np.hypot(
        (x * cosine + y * sine) / np.float32(aspect), (y * cosine - x * sine) * np.float32(aspect)
    )
    rough = warp[rows, columns]
    edge = np.float32(radius) - distance + np.float32(0.18 * min(radius, 2.5)) * rough
    soft = np.float32(max(0.6, mpp))
    _apply(
        Thing(clutter.thing[index]),
        clutter.amount_od[index],
        edge,
        np.clip(edge / soft + 0.5, 0, 1),
        rough,
        layers,
        rows,
        columns,
    )


def _apply(
    thing: Thing,
    amount: np.float32,
    edge: FloatImage,
    mask: FloatImage,
    rough: FloatImage,
    layers: StainLayers,
    rows: slice,
    columns: slice,
) -> None:
    place = (rows, columns)
    if thing is Thing.GRANULE:
        layers.dab[place] += amount * mask
    elif thing is Thing.PIGMENT:
        layers.pigment[place] += amount * mask * np.maximum(0.4, 1 + 0.3 * rough)
    elif thing is Thing.CARBON:
        layers.carbon[place] += amount * mask
    elif thing is Thing.VACUOLE:
        for layer in (layers.haematoxylin, layers.dab, layers.tan):
            layer[place] *= 1 - amount * mask
        layers.haematoxylin[place] += np.float32(0.05) * np.exp(-(((edge + 0.4) / 0.6) ** 2))
    elif thing is Thing.TAN_BODY:
        layers.tan[place] += amount * np.clip(edge / 2.5, 0, 1) * np.maximum(0.3, 1 + 0.25 * rough)
    elif thing is Thing.RED_CELL:
        layers.blood[place] = np.maximum(
            layers.blood[place], amount * mask * (1 - 0.45 * np.clip(edge / 3, 0, 1))
        )
    else:
        line = np.exp(-((edge / 0.7) ** 2)) * np.clip(rough + 0.2, 0, 1)
        layers.dab[place] += amount * line


# Painting the ground beneath the cells: fibres and clefts of stroma, haze, necrosis, keratin, mucus.


@dataclass(frozen=True, eq=False)
class _Grain:
    fine: FloatImage
    middle: FloatImage
    coarse: FloatImage
    wide: FloatImage


def paint_ground(world: World, window: Window) -> StainLayers:
    """Paint what lies beneath the cells."""
    layers = StainLayers.empty(window.shape)
    start = world.texture_um
    grain = _Grain(
        window.texture(21, 0.8, start),
        window.texture(22, 3.0, start),
        window.texture(23, 9.0, start),
        window.texture(24, 40.0, start),
    )
    soft = {name: window.world_map(plane, STEP_UM) for name, plane in world.ground_maps.items()}
    fibrous = _fibrous(world, soft)
    if fibrous is not None:
        _stroma(world, window, fibrous, grain, layers)
    _nest_matrix(world, soft, grain, layers)
    _special_grounds(world, soft, grain, layers)
    _dab_haze(world, window, soft, grain, layers)
    return layers


def _fibrous(world: World, soft: dict[Ground, FloatImage]) -> FloatImage | None:
    """Return where stroma's fibres are seen: in stroma, and in diffuse growth within nests too."""
    share = soft.get(Ground.STROMA)
    within = world.recipe.tissue.stroma_within
    if within > 0 and Ground.NEST in soft:
        nest = np.float32(within) * soft[Ground.NEST]
        return nest if share is None else share + nest
    return share


def _stroma(world: World, window: Window, share: FloatImage, grain: _Grain, layers: StainLayers) -> None:
    look, hard_negatives = world.recipe.stains, world.recipe.hard_negatives
    across = window.world_map(world.layout.fibre_um, STEP_UM) + 1.7 * grain.middle + 1.5 * grain.coarse
    thin = _along_fibres(window, across, 31, 0.5, 4.0)
    bundle = _along_fibres(window, across, 32, 1.8, 9.0)
    tissue = 0.7 + 0.25 * thin + 0.3 * bundle + 0.25 * grain.coarse + 0.25 * grain.fine
    np.maximum(tissue, 0.08, out=tissue)
    tissue *= share
    if hard_negatives.clefts_share > 0:
        torn = _along_fibres(window, across, 33, 4.5, 30.0) + 0.25 * grain.middle
        tissue *= np.clip((_upper_tail(hard_negatives.clefts_share) - torn) * 3 + 0.5, 0.02, 1)
    strands = _along_fibres(window, across + 1.5 * grain.middle, 34, 2.8, 11.0)
    line = np.clip(1 - np.abs(strands) * 4.5, 0, 1) * np.clip(0.6 + 0.7 * grain.middle + 0.3 * thin, 0, 1.5)
    line *= np.minimum(tissue, share)
    layers.carbon[:] += np.float32(0.35 * look.fibril_od) * line
    layers.haematoxylin[:] += np.float32(0.65 * look.fibril_od) * line
    layers.haematoxylin[:] += np.float32(look.stroma_blue_od) * tissue
    layers.tan[:] += np.float32(look.stroma_tan_od) * tissue * np.maximum(0.2, 1 + 0.4 * bundle)


def _along_fibres(
    window: Window, across: FloatImage, seed: int, thick_um: float, long_um: float
) -> FloatImage:
    """Streaks that follow the fibres: noise read with one axis across them and one along."""
    texture = periodic_texture(seed, 2.0)
    u = across * np.float32(2 / thick_um)
    along = (window.x_um[None, :] * 0.83 + window.y_um[:, None] * 0.56).astype(np.float32)
    v = along * np.float32(2 / long_um)
    return np.asarray(
        cv2.remap(texture, _wrapped(u), _wrapped(v), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    )


def _wrapped(texels: FloatImage) -> FloatImage:
    """Bring texture coordinates into one period; several times faster than numpy's remainder."""
    size = np.float32(TEXTURE_SIZE)
    wrapped: FloatImage = texels - np.floor(texels * (1 / size)) * size
    return wrapped


def _upper_tail(share: float) -> float:
    """Return the normal deviate that a share of values exceeds (Abramowitz & Stegun 26.2.22)."""
    t = np.sqrt(-2 * np.log(min(0.5, max(1e-4, share))))
    return float(t - (2.30753 + 0.27061 * t) / (1 + 0.99229 * t + 0.04481 * t * t))


def _nest_matrix(world: World, soft: dict[Ground, FloatImage], grain: _Grain, layers: StainLayers) -> None:
    """Paint a faint ground between epithelial cells."""
    look = world.recipe.nuclei
    for name in (Ground.NEST, Ground.BENIGN):
        if name in soft:
            layers.haematoxylin[:] += (
                soft[name]
                * np.float32(0.5 * look.cytoplasm_od)
                * np.maximum(0, 1 + 0.35 * grain.fine + 0.3 * grain.middle)
            )
            layers.tan[:] += soft[name] * np.float32(0.5 * look.cytoplasm_tan_od)


def _special_grounds(
    world: World, soft: dict[Ground, FloatImage], grain: _Grain, layers: StainLayers
) -> None:
    hard_negatives = world.recipe.hard_negatives
    if Ground.NECROSIS in soft:
        rough = (
            np.maximum(0.1, 1 + 0.35 * grain.fine + 0.3 * grain.middle + 0.3 * grain.coarse)
            * soft[Ground.NECROSIS]
        )
        layers.haematoxylin[:] += 0.04 * rough
        layers.tan[:] += 0.05 * rough
        layers.dab[:] += np.float32(hard_negatives.necrosis_dab_od) * rough
    if Ground.KERATIN in soft:
        swirl = 0.5 + 0.5 * np.sin(9.0 * grain.wide + 1.3 * grain.coarse + 0.5 * grain.middle)
        flakes = soft[Ground.KERATIN] * np.maximum(0, 0.5 + swirl + 0.2 * grain.fine)
        layers.tan[:] += 0.06 * flakes
        layers.haematoxylin[:] += 0.02 * flakes
        layers.dab[:] += np.float32(hard_negatives.keratin_dab_od) * flakes
    if Ground.LUMEN in soft:
        wisps = soft[Ground.LUMEN] * np.clip(0.6 * grain.coarse + 0.5 * grain.middle, 0, 2)
        layers.haematoxylin[:] += 0.03 * wisps
        layers.tan[:] += 0.02 * wisps
        layers.dab[:] += np.float32(hard_negatives.mucus_dab_od) * wisps


def _dab_haze(
    world: World, window: Window, soft: dict[Ground, FloatImage], grain: _Grain, layers: StainLayers
) -> None:
    hard_negatives = world.recipe.hard_negatives
    tissue = 1 - soft.get(Ground.GLASS, np.float32(0))
    haze = np.float32(hard_negatives.haze_od) * np.maximum(0.2, 1 + 0.3 * grain.wide)
    if Ground.STROMA in soft and hard_negatives.haze_patch_od > 0:
        patch = np.clip(grain.wide, 0, 2) * np.maximum(0, 1 + 0.5 * grain.middle) * soft[Ground.STROMA]
        haze = haze + np.float32(hard_negatives.haze_patch_od) * patch
    if hard_negatives.edge_od > 0 and Ground.GLASS in soft:
        depth = window.world_map(world.layout.tissue_depth_um, STEP_UM)
        haze = haze + np.float32(hard_negatives.edge_od) * np.exp(-np.abs(depth) / 9) * np.maximum(
            0, 1 + 0.5 * grain.coarse
        )
    layers.dab[:] += haze * tissue


# Painting a window of a world: ground, cells and clutter composed into stain layers.


def paint(world: World, window: Window) -> StainLayers:
    """Return the amounts of stain in a window; neighbouring windows meet without a seam."""
    layers = paint_ground(world, window)
    cells = paint_cells(world, window)
    uncovered = 1 - cells.cover
    layers.haematoxylin[:] *= uncovered
    layers.tan[:] *= uncovered
    layers.dab[:] *= 0.5 + 0.5 * uncovered
    layers.haematoxylin[:] += cells.cytoplasm
    layers.tan[:] += cells.tan
    layers.haematoxylin[:] += cells.nucleus
    layers.dab[:] += cells.dab
    paint_clutter(world, window, layers)
    return layers
