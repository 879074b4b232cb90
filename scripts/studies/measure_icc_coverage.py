"""Count how often the intervals of ICC(A,1) hold the truth, on zero-heavy scores of two readers.

Run it as `python -m scripts.studies.measure_icc_coverage [STUDIES] [CASES]`; by default 2,000 studies of
60 cases.
Studies are drawn anew; the 2,000 bootstrap draws of their cases are the same for all, which saves time.
For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement.base import bootstrap_interval, draw_cases
from cxpath.agreement.continuous import Form, Scale, f_interval, icc_statistic

ZEROS, SPREAD, ERROR = 0.3, 1.5, 0.5  # share of true zeros; of log scores between cases; of readers' errors
REPLICATES, LEVEL, SEED = 2000, 0.95, 2026


def sample_scores(cases: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return scores of two readers, (cases, 2), rounded as people round."""
    true = np.where(rng.random(cases) < ZEROS, 0, np.exp(rng.normal(1.5, SPREAD, cases)))
    scores = true[:, None] * np.exp(rng.normal(0, ERROR, (cases, 2)))
    scores = np.minimum(scores + (rng.random((cases, 2)) < 0.15) * rng.exponential(0.5, (cases, 2)), 100)
    return np.where(scores < 0.5, 0, np.where(scores < 1, np.round(scores, 1), np.round(scores)))


def main() -> None:
    """Simulate and print a table."""
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    cases = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    rng = np.random.default_rng(SEED)
    many = sample_scores(1_000_000, rng)
    truth = {s: icc_statistic(s.of(many), Form.AGREEMENT)(np.ones((1, len(many))))[0] for s in Scale}
    held = {(scale, kind): 0 for scale in Scale for kind in ("bootstrap", "F-based")}
    draws = draw_cases(np.arange(cases), REPLICATES, LEVEL, SEED)
    for _ in range(studies):
        scores = sample_scores(cases, rng)
        for scale in Scale:
            table = scale.of(scores)
            boot = bootstrap_interval(icc_statistic(table, Form.AGREEMENT), draws)
            for kind, interval in (
                ("bootstrap", boot),
                ("F-based", f_interval(table, Form.AGREEMENT, LEVEL)),
            ):
                held[scale, kind] += bool(interval and interval.low <= truth[scale] <= interval.high)
    print(
        f"{studies:,} studies of {cases} cases, seed {SEED}\n\n| scale | interval | covers |\n|---|---|---:|"
    )
    for (scale, kind), number in held.items():
        print(f"| {scale.value}, ICC {truth[scale]:.3f} | {kind} | {number / studies:.1%} |")


if __name__ == "__main__":
    main()
