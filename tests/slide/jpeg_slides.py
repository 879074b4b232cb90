"""TIFF files of JPEG tiles, stored in every way that slides are, and in some that they should not be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import tifffile

from cxpath.slide.jpeg import read_head
from tests.slide.synthetic_slides import RGB

_JPEG_TABLES = 347


@dataclass(frozen=True)
class Storage:
    """How tiles are stored.

    `colours` is what the samples are, `marked` whether a marker in the tile says so, `tagged` what the TIFF
    says; `shared` puts the tables into JPEGTables.
    """

    subsampling: str = "420"
    colours: str = "YCBCR"
    marked: bool = True
    tagged: str = ""
    shared: bool = True
    quality: int = 85
    tile: tuple[int, int] = (64, 64)


def tissue(height: int, width: int, seed: int = 0) -> RGB:
    """Soft coloured blobs with some grain: what JPEG is made for, in colours that tell RGB from YCbCr."""
    random = np.random.default_rng(seed)
    colour = cv2.GaussianBlur(random.normal(size=(height, width, 3)).astype(np.float32), (0, 0), 9) * 350
    light = cv2.GaussianBlur(random.normal(size=(height, width)).astype(np.float32), (0, 0), 2.0) * 60
    grain = random.normal(size=(height, width, 1))
    return np.clip(np.array([185, 135, 105]) + colour + light[..., None] + grain, 0, 255).astype(np.uint8)


def encoded(tile: RGB, storage: Storage) -> bytes:
    """Compress one tile."""
    stream = bytes(
        imagecodecs.jpeg8_encode(
            np.ascontiguousarray(tile),
            level=storage.quality,
            colorspace="RGB",
            outcolorspace=storage.colours,
            subsampling=storage.subsampling,
        )
    )
    return stream if storage.marked else _unmarked(stream)


def split(stream: bytes) -> tuple[bytes, bytes]:
    """Return the tables of a stream, and the stream without them."""
    head = read_head(stream)
    tables = [part.data for part in head.segments if part.marker in {0xC4, 0xDB}]
    others = [part.data for part in head.segments if part.marker not in {0xC4, 0xDB}]
    body = stream[len(head.data) :]
    return b"\xff\xd8" + b"".join(tables) + b"\xff\xd9", b"\xff\xd8" + b"".join(others) + body


def write_jpeg_tiff(
    path: Path,
    levels: Sequence[RGB],
    storage: Storage,
    description: str | None = None,
    missing: frozenset[tuple[int, int]] = frozenset(),
    **options: Any,
) -> Path:
    """Write levels; `missing` contains (level, tile number) of tiles never written."""
    with tifffile.TiffWriter(path, bigtiff=options.pop("bigtiff", False)) as tiff:
        for index, level in enumerate(levels):
            streams = list(_streams(level, storage))
            extra = []
            if storage.shared:
                tables = split(streams[0])[0]
                extra = [(_JPEG_TABLES, 7, len(tables), tables, True)]
                streams = [split(stream)[1] for stream in streams]
            tiff.write(
                iter([b"" if (index, number) in missing else one for number, one in enumerate(streams)]),
                shape=level.shape,
                dtype=np.uint8,
                tile=storage.tile,
                photometric=storage.tagged or ("ycbcr" if storage.colours == "YCBCR" else "rgb"),
                compression="jpeg",
                subsampling=(int(storage.subsampling[1] == "2") + 1, int(storage.subsampling[2] == "0") + 1),
                subfiletype=int(index > 0 and description is None),
                description=description,
                resolution=(40_000, 40_000),
                resolutionunit="CENTIMETER",
                extratags=extra,
                metadata=None,
                **options,
            )
    return path


def aperio_description(level: RGB) -> str:
    """What makes OpenSlide take a TIFF for an Aperio slide."""
    height, width = level.shape[:2]
    return f"Aperio Image Library v12.0.0 \r\n{width}x{height} (64x64) JPEG/RGB Q=85|AppMag = 40|MPP = 0.25"


def _streams(level: RGB, storage: Storage) -> Iterator[bytes]:
    tall, wide = storage.tile
    for top in range(0, level.shape[0], tall):
        for left in range(0, level.shape[1], wide):
            tile = level[top : top + tall, left : left + wide]
            missing = (tall - tile.shape[0], wide - tile.shape[1])
            yield encoded(np.pad(tile, ((0, missing[0]), (0, missing[1]), (0, 0))), storage)


def _unmarked(stream: bytes) -> bytes:
    """Take out JFIF and Adobe markers and number the components 1, 2, 3, as Aperio does with RGB."""
    head = read_head(stream)
    parts = []
    for part in head.segments:
        data = bytearray(part.data)
        if part.marker == 0xC0:
            data[10:19:3] = b"\1\2\3"
        elif part.marker == 0xDA:
            data[5:11:2] = b"\1\2\3"
        if part.speaks_of_pixels:
            parts.append(bytes(data))
    return b"\xff\xd8" + b"".join(parts) + stream[len(head.data) :]
