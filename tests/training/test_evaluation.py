from __future__ import annotations

import numpy as np
import pytest

from cxpath.training.confusion import detection_f1, false_tumour_positive, stained_specificity
from cxpath.training.evaluation import decide, evaluate
from cxpath.training.observation import Decision, Observation
from cxpath.training.settings import JudgingSettings
from cxpath.values.calibration import Calibration
from tests.training.peak_examples import observed

JUDGING = JudgingSettings(low_cps=8.0)
MPP = 0.5


def fields(seed: int) -> list[Observation]:
    """Ten fields with many positive cells, thirty with few; logits twice too sure of themselves."""
    rng = np.random.default_rng(seed)
    often = [observed(rng, 300, 0.4, gap=6.0, slope=2.0) for _ in range(10)]
    return often + [observed(rng, 300, 0.01, gap=6.0, slope=2.0) for _ in range(30)]


def test_a_decision_made_on_some_fields_holds_on_others() -> None:
    decision = decide(fields(1), JUDGING, MPP)
    plain = Decision(Calibration(), 0.3, 0.5)
    judged, naive = (evaluate(fields(2), one, JUDGING, MPP) for one in (decision, plain))
    pooled, pooled_naive = (
        one.metrics(JUDGING, "trial")["low_cps_called"].value
        - one.metrics(JUDGING, "trial")["low_cps_true"].value
        for one in (judged, naive)
    )
    assert abs(pooled) < 0.5 * abs(pooled_naive)
    assert stained_specificity(judged.tables.sum(axis=0)) > 0.99


def test_metrics_are_named_counted_and_bounded() -> None:
    metrics = evaluate(fields(3), Decision(Calibration(), 0.3, 0.5), JUDGING, MPP).metrics(JUDGING, "trial")
    assert {"detection_f1", "macro_f1", "f1_tumour_positive", "low_cps_true"} <= metrics.keys()
    assert "f1_other" not in metrics, "a figure about cells that do not occur is left out"
    for metric in metrics.values():
        assert metric.low is not None
        assert metric.high is not None
        assert metric.low <= metric.value <= metric.high
        assert "bootstrap over fields" in metric.method
    assert metrics["macro_f1"].count == 40
    assert metrics["low_cps_true"].count == 30
    assert metrics["low_cps_true"].value == pytest.approx(2.0, abs=1.0)


def test_the_low_fields_are_chosen_by_the_truth() -> None:
    result = evaluate(fields(4), Decision(Calibration(), 0.3, 0.0001), JUDGING, MPP)
    assert len(result.low_fields(8.0)) == 30, "calling everything positive does not hide a low field"
    assert len(result.low_fields(0.0)) == 0


def test_every_cell_found_and_kinds_right_leave_only_stain_errors() -> None:
    pooled = evaluate(fields(5), Decision(Calibration(), 0.3, 0.5), JUDGING, MPP).tables.sum(axis=0)
    # Cells drawn at random may lie so near each other that matching exchanges them.
    assert detection_f1(pooled) == 1.0
    assert false_tumour_positive(pooled) < 0.05
