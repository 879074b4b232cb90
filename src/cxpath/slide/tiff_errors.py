"""What tifffile and its codecs raise on damaged files."""

from __future__ import annotations

import struct

import tifffile

TIFF_ERRORS = (
    tifffile.TiffFileError,
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    ArithmeticError,
    RuntimeError,  # codecs derive their errors from it
    struct.error,
)
