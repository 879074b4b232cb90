"""Reads of drawn cases: true scores, readers who err, software that errs less or more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cxpath.data.reads import NOT_EVALUABLE, Read, exactly


def simulated_reads(
    cases: int = 40,
    readers: Sequence[str] = ("Ann", "Bob", "Cem"),
    rounds: int = 1,
    software_error: float | None = 0.2,
    seed: int = 1,
) -> list[Read]:
    """Return zero-heavy reads; the software's under the name "AI", one of them not evaluable."""
    rng = np.random.default_rng(seed)
    true = np.where(rng.random(cases) < 0.3, 0.0, np.exp(rng.normal(1.5, 1.4, cases)))
    reads = []
    for number in range(1, rounds + 1):
        for reader in readers:
            scores = np.minimum(true * np.exp(rng.normal(0, 0.4, cases)), 100)
            reads += [_read(case, reader, float(score), number) for case, score in enumerate(scores)]
    if software_error is not None:
        scores = np.minimum(true * np.exp(rng.normal(0, software_error, cases)), 100)
        reads += [_read(case, "AI", float(score), 1) for case, score in enumerate(scores)]
        reads[-1] = Read(case=reads[-1].case, reader="AI", value=NOT_EVALUABLE, groups=reads[-1].groups)
    return reads


def _read(case: int, reader: str, score: float, number: int) -> Read:
    rounded = round(score, 1) if score < 1 else float(round(score))
    site = {"site": "north" if case % 2 else "south"}
    return Read(case=f"case{case:03d}", reader=reader, value=exactly(rounded), round=number, groups=site)
