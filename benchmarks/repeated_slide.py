"""Slides of any size in seconds: the compressed tiles of a drawn slide, repeated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from cxpath.synth.slide import write_synthetic_slide

TILE_PX = 256
MPP = 0.25
SYNTHETIC_PX = 4096


def synthetic_slide(folder: Path) -> Path:
    """Draw the slide that the others repeat: tissue with 5 positive cells for 100 tumour cells."""
    path = folder / "drawn.svs"
    write_synthetic_slide(path, seed=11, cps=5.0, width_px=SYNTHETIC_PX, height_px=SYNTHETIC_PX, mpp=MPP)
    return path


def repeat_slide(drawn: Path, path: Path, side_px: int) -> Path:
    """Write a square Aperio-like slide of `side_px`, a multiple of 4096, with levels at 1/4 and 1/16."""
    with (
        tifffile.TiffFile(drawn) as tiff,
        drawn.open("rb") as file,
        tifffile.TiffWriter(path, bigtiff=True) as writer,
    ):
        for level, page in enumerate(tiff.pages):
            side = side_px // (1, 4, 16)[level]
            writer.write(
                _tiles(page, file, side // TILE_PX),
                shape=(side, side, 3),
                dtype=np.uint8,
                tile=(TILE_PX, TILE_PX),
                photometric="ycbcr",
                compression="jpeg",
                subsampling=(2, 2),
                subfiletype=0,
                description=_description(side_px, side),
                metadata=None,
            )
    return path


def _tiles(page: Any, file: Any, number: int) -> Iterator[bytes]:
    across, down = page.imagewidth // TILE_PX, page.imagelength // TILE_PX
    for row in range(number):
        for column in range(number):
            place = row % down * across + column % across
            file.seek(page.dataoffsets[place])
            yield file.read(page.databytecounts[place])


def _description(side_px: int, side: int) -> str:
    size = f"{side_px}x{side_px}"
    if side != side_px:
        size += f" [0,0 {side_px}x{side_px}] ({TILE_PX}x{TILE_PX}) -> {side}x{side}"
    return (
        f"Aperio Image Library v12.0.0 \r\n{size} ({TILE_PX}x{TILE_PX}) JPEG/RGB Q=88|AppMag = 40|MPP = {MPP}"
    )
