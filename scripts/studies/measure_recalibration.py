"""Shift a slide's tumour log-odds without any answer, and print what that does to its score.

    python -m scripts.studies.measure_recalibration MODEL [--data FOLDER] [--synthetic N] [--restained N]

A threshold between the two kinds is looked for in the log-odds of the slide's own cells, by Otsu's method
(1979) or by a mixture of two normal distributions, and takes the place of even odds: everywhere, or only
where a guard finds both kinds on the slide. Slides are those of the oracle ablation and restained slides of
validation patients; nothing is fitted on either. For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

from cxpath.app.train_model import hard_negative_recipe
from cxpath.data import Calibration, CellPeaks, StainBasis
from cxpath.evaluation import (
    bundled_settings,
    evaluation_settings,
    field_counts,
    make_test_slide,
    plan_slides,
)
from cxpath.evaluation.classifier import Calls
from cxpath.evaluation.restained_slides import count_tile, mosaic_tiles, plan_mosaics
from cxpath.evaluation.settings import RestainedSetSettings
from cxpath.evaluation.synthetic import right_side, score_concordance
from cxpath.evaluation.synthetic_set import EvaluatedField
from cxpath.metrics import Decision, detect_in_picture, macro_f1, predicted_cps, true_cps
from cxpath.network import Detector, choose_device, load_model
from cxpath.pipeline import name_cells, positive_probability
from cxpath.pipeline.cells import calibrated_logits
from cxpath.synth import SOURCES, Part, RestainedTile, prepare, read_tiles
from cxpath.training import card_decision
from cxpath.training.settings import SlideThresholdSettings

MOST_LOG_ODDS = 9.0
FEWEST_CELLS, LEAST_SHARE, LEAST_DISTANCE, LARGEST_SHIFT = 500, 0.10, 2.0, 4.0
"""The guard: cells on the slide, share of the rarer kind, distance of the means in standard deviations, and
how far from even odds the threshold may lie."""

COLUMNS = (
    "F1 tumour", "worst slide", "macro-F1", "concordance", "error of log10(CPS + 1)", "right side of 1",
    "of 10", "slides shifted",
)  # fmt: skip

SLIDES = SlideThresholdSettings(hard_negative_slides=60, first_seed=800_001)

Array = NDArray[np.float64]
Threshold = Callable[[Array], float]


class Mixture(NamedTuple):
    """Two normal distributions, the lower mean first."""

    means: Array
    deviations: Array
    shares: Array

    def even(self) -> float:
        """Return the point between the means at which a cell belongs to either with the same probability."""
        grid = np.linspace(self.means[0], self.means[1], 2001)
        first, second = self.log_density(grid)
        return float(grid[np.argmin(np.abs(first - second))])

    def log_density(self, values: Array) -> Array:
        """Return the logarithm of share times density, (2, N)."""
        standard = (values[None] - self.means[:, None]) / self.deviations[:, None]
        return np.asarray(np.log(self.shares / self.deviations)[:, None] - 0.5 * standard**2)

    def safe(self, values: Array) -> bool:
        """Say whether both kinds are there, apart, with the threshold not far from even odds."""
        distance = np.diff(self.means)[0] / np.sqrt(np.mean(self.deviations**2))
        enough = len(values) >= FEWEST_CELLS and self.shares.min() >= LEAST_SHARE
        return bool(enough and distance >= LEAST_DISTANCE and abs(self.even()) <= LARGEST_SHIFT)


def fit_mixture(values: Array, steps: int = 200) -> Mixture:
    """Fit two normal distributions by expectation maximisation, from the quartiles."""
    means = np.quantile(values, [0.25, 0.75])
    found = Mixture(means, np.full(2, max(values.std(), 0.3)), np.array([0.5, 0.5]))
    for _ in range(steps):
        density = found.log_density(values)
        share = np.exp(density - np.logaddexp(*density))
        weight = share.sum(axis=1) + 1e-9
        means = (share @ values) / weight
        spread = np.sqrt((share * (values[None] - means[:, None]) ** 2).sum(axis=1) / weight)
        found = Mixture(means, np.maximum(spread, 0.3), weight / weight.sum())
    order = np.argsort(found.means)
    return Mixture(*(part[order] for part in found))


def by_otsu(values: Array) -> float:
    """Return Otsu's threshold."""
    return float(threshold_otsu(values))


def by_mixture(values: Array) -> float:
    """Return where the two kinds are as likely."""
    return fit_mixture(values).even()


def guarded(threshold: Threshold) -> Threshold:
    """Return the same threshold where the guard finds it safe, even odds elsewhere."""
    return lambda values: threshold(values) if fit_mixture(values).safe(values) else 0.0


WAYS: dict[str, Threshold] = {
    "as the model calls": lambda _: 0.0,
    "Otsu": by_otsu,
    "Otsu, guarded": guarded(by_otsu),
    "mixture": by_mixture,
    "mixture, guarded": guarded(by_mixture),
}


@dataclass(frozen=True, eq=False)
class SeenSlide:
    """What the network saw of a slide, field by field, and how each field's calls are counted."""

    peaks: tuple[CellPeaks, ...]
    count: tuple[Callable[[Calls], NDArray[np.int64]], ...]


def tumour_log_odds(class_logits: NDArray[np.float32], calibration: Calibration) -> Array:
    """Return the log-odds of tumour against all else, (N,)."""
    logits = calibrated_logits(class_logits, calibration).astype(np.float64)
    others = np.logaddexp.reduce(logits[:, 1:], axis=1)
    return np.asarray(np.clip(logits[:, 0] - others, -MOST_LOG_ODDS, MOST_LOG_ODDS))


