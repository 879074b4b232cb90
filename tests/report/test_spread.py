from __future__ import annotations

import numpy as np
import pytest

from cxpath.report.spread import spread_of


def test_tumour_cells_are_shared_out_by_the_local_score_of_their_tile() -> None:
    tiles = {
        "tumour_positive": np.array([0, 5, 60, 0], np.int32),
        "tumour_negative": np.array([100, 95, 140, 0], np.int32),
        "cps": np.array([0.0, 5.0, 30.0, np.nan], np.float32),
    }
    shares = {part.name: part.share for part in spread_of(tiles)}
    assert shares == pytest.approx({"below 1": 0.25, "1 to below 10": 0.25, "10 or more": 0.5})


def test_a_tile_at_a_cutoff_belongs_above_it() -> None:
    tiles = {
        "tumour_positive": np.array([1, 10], np.int32),
        "tumour_negative": np.array([99, 90], np.int32),
        "cps": np.array([1.0, 10.0], np.float32),
    }
    assert [part.share for part in spread_of(tiles)] == [0.0, 0.5, 0.5]


def test_without_tumour_cells_there_is_nothing_to_say() -> None:
    nothing = np.zeros(2, np.int32)
    tiles = {"tumour_positive": nothing, "tumour_negative": nothing, "cps": np.full(2, np.nan, np.float32)}
    assert spread_of(tiles) == ()
    assert spread_of(None) == ()
