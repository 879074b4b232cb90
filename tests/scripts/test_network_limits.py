"""What a network is told, it does right; what it is not told stays as it called it."""

from __future__ import annotations

import numpy as np

from cxpath.data.cells import Calibration, Kind
from cxpath.evaluation.synthetic_set import EvaluatedArea, EvaluatedField
from cxpath.metrics.cells import NOTHING, OTHER, Decision
from scripts.studies.network_limits import ORACLES, oracle_tables
from tests.training.blob_fields import cells_at
from tests.training.peak_examples import peaks_at

MPP = 0.5
TUMOUR_POSITIVE, TUMOUR_NEGATIVE, IMMUNE_POSITIVE, IMMUNE_NEGATIVE = range(4)
TRUE = np.array([Kind.TUMOUR, Kind.IMMUNE, Kind.OTHER, Kind.TUMOUR], np.uint8)
STAINED = np.array([True, False, True, False])
CALLED = np.array([Kind.IMMUNE, Kind.IMMUNE, Kind.IMMUNE, Kind.TUMOUR, Kind.IMMUNE], np.uint8)
LOGIT = np.array([-6.0, -6.0, 6.0, 6.0, 6.0])
"""The last is called where no cell is; the fourth is called positive and is not."""


def _pairs_by_oracle() -> dict[str, list[tuple[int, int]]]:
    x_px = np.array([40.0, 80.0, 120.0, 160.0, 160.0])
    y_px = np.array([40.0, 40.0, 40.0, 40.0, 160.0])
    field = EvaluatedField(
        rgb=np.zeros((200, 200, 3), np.uint8),
        points_um=np.column_stack([x_px, y_px])[:4] * MPP,
        cells=cells_at(x_px[:4], y_px[:4], TRUE, STAINED),
        area=EvaluatedArea(np.zeros((200, 200), bool), MPP, 0.0),
        hard_negatives=[],
    )
    seen = peaks_at(x_px, y_px, CALLED, LOGIT, np.full(5, 0.9))
    tables = oracle_tables(field, seen, MPP, Decision(Calibration(), 0.3, 0.5), 6.0)
    return {
        told: [(int(t), int(c)) for t, c in np.argwhere(table)]
        for told, table in zip(ORACLES, tables, strict=True)
    }


def test_each_told_thing_is_put_right_and_nothing_else() -> None:
    found = _pairs_by_oracle()
    invented, wrong_stain = (NOTHING, IMMUNE_POSITIVE), (TUMOUR_NEGATIVE, TUMOUR_POSITIVE)
    right_immune, right_other = (IMMUNE_NEGATIVE, IMMUNE_NEGATIVE), (OTHER, OTHER)
    right_stain = (TUMOUR_NEGATIVE, TUMOUR_NEGATIVE)
    missed, bystander = (TUMOUR_POSITIVE, IMMUNE_NEGATIVE), (OTHER, IMMUNE_POSITIVE)
    expected = [
        [missed, wrong_stain, right_immune, bystander, invented],
        [missed, wrong_stain, right_immune, right_other, invented],
        [(TUMOUR_POSITIVE, TUMOUR_NEGATIVE), wrong_stain, right_immune, right_other, invented],
        [(TUMOUR_POSITIVE, IMMUNE_POSITIVE), right_stain, right_immune, bystander, invented],
        [(TUMOUR_POSITIVE, TUMOUR_POSITIVE), right_stain, right_immune, right_other, invented],
    ]
    assert found == dict(zip(ORACLES, map(sorted, expected), strict=True))
