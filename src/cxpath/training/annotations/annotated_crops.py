"""Random crops around what a lab marked; every step's crops depend on the seed and the step alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cxpath.network.architecture import OUTPUT_STRIDE_PX
from cxpath.training.annotations.annotated_field import AnnotatedField
from cxpath.training.annotations.window_cache import WindowCache
from cxpath.training.crops import Turn, random_turn, recoloured, turned_array, turned_places
from cxpath.training.settings import CropSettings
from cxpath.training.synthetic.drawn_field import REGION_STRIDE_PX

_STREAM = 1
"""Keeps these dice apart from those of the drawn crops of the same step."""


def draw_annotated_crops(
    windows: WindowCache, settings: CropSettings, number: int, seed: int, step: int
) -> list[AnnotatedField]:
    """Return some crops; every image is as likely as every other, however much is marked in it."""
    rng = np.random.default_rng([seed, step, _STREAM])
    images = np.unique(windows.place[:, 0])
    return [_random_crop(windows, int(rng.choice(images)), settings, rng) for _ in range(number)]


def cut_window(field: AnnotatedField, left: int, top: int, side_px: int) -> AnnotatedField:
    """Cut a square whose corner is a multiple of 8 px; cells outside it are dropped."""
    cells = field.cells.take(field.cells.inside(left, top, side_px))

    def squares(stride: int) -> tuple[slice, slice]:
        return tuple(slice(edge // stride, (edge + side_px) // stride) for edge in (top, left))  # type: ignore[return-value]

    return AnnotatedField(
        rgb=field.rgb[squares(1)],
        cells=cells.in_frame(left, top, 1.0),
        complete=field.complete[squares(OUTPUT_STRIDE_PX)],
        region=field.region[squares(REGION_STRIDE_PX)],
    )


def turned_window(field: AnnotatedField, turn: Turn) -> AnnotatedField:
    """Return a square field mirrored and turned, its labels with it."""
    x_px, y_px = turned_places(field.cells.x_px, field.cells.y_px, field.rgb.shape[0], turn)
    return AnnotatedField(
        rgb=turned_array(field.rgb, turn),
        cells=replace(field.cells, x_px=x_px, y_px=y_px),
        complete=turned_array(field.complete, turn),
        region=turned_array(field.region, turn),
    )


def _random_crop(
    windows: WindowCache, image: int, settings: CropSettings, rng: np.random.Generator
) -> AnnotatedField:
    field = windows.field(int(rng.choice(np.flatnonzero(windows.place[:, 0] == image))))
    anchor = _anchor(field, windows.size.margin_px, windows.size.core_px, rng)
    corner = anchor - rng.uniform(0.2, 0.8, size=2) * settings.crop_px
    corner = np.clip(corner, 0, windows.size.side_px - settings.crop_px)
    left, top = (int(edge) // REGION_STRIDE_PX * REGION_STRIDE_PX for edge in corner)
    crop = turned_window(cut_window(field, left, top, settings.crop_px), random_turn(rng))
    return replace(crop, rgb=recoloured(crop.rgb, settings, rng))


def _anchor(
    field: AnnotatedField, margin_px: int, core_px: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return x, y of a marked cell or of a known empty place in the core, one as likely as the other."""
    cells = field.cells.take(field.cells.inside(margin_px, margin_px, core_px))
    core = slice(margin_px // OUTPUT_STRIDE_PX, (margin_px + core_px) // OUTPUT_STRIDE_PX)
    rows, columns = np.nonzero(field.complete[core, core])
    if len(cells) and (not len(rows) or rng.random() < 0.5):
        chosen = int(rng.integers(len(cells)))
        return np.array([cells.x_px[chosen], cells.y_px[chosen]])
    if not len(rows):
        return np.full(2, margin_px + core_px / 2)
    chosen = int(rng.integers(len(rows)))
    return margin_px + (np.array([columns[chosen], rows[chosen]]) + 0.5) * OUTPUT_STRIDE_PX