def shifted_calls(peaks: CellPeaks, decision: Decision, threshold: float, mpp: float) -> Calls:
    """Return the calls where a cell is tumour from these log-odds on."""
    logits = calibrated_logits(peaks.class_logits, decision.calibration)
    logits[:, 0] -= threshold
    names = name_cells(logits, Calibration())
    stained = positive_probability(peaks.stain_logits, names, decision.calibration)
    places = np.column_stack([peaks.x_px, peaks.y_px]) * mpp
    return Calls(places, names.kind, stained, stained >= decision.stained_threshold, names.certainty)


def tables_by_way(slide: SeenSlide, decision: Decision, mpp: float) -> tuple[NDArray[np.int64], Array]:
    """Return counts, (ways, 6, 6), and the threshold of each way."""
    every = np.concatenate([tumour_log_odds(one.class_logits, decision.calibration) for one in slide.peaks])
    thresholds = np.array([way(every) for way in WAYS.values()])
    tables = [
        np.sum(
            [
                count(shifted_calls(peaks, decision, float(threshold), mpp))
                for peaks, count in zip(slide.peaks, slide.count, strict=True)
            ],
            axis=0,
        )
        for threshold in thresholds
    ]
    return np.stack(tables), thresholds


def synthetic_slides(detector: Detector, number: int) -> Iterator[SeenSlide]:
    """Yield slides full of hard negatives, in training's colours, of seeds that nothing else uses."""
    recipe = hard_negative_recipe(SLIDES)
    for planned in plan_slides(recipe)[:number]:
        fields = make_test_slide(planned, recipe.tissue, detector.mpp).fields
        yield SeenSlide(
            tuple(detect_in_picture(detector, field.rgb) for field in fields),
            tuple(partial(_synthetic_table, field) for field in fields),
        )


def restained_slides(detector: Detector, data: Path, number: int) -> Iterator[SeenSlide]:
    """Yield slides put together from restained tiles of validation patients."""
    settings = evaluation_settings(RestainedSetSettings, bundled_settings("restained"))
    prepared = {
        source.name: [
            prepare(tile, np.random.default_rng([settings.seed, place]))
            for place, tile in enumerate(read_tiles(data, [Part.VALIDATE], [source]))
        ]
        for source in SOURCES
    }
    radius = settings.mosaic.match_radius_um
    for planned in plan_mosaics(settings)[:number]:
        tiles = list(mosaic_tiles(planned, prepared[planned.source.name], settings))
        yield SeenSlide(
            tuple(detect_in_picture(detector, tile.rgb) for tile in tiles),
            tuple(partial(_restained_table, tile, radius) for tile in tiles),
        )


def _synthetic_table(field: EvaluatedField, calls: Calls) -> NDArray[np.int64]:
    return field_counts(field, calls, 6.0)[0]


def _restained_table(tile: RestainedTile, radius_um: float, calls: Calls) -> NDArray[np.int64]:
    return count_tile(tile, calls, radius_um)[0]


def tumour_f1(table: NDArray[np.int64]) -> float:
    """Return the F1 of tumour cells, positive and negative ones together."""
    both, truth, called = table[:2, :2].sum(), table[:2].sum(), table[:, :2].sum()
    return float(2 * both / (truth + called)) if truth + called else float("nan")


def figures(tables: NDArray[np.int64], moved: NDArray[np.bool_]) -> list[float]:
    """Return the figures of many slides under one way, (N, 6, 6)."""
    true, called = (np.array([score(one) for one in tables]) for score in (true_cps, predicted_cps))
    error = np.abs(np.log10(called + 1) - np.log10(true + 1))
    pooled = tables.sum(axis=0)
    each = np.array([tumour_f1(one) for one in tables])
    return [
        tumour_f1(pooled), float(np.nanmin(each)), macro_f1(pooled), score_concordance(true, called),
        float(np.nanmean(error)), right_side(true, called, 1.0), right_side(true, called, 10.0),
        float(moved.mean()),
    ]  # fmt: skip


def report(title: str, slides: Sequence[tuple[NDArray[np.int64], Array]]) -> Iterator[str]:
    """Yield a table, one line a way."""
    tables, thresholds = (np.stack(part, axis=1) for part in zip(*slides, strict=True))
    yield f"\n{title}, {tables.shape[1]} slides\n"
    yield f"| threshold | {' | '.join(COLUMNS)} |"
    yield "|---|" + "---:|" * len(COLUMNS)
    for way, own, own_thresholds in zip(WAYS, tables, thresholds, strict=True):
        row = figures(own, own_thresholds != 0)
        yield f"| {way} | " + " | ".join(f"{value:.3f}" for value in row) + " |"


def main() -> None:
    """Count every slide in each way and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--synthetic", type=int, default=30)
    parser.add_argument("--restained", type=int, default=40)
    options = parser.parse_args()
    model = load_model(options.model)
    detector, decision = Detector(model, choose_device("cpu"), StainBasis()), card_decision(model)
    bodies = {"synthetic": synthetic_slides(detector, options.synthetic)}
    if options.data:
        bodies["restained"] = restained_slides(detector, options.data, options.restained)
    for title, slides in bodies.items():
        counted = [tables_by_way(slide, decision, detector.mpp) for slide in slides]
        print("\n".join(report(title, counted)), flush=True)


if __name__ == "__main__":
    main()
