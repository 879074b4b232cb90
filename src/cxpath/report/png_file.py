"""Pictures on disk: as PNG, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from cxpath.exchange.whole_file import whole_file

_QUICKLY = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP)
"""Each row as its difference to the one above, zlib at 1 of 9: as small as Pillow's file, in half the time.

Pillow cannot name the filter and tries all of them on every row.
"""


def write_png(picture: Image.Image, path: Path) -> None:
    """Write a picture's colours; an interrupted write leaves no half file.

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
    blue_first = cv2.cvtColor(np.asarray(picture.convert("RGB")), cv2.COLOR_RGB2BGR)
    _, packed = cv2.imencode(".png", blue_first, _QUICKLY)
    with whole_file(path) as partial:
        partial.write_bytes(packed.tobytes())
