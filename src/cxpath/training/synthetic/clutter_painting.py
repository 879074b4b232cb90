"""Painting clutter: granules, pigment, carbon, vacuoles, tan bodies, red cells and loose brown lines."""

from __future__ import annotations

import numpy as np

from cxpath.training.synthetic.clutter import Clutter, Thing
from cxpath.training.synthetic.noise import FloatImage
from cxpath.training.synthetic.stains import StainLayers
from cxpath.training.synthetic.window import Window
from cxpath.training.synthetic.world import World

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
