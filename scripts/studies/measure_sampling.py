"""Do the intervals of `--mode adaptive` cover? Simulated slides of known cells, sampled until it would stop.

    python -m scripts.studies.measure_sampling [SLIDES]

Prints coverage of the sampling interval, the share read, and the bias, by the slide's true CPS.
For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import sys

import numpy as np

from cxpath.scores.settings import SamplingSettings
from scripts.studies.coverage import sampled_slides

GROUPS = ((0.0, 0.5), (0.5, 2.0), (2.0, 5.0), (5.0, 20.0), (20.0, 101.0), (0.0, 101.0))


def main() -> None:
    """Simulate and print."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    found = sampled_slides(wanted, np.random.default_rng(7), SamplingSettings())
    truth, estimate, low, high, share = np.array(found).T
    covered = (low <= truth + 1e-9) & (truth <= high + 1e-9)
    print("| true CPS | slides | covered | too low | too high | share read | mean error |")
    print("|---|---|---|---|---|---|---|")
    for first, last in GROUPS:
        own = (truth >= first) & (truth < last)
        print(
            f"| {first:g} to {min(last, 100):g} | {own.sum()} | {covered[own].mean():.1%} | "
            f"{(high < truth)[own].mean():.1%} | {(low > truth)[own].mean():.1%} | {share[own].mean():.0%} | "
            f"{(estimate - truth)[own].mean():+.2f} |"
        )


if __name__ == "__main__":
    main()
