from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cxpath.synth.artefacts import lay_artefacts
from cxpath.synth.recipe import Artefacts, random_artefacts


@pytest.fixture
def od() -> NDArray[np.float32]:
    rough = np.random.default_rng(0).random((240, 280, 3)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(rough, (0, 0), 1.5), np.float32)


def test_no_artefact_changes_nothing(od: NDArray[np.float32]) -> None:
    laid, spoiled = lay_artefacts(np.random.default_rng(1), od, Artefacts(), 0.5)
    assert laid is od
    assert not spoiled.any()


@pytest.mark.parametrize("name", ["pen", "bubble", "fold", "crush"])
def test_each_artefact_changes_what_it_marks_and_little_else(od: NDArray[np.float32], name: str) -> None:
    for seed in range(6):
        laid, spoiled = lay_artefacts(
            np.random.default_rng(seed), od, replace(Artefacts(), **{name: True}), 0.5
        )
        change = np.abs(laid - od).mean(axis=2)
        assert laid.dtype == np.float32
        assert (laid >= -1e-5).all()
        if spoiled.any():
            assert change[spoiled].mean() > 0.01
        if (~spoiled).any():
            assert change[~spoiled].mean() < 0.03


def test_a_fold_doubles_the_tissue(od: NDArray[np.float32]) -> None:
    laid, spoiled = lay_artefacts(np.random.default_rng(2), od, Artefacts(fold=True), 0.5)
    assert laid[spoiled].mean() > 1.5 * od.mean()


def test_ink_is_far_from_any_stain(od: NDArray[np.float32]) -> None:
    laid, spoiled = lay_artefacts(np.random.default_rng(2), od * 0.1, Artefacts(pen=True), 0.5)
    assert laid[spoiled].mean() > 2 * (0.1 * od).mean()


def test_artefacts_are_rare_but_all_occur_in_training() -> None:
    drawn = [random_artefacts(np.random.default_rng(seed)) for seed in range(600)]
    for name in ("pen", "bubble", "fold", "crush"):
        assert 0.01 < np.mean([getattr(artefacts, name) for artefacts in drawn]) < 0.1
    assert 0.01 < np.mean([artefacts.defocus_um > 0 for artefacts in drawn]) < 0.1
