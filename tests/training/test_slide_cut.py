"""The cut is chosen by the scores of whole slides."""

from __future__ import annotations

import numpy as np
import pytest

from cxpath.network.device import choose_device
from cxpath.network.model_store import load_model
from cxpath.training.settings import SlideCutSettings
from cxpath.training.slide_cut import DrawnScore, choose_cut, drawn_scores
from tests.drawn_cells import many


def slide(sure: int, ghosts: int, negative: int, ghost_probability: float) -> DrawnScore:
    """Tumour cells: surely stained ones, ghosts of some probability, and negative ones."""
    cells = many({"T+": sure + ghosts, "T-": negative, "P+": 40})
    cells.stained[sure : sure + ghosts] = ghost_probability
    return DrawnScore(cells, 100.0 * sure / (sure + ghosts + negative))


@pytest.mark.parametrize("ghost_probability", [0.41, 0.71])
def test_the_cut_lies_above_ghosts_and_below_sure_cells(ghost_probability: float) -> None:
    slides = [slide(5, 20, 500, ghost_probability), slide(50, 20, 500, ghost_probability)]
    assert ghost_probability < choose_cut(slides) <= 0.95


def test_ghosts_that_make_up_for_missed_cells_are_kept() -> None:
    """What counts is the score: as many called too much as too little."""
    missed = slide(50, 50, 900, 0.45)
    assert choose_cut([DrawnScore(missed.cells, 10.0)]) <= 0.45


def test_excluded_kinds_never_count() -> None:
    assert slide(10, 0, 90, 0.4).called_cps(0.5) == pytest.approx(10.0)


def test_slides_are_drawn_and_their_cells_found() -> None:
    settings = SlideCutSettings(cps=(30.0,), side_px=1024)
    (score,) = drawn_scores(load_model("small"), choose_device("cpu"), settings)
    assert score.true_cps == pytest.approx(30.0, abs=3)
    assert len(score.cells) > 80
    called = [score.called_cps(cut) for cut in np.linspace(0, 1, 11)]
    assert called == sorted(called, reverse=True)
