"""Small slides drawn and written for the tests, and the exact answer to what reading them must give."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

RGB = NDArray[np.uint8]

PLANTED = {
    "User": "b2f1c7d3-user",
    "Barcode": "S24-987654",
    "Date": "11/23/26",
    "Time": "10:11:12",
    "Filename": "DOE_JANE_1951",
    "ScanScope ID": "SS7321",
    "ImageID": "100448613597",
}


def speckle(height: int, width: int, seed: int = 0) -> RGB:
    """Independent random pixels: the hardest content for an interpolator."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def disc(height: int, width: int, x: float, y: float, radius: float) -> RGB:
    """A soft dark disc on white with its centre at a known level-0 position (pixel centres at .5)."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    distance = np.hypot(columns - x, rows - y)
    light = np.rint(255 * np.clip((distance - radius) / 20 + 0.5, 0.1, 1)).astype(np.uint8)
    return np.stack([light, light, light], axis=2)


def block_mean(picture: RGB, factor: int) -> RGB:
    """What a scanner stores as a lower level: means of whole blocks, the rest dropped."""
    height, width = picture.shape[0] // factor, picture.shape[1] // factor
    blocks = picture[: height * factor, : width * factor].reshape(height, factor, width, factor, 3)
    means: RGB = np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)
    return means


def exact_region(
    picture: RGB, x: float, y: float, step: float, width: int, height: int
) -> NDArray[np.float64]:
    """Float mean over each output pixel's footprint, through integrals; white outside the picture."""
    top, left = max(int(y), 0), max(int(x), 0)
    window = picture[top : int(y + height * step) + 2, left : int(x + width * step) + 2].astype(np.float64)
    along_rows = _exact_axis(window, y - top, step, height)
    return _exact_axis(along_rows.transpose(1, 0, 2), x - left, step, width).transpose(1, 0, 2)


def _exact_axis(values: NDArray[np.float64], start: float, step: float, number: int) -> NDArray[np.float64]:
    size = len(values)
    pad = int(abs(start) + number * step + size + 2)
    white = np.full((pad, *values.shape[1:]), 255.0)
    padded = np.concatenate([white, values, white])
    integral = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(padded, axis=0)])
    edges = start + step * np.arange(number + 1) + pad
    low = np.floor(edges).astype(int)
    part = (edges - low)[:, None, None]
    at_edges = integral[low] * (1 - part) + integral[low + 1] * part
    return np.asarray(np.diff(at_edges, axis=0) / step)


def write_tiff(
    path: Path, levels: Sequence[RGB], pixels_per_cm: float | None = 40_000, **options: Any
) -> Path:
    """Write a generic tiled pyramid; 40,000 pixels a centimetre are 0.25 µm per pixel."""
    how: dict[str, Any] = {"tile": (64, 64), "photometric": "rgb", "compression": "deflate", **options}
    if pixels_per_cm is not None:
        how |= {"resolution": (pixels_per_cm, pixels_per_cm), "resolutionunit": "CENTIMETER"}
    with tifffile.TiffWriter(path) as tiff:
        for index, level in enumerate(levels):
            tiff.write(level, subfiletype=1 if index else 0, metadata=None, **how)
    return path


def write_aperio(path: Path, levels: Sequence[RGB], mpp: str | None = "0.25", quality: int = 90) -> Path:
    """Write an Aperio-like SVS (JPEG tiles, thumbnail, label and macro) full of planted identifiers."""
    height, width = levels[0].shape[:2]
    facts = {"AppMag": "40", "MPP": mpp, **PLANTED}
    pairs = "|".join(f"{name} = {value}" for name, value in facts.items() if value is not None)
    first = f"Aperio Image Library v12.0.15\r\n{width}x{height} [0,0 {width}x{height}] (256x256)"
    tiled: dict[str, Any] = {
        "photometric": "rgb",  # stored as YCbCr
        "subsampling": (2, 2),
        "tile": (256, 256),
        "compression": "jpeg",
        "compressionargs": {"level": quality},
        "metadata": None,
    }
    stripped: dict[str, Any] = {"photometric": "rgb", "metadata": None, "compression": "lzw"}
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(levels[0], description=f"{first} JPEG/RGB Q={quality}|{pairs}", **tiled)
        tiff.write(levels[0][:64, :64], description=f"{first} -> 64x64 - |{pairs}", **stripped)
        for level in levels[1:]:
            tiff.write(level, description=f"{first} JPEG/RGB Q={quality}|{pairs}", **tiled)
        for kind, code in (("label", 1), ("macro", 9)):
            picture = np.full((64, 96, 3), 7, dtype=np.uint8)
            tiff.write(picture, subfiletype=code, description=f"Aperio\r\n{kind} 96x64", **stripped)
    return path


def write_ome(path: Path, picture: RGB, mpp: float | None = 0.3, **options: Any) -> Path:
    """Write an OME-TIFF; `options` go to tifffile (axes in `metadata`, tiles, planar storage)."""
    metadata = {"axes": "YXS", **options.pop("metadata", {})}
    if mpp is not None:
        metadata |= {"PhysicalSizeX": mpp, "PhysicalSizeY": mpp}
        metadata |= {"PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
    tifffile.imwrite(path, picture, ome=True, metadata=metadata, **options)
    return path


def spoil_tile(path: Path, page: int, tile: int) -> None:
    """Overwrite the bytes of one tile with nonsense."""
    with tifffile.TiffFile(path) as tiff:
        offset, length = tiff.pages[page].dataoffsets[tile], tiff.pages[page].databytecounts[tile]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\x55" * length)
