"""Peak memory of whole runs against slide size; each run in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.repeated_slide import repeat_slide

SIDES_PX = (8_192, 20_480, 61_440)

_RUN = """
import json, resource, sys
import cxpath
import torch
from cxpath.network.detector import Detector
from cxpath.network.device import choose_device
from cxpath.network.model import (load_model)
from cxpath.report import slide_page
from cxpath.app import score_slide
from cxpath.data.slide_info import StainBasis
import numpy as np
Detector(load_model("small"), choose_device("cpu"), StainBasis()).detect(np.zeros((1, 64, 64, 3), np.uint8))
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
libraries = peak()
cxpath.score_slide(sys.argv[1], sys.argv[2], overwrite=True, device="cpu")
found = {"libraries_mb": libraries, "peak_mb": peak()}
found["cells"] = len(cxpath.read_cells(sys.argv[2] + "/cells.parquet"))
print(json.dumps(found))
"""


def peak_memory(path: Path, out: Path) -> dict[str, float]:
    """Score a slide in a new process; return the peak before it, with all libraries loaded, and after it."""
    command = [sys.executable, "-c", _RUN, str(path), str(out)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(printed.splitlines()[-1])
    return found


def print_memory(
    drawn: Path, folder: Path, sides_px: tuple[int, ...] = SIDES_PX
) -> dict[int, dict[str, float]]:
    """Score slides of several sizes; print and return their peaks in megabytes."""
    figures = {}
    for side_px in sides_px:
        path = repeat_slide(drawn, folder / "memory.svs", side_px)
        found = peak_memory(path, folder / "out")
        above = found["peak_mb"] - found["libraries_mb"]
        cells = f"{found['cells']:9.0f} cells"
        print(
            f"  {side_px:6} px a side, {cells}: peak {found['peak_mb']:5.0f} MB, "
            f"{above:5.0f} above the libraries"
        )
        figures[side_px] = found
        path.unlink()
    if len(sides_px) > 1:
        peaks = [figures[side]["peak_mb"] for side in sides_px]
        print(f"  largest over the one before: {peaks[-1] / peaks[-2]:.2f} (wanted: 1.2)")
    return figures
