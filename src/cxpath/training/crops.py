"""Random crops of drawn fields: turned, mirrored, scaled and slightly recoloured, with their cells.

Every step's crops depend on the seed and the step alone, so a resumed run sees what an unbroken one would.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxpath.training.field_cache import FieldCache
from cxpath.training.poor_scans import as_poor_scan
from cxpath.training.settings import CropSettings
from cxpath.training.synthetic.drawn_field import REGION_STRIDE_PX, DrawnField
from cxpath.training.synthetic.scanned_field import brought_to


@dataclass(frozen=True)
class Turn:
    """One of the eight symmetries of a square: mirrored left to right first, then turned quarters."""

    mirrored: bool
    quarters: int


def draw_crops(fields: FieldCache, settings: CropSettings, seed: int, step: int) -> list[DrawnField]:
    """Return one batch of crops."""
    rng = np.random.default_rng([seed, step])
    chosen = rng.choice(len(fields), size=settings.batch, replace=len(fields) < settings.batch)
    return [_random_crop(fields.field(int(index)), settings, rng) for index in chosen]


def cut(field: DrawnField, left: int, top: int, side_px: int) -> DrawnField:
    """Cut a square whose corner is a multiple of 8 px; cells outside it are dropped."""
    cells = field.cells
    inside = (cells.x_px >= left) & (cells.x_px < left + side_px)
    inside &= (cells.y_px >= top) & (cells.y_px < top + side_px)
    kept = cells.take(inside)
    coarse = np.s_[
        top // REGION_STRIDE_PX : (top + side_px) // REGION_STRIDE_PX,
        left // REGION_STRIDE_PX : (left + side_px) // REGION_STRIDE_PX,
    ]
    return DrawnField(
        rgb=field.rgb[top : top + side_px, left : left + side_px],
        mpp=field.mpp,
        cells=replace(kept, x_px=kept.x_px - left, y_px=kept.y_px - top),
        region=field.region[coarse],
        ignore=field.ignore[coarse],
    )


def turned(field: DrawnField, turn: Turn) -> DrawnField:
    """Return a square field mirrored and turned, its cells with it."""
    x_px, y_px = turned_places(field.cells.x_px, field.cells.y_px, field.rgb.shape[0], turn)
    return replace(
        field,
        rgb=turned_array(field.rgb, turn),
        region=turned_array(field.region, turn),
        ignore=turned_array(field.ignore, turn),
        cells=replace(field.cells, x_px=x_px, y_px=y_px),
    )


def turned_places(
    x_px: NDArray[np.float64], y_px: NDArray[np.float64], side_px: int, turn: Turn
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where places in a square of `side_px` come to lie."""
    if turn.mirrored:
        x_px = side_px - x_px
    for _ in range(turn.quarters % 4):
        x_px, y_px = y_px, side_px - x_px
    return x_px, y_px


def turned_array(array: NDArray[Any], turn: Turn) -> NDArray[Any]:
    """Return an array (H, W, ...) mirrored and turned."""
    return np.rot90(array[:, ::-1] if turn.mirrored else array, turn.quarters)


def random_turn(rng: np.random.Generator) -> Turn:
    """Return one of the eight symmetries."""
    return Turn(bool(rng.integers(2)), int(rng.integers(4)))


def recoloured(rgb: NDArray[np.uint8], settings: CropSettings, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the picture with a slight random gain per channel and shift of all, as scanners differ."""
    gain = 1.0 + settings.gain_spread * rng.standard_normal(3)
    shift = settings.brightness_spread * rng.standard_normal()
    levels = np.arange(256)[:, None] * gain + shift
    table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return np.stack([table[:, channel][rgb[..., channel]] for channel in range(3)], axis=-1)


def _random_crop(field: DrawnField, settings: CropSettings, rng: np.random.Generator) -> DrawnField:
    side_px = _side_before_scaling(field.rgb.shape[0], settings, rng)
    room = (field.rgb.shape[0] - side_px) // REGION_STRIDE_PX + 1
    left, top = (REGION_STRIDE_PX * int(value) for value in rng.integers(0, room, size=2))
    crop = brought_to(turned(cut(field, left, top, side_px), random_turn(rng)), settings.crop_px)
    rgb = recoloured(crop.rgb, settings, rng)
    if settings.poor_share > 0 and rng.random() < settings.poor_share:
        rgb = as_poor_scan(rgb, rng)
    return replace(crop, rgb=rgb)


def _side_before_scaling(field_px: int, settings: CropSettings, rng: np.random.Generator) -> int:
    """Draw the side of the square to cut, a multiple of 8 px that the field holds."""
    if settings.scale_spread == 0:
        return settings.crop_px
    most = np.log1p(settings.scale_spread)
    squares = settings.crop_px * np.exp(rng.uniform(-most, most)) / REGION_STRIDE_PX
    return REGION_STRIDE_PX * int(np.clip(np.rint(squares), 1, field_px // REGION_STRIDE_PX))
