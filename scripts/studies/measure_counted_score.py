"""Check on simulated slides that P(CPS >= 1) stays right however many cells there are.

    python -m scripts.studies.measure_counted_score [SLIDES] [--seed 2030] [--counted 50 20 5 0.5]
    [--cells 200 ...]

Tumour cells alone are stained. The CPS is log-uniform from 0.02 to 100; recall and specificity vary between
slides as the error term says. Of the slides that count about so much, the table gives the share that truly
reaches 1, and what cxpath
says of one such slide of 25 even fields, half as many unstained cells of the other kind among them.
For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

from cxpath.app.score_slide import scoring_of
from cxpath.network.model import load_card
from cxpath.scores.counts import GroupedCounts
from cxpath.scores.intervals import sample_scores
from cxpath.scores.settings import ScoringSettings, SlideErrorSettings, decades_of, slide_error_of

TERMS = {
    "bundled": slide_error_of(scoring_of(load_card("small"), ScoringSettings())),
    "default": SlideErrorSettings(),
}
CUTOFF, FIELDS = 1.0, 25
NEAR = 0.05
"""Slides count about so much when they count so much less or more at most, as a share."""


def share_reaching(
    counted: float, cells: int, error: SlideErrorSettings, slides: int, rng: np.random.Generator
) -> tuple[float, int]:
    """Return, of slides that count so much, the share that truly reaches the cut-off, and their number.

    Parameters
    ----------
    counted : float
        In CPS points, by tumour cells alone.
    cells : int
        Tumour cells of every slide.
    error : SlideErrorSettings
    slides : int
    rng : numpy Generator
    """
    cps = 10 ** rng.uniform(np.log10(0.02), 2.0, slides)
    true = np.minimum(rng.poisson(cps / 100.0 * cells), cells)
    score = 100.0 * true / cells
    decades = decades_of(score)
    missed = error.tumour_recall_spread * rng.standard_normal(slides)
    recall = special.expit(error.logit_at("tumour_recall", decades) + missed)
    found = rng.binomial(true, recall)
    false = error.tumour_specificity_spread * rng.standard_normal(slides)
    odds = special.expit(false - error.logit_at("tumour_specificity", decades))
    called = 100.0 * (found + rng.binomial(cells - found, odds)) / cells
    near = np.abs(called - counted) <= NEAR * counted
    return float(np.mean(cps[near] >= CUTOFF)) if near.any() else float("nan"), int(near.sum())


def even_slide(counted: float, cells: int) -> GroupedCounts:
    """Return a slide whose tumour cells alone are stained, all fields alike as far as numbers allow."""
    positive = _spread(round(counted / 100.0 * cells))
    nothing = np.zeros(FIELDS, dtype=np.int64)
    return GroupedCounts(positive, _spread(cells) - positive, nothing, _spread(cells // 2), nothing)


def _spread(number: int) -> NDArray[np.int64]:
    return np.diff(np.arange(FIELDS + 1) * number // FIELDS)


def rows(name: str, counted: Sequence[float], cells: Sequence[int], slides: int, seed: int) -> Iterator[str]:
    """Yield the rows of one error term as Markdown."""
    error = TERMS[name]
    for value in counted:
        for number in cells:
            share, near = share_reaching(value, number, error, slides, np.random.default_rng(seed))
            cps, _ = sample_scores([even_slide(value, number)], error)
            low, high = cps.interval_tissue(0.95)
            said = cps.probability_at_least(CUTOFF)
            yield (
                f"| {name} | {value:g} | {number:,} | {near:,} | {share:.3f} | {said:.3f} | "
                f"{low:.2g} to {high:.3g} |"
            )


def main() -> None:
    """Simulate and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("slides", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=2030)
    parser.add_argument("--counted", nargs="+", type=float, default=(50.0, 20.0, 5.0, 0.5))
    parser.add_argument("--cells", nargs="+", type=int, default=(200, 2_000, 20_000))
    parser.add_argument("--term", nargs="+", choices=TERMS, default=tuple(TERMS))
    options = parser.parse_args()
    print("| error term | counted | tumour cells | slides | truly ≥ 1 | P(CPS ≥ 1) | tissue interval |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name in options.term:
        for row in rows(name, options.counted, options.cells, options.slides, options.seed):
            print(row, flush=True)


if __name__ == "__main__":
    main()
