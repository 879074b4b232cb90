"""Slides the reader table is measured on: drawn tissue at 0.25 µm per pixel, stored as scanners store it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from cxpath.synth.field import make_field
from cxpath.synth.recipe import FieldRecipe

TILE_PX = 256
SIDE_PX = 4096
MPP = 0.25

KINDS: dict[str, tuple[int, str, str]] = {
    "Q70 4:2:0": (70, "420", "YCBCR"),
    "Q70 4:2:2": (70, "422", "YCBCR"),
    "Q90 4:2:0": (90, "420", "YCBCR"),
    "Q70 RGB": (70, "444", "RGB"),
}
"""Name to JPEG quality, subsampling and colours."""


def draw() -> NDArray[np.uint8]:
    """Draw a picture of SIDE_PX a side: one field, mirrored so that it continues."""
    half = SIDE_PX // 2
    field = make_field(FieldRecipe(size_px=(half, half), mpp=MPP), np.random.default_rng(11)).rgb
    upper = np.concatenate([field, field[:, ::-1]], axis=1)
    return np.concatenate([upper, upper[::-1]], axis=0)


def write_slide(path: Path, picture: NDArray[np.uint8], kind: str) -> Path:
    """Write an Aperio-like slide of one level."""
    colours = KINDS[kind][2]
    tifffile.imwrite(
        path,
        _tiles(picture, *KINDS[kind]),
        shape=picture.shape,
        dtype=np.uint8,
        tile=(TILE_PX, TILE_PX),
        photometric="ycbcr" if colours == "YCBCR" else "rgb",
        compression="jpeg",
        subsampling={"420": (2, 2), "422": (2, 1), "444": (1, 1)}[KINDS[kind][1]],
        description=f"Aperio Image Library v12.0.0 \r\n{SIDE_PX}x{SIDE_PX} ({TILE_PX}x{TILE_PX}) "
        f"JPEG/RGB Q={KINDS[kind][0]}|AppMag = 40|MPP = {MPP}",
        metadata=None,
    )
    return path


def _tiles(picture: NDArray[np.uint8], quality: int, subsampling: str, colours: str) -> Iterator[bytes]:
    for top in range(0, SIDE_PX, TILE_PX):
        for left in range(0, SIDE_PX, TILE_PX):
            yield bytes(
                imagecodecs.jpeg8_encode(
                    np.ascontiguousarray(picture[top : top + TILE_PX, left : left + TILE_PX]),
                    level=quality,
                    colorspace="RGB",
                    outcolorspace=colours,
                    subsampling=subsampling,
                )
            )
