from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cxpath.training.judging.scanner_pair import (
    count_difference,
    pair_figures,
    read_field,
    share_difference_points,
)
from tests.training.judging.called_cells import REAL

FIRST = {"shape": [1, 2], "blocks": [[10, 40, 0, 30, 20], [0, 50, 0, 30, 20]]}
SECOND = {"shape": [1, 2], "blocks": [[5, 40, 0, 20, 15], [0, 50, 0, 30, 20]]}


def test_figures_by_hand() -> None:
    rows = np.array([FIRST["blocks"], SECOND["blocks"]], dtype=float).transpose(1, 0, 2).reshape(2, -1)
    assert count_difference(rows) == pytest.approx(20 / 190)
    # Tumour negative: 90 of 200 against 90 of 180.
    assert share_difference_points(rows) == pytest.approx(5.0)
    assert np.isnan(count_difference(np.zeros((2, 10))))


def test_equal_scans_do_not_differ() -> None:
    count, share = pair_figures(FIRST, FIRST, REAL)
    assert (count.value, count.low, count.high, count.met) == (0.0, 0.0, 0.0, True)
    assert (share.value, share.met) == (0.0, True)
    assert (count.n, count.units, count.unit, count.mpp_source) == (400, 2, "blocks", "file")


def test_scans_of_another_size_are_no_pair() -> None:
    with pytest.raises(ValueError, match="differ in size"):
        pair_figures(FIRST, SECOND | {"shape": [2, 1]}, REAL)


def test_the_real_pair_shows_one_field(data_dir: Path) -> None:
    """Both scans, brought to one µm/px, have one size and show the same things."""
    folder = data_dir / REAL.scanner_pair.folder
    first, second = (read_field(folder / name, 1.0).mean(axis=2) for name in REAL.scanner_pair.files)
    assert first.shape == second.shape == (500, 500)
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.8
