"""Decoding a JPEG stream at 1/1, 1/2, 1/4 or 1/8 in the DCT domain. Knows no TIFF.

A stream decoded at 1/2 costs about half of decoding all pixels and averaging them, and is as close to the
light on the glass (`docs/performance.md`).
"""

from __future__ import annotations

import re

import numpy as np
import simplejpeg
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

_FAST_DCT = _FAST_UPSAMPLING = False
"""Both would differ from what other readers show, for a few per cent of speed."""

_ALIGNMENT = 32

_SURPLUS = re.compile(r"(\d+) extraneous bytes before marker 0xd9")


class DamagedStreamError(ValueError):
    """The pixels of the stream are not all there."""


def memory_for(width: int, height: int) -> Picture:
    """Return memory for a picture of this size, (height, width, 3), that decoding to is quickest.

    To memory at a multiple of 32 bytes libjpeg-turbo writes past the processor's caches, which is slower by
    a tenth in itself and leaves the pixels far away from whoever wants them next. So it begins at no such
    multiple.
    """
    size = height * width * 3
    memory = np.empty(size + 2 * _ALIGNMENT, dtype=np.uint8)
    start = (_ALIGNMENT // 2 - memory.ctypes.data) % _ALIGNMENT
    return memory[start : start + size].reshape(height, width, 3)


def decode(stream: bytes, width: int, height: int, shrink: int, into: Picture | None = None) -> Picture:
    """Decode a stream that stands alone.

    Parameters
    ----------
    stream : bytes
        From SOI on, tables and colour marker included.
    width, height : int
        Its full size in pixels; multiples of `shrink`.
    shrink : int
        1, 2, 4 or 8.
    into : uint8 array, optional
        Memory to decode to, from `memory_for`; else new memory.

    Returns
    -------
    uint8 array, (height / shrink, width / shrink, 3)

    Raises
    ------
    DamagedStreamError
        When bytes are missing or wrong; libjpeg alone would fill in grey.
    """
    width, height = width // shrink, height // shrink
    if into is None:
        into = memory_for(width, height)
    # Positional, since keywords cost a microsecond a tile. The smallest factor counts only when the
    # smallest size is given too.
    how = ("RGB", _FAST_DCT, _FAST_UPSAMPLING, height, width, shrink, into)
    try:
        pixels: Picture = simplejpeg.decode_jpeg(stream, *how)
    except ValueError as error:
        if not _is_padded(stream, str(error)):
            raise DamagedStreamError(str(error)) from error
        pixels = simplejpeg.decode_jpeg(stream, *how, strict=False)
    if pixels.shape != into.shape:
        raise DamagedStreamError(f"it holds {pixels.shape[1]} x {pixels.shape[0]} px")
    return pixels


def _is_padded(stream: bytes, complaint: str) -> bool:
    """Say whether libjpeg complains of nothing but filling before the end, which some scanners write."""
    surplus = _SURPLUS.search(complaint)
    if surplus is None:
        return False
    end = stream.rfind(b"\xff\xd9")
    return not stream[max(end - int(surplus[1]), 0) : end].strip(b"\x00\xff")
