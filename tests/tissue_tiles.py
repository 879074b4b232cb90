"""A small H&E tile made of two stains, with its labels: nests of large nuclei, small dark ones around."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.synth.labelled_tissue import (
    BRCA_M2C,
    LABEL_NUMBER,
    LABELS,
    USUAL_EOSIN,
    USUAL_HAEMATOXYLIN,
    LabelledTile,
)

TILE_PX = 160
PITCH_PX = 20


def tissue_tile(
    seed: int = 1,
    *,
    name: str = "TCGA-A0-A000-tile",
    haematoxylin: tuple[float, float, float] = USUAL_HAEMATOXYLIN,
    eosin: tuple[float, float, float] = USUAL_EOSIN,
    eosin_od: float = 0.4,
    sparse: bool = False,
) -> LabelledTile:
    """Tumour nuclei in the left half; lymphocytes and stromal nuclei in the right, few where `sparse`."""
    rng = np.random.default_rng(seed)
    grid = np.arange(PITCH_PX / 2, TILE_PX, PITCH_PX)
    x_px, y_px = (axis.ravel() + rng.uniform(-3, 3, axis.size) for axis in np.meshgrid(grid, grid))
    right = np.where(rng.random(x_px.size) < 0.5, LABEL_NUMBER["lymphocyte"], LABEL_NUMBER["stromal"])
    label = np.where(x_px < TILE_PX / 2, LABEL_NUMBER["tumour"], right).astype(np.int64)
    kept = (x_px < TILE_PX / 2) | (np.arange(x_px.size) % 4 == 0) | (not sparse)
    x_px, y_px, label = x_px[kept], y_px[kept], label[kept]
    blue, pink = _amounts(rng, x_px, y_px, label, eosin_od)
    od = blue[..., None] * np.array(haematoxylin) + pink[..., None] * np.array(eosin)
    light = np.clip(np.rint(244 * 10**-od), 0, 255).astype(np.uint8)
    return LabelledTile(BRCA_M2C, name, name[:12], light, x_px, y_px, label)


def _amounts(
    rng: np.random.Generator,
    x_px: NDArray[np.float64],
    y_px: NDArray[np.float64],
    label: NDArray[np.int64],
    eosin_od: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    row, column = np.mgrid[:TILE_PX, :TILE_PX] + 0.5
    nuclei = np.zeros((TILE_PX, TILE_PX))
    for x, y, number in zip(x_px, y_px, label, strict=True):
        radius = 7.0 if LABELS[number].name == "tumour" else 4.5
        nuclei = np.maximum(nuclei, np.clip(radius + 0.5 - np.hypot(column - x, row - y), 0, 1))
    glass = column > TILE_PX - 8
    texture = 1 + 0.1 * rng.standard_normal(nuclei.shape)
    pink = np.where(glass, 0.0, eosin_od * (1 - 0.8 * nuclei)) * texture
    return np.where(glass, 0.0, (0.04 + 0.8 * nuclei) * texture), pink


def write_tile(tile: LabelledTile, data: Path, *, spelling: str = "tumour_or_epithelial") -> Path:
    """Write a tile as the data set has it: a picture, and a table of whole pixels next to it."""
    folder = data / tile.source.folder
    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / f"{tile.name}.png"
    assert cv2.imwrite(str(picture), np.ascontiguousarray(tile.rgb[..., ::-1]))
    rows = ["x,y,class_id,class"]
    for x, y, number in zip(tile.x_px, tile.y_px, tile.label, strict=True):
        rows.append(f"{int(x)},{int(y)},0,{LABELS[number].name.replace('tumour', spelling)}")
    picture.with_suffix(".csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return picture
