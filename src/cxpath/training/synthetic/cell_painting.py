"""Painting cells: stamps of outline, nucleus, cytoplasm and DAB, many cells at a time.

Cells of one stamp size are computed together as a stack (cells, height, width); sums and maxima do not
depend on the order, so any window of a world paints alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxpath.training.synthetic.cell_plan import CellPlan
from cxpath.training.synthetic.cell_shapes import (
    column,
    extent_um,
    inner_distance,
    nucleus_distance,
)
from cxpath.training.synthetic.noise import FloatImage
from cxpath.training.synthetic.window import Window
from cxpath.training.synthetic.world import World

BUCKET_PX = 4
STACK_VALUES = 60_000
"""Values a stack may hold, so that it stays in the processor's cache."""


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
    here = _Noise(
        *(
            plane.ravel()[flat]
            for plane in (
                noise.warp_x,
                noise.warp_y,
                noise.chromatin,
                noise.granules,
                noise.lumps,
                noise.uneven,
            )
        )
    )
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
        few = _Noise(
            *(
                getattr(here, name)[brown]
                for name in ("warp_x", "warp_y", "chromatin", "granules", "lumps", "uneven")
            )
        )
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
