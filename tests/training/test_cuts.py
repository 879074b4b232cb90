from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cxpath.training.cuts import choose_centre_threshold, choose_stained_threshold, score_error, together
from cxpath.training.observation import Observation, table_of
from cxpath.values.calibration import Calibration
from tests.training.blob_fields import cells_at
from tests.training.peak_examples import TUMOUR, observed, peaks_at


def with_ghosts(strength: float) -> Observation:
    """Twenty true cells of score 0.6 and twenty ghosts of score `strength`."""
    place = np.linspace(10, 790, 40)
    kind = np.full(40, TUMOUR)
    score = np.r_[np.full(20, 0.6), np.full(20, strength)]
    true = slice(0, 20)
    return Observation(
        peaks=peaks_at(place, place, kind, np.zeros(40), score),
        truth=cells_at(place[true], place[true], kind[true], np.zeros(20, bool)),
        judged_peaks=np.ones(40, bool),
        judged_truth=np.ones(20, bool),
        pairs=np.column_stack([np.arange(20)] * 2),
    )


@pytest.mark.parametrize("strength", [0.22, 0.41])
def test_the_centre_cut_lies_between_ghosts_and_cells(strength: float) -> None:
    assert strength < choose_centre_threshold([with_ghosts(strength)], 12.0) <= 0.6


def test_of_centre_cuts_that_find_alike_the_lowest_is_taken() -> None:
    assert choose_centre_threshold([with_ghosts(0.11)], 12.0) == pytest.approx(0.15)


def test_the_stain_cut_does_not_overcall_where_positive_cells_are_rare() -> None:
    rng = np.random.default_rng(6)
    seen = [observed(rng, 600, 0.01) for _ in range(30)]
    cut = choose_stained_threshold(seen, Calibration(), low_cps=5.0)
    at_half, at_cut = (
        score_error(np.stack([table_of(one, Calibration(), t) for one in seen]), 5.0) for t in (0.5, cut)
    )
    assert cut > 0.5
    assert at_cut < 0.5 * at_half


def test_perfect_calls_have_no_error_and_overcalls_do() -> None:
    tables = np.zeros((2, 6, 6), int)
    tables[:, 1, 1], tables[:, 0, 0] = 99, 1
    assert score_error(tables, 3.0) == pytest.approx(0.0)
    over = tables.copy()
    over[:, 1, 0], over[:, 1, 1] = 5, 94
    assert score_error(over, 3.0) > 0.5


def test_one_field_beyond_repair_does_not_move_the_cut() -> None:
    rng = np.random.default_rng(8)
    seen = [observed(rng, 400, 0.01) for _ in range(20)] + [observed(rng, 400, 0.4) for _ in range(20)]
    lost = observed(rng, 400, 0.9)
    lost = replace(
        lost, truth=replace(lost.truth, membrane=np.zeros(400, bool), any_stain=np.zeros(400, bool))
    )
    without, with_it = (
        choose_stained_threshold(fields, Calibration(), low_cps=5.0) for fields in (seen, [*seen, lost])
    )
    assert abs(without - with_it) <= 0.1


def test_fields_below_the_limit_count_twice() -> None:
    tables = np.zeros((2, 6, 6), int)
    tables[:, 0, 0], tables[:, 1, 0], tables[:, 1, 1] = 1, 4, 95
    over = tables
    assert score_error(over, 0.5) < score_error(over, 3.0), "only low fields count twice"


def test_fields_without_tumour_do_not_matter() -> None:
    seen = observed(np.random.default_rng(0), 50, 0.0)
    nothing = replace(seen, judged_truth=np.zeros(50, bool), judged_peaks=np.zeros(50, bool))
    assert score_error(np.stack([table_of(nothing, Calibration(), 0.5)]), 3.0) == 0.0


def test_fields_of_like_cps_are_taken_together_and_none_is_lost() -> None:
    tables = np.zeros((5, 6, 6), int)
    tables[:, 1, 1] = 10
    tables[:, 0, 0] = [9, 0, 5, 0, 7]
    pooled = together(tables, size=2)
    assert pooled[:, 0, 0].tolist() == [0, 12, 9]
    assert pooled[:, 1, 1].tolist() == [20, 20, 10]
