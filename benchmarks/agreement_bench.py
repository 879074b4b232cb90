"""The agreement part of `make bench`: 31 readers, 109 cases, 2 rounds, everything, 2,000 bootstrap draws.

FigureMarkup scores of the size of the published ring studies. `make bench ONLY=agreement` prints this alone.
"""

from __future__ import annotations

from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from cxpath.app.agree import AgreementRequest, run_agreement
from cxpath.io.tables import write_rows

READERS, CASES, ROUNDS = 31, 109, 2


def write_ring(path: Path) -> None:
    """Write a tidy table of drawn reads."""
    rng = np.random.default_rng(1)
    true = np.exp(rng.normal(1.5, 1.3, CASES))
    rows: list[list[str | float]] = []
    for number in range(1, ROUNDS + 1):
        for reader in range(READERS):
            scores = np.minimum(true * np.exp(rng.normal(rng.normal(0, 0.2), 0.5, CASES)), 100)
            rows += [[f"c{case}", f"r{reader}", number, round(float(s))] for case, s in enumerate(scores)]
    write_rows(path, ["case", "reader", "round", "value"], rows)


def print_agreement_time(folder: Path) -> None:
    """Run the study with its report and print how long it took."""
    table = folder / "ring.csv"
    write_ring(table)
    started, used = perf_counter(), process_time()
    study = run_agreement(AgreementRequest(reads=(table,)), folder / "study")
    wall, processor = perf_counter() - started, process_time() - used
    size = f"{READERS} readers x {CASES} cases x {ROUNDS} rounds, {study.settings.replicates} draws"
    print(f"agree run, {size}: {wall:.1f} s by the clock, {processor:.1f} s of processor time")
