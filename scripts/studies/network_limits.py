"""What a network's calls would be worth if it were told what cells are, or which are stained."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement.cells import match_points
from cxpath.data.cells import CellPeaks, Kind
from cxpath.evaluation.synthetic_set import EvaluatedField
from cxpath.metrics.cells import Decision, score_class, tally
from cxpath.pipeline.cells import name_cells, stained_probability

ORACLES = ("nothing", "stained cells that never count", "every kind", "every staining", "both")


def oracle_tables(
    field: EvaluatedField, seen: CellPeaks, mpp: float, decision: Decision, radius_um: float
) -> NDArray[np.int64]:
    """Count one field once for each of `ORACLES`; what was found where no cell is stays as called.

    Parameters
    ----------
    field : EvaluatedField
    seen : CellPeaks
        In pixels of the field's picture.
    mpp : float
        Micrometres per pixel of that picture.
    decision : Decision
    radius_um : float
        How far apart a cell and its call may lie.

    Returns
    -------
    int64 array, (5, 6, 6)
        See `confusion.tally`.
    """
    points, true = np.column_stack([seen.x_px, seen.y_px]) * mpp, field.cells
    pairs = match_points(field.points_um, points, radius_um)
    cell, row = pairs.T
    names = name_cells(seen.class_logits, decision.calibration)
    known, sure, without = names.kind.copy(), names.certainty.copy(), names.kind.copy()
    known[row], sure[row] = true.kind[cell], 1
    without[row[(true.kind[cell] == Kind.OTHER) & true.any_stain[cell]]] = Kind.OTHER

    def counts(
        kind: NDArray[np.uint8], certainty: NDArray[np.float32], *, oracle_staining: bool
    ) -> NDArray[np.int64]:
        stained = certainty * stained_probability(seen.stain_logits, kind, decision.calibration)
        positive = stained >= decision.stained_threshold
        if oracle_staining:
            positive[row] = np.where(kind[row] == Kind.TUMOUR, true.membrane[cell], true.any_stain[cell])
        truth, called = score_class(true.kind, true.positive), score_class(kind, positive)
        return tally(truth, called, pairs, field.area.contains(field.points_um), field.area.contains(points))

    return np.stack(
        [
            counts(names.kind, names.certainty, oracle_staining=False),
            counts(without, names.certainty, oracle_staining=False),
            counts(known, sure, oracle_staining=False),
            counts(names.kind, names.certainty, oracle_staining=True),
            counts(known, sure, oracle_staining=True),
        ]
    )
