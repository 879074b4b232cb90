"""Measuring a model on annotated images: against what was marked, and only as far as it was marked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement.matching import match_points
from cxpath.network.card import Metric, ModelCard
from cxpath.training.annotations.annotated_field import STAIN_UNKNOWN
from cxpath.training.annotations.seen_windows import Seen
from cxpath.training.fine_labels import ANY_IMMUNE, MEMBERS, TUMOUR, UNLABELLED
from cxpath.training.judging.bootstrap import BootstrapSettings, Rows, bootstrap_interval
from cxpath.values.cell_table import Kind

_IS_IMMUNE = (MEMBERS & MEMBERS[ANY_IMMUNE]).any(axis=1)
_KIND_OF_LABEL = np.where(MEMBERS[:, TUMOUR], Kind.TUMOUR, np.where(_IS_IMMUNE, Kind.IMMUNE, Kind.OTHER))


@dataclass(frozen=True)
class Ratio:
    """A figure: one count over another, resting on `of` cells; the counts by their names in `_of_marked`."""

    label: str
    part: str
    whole: str
    of: str


FIGURES: dict[str, Ratio] = {
    "found_recall": Ratio("marked cells found", "found", "marked", "marked"),
    "found_f1": Ratio("cells found, F1 in complete areas", "twice_pairs", "pairs_and_faults", "complete"),
    "kind_recall": Ratio("marked cells found, kind right", "kind_right", "kind_marked", "kind_marked"),
    "kind_accuracy": Ratio("kind right, of those found", "kind_right", "kind_known", "kind_known"),
    "stained_accuracy": Ratio("stained right, of those found", "stain_right", "stain_known", "stain_known"),
    "stained_recall": Ratio("stained right, positive cells", "positive_right", "positive", "positive"),
    "stained_specificity": Ratio("stained right, negative cells", "negative_right", "negative", "negative"),
}

_COUNTS = tuple(dict.fromkeys(name for one in FIGURES.values() for name in (one.part, one.whole, one.of)))


def metrics(seen: list[Seen], card: ModelCard, radius_um: float, what: str) -> dict[str, Metric]:
    """Return every figure that can be known, with its bootstrap interval.

    Units of the bootstrap are images where there are ten or more, else blocks of 100 µm.

    Parameters
    ----------
    seen : list of Seen
    card : ModelCard
    radius_um : float
        Largest distance of a pair.
    what : str
        Names the images in the figures' method.
    """
    settings = BootstrapSettings()
    by_image = len(seen) >= settings.fewest_images
    side_px = None if by_image else settings.block_um / card.mpp
    rows = np.concatenate([_count_rows(one, radius_um / card.mpp, side_px) for one in seen])
    units = "images" if by_image else f"{settings.block_um:g} µm blocks"
    method = f"{what}, pairs within {radius_um:g} µm; bootstrap over {units}"
    figures = {name: _metric(rows, ratio, settings, method) for name, ratio in FIGURES.items()}
    return {name: metric for name, metric in figures.items() if metric is not None}


def _metric(rows: Rows, ratio: Ratio, settings: BootstrapSettings, method: str) -> Metric | None:
    part, whole, of = (_COUNTS.index(name) for name in (ratio.part, ratio.whole, ratio.of))
    statistic: Callable[[Rows], float] = partial(_ratio, part=part, whole=whole)
    count = int(rows[:, of].sum())
    if count == 0:
        return None
    interval = bootstrap_interval(rows[rows[:, whole] > 0], statistic, settings)
    low, high = (round(edge, 4) for edge in interval) if interval else (None, None)
    value = round(statistic(rows), 4)
    return Metric(value=value, low=low, high=high, level=settings.level, count=count, method=method)


def _ratio(rows: Rows, part: int, whole: int) -> float:
    total = rows[:, whole].sum()
    return float(rows[:, part].sum() / total) if total else float("nan")


def _count_rows(seen: Seen, radius_px: float, block_px: float | None) -> Rows:
    """Count an image, one row a block, or one row in all."""
    marked_px = np.column_stack([seen.marked.x_px, seen.marked.y_px])
    pairs = match_points(marked_px, seen.found_px, radius_px)
    places = np.concatenate([marked_px, seen.found_px])
    counts = np.concatenate([_of_marked(seen, pairs), _of_found(seen, pairs)])
    if block_px is None or not len(places):
        return np.asarray(counts.sum(axis=0, keepdims=True))
    _, block = np.unique((places // block_px).astype(int), axis=0, return_inverse=True)
    rows = np.zeros((int(block.max()) + 1, len(_COUNTS)))
    np.add.at(rows, block.ravel(), counts)
    return rows


def _of_marked(seen: Seen, pairs: NDArray[np.int64]) -> Rows:
    """Return what each marked cell adds to every count."""
    number, cells = len(seen.marked), seen.marked
    partner = np.full(number, -1)
    partner[pairs[:, 0]] = pairs[:, 1]
    found = partner >= 0
    kind = np.append(seen.found_kind, -1)[partner]
    called = np.append(seen.found_stained, False)[partner]
    kind_known = found & (cells.fine != UNLABELLED)
    stain_known = found & (cells.stained != STAIN_UNKNOWN)
    positive = stain_known & (cells.stained == 1)
    negative = stain_known & ~positive
    columns = {
        "found": found,
        "marked": np.ones(number),
        "complete": seen.marked_complete,
        "twice_pairs": 2 * (found & seen.marked_complete),
        "pairs_and_faults": seen.marked_complete * (1.0 + found),
        "kind_right": kind_known & (kind == _KIND_OF_LABEL[cells.fine]),
        "kind_known": kind_known,
        "kind_marked": cells.fine != UNLABELLED,
        "stain_right": (positive & called) | (negative & ~called),
        "stain_known": stain_known,
        "positive_right": positive & called,
        "positive": positive,
        "negative_right": negative & ~called,
        "negative": negative,
    }
    rows = np.zeros((number, len(_COUNTS)))
    for place, name in enumerate(_COUNTS):
        rows[:, place] = columns[name]
    return rows


def _of_found(seen: Seen, pairs: NDArray[np.int64]) -> Rows:
    """Return what each found cell adds: a fault, when it lies where every cell is marked and none is."""
    invented = seen.found_complete.copy()
    invented[pairs[:, 1]] = False
    rows = np.zeros((len(invented), len(_COUNTS)))
    rows[:, _COUNTS.index("pairs_and_faults")] = invented
    return rows
