"""Judging a network on held-out drawn fields: choose its cuts and calibration, then measure it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxpath.network.card import Metric
from cxpath.network.detector import Detector
from cxpath.network.device import Device
from cxpath.network.model_store import Model
from cxpath.training.calibration_fit import fit_calibration
from cxpath.training.confusion import FIGURES, FieldTables, called_cps, true_cps
from cxpath.training.cuts import FAINTEST_CENTRE, choose_centre_threshold, choose_stained_threshold
from cxpath.training.observation import Decision, Observation, above, observe, table_of
from cxpath.training.settings import JudgingSettings
from cxpath.training.synthetic.drawn_field import DrawnField
from cxpath.values.calibration import Calibration
from cxpath.values.stains import StainBasis


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Counts of every field under one decision.

    Parameters
    ----------
    decision : Decision
    tables : int64 array, (N, 6, 6)
        See `confusion.tally`.
    """

    decision: Decision
    tables: NDArray[np.int64]

    def low_fields(self, low_cps: float) -> NDArray[np.int64]:
        """Return the tables of the fields with a true CPS below `low_cps`."""
        truth = np.array([true_cps(table) for table in self.tables])
        low: NDArray[np.int64] = self.tables[np.isfinite(truth) & (truth < low_cps)]
        return low

    def metrics(self, judging: JudgingSettings, what: str) -> dict[str, Metric]:
        """Return every figure of the card, and the CPS of the low fields pooled, true and called."""
        method = f"{what}, pairs within {judging.match_radius_um:g} µm"
        all_fields = FieldTables(self.tables)
        metrics = {name: all_fields.metric(figure, method) for name, figure in FIGURES.items()}
        low = self.low_fields(judging.low_cps)
        if len(low):
            method = f"{what} with true CPS below {judging.low_cps:g}, pooled"
            metrics["low_cps_true"] = FieldTables(low).metric(true_cps, method)
            metrics["low_cps_called"] = FieldTables(low).metric(called_cps, method)
        return {name: metric for name, metric in metrics.items() if np.isfinite(metric.value)}


def decide(observations: Sequence[Observation], judging: JudgingSettings, mpp: float) -> Decision:
    """Choose cuts and calibration from observations at `FAINTEST_CENTRE`."""
    radius_px = judging.match_radius_um / mpp
    centre = choose_centre_threshold(observations, radius_px)
    seen = [above(one, centre, radius_px) for one in observations]
    calibration = fit_calibration(seen, judging.low_cps)
    return Decision(calibration, centre, choose_stained_threshold(seen, calibration, judging.low_cps))


def evaluate(
    observations: Iterable[Observation], decision: Decision, judging: JudgingSettings, mpp: float
) -> Evaluation:
    """Measure observations under a decision that was made on other fields."""
    radius_px = judging.match_radius_um / mpp
    tables = [
        table_of(
            above(one, decision.centre_threshold, radius_px), decision.calibration, decision.stained_threshold
        )
        for one in observations
    ]
    return Evaluation(decision, np.stack(tables))


def card_decision(model: Model) -> Decision:
    """Return the decision that a packed model carries."""
    thresholds = model.card.thresholds
    return Decision(
        model.card.calibration.as_value(), thresholds.centre_threshold, thresholds.stained_threshold
    )


def observe_faintly(
    model: Model, device: Device, fields: Iterable[DrawnField], judging: JudgingSettings
) -> list[Observation]:
    """Observe fields with a threshold low enough to choose any cut later."""
    detector = Detector(model, device, StainBasis(), centre_threshold=FAINTEST_CENTRE)
    return observe(detector, fields, judging)


FIRST_DECISION = Decision(Calibration(), 0.3, 0.5)
"""Stands in a draft card until `decide` has been asked."""
