"""How wide a model's intervals are, and how often they contain the truth of evaluated slides.

    python -m scripts.studies.measure_interval_width FOLDER [FOLDER ...] [--arm held_out ...]

Folders and arms are those of `scripts.studies.fit_slide_error`. The width is that of slides of 5,000 tumour
cells on 20 even fields whose score rests half on tumour and half on immune cells, with the error term of all
slides. For the coverage each fifth of the slides is scored with the error term of the other four, and then
each arm with that of the other arms.
For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxpath.errors import CxpathError
from cxpath.metrics import predicted_cps, true_cps
from cxpath.scores.counts import GroupedCounts
from cxpath.scores.intervals import sample_scores
from cxpath.scores.settings import SlideErrorSettings
from scripts.studies.coverage import fit_rates, fit_slide_error
from scripts.studies.slide_error import EvaluatedSlides, slides_of_arms

LEVEL, FOLDS, FIELDS = 0.95, 5, 20
TUMOUR_CELLS = 5_000
IMMUNE_SHARE = 0.3
"""Immune cells that are not stained, for each tumour cell."""

SCORES = (1.0, 5.0, 20.0, 50.0)
RATE_GROUPS = ((0.0, 0.5), (0.5, 1.5), (1.5, 4.0), (4.0, 12.0), (12.0, 30.0), (30.0, 100.1))
CALLED_GROUPS = ((0.3, 0.8), (0.8, 3.0), (3.0, 8.0), (8.0, 16.0), (16.0, 30.0), (30.0, 60.0))
FEWEST_SLIDES, FEWEST_CELLS = 5, 30
GROUPS = ((0.0, 0.5), (0.5, 2.0), (2.0, 8.0), (8.0, 20.0), (20.0, 100.1))


@dataclass(frozen=True)
class Interval:
    """A score and its interval, with what is true where that is known."""

    cps: float
    low: float
    high: float
    truth: float = float("nan")
    arm: str = ""

    @property
    def ratio(self) -> float:
        """Return upper over lower end; infinite from 0."""
        return self.high / self.low if self.low > 0 else float("inf")

    @property
    def covers(self) -> bool:
        """Whether it contains the truth."""
        return self.low <= self.truth <= self.high


def interval_at(cps: float, error: SlideErrorSettings, tumour_cells: int = TUMOUR_CELLS) -> Interval:
    """Return the interval of the tissue's CPS of a slide on which the model calls this CPS."""
    tumour = np.full(FIELDS, tumour_cells // FIELDS)
    positive = np.rint(np.linspace(0, cps / 100 * tumour.sum() / 2, FIELDS + 1)).astype(np.int64)
    stained = np.diff(positive)  # as even as whole cells can be
    unstained = np.rint(IMMUNE_SHARE * tumour).astype(np.int64)
    counts = GroupedCounts(stained, tumour - stained, stained, unstained, np.zeros_like(tumour))
    draws, _ = sample_scores([counts], error)
    return Interval(cps, *draws.interval_tissue(LEVEL))


def cross_fitted(slides: EvaluatedSlides, folds: int = FOLDS, seed: int = 1) -> list[Interval]:
    """Return the interval of each slide's own CPS, its error term fitted on other slides.

    Slides without a tumour cell, true or called, have no score and are left out.
    """
    number = len(slides.tables)
    fold = np.random.default_rng(seed).permutation(np.arange(number) % folds)
    errors = [fit_slide_error(slides.tables[fold != one]) for one in range(folds)]
    return [
        replace(_scored(slides.tables[row], errors[fold[row]]), arm=str(slides.arm[row]))
        for row in range(number)
        if _has_tumour(slides.tables[row])
    ]


def _has_tumour(table: NDArray[np.int64]) -> bool:
    return bool(table[:2].sum() and table[:, :2].sum())


def _scored(table: NDArray[np.int64], error: SlideErrorSettings) -> Interval:
    called = [table[:, [column]].sum(axis=0) for column in range(5)]
    draws, _ = sample_scores([GroupedCounts(*called)], error)
    return Interval(predicted_cps(table), *draws.interval_slide(LEVEL), true_cps(table))


def lines_of(slides: EvaluatedSlides) -> Iterator[str]:
    """Yield both tables as Markdown."""
    error = fit_slide_error(slides.tables)
    yield f"{len(slides.tables)} slides; {TUMOUR_CELLS:,} tumour cells, tissue interval\n"
    yield "| CPS | interval | upper/lower |\n|---:|---:|---:|"
    for cps in SCORES:
        one = interval_at(cps, error)
        yield f"| {cps:g} | {one.low:.2g} to {one.high:.3g} | {one.ratio:.3g} |"
    found = cross_fitted(slides)
    yield "\n| slides, true CPS | number | coverage of the slide interval | median upper/lower |"
    yield "|---|---:|---:|---:|"
    for low, high in (*GROUPS, (0.0, 100.1)):
        own = [one for one in found if low <= one.truth < high]
        yield from _row(f"{low:g} to {min(high, 100):g}", own)
    for arm in dict.fromkeys(slides.arm.tolist()):
        yield from _row(arm, [one for one in found if one.arm == arm])
    yield from _left_out_lines(slides)


def _left_out_lines(slides: EvaluatedSlides) -> Iterator[str]:
    """Yield how an error term of the other arms covers the slides of each arm, where there are several."""
    arms = dict.fromkeys(slides.arm.tolist())
    for arm in arms if len(arms) > 1 else ():
        error, own = fit_slide_error(slides.tables[slides.arm != arm]), slides.tables[slides.arm == arm]
        yield from _row(
            f"{arm}, fitted without it", [_scored(table, error) for table in own if _has_tumour(table)]
        )


def rate_lines(slides: EvaluatedSlides) -> Iterator[str]:
    """Yield how the rates depend on the true score, and each arm's middle recall, as Markdown."""
    truth = np.array([true_cps(table) for table in slides.tables])
    yield "\n| true CPS | slides | tumour: recall, spread | false calls, spread | immune: recall, spread |"
    yield "|---|---:|---|---|---|"
    for low, high in (*RATE_GROUPS, (0.0, 100.1)):
        own = slides.tables[(truth >= low) & (truth < high)]
        if len(own) >= FEWEST_SLIDES:
            yield f"| {low:g} to {min(high, 100):g} | {len(own)} | {' | '.join(_rates(own))} |"
    yield "\n| arm | recall on the median slide: tumour, immune (slides with 30 such cells) |\n|---|---|"
    for arm in dict.fromkeys(slides.arm.tolist()):
        own = slides.tables[slides.arm == arm]
        yield f"| {arm} | {_middle_recall(own, 0):.2f}, {_middle_recall(own, 2):.2f} |"


def called_lines(slides: EvaluatedSlides) -> Iterator[str]:
    """Yield how far the true score lies from the called one, by the called one, as Markdown."""
    tables = [table for table in slides.tables if _has_tumour(table)]
    called, truth = (np.array([score(table) for table in tables]) for score in (predicted_cps, true_cps))
    yield "\n| called CPS | slides | true score over called one: 5th percentile, median, 95th, most |"
    yield "|---|---:|---|"
    for low, high in CALLED_GROUPS:
        own = (called >= low) & (called < high)
        if own.sum() >= FEWEST_SLIDES:
            ratios = np.quantile(truth[own] / called[own], (0.05, 0.5, 0.95, 1.0))
            yield f"| {low:g} to {high:g} | {own.sum()} | {', '.join(f'{one:.2g}' for one in ratios)} |"


def _rates(tables: NDArray[np.int64]) -> Iterator[str]:
    """Yield median and spread of three rates; a dash where no slide of the group says anything."""
    false = tables[:, [1, 3, 4, 5], 0].sum(axis=1)
    unstained = tables[:, :, :2].sum(axis=(1, 2)) - tables[:, :, 0].sum(axis=1) + false
    of_kind = {place: tables[:, place].sum(axis=1) for place in (0, 2)}
    found = {place: tables[:, place, [0, 2]].sum(axis=1) for place in (0, 2)}
    for successes, trials in ((found[0], of_kind[0]), (false, unstained), (found[2], of_kind[2])):
        rate = fit_rates(successes, trials) if trials.any() else None
        yield f"{rate.median:.3g}, {rate.spread:.2g}" if rate else "–"


def _middle_recall(tables: NDArray[np.int64], place: int) -> float:
    known = tables[tables[:, place].sum(axis=1) >= FEWEST_CELLS]
    return float(np.median(known[:, place, place] / known[:, place].sum(axis=1))) if len(known) else np.nan


def _row(name: str, own: Sequence[Interval]) -> Iterator[str]:
    if own:
        covered, ratio = np.mean([one.covers for one in own]), np.median([one.ratio for one in own])
        yield f"| {name} | {len(own)} | {covered:.3f} | {ratio:.3g} |"


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="+")
    parser.add_argument("--arm", nargs="+", default=["held_out"])
    options = parser.parse_args()
    try:
        slides = slides_of_arms(options.folder, options.arm)
        print("\n".join((*lines_of(slides), *rate_lines(slides), *called_lines(slides))))
    except CxpathError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
