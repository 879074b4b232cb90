"""Counts of truth against call, field by field, and every figure that follows from them.

The six places are the four classes that make the score, `other`, and nothing (missed or invented).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import overload

import numpy as np
from numpy.typing import NDArray

from cxpath.network.card import Metric
from cxpath.values.cell_table import Kind

CLASSES = ("tumour_positive", "tumour_negative", "immune_positive", "immune_negative", "other")
OTHER, NOTHING = 4, 5
_REPEATS, _LEVEL = 1000, 0.95

Figure = Callable[[NDArray[np.int64]], float]


def score_class(kind: NDArray[np.uint8], positive: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return each cell's place in `CLASSES`."""
    return np.where(kind == Kind.OTHER, OTHER, 2 * kind.astype(np.int64) + ~positive).astype(np.int64)


def tally(
    truth: NDArray[np.int64], found: NDArray[np.int64], pairs: NDArray[np.int64],
    judged_truth: NDArray[np.bool_], judged_found: NDArray[np.bool_],
) -> NDArray[np.int64]:  # fmt: skip
    """Count one field, (6, 6): row the true class, column the called one, last of each: nothing.

    A pair counts when its true cell is judged; a lone detection when it lies where cells are judged.

    Parameters
    ----------
    truth, found : int64 array, (T,), (F,)
        Places in `CLASSES`.
    pairs : int64 array, (P, 2)
    judged_truth, judged_found : bool array, (T,), (F,)
    """
    table = np.zeros((6, 6), dtype=np.int64)
    counted = pairs[judged_truth[pairs[:, 0]]]
    np.add.at(table, (truth[counted[:, 0]], found[counted[:, 1]]), 1)
    missed = judged_truth.copy()
    missed[pairs[:, 0]] = False
    table[:, NOTHING] += np.bincount(truth[missed], minlength=6)
    invented = judged_found.copy()
    invented[pairs[:, 1]] = False
    table[NOTHING] += np.bincount(found[invented], minlength=6)
    return table


def detection_f1(table: NDArray[np.int64]) -> float:
    """Return the F1 of finding any cell."""
    return _ratio(2 * table[:5, :5].sum(), 2 * table[:5, :5].sum() + table[:5, 5].sum() + table[5, :5].sum())


def detection_recall(table: NDArray[np.int64]) -> float:
    """Return the share of true cells that were found."""
    return _ratio(table[:5, :5].sum(), table[:5].sum())


def detection_precision(table: NDArray[np.int64]) -> float:
    """Return the share of detections that are cells."""
    return _ratio(table[:5, :5].sum(), table[:, :5].sum())


def class_f1(table: NDArray[np.int64], place: int) -> float:
    """Return the F1 of one class, place and name both right."""
    return _ratio(2 * table[place, place], table[place].sum() + table[:, place].sum())


def macro_f1(table: NDArray[np.int64]) -> float:
    """Return the mean F1 of the four classes that make the score."""
    return float(np.mean([class_f1(table, place) for place in range(4)]))


def stained_specificity(table: NDArray[np.int64]) -> float:
    """Return the share of found negative tumour and immune cells that are not called positive of any kind."""
    return 1.0 - _ratio(table[[1, 3]][:, [0, 2]].sum(), table[[1, 3], :5].sum())


def stained_recall(table: NDArray[np.int64]) -> float:
    """Return the share of found positive tumour and immune cells that are called positive of any kind."""
    return _ratio(table[[0, 2]][:, [0, 2]].sum(), table[[0, 2], :5].sum())


def false_tumour_positive(table: NDArray[np.int64]) -> float:
    """Return the share of found non-tumour cells that are called PD-L1 positive tumour."""
    return _ratio(table[2:5, 0].sum(), table[2:5, :5].sum())


def true_cps(table: NDArray[np.int64]) -> float:
    """Return the CPS of the true cells; NaN without a tumour cell."""
    return _cps(table[:5].sum(axis=1))


def called_cps(table: NDArray[np.int64]) -> float:
    """Return the CPS of the calls; NaN without a cell called tumour."""
    return _cps(table[:, :5].sum(axis=0))


FIGURES: dict[str, Figure] = {
    "detection_f1": detection_f1,
    "detection_recall": detection_recall,
    "detection_precision": detection_precision,
    "macro_f1": macro_f1,
    "stained_specificity": stained_specificity,
    "stained_recall": stained_recall,
    "false_tumour_positive": false_tumour_positive,
    **{f"f1_{name}": partial(class_f1, place=place) for place, name in enumerate(CLASSES)},
}
"""Every figure that the card names, by its name there."""


@dataclass(frozen=True, eq=False)
class FieldTables:
    """Counts of many fields, (N, 6, 6)."""

    tables: NDArray[np.int64]

    def figure(self, figure: Figure) -> float:
        """Return a figure of all fields pooled."""
        return figure(self.tables.sum(axis=0))

    def metric(self, figure: Figure, method: str) -> Metric:
        """Return a pooled figure with its percentile bootstrap interval over fields (seeded)."""
        rng = np.random.default_rng(0)
        number = len(self.tables)
        drawn = rng.multinomial(number, np.full(number, 1 / number), size=_REPEATS)
        pooled = np.tensordot(drawn, self.tables, axes=1)
        values = np.array([figure(table) for table in pooled])
        edge = (1 - _LEVEL) / 2
        known = values[np.isfinite(values)]
        low, high = np.quantile(known, [edge, 1 - edge]).tolist() if len(known) else (None, None)
        return Metric(
            value=_rounded(self.figure(figure)), low=_rounded(low), high=_rounded(high),
            level=_LEVEL, count=number, method=f"{method}; bootstrap over fields",
        )  # fmt: skip


@overload
def _rounded(value: float) -> float: ...
@overload
def _rounded(value: None) -> None: ...
def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _cps(counts: NDArray[np.int64]) -> float:
    tumour = counts[0] + counts[1]
    return min(100.0, 100.0 * float(counts[0] + counts[2]) / float(tumour)) if tumour else float("nan")


def _ratio(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else float("nan")
