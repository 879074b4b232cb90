from __future__ import annotations

from dataclasses import replace

import numpy as np

from cxpath.training.confusion import NOTHING
from cxpath.training.observation import Observation, above, table_of
from cxpath.values.calibration import Calibration
from tests.training.blob_fields import cells_at
from tests.training.peak_examples import IMMUNE, TUMOUR, peaks_at


def two_cells_and_a_ghost() -> Observation:
    """A tumour cell found surely, a lymphocyte found faintly, and a faint peak at nothing."""
    x, y = np.array([20.0, 50.0, 80.0]), np.array([20.0, 50.0, 80.0])
    kind = np.array([TUMOUR, IMMUNE, TUMOUR])
    return Observation(
        peaks=peaks_at(x, y, kind, np.array([2.0, -2.0, -2.0]), np.array([0.9, 0.4, 0.2])),
        truth=cells_at(x[:2], y[:2], kind[:2], np.array([True, False])),
        judged_peaks=np.ones(3, bool),
        judged_truth=np.ones(2, bool),
        pairs=np.array([[0, 0], [1, 1]]),
    )


def test_calls_are_counted_as_the_score_will_count_them() -> None:
    table = table_of(two_cells_and_a_ghost(), Calibration(), 0.5)
    assert table[0, 0] == table[3, 3] == table[NOTHING, 1] == 1
    assert table.sum() == 3


def test_a_higher_stain_cut_makes_a_positive_cell_negative() -> None:
    table = table_of(two_cells_and_a_ghost(), Calibration(), 0.95)
    assert table[0, 1] == 1


def test_calibration_moves_calls() -> None:
    table = table_of(two_cells_and_a_ghost(), Calibration(any_bias=4.0), 0.5)
    assert table[3, 2] == 1


def test_a_higher_centre_cut_loses_the_ghost_then_the_faint_cell() -> None:
    seen = above(two_cells_and_a_ghost(), 0.3, 12.0)
    assert len(seen.peaks) == 2
    assert table_of(seen, Calibration(), 0.5)[NOTHING].sum() == 0
    table = table_of(above(seen, 0.5, 12.0), Calibration(), 0.5)
    assert table[3, NOTHING] == 1


def test_what_is_not_judged_is_not_counted() -> None:
    seen = two_cells_and_a_ghost()
    seen = replace(seen, judged_truth=np.array([True, False]), judged_peaks=np.array([True, True, False]))
    table = table_of(seen, Calibration(), 0.5)
    assert table[0, 0] == table.sum() == 1
