"""Say how often a laboratory's map is written, and whether the figure quoted for it comes true on new cases.

Run it as `python -m scripts.studies.measure_laboratory_map [STUDIES] [CASES]`; by default 200 studies of
60 cases.
For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement.calibration import choose_map, choose_threshold
from cxpath.agreement.continuous import Scale, lins_concordance
from cxpath.errors import StudyError

Floats = NDArray[np.float64]
ZEROS, SPREAD, ERROR, NEW, SEED = 0.2, 1.2, 0.4, 20_000, 2026
LEANINGS: dict[str, Callable[[Floats], Floats]] = {
    "none": lambda scores: scores,
    "readers say half": lambda scores: scores / 2,
    "readers say 1.5 times": lambda scores: np.minimum(1.5 * scores, 100),
    "readers miss what is below 2": lambda scores: np.where(scores < 2, 0.0, scores),
}


def draw(cases: int, leaning: Callable[[Floats], Floats], rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the software's scores and the readers' consensus, each (cases,)."""
    scores = np.minimum(np.where(rng.random(cases) < ZEROS, 0, np.exp(rng.normal(1.5, SPREAD, cases))), 100)
    return scores, np.minimum(leaning(scores) * np.exp(rng.normal(0, ERROR, cases)), 100)


if __name__ == "__main__":
    studies, cases = (int(number) for number in (*sys.argv[1:], *("200", "60")[len(sys.argv) - 1 :]))
    print(f"{studies:,} studies of {cases} cases, seed {SEED}\n")
    print("| readers' leaning | map written | CCC quoted | on new cases | without, on new cases |")
    print("|---|---:|---:|---:|---:|")
    log, thresholds, cluster = Scale.LOG, np.array([0.5]), np.arange(cases)
    for name, leaning in LEANINGS.items():
        rng = np.random.default_rng(SEED)
        new_scores, new_reads = draw(NEW, leaning, rng)
        helped, quoted, true = 0, [], []
        for number in range(studies):
            scores, reads = draw(cases, leaning, rng)
            try:
                choice = choose_threshold(scores[:, None], thresholds, reads, cluster, 0.5, seed=number)
            except StudyError:  # too few on one side of the cut-off: no laboratory gets that far
                continue
            found = choose_map(scores[:, None], thresholds, reads, cluster, choice, number)
            helped += found.helps
            quoted.append(found.honest.value)
            true.append(lins_concordance(log.of(new_reads), log.of(found.score_map.of(new_scores))))
        plain = lins_concordance(log.of(new_reads), log.of(new_scores))
        means = f"{np.mean(quoted):.3f} | {np.mean(true):.3f}"
        print(f"| {name} | {helped / len(true):.1%} | {means} | {plain:.3f} |")
