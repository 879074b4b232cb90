"""`make bench`: how fast cxpath is, as ratios measured side by side in one run.

Draws its own slide. Rounds alternate (A B A B ...) and medians are compared, since absolute times change
with the machine and its mood. Mpx are megapixels of RGB at 0.5 µm/px. `make bench ONLY=readers` prints the
reader table alone, `ONLY=scoring` the scoring of two million cells.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import openslide
import torch
from benchmarks.agreement_bench import print_agreement_time
from benchmarks.reader_table import print_reader_table
from benchmarks.scoring import print_scoring
from PIL import Image

import cxpath
from cxpath.network.detector import Detector
from cxpath.network.device import choose_device
from cxpath.network.model_store import load_model
from cxpath.slide.slide import Slide
from cxpath.training.synthetic.slide import draw_slide
from cxpath.values.stains import StainBasis

ROUNDS = 5
SIDE_PX = 512
MPP = 0.5


def interleaved(work: dict[str, Callable[[], float]]) -> dict[str, float]:
    """Run each job once a round, in turn; return the median of what it gives (Mpx per second)."""
    seen: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, job in work.items():
            seen[name].append(job())
    return {name: median(values) for name, values in seen.items()}


def rate(job: Callable[[], object], megapixels: float) -> float:
    """Return megapixels per second of one run."""
    started = perf_counter()
    job()
    return megapixels / (perf_counter() - started)


def patches(slide: Slide) -> list[tuple[int, int]]:
    """Level-0 corners of patches that cover the slide."""
    step = int(SIDE_PX * MPP / slide.mpp)
    return [
        (x_px, y_px)
        for y_px in range(0, slide.height_px - step + 1, step)
        for x_px in range(0, slide.width_px - step + 1, step)
    ]


def read_with_cxpath(slide: Slide) -> None:
    """Read all patches through `Slide.read`."""
    for x_px, y_px in patches(slide):
        slide.read(x_px, y_px, SIDE_PX, SIDE_PX, MPP)


def read_with_openslide(path: Path, slide: Slide) -> None:
    """Read all patches as most tools do: openslide, RGB, Pillow's box filter."""
    factor = int(MPP / slide.mpp)
    with openslide.OpenSlide(path) as plain:
        for where in patches(slide):
            region = plain.read_region(where, 0, (SIDE_PX * factor, SIDE_PX * factor)).convert("RGB")
            region.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX)


def start_up() -> float:
    """Return the seconds that `cxpath --help` takes beyond a bare Python."""

    def seconds(*words: str) -> float:
        started = perf_counter()
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
        return perf_counter() - started

    own = median(seconds("-m", "cxpath", "--help") for _ in range(ROUNDS))
    return own - median(seconds("-c", "pass") for _ in range(ROUNDS))


def main() -> None:
    """Draw, measure, print."""
    torch.set_num_threads(1)
    if "scoring" in sys.argv[1:]:
        print_scoring()
        return
    with TemporaryDirectory() as folder:
        if "agreement" in sys.argv[1:]:
            print_agreement_time(Path(folder))
            return
        print_reader_table(Path(folder))
        if "readers" in sys.argv[1:]:
            return
        print_agreement_time(Path(folder))
        path = Path(folder) / "bench.svs"
        draw_slide(path, seed=11, cps=5.0)
        with cxpath.open_slide(path) as slide:
            megapixels = len(patches(slide)) * SIDE_PX**2 / 1e6
            detector = Detector(load_model("small"), choose_device("cpu", threads=1), StainBasis())
            tiles = np.stack([slide.read(x, y, SIDE_PX, SIDE_PX, MPP) for x, y in patches(slide)[20:28]])
            found = interleaved(
                {
                    "read, openslide + box": lambda: rate(
                        lambda: read_with_openslide(path, slide), megapixels
                    ),
                    "read, cxpath": lambda: rate(lambda: read_with_cxpath(slide), megapixels),
                    "detect, one thread": lambda: rate(lambda: detector.detect(tiles), tiles.size / 3e6),
                    "score, everything, one thread": lambda: rate(
                        lambda: cxpath.score_slide(path, Path(folder) / "out", overwrite=True, device="cpu"),
                        megapixels,
                    ),
                }
            )
    base = found["read, openslide + box"]
    for name, speed in found.items():
        print(f"{name:32} {speed:7.1f} Mpx/s   {speed / base:5.2f} x openslide + box")
    print_scoring()
    print(f"{'cxpath --help':32} {start_up():7.2f} s beyond a bare Python")


if __name__ == "__main__":
    main()
