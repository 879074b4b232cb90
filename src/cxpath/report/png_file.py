"""Pictures on disk: as PNG, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from cxpath.exchange.whole_file import whole_file

_COMPRESSION = 1
"""Of zlib's nine: a tenth larger than at its usual six, and more than twice as fast."""


def write_png(picture: Image.Image, path: Path) -> None:
    """Write a picture; an interrupted write leaves no half file.

    Parameters
    ----------
    picture : PIL.Image.Image
    path : Path
        Overwritten when it exists.

    Raises
    ------
    OutputError
        When nothing can be written there.
    """
    with whole_file(path) as partial:
        picture.save(partial, format="PNG", compress_level=_COMPRESSION)
