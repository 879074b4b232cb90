"""The cut is chosen by the scores of whole slides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cxpath.cells.probabilities import name_cells, positive_probability
from cxpath.network.device import choose_device
from cxpath.network.model_store import load_model
from cxpath.training import slide_cut
from cxpath.training.judging.settings_file import bundled_settings, evaluation_settings
from cxpath.training.judging.slide_plan import plan_slides
from cxpath.training.judging.synthetic_settings import SyntheticSettings
from cxpath.training.observation import Decision
from cxpath.training.settings import SlideCutSettings
from cxpath.training.slide_cut import (
    Cuts,
    DrawnScore,
    choose_cuts,
    cut_at,
    drawn_scores,
    moved,
    trapped_scores,
)
from cxpath.values.calibration import Calibration
from cxpath.values.cell_table import Kind
from tests.drawn_cells import many


def slide(sure: int, ghosts: int, negative: int, ghost_probability: float) -> DrawnScore:
    """Tumour cells: surely stained ones, ghosts of some probability, and negative ones."""
    cells = many({"T+": sure + ghosts, "T-": negative, "P+": 40})
    cells.stained[sure : sure + ghosts] = ghost_probability
    return DrawnScore(
        cells.kind, np.ones_like(cells.stained), cells.stained, 100.0 * sure / (sure + ghosts + negative)
    )


@pytest.mark.parametrize("ghost_probability", [0.41, 0.71])
def test_the_cut_lies_above_ghosts_and_below_sure_cells(ghost_probability: float) -> None:
    slides = [slide(5, 20, 500, ghost_probability), slide(50, 20, 500, ghost_probability)]
    assert ghost_probability < choose_cuts(slides).stained <= 0.95


def test_ghosts_that_make_up_for_missed_cells_are_kept() -> None:
    """What counts is the score: as many called too much as too little."""
    missed = slide(50, 50, 900, 0.45)
    assert choose_cuts([replace(missed, true_cps=10.0)]).stained <= 0.45


def test_immune_cells_are_moved_apart_from_tumour_cells() -> None:
    """Immune cells that only look stained must not cost the tumour cells that are."""
    cells = many({"T+": 60, "T-": 500, "L-": 200})
    cells.stained[:60] = 0.6
    cells.stained[cells.kind == Kind.IMMUNE] = 0.9
    cuts = choose_cuts([DrawnScore(cells.kind, np.ones_like(cells.stained), cells.stained, 100 * 60 / 560)])
    assert cuts.stained <= 0.6
    assert cuts.immune_shift < -1


def test_the_card_says_what_was_chosen() -> None:
    """Cells probed with the moved calibration are the cells that the choice counted."""
    calibration = Calibration(any_temperature=1.3, any_bias=0.2, membrane_bias=-0.4)
    cuts = Cuts(stained=0.6, immune_shift=-1.5)
    decided = cut_at(Decision(calibration, 0.35, 0.5), cuts)
    dice = np.random.default_rng(0)
    logits = dice.normal(0, 4, (800, 2)).astype(np.float32)
    names = name_cells(dice.normal(0, 3, (800, 10)).astype(np.float32), calibration)
    before = positive_probability(logits, names, calibration)
    after = positive_probability(logits, names, decided.calibration) >= decided.stained_threshold
    tumour, immune = names.kind == Kind.TUMOUR, names.kind == Kind.IMMUNE
    counted = int(after[tumour | immune].sum())
    score = DrawnScore(names.kind, names.certainty, before, 0.0)
    assert 0 < counted < tumour.sum()
    assert score.called_cps(cuts) == pytest.approx(100 * counted / tumour.sum())


def test_a_shift_leaves_the_doubt_about_the_kind() -> None:
    stained, certainty = np.array([0.3, 0.5, 0.0], np.float32), np.array([0.5, 0.5, 1.0], np.float32)
    assert np.allclose(moved(stained, certainty, 0.0), stained, atol=1e-6)
    assert (moved(stained, certainty, 50.0) <= certainty + 1e-6).all()


def test_excluded_kinds_never_count() -> None:
    assert slide(10, 0, 90, 0.4).called_cps(Cuts(0.5, 0.0)) == pytest.approx(10.0)


def test_slides_are_drawn_and_their_cells_found() -> None:
    settings = SlideCutSettings(cps=(30.0,), side_px=1024)
    (score,) = drawn_scores(load_model("small"), choose_device("cpu"), settings)
    assert score.true_cps == pytest.approx(30.0, abs=3)
    assert len(score.kind) > 80
    called = [score.called_cps(Cuts(cut, 0.0)) for cut in np.linspace(0, 1, 11)]
    assert called == sorted(called, reverse=True)


def test_slides_full_of_traps_join_in_every_stratum(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = slide_cut.trapped_recipe(SlideCutSettings(trapped_slides=3, first_seed=7))
    tissue = whole.tissue.model_copy(update={"tumour_cells": 150, "field_um": 256.0, "mpps": (0.5,)})
    monkeypatch.setattr(
        slide_cut, "trapped_recipe", lambda settings: whole.model_copy(update={"tissue": tissue})
    )
    scores = trapped_scores(load_model("small"), choose_device("cpu"), SlideCutSettings())
    low, middle, high = sorted(score.true_cps for score in scores)
    assert low < 0.5 <= middle < 3 <= high
    for score in scores:
        assert (score.kind == Kind.TUMOUR).sum() > 75
        assert score.called_cps(Cuts(0.0, 0.0)) >= score.called_cps(Cuts(0.9, 0.0))


def test_slides_full_of_traps_are_none_of_the_test_set() -> None:
    recipe = slide_cut.trapped_recipe(SlideCutSettings(trapped_slides=24))
    tested = evaluation_settings(SyntheticSettings, bundled_settings("synthetic"))
    assert {one.seed for one in plan_slides(recipe)}.isdisjoint(one.seed for one in plan_slides(tested))
    assert len(plan_slides(recipe)) == 24
