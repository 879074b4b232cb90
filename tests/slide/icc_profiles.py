"""ICC profiles of made-up scanners: matrix and gamma, version 2, written byte by byte (ICC.1:2001-04)."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray
from PIL import ImageCms

_WHITE = (0.9642, 1.0, 0.8249)
"""D50, the white of the connection space."""


def icc_profile(gamma: float = 1.8, *, name: str = "Made-up scanner", space: bytes = b"RGB ") -> bytes:
    """Return a profile with the primaries of sRGB and one gamma for all channels."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).profile
    colorants = [one for one in (srgb.red_colorant, srgb.green_colorant, srgb.blue_colorant) if one]
    tags = {
        b"desc": _description(name),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": _xyz(_WHITE),
    }
    for channel, colorant in zip(b"rgb", colorants, strict=True):
        tags[bytes([channel]) + b"XYZ"] = _xyz(colorant[0])
        tags[bytes([channel]) + b"TRC"] = b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(gamma * 256))
    return _file(tags, space)


def srgb_profile() -> bytes:
    """Return the profile of sRGB that lcms makes."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def expected_srgb(rgb: NDArray[np.uint8], gamma: float = 1.8) -> NDArray[np.float64]:
    """Return what the colours of such a scanner are in sRGB (IEC 61966-2-1)."""
    light = (rgb / 255.0) ** gamma
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(encoded * 255)


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def _description(name: str) -> bytes:
    text = name.encode() + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78)


def _file(tags: dict[bytes, bytes], space: bytes) -> bytes:
    place = 128 + 4 + 12 * len(tags)
    table, data = b"", b""
    for name, content in tags.items():
        table += name + struct.pack(">II", place + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    size = place + len(data)
    head = struct.pack(">I4sI4s4s4s", size, b"\0\0\0\0", 0x02400000, b"scnr", space, b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += struct.pack(">3i", *(round(value * 65536) for value in _WHITE)) + bytes(48)
    return head + struct.pack(">I", len(tags)) + table + data
