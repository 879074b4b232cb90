"""Plain pictures (PNG, JPEG) as slides of one level, held in memory.

Their resolution tags speak of printing, not of tissue, and are not read.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile, JpegImagePlugin, PngImagePlugin

from cxpath.errors import CxpathError, UnreadableSlideError
from cxpath.slide.identity import one_line, shown_as
from cxpath.slide.pixels import on_white
from cxpath.slide.resolution import Level, resolve
from cxpath.slide.slide import Slide, SlideFacts

MOST_PICTURE_PX = 400_000_000
"""20,000 px a side, 1.2 GB: what one may hold in memory without asking."""

_UNSUSPICIOUS_PX = 40_000_000
_MOST_PX_PER_BYTE = 300
"""Of larger pictures; one of a single colour has 64 pixels a byte as JPEG and 285 as PNG."""

_PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "png": PngImagePlugin.PngImageFile,
    "jpeg": JpegImagePlugin.JpegImageFile,
}
_ORIENTATION, _UPRIGHT = 0x0112, 1
_MODES_8_BIT = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"}
_DECODING_ERRORS = (
    OSError,
    SyntaxError,  # what Pillow raises on a wrong header
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    MemoryError,
    struct.error,
    zlib.error,
    AssertionError,  # Pillow's, on a picture of a palette without one
    RuntimeError,
)


class PictureSlide(Slide):
    """A picture in memory."""

    def __init__(self, facts: SlideFacts, rgb: NDArray[np.uint8]) -> None:
        super().__init__(facts)
        self._rgb: NDArray[np.uint8] | None = rgb

    def close(self) -> None:
        """Let go of the pixels."""
        super().close()
        self._rgb = None

    def _fetch(self, index: int, x_px: int, y_px: int, width: int, height: int) -> NDArray[np.uint8]:
        rgb = self._rgb
        if rgb is None:
            raise ValueError("the slide is closed")
        return rgb[y_px : y_px + height, x_px : x_px + width].copy()


def picture_kind(file: BinaryIO) -> str | None:
    """Say from its first bytes whether a file is "png", "jpeg" or "tiff"."""
    start = file.read(8)
    if start == b"\x89PNG\r\n\x1a\n":
        return "png"
    if start[:3] == b"\xff\xd8\xff":
        return "jpeg"
    return "tiff" if start[:4] in {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"} else None


def open_picture(path: Path, kind: str, mpp: float | None, name: str | None) -> PictureSlide:
    """Open a picture of a kind ("png" or "jpeg") as a slide of one level.

    Raises
    ------
    UnreadableSlideError
        When the picture is damaged, too large, or not of 8 bits a channel.
    ResolutionError
        When no µm per pixel are given.
    """
    shown = shown_as(path, name)
    try:
        # The plug-in is called itself: PIL.Image.open would warn or fail at a limit that is global to the
        # process; the size is checked here instead, before any pixel is decoded.
        with path.open("rb") as file, _PLUGINS[kind](file) as picture:
            _check(picture, shown, path.stat().st_size)
            resolution = resolve(mpp, None, shown)
            rgb, profile = _pixels(picture), picture.info.get("icc_profile")
    except CxpathError:  # some of them are OSError or ValueError too
        raise
    except _DECODING_ERRORS as error:
        raise UnreadableSlideError(
            f"{shown}: the {kind.upper()} picture is damaged: {one_line(error, path)}",
            "save or copy the picture again",
        ) from error
    height, width, _ = rgb.shape
    facts = SlideFacts(
        path,
        name,
        "picture",
        kind,
        (Level(width, height),),
        resolution,
        icc_profile=profile if isinstance(profile, bytes) else b"",
    )
    return PictureSlide(facts, rgb)


def too_large(shown: str, width: int, height: int) -> UnreadableSlideError:
    """Return the error for a picture that would have to be held in memory and cannot."""
    return UnreadableSlideError(
        f"{shown}: a plain picture of {width} x {height} px is too large to hold in memory",
        "turn it into a tiled pyramidal TIFF first, for example with vips tiffsave --tile --pyramid",
    )


def _check(picture: ImageFile.ImageFile, shown: str, size: int) -> None:
    width, height = picture.size
    if width * height > MOST_PICTURE_PX:
        raise too_large(shown, width, height)
    if width * height > max(_UNSUSPICIOUS_PX, _MOST_PX_PER_BYTE * size):
        raise UnreadableSlideError(
            f"{shown}: damaged: a picture of {width} x {height} px in {size} bytes",
            "save or copy the picture again",
        )
    if picture.mode not in _MODES_8_BIT:
        raise UnreadableSlideError(
            f"{shown}: not a picture of 8 bits a channel (mode {picture.mode})",
            "cxpath reads brightfield pictures; save it as 8-bit RGB",
        )
    # Of a JPEG alone: Pillow decodes a PNG whole to look for it.
    has_exif = picture.format == "JPEG" or "exif" in picture.info  # asking a PNG without any decodes it
    lies = picture.getexif().get(_ORIENTATION, _UPRIGHT) if has_exif else _UPRIGHT
    if lies != _UPRIGHT:
        # Viewers turn it; annotations made there would lie elsewhere than the cells found here.
        raise UnreadableSlideError(
            f"{shown}: is stored turned or mirrored (EXIF orientation {lies})", "save it upright"
        )


def _pixels(picture: ImageFile.ImageFile) -> NDArray[np.uint8]:
    if "A" in picture.mode or "transparency" in picture.info:
        return on_white(np.asarray(picture.convert("RGBA")))
    return np.array(picture.convert("RGB"))
