"""One peer reader in its own environment: reads the same patches whenever it is told to, and says how long.

Started by `benchmarks/peers.py` with the peers' Python; imports nothing of cxpath.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from time import process_time
from typing import Any

import numpy as np

Read = Callable[[int, int, int], Any]


def halved(region: Any) -> Any:
    """Average blocks of two by two, the quickest way there is."""
    cv2 = importlib.import_module("cv2")
    height, width = region.shape[:2]
    return cv2.resize(np.asarray(region), (width // 2, height // 2), interpolation=cv2.INTER_AREA)


def cucim(path: str) -> Read:
    """CuCIM on the CPU."""
    slide = importlib.import_module("cucim").CuImage(path)
    return lambda x, y, side: halved(
        np.asarray(slide.read_region((x, y), size=(2 * side, 2 * side), level=0))
    )


def tiffslide(path: str) -> Read:
    """Read through tiffslide."""
    slide = importlib.import_module("tiffslide").TiffSlide(path)
    return lambda x, y, side: halved(slide.read_region((x, y), 0, (2 * side, 2 * side), as_array=True))


def fastslide(path: str) -> Read:
    """Read through fastslide."""
    slide = importlib.import_module("fastslide").FastSlide.from_file_path(path)
    return lambda x, y, side: halved(slide.read_region((x, y), 0, (2 * side, 2 * side)).numpy())


PEERS = {"cucim": cucim, "tiffslide": tiffslide, "fastslide": fastslide}


def main() -> None:
    """Read all patches for every line on standard input; answer with seconds of processor time."""
    name, path, side, corners = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
    read = PEERS[name](path)
    read(corners[0][0], corners[0][1], side)
    print("ready", flush=True)
    for _ in sys.stdin:
        read = PEERS[name](path)
        started = process_time()
        for x, y in corners:
            read(x, y, side)
        print(process_time() - started, flush=True)


if __name__ == "__main__":
    main()
