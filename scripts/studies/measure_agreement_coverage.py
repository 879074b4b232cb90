"""Count how often intervals of agreement hold the truth: Fleiss' kappa, Krippendorff's alpha, ICC and CCC.

Run it as `python -m scripts.studies.measure_agreement_coverage [STUDIES] [CASES]`; by default 1,000 studies
of 30 cases, three readers each (the first two for the CCC). Readers' errors are log-normal: so small that
hardly anybody disagrees, small, or ordinary; now and then a reader sees a little where there is nothing.
Counted are the intervals that `cxpath agree run` quotes first; studies without one are left out.
Studies are drawn anew; the 2,000 bootstrap draws of their cases are the same for all, which saves time.
For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement.base import Draws, Statistic, draw_cases, pair_up
from cxpath.agreement.categorical import Chance, Metric, category_counts, chance_corrected, krippendorff_alpha
from cxpath.agreement.continuous import Form, Scale, concordance, icc

Floats = NDArray[np.float64]
Sample = Callable[[int, np.random.Generator], Floats]
Measure = Callable[[Floats, Draws | None], Statistic]

SPREAD, READERS, STRAY = 1.5, 3, 0.3
"""Of log scores between cases; readers; how often a reader strays, as a multiple of the readers' error."""
REPLICATES, LEVEL, SEED, MANY = 2000, 0.95, 2026, 300_000
ERRORS = {"hardly any": 0.05, "small": 0.2, "ordinary": 0.5}
"""Standard deviation of readers' errors of the log score."""
PREVALENCES = {0.6: 0.2533, 0.89: 1.2265}
"""Share of cases above the cut-off to the distance of their mean from it, in standard deviations."""
ZEROS = (0.0, 0.3)
"""Share of cases whose true score is 0."""

OF_SIDES: Mapping[str, Measure] = {
    "Fleiss' kappa": lambda x, draws: chance_corrected(category_counts(x, 2), Chance.FLEISS, draws=draws),
    "α, nominal": lambda x, draws: krippendorff_alpha(x, Metric.NOMINAL, draws),
}
OF_SCORES: Mapping[str, Measure] = {
    "α, interval": lambda x, draws: krippendorff_alpha(Scale.LOG.of(x), Metric.INTERVAL, draws),
    "ICC(A,1)": lambda x, draws: icc(Scale.LOG.of(x), Form.AGREEMENT, draws),
    "ICC(A,1), F-based": lambda x, draws: icc(Scale.LOG.of(x), Form.AGREEMENT),
    "ICC(A,1), raw": lambda x, draws: icc(x, Form.AGREEMENT, draws),
    "CCC": lambda x, draws: concordance(pair_up(Scale.LOG.of(x[:, 0]), Scale.LOG.of(x[:, 1]), draws)),
}


def sides(prevalence: float, error: float) -> Sample:
    """Return a drawer of sides of a cut-off, 0 or 1, (cases, readers)."""

    def draw(cases: int, rng: np.random.Generator) -> Floats:
        true = rng.normal(PREVALENCES[prevalence] * SPREAD, SPREAD, (cases, 1))
        return (true + rng.normal(0, error, (cases, READERS)) >= 0).astype(np.float64)

    return draw


def scores(zeros: float, error: float) -> Sample:
    """Return a drawer of scores, rounded as people round, (cases, readers)."""

    def draw(cases: int, rng: np.random.Generator) -> Floats:
        size = (cases, READERS)
        true = np.where(rng.random((cases, 1)) < zeros, 0, np.exp(rng.normal(1.5, SPREAD, (cases, 1))))
        strays = (rng.random(size) < STRAY * error) * rng.exponential(0.5, size)
        read = np.minimum(true * np.exp(rng.normal(0, error, size)) + strays, 100)
        return np.where(read < 0.5, 0, np.where(read < 1, np.round(read, 1), np.round(read)))

    return draw


def held(
    sample: Sample, measures: Mapping[str, Measure], studies: int, draws: Draws, rng: np.random.Generator
) -> Iterator[tuple[float, float]]:
    """Yield the truth of each measure, and the share of studies whose interval holds it."""
    many = sample(MANY, rng)
    truths = {name: measure(many, None).value for name, measure in measures.items()}
    hits: dict[str, list[bool]] = {name: [] for name in measures}
    for _ in range(studies):
        reads = sample(len(draws.cluster), rng)
        for name, measure in measures.items():
            for one in measure(reads, draws).intervals[:1]:
                hits[name].append(one.low <= truths[name] <= one.high)
    yield from ((truths[name], float(np.mean(hits[name]))) for name in measures)


def rows(studies: int, draws: Draws, samples: Mapping[str, Sample], measures: Mapping[str, Measure]) -> None:
    """Print a table: a row for each way of drawing, a column for each measure, and its truth."""
    print(f"\n| reads | {' | '.join(measures)} |")
    print(f"|---|{'---:|' * len(measures)}")
    rng = np.random.default_rng(SEED)
    for name, sample in samples.items():
        cells = [
            f"{share:.1%} of {truth:.3f}" for truth, share in held(sample, measures, studies, draws, rng)
        ]
        print(f"| {name} | {' | '.join(cells)} |")


def main() -> None:
    """Simulate and print two tables."""
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    cases = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    draws = draw_cases(np.arange(cases), REPLICATES, LEVEL, SEED)
    print(f"{studies:,} studies of {cases} cases, seed {SEED}")
    of_sides = {
        f"{name} error, {share:.0%} reach the cut-off": sides(share, error)
        for name, error in ERRORS.items()
        for share in PREVALENCES
    }
    of_scores = {
        f"{name} error, {zeros:.0%} zeros": scores(zeros, error)
        for name, error in ERRORS.items()
        for zeros in ZEROS
    }
    rows(studies, draws, of_sides, OF_SIDES)
    rows(studies, draws, of_scores, OF_SCORES)


if __name__ == "__main__":
    main()
