"""The scoring part of `make bench`: two million cells to all scores, intervals and influence.

Runs in a fresh process; its peak memory holds the table of cells and the drawing of it. `make bench
ONLY=scoring` prints this alone.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from statistics import median
from time import perf_counter, process_time

import numpy as np

from cxpath.app.configuration import read_assay
from cxpath.data.cells import CellTable, CellTableFacts
from cxpath.data.slide_info import TissueAreas
from cxpath.scores.score import score_cells
from cxpath.scores.settings import ScoringSettings

CELLS = 2_000_000
ROUNDS = 3
MOST_SECONDS, MOST_MB = 6.0, 1500.0
WIDTH_PX, HEIGHT_PX, MPP = 120_000, 80_000, 0.25


def large_slide(cells: int = CELLS, seed: int = 5) -> CellTable:
    """Draw a resection: tumour in nests, immune cells around them and far away, positivity in clusters."""
    rng = np.random.default_rng(seed)
    nests = rng.uniform((4_000, 4_000), (WIDTH_PX - 4_000, HEIGHT_PX - 4_000), (400, 2))
    nest = rng.integers(len(nests), size=cells)
    kind = rng.choice(3, cells, p=[0.5, 0.3, 0.2]).astype(np.uint8)
    spread_px = np.array([900.0, 1_500.0, 4_000.0])[kind]
    place = np.clip(nests[nest] + rng.normal(size=(cells, 2)) * spread_px[:, None], 0, (WIDTH_PX, HEIGHT_PX))
    far = (kind == 1) & (rng.random(cells) < 0.3)
    place[far] = rng.uniform((0, 0), (WIDTH_PX, HEIGHT_PX), (int(far.sum()), 2))
    hot = rng.beta(0.3, 3.0, len(nests))[nest]
    return CellTable.from_columns(
        CellTableFacts(mpp=MPP, width_px=WIDTH_PX, height_px=HEIGHT_PX),
        x_px=place[:, 0],
        y_px=place[:, 1],
        kind=kind,
        stained=np.where(rng.random(cells) < hot, rng.uniform(0.5, 1, cells), rng.uniform(0, 0.5, cells)),
        dab_membrane_od=rng.uniform(0, 0.6, cells),
        membrane_completeness=rng.random(cells),
    )


def measure() -> tuple[float, float, float]:
    """Return median seconds to score, on the clock and of the processor, and the process's peak megabytes."""
    cells = large_slide()
    settings = ScoringSettings(intensity_thresholds_od=(0.1, 0.25, 0.5))
    cutoffs = read_assay("22c3").cutoffs("cps", "cervix")
    clock, processor = [], []
    for _ in range(ROUNDS):
        started, busy = perf_counter(), process_time()
        score_cells(cells, settings, cutoffs, areas=TissueAreas(600.0))
        clock.append(perf_counter() - started)
        processor.append(process_time() - busy)
    return median(clock), median(processor), _peak_mb()


def print_scoring() -> None:
    """Measure in a process of its own, so that its memory is nobody else's, and print."""
    words = [sys.executable, "-m", "benchmarks.scoring"]
    print(subprocess.run(words, check=True, capture_output=True, text=True).stdout, end="")


def _peak_mb() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 1e6 if sys.platform == "darwin" else used / 1e3


if __name__ == "__main__":
    seconds, busy_seconds, peak_mb = measure()
    in_time, in_memory = (
        "met" if held else "missed" for held in (seconds <= MOST_SECONDS, peak_mb <= MOST_MB)
    )
    print(
        f"{'score 2,000,000 cells':32} {seconds:7.2f} s       {busy_seconds:.2f} s of the processor; "
        f"at most {MOST_SECONDS:g} s: {in_time}"
    )
    print(f"{'  its peak memory':32} {peak_mb:7.0f} MB      at most {MOST_MB:g} MB: {in_memory}")
