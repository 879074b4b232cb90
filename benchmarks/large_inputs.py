"""The large part of `make bench`: inputs of the largest size that people bring, each in its own process.

Three million given cells, 200 readers of 500 cases, a worklist of 5,000 rows. Prints seconds by the clock and
of the processor, and peak memory. `make bench ONLY=large` prints this alone.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv

from benchmarks.repeated_slide import repeat_slide, synthetic_slide
from cxpath.io.tables import write_rows

CELLS, READERS, CASES, ROWS = 3_000_000, 200, 500, 5_000
SLIDE_PX = 32_768
READS_IN_A_TABLE = 40_000
"""cxpath refuses tables of more than 50,000 rows."""


@dataclass(frozen=True)
class Limit:
    """What is wanted."""

    seconds: float
    megabytes: float | None = None


def print_large_inputs(folder: Path) -> dict[str, Any]:
    """Run the three commands; print and return what each took."""
    drawn = synthetic_slide(folder)
    slide = repeat_slide(drawn, folder / "slide.svs", SLIDE_PX)
    jobs = {
        f"score --cells, {CELLS} cells as CSV": (
            ["score", str(slide), "--cells", str(_cells(folder)), "--out", str(folder / "given")],
            Limit(60, 2000),
        ),
        f"agree run, {READERS} readers of {CASES} cases": (
            ["agree", "run", *map(str, _reads(folder)), "--out", str(folder / "study")],
            Limit(60, 1000),
        ),
        f"batch run --check, {ROWS} rows": (
            ["batch", "run", str(_worklist(folder, drawn)), "--check", "--out", str(folder / "batch")],
            Limit(20),
        ),
    }
    return {name: _measured(name, words, limit) for name, (words, limit) in jobs.items()}


_POLL_S = 0.05


def _measured(name: str, words: list[str], limit: Limit) -> dict[str, float]:
    started = perf_counter()
    child = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "cxpath", *words],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    peak_mb = 0.0
    while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        peak_mb = max(peak_mb, _peak_mb(child))
        sleep(_POLL_S)
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"{name}: ended with {os.waitstatus_to_exitcode(status)}")
    found = {
        "seconds": perf_counter() - started,
        "processor_seconds": used.ru_utime + used.ru_stime,
        "peak_mb": peak_mb,
    }
    memory = f", {limit.megabytes:g} MB" if limit.megabytes else ""
    print(
        f"  {name:38} {found['seconds']:6.1f} s by the clock, {found['processor_seconds']:6.1f} s of the "
        f"processor, {found['peak_mb']:5.0f} MB (wanted: {limit.seconds:g} s{memory})"
    )
    return found


def _peak_mb(process: int) -> float:
    """Return the largest memory of a process until now; `wait4` counts the parent's before `exec`."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    found = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(next(found, "0")) / 1e3


def _cells(folder: Path) -> Path:
    """Write cells around nests, as a plain table."""
    rng = np.random.default_rng(5)
    kind = rng.choice(3, CELLS, p=[0.5, 0.3, 0.2])
    nests, nest = rng.uniform(2_000, SLIDE_PX - 2_000, (400, 2)), rng.integers(400, size=CELLS)
    spread_px = np.array([900.0, 1_500.0, 4_000.0])[kind][:, None]
    place = np.clip(nests[nest] + rng.normal(size=(CELLS, 2)) * spread_px, 0, SLIDE_PX - 1)
    columns = {
        "x_px": place[:, 0],
        "y_px": place[:, 1],
        "kind": np.array(["tumour", "immune", "other"])[kind],
        "stained": rng.random(CELLS).astype(np.float32),
        "dab_membrane_od": rng.uniform(0, 0.6, CELLS).astype(np.float32),
        "membrane_completeness": rng.random(CELLS).astype(np.float32),
    }
    path = folder / "cells.csv"
    pcsv.write_csv(pa.table(columns), path)
    return path


def _reads(folder: Path) -> list[Path]:
    rng = np.random.default_rng(1)
    true = np.exp(rng.normal(1.5, 1.3, CASES))
    rows: list[list[str | float]] = []
    for reader in range(READERS):
        scores = np.minimum(true * np.exp(rng.normal(rng.normal(0, 0.2), 0.5, CASES)), 100)
        rows += [[f"c{case}", f"r{reader}", round(float(score))] for case, score in enumerate(scores)]
    paths = []
    for start in range(0, len(rows), READS_IN_A_TABLE):
        paths.append(folder / f"reads-{start}.csv")
        write_rows(paths[-1], ["case", "reader", "value"], rows[start : start + READS_IN_A_TABLE])
    return paths


def _worklist(folder: Path, slide: Path) -> Path:
    home = folder / "slides"
    home.mkdir()
    for number in range(ROWS):
        (home / f"s{number:04d}.svs").hardlink_to(slide)
    path = folder / "worklist.csv"
    write_rows(path, ["slide", "assay"], [[f"slides/s{number:04d}.svs", "22c3"] for number in range(ROWS)])
    return path
