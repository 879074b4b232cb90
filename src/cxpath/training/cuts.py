"""Choosing the two cuts of a model's card on held-out fields."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cxpath.training.confusion import FieldTables, called_cps, detection_f1, true_cps
from cxpath.training.observation import Observation, above, table_of
from cxpath.values.calibration import Calibration

FAINTEST_CENTRE = 0.1
"""Observations must have been made with a threshold no higher than this."""

FIELDS_TOGETHER = 8

HARDLY = 0.004
"""Thresholds whose F1 differs by less count as equally good."""

_CENTRE_GRID = np.round(np.arange(FAINTEST_CENTRE, 0.71, 0.05), 2)
_STAINED_GRID = np.round(np.arange(0.20, 0.96, 0.025), 3)


def choose_centre_threshold(observations: Sequence[Observation], radius_px: float) -> float:
    """Return the lowest threshold whose F1 of finding cells is hardly below the best.

    Drawn nuclei are found at almost any threshold, so their F1 is flat. Real ones, paler and softer than
    any drawn, get lower scores: of thresholds that drawings cannot tell apart the lowest serves them best.
    """

    def f1(threshold: float) -> float:
        seen = [above(one, threshold, radius_px) for one in observations]
        return FieldTables(np.stack([table_of(one, Calibration(), 0.5) for one in seen])).figure(detection_f1)

    reached = np.array([f1(threshold) for threshold in _CENTRE_GRID])
    return float(_CENTRE_GRID[np.flatnonzero(reached >= reached.max() - HARDLY)[0]])


def choose_stained_threshold(
    observations: Sequence[Observation], calibration: Calibration, low_cps: float
) -> float:
    """Return the threshold whose scores are nearest to the truth.

    Scores are made of fields of like CPS taken together (see `together`): a cut is for slides, and one
    field of a few dozen tumour cells says little about where it should lie.

    Parameters
    ----------
    observations : sequence of Observation
        At the centre threshold that will be used.
    calibration : Calibration
    low_cps : float
        See `score_error`.
    """

    def error(threshold: float) -> float:
        tables = np.stack([table_of(one, calibration, threshold) for one in observations])
        return score_error(together(tables), low_cps)

    return float(min(_STAINED_GRID, key=error))


def together(tables: NDArray[np.int64], size: int = FIELDS_TOGETHER) -> NDArray[np.int64]:
    """Return the summed counts of every `size` fields, in the order of their true CPS.

    Parameters
    ----------
    tables : int64 array, (N, 6, 6)
        Counts of fields; those without a tumour cell go last.
    size : int
        Fields in a group; the last group may have fewer.

    Returns
    -------
    int64 array, (ceil(N / size), 6, 6)
    """
    order = np.argsort([true_cps(table) for table in tables], kind="stable")
    return np.add.reduceat(tables[order], np.arange(0, len(tables), size), axis=0)


def score_error(tables: NDArray[np.int64], low_cps: float) -> float:
    """Return the error that `choose_stained_threshold` minimises.

    The mean error of log10(CPS + 1) of all fields, and once more that of the fields below `low_cps`,
    where calling too much puts a patient on the wrong side of 1. Fields weigh by their tumour cells; no
    single field can outweigh the others, since what a cut cannot mend should not move it.

    Parameters
    ----------
    tables : int64 array, (N, 6, 6)
        Counts of fields.
    low_cps : float
    """
    truth = np.array([true_cps(table) for table in tables])
    called = np.array([called_cps(table) for table in tables])
    known = np.isfinite(truth) & np.isfinite(called)
    weight = np.sqrt(tables[:, :2].sum(axis=(1, 2)))
    error = np.abs(np.log10(np.where(known, called, 0.0) + 1) - np.log10(np.where(known, truth, 0.0) + 1))
    low = known & (truth < low_cps)
    return sum(float(np.average(error[part], weights=weight[part])) for part in (known, low) if part.any())
