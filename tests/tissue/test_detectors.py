"""Each detector finds its own artefact on a painted picture, leaves clean tissue alone, has no up or down."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from cxpath.tissue.artefacts.foreign_matter import find_bubbles, find_dark, find_edges, find_pen
from cxpath.tissue.artefacts.section import find_folds
from cxpath.tissue.settings import ArtefactSettings
from cxpath.tissue.stains import FloatImage, Mask
from tests.tissue.painted import (
    CLEAN,
    INKS,
    MPP,
    contrast_of,
    distance_um,
    look_at,
    rng,
    softly,
    stroke,
    tissue_density,
)

SETTINGS = ArtefactSettings(edge_least_length_um=500.0)
TISSUE = tissue_density(0, 0.25, 0.1)
Find = Callable[[FloatImage], Mask]
FINDERS: dict[str, Find] = {
    "pen": lambda density: find_pen(look_at(density), SETTINGS, contrast_of(density)),
    "dark": lambda density: find_dark(look_at(density), SETTINGS),
    "bubble": lambda density: find_bubbles(look_at(density), SETTINGS),
    "edge": lambda density: find_edges(look_at(density), SETTINGS),
    "fold": lambda density: find_folds(look_at(density), np.ones(density.shape[:2], bool), SETTINGS),
}


def painted_bubble(radius_um: float = 100.0) -> FloatImage:
    rim = 0.6 * np.exp(-(((distance_um() - radius_um) / 4) ** 2))
    return np.asarray(TISSUE + rim[..., None], np.float32)


def painted_edge() -> FloatImage:
    line = 0.4 * softly(np.roll(stroke(12.0, 0.05), 60, axis=0))
    outside = (np.indices(TISSUE.shape[:2])[0] > 230)[..., None]
    return np.asarray(TISSUE + line + 0.06 * outside, np.float32)


def painted_fold(width_um: float = 24.0) -> FloatImage:
    other = cv2.GaussianBlur(np.roll(TISSUE, 97, axis=(0, 1)), (0, 0), 1.5)
    return np.asarray(TISSUE + 1.5 * softly(stroke(width_um, 0.3)) * (other + 0.05), np.float32)


@pytest.mark.parametrize("name", CLEAN)
@pytest.mark.parametrize("artefact", FINDERS)
def test_clean_tissue_is_left_alone(artefact: str, name: str) -> None:
    assert FINDERS[artefact](CLEAN[name]).mean() == 0


@pytest.mark.parametrize("ink", INKS)
def test_ink_of_every_colour_is_found_over_tissue(ink: str) -> None:
    density = TISSUE + 0.9 * softly(stroke()) * np.array(INKS[ink], np.float32)
    assert rng(FINDERS["pen"](density), stroke()) > 0.8


def test_a_brown_stroke_is_followed_from_glass_over_tissue() -> None:
    tissue = CLEAN["dense DAB tumour"].copy()
    tissue[:, :110] = 0
    density = tissue + 1.4 * softly(stroke()) * np.array(INKS["brown"], np.float32)
    found = FINDERS["pen"](density)
    assert found[:, :110].any()
    assert rng(found, stroke()) > 0.75


def test_a_narrow_coloured_line_is_no_pen() -> None:
    density = TISSUE + 0.9 * softly(stroke(16.0)) * np.array(INKS["blue"], np.float32)
    assert not FINDERS["pen"](density).any()


@pytest.mark.parametrize("radius_um", [12.0, 30.0, 120.0])
def test_black_spots_are_found(radius_um: float) -> None:
    spot = distance_um() < radius_um
    density = np.asarray(TISSUE + 1.6 * softly(spot), np.float32)
    assert rng(FINDERS["dark"](density), spot) > 0.8


def test_dark_brown_nuclei_are_no_spots() -> None:
    nucleus = distance_um() < 6
    density = np.asarray(TISSUE + softly(nucleus) * 2.0, np.float32)
    assert not FINDERS["dark"](density).any()


@pytest.mark.parametrize("radius_um", [60.0, 100.0, 180.0])
def test_a_bubble_is_taken_whole(radius_um: float) -> None:
    assert rng(FINDERS["bubble"](painted_bubble(radius_um)), distance_um() < radius_um + 5) > 0.9


def test_a_ring_of_one_stain_is_no_bubble() -> None:
    ring = np.exp(-(((distance_um() - 80) / 5) ** 2))
    brown = TISSUE + 0.4 * ring[..., None] * np.array([0.2, 0.5, 0.8], np.float32)
    assert not FINDERS["bubble"](np.asarray(brown, np.float32)).any()


def test_the_side_outside_the_cover_slip_goes_with_its_edge() -> None:
    found = FINDERS["edge"](painted_edge())
    assert found[240:].mean() > 0.95
    assert found[:180].mean() < 0.05


def test_a_short_picture_has_no_edge() -> None:
    assert not find_edges(look_at(painted_edge()), ArtefactSettings()).any()
    assert min(TISSUE.shape[:2]) * MPP < ArtefactSettings().edge_least_length_um


@pytest.mark.parametrize("width_um", [18.0, 28.0])
def test_a_fold_is_found(width_um: float) -> None:
    assert rng(FINDERS["fold"](painted_fold(width_um)), stroke(width_um, 0.3)) > 0.5


def test_a_cord_of_stained_tumour_is_no_fold() -> None:
    cord = TISSUE + softly(stroke(24.0, 0.3)) * tissue_density(9, 0.0, 0.8)
    assert not FINDERS["fold"](np.asarray(cord, np.float32)).any()


def test_a_strand_with_glass_beside_it_is_no_fold() -> None:
    tissue = stroke(30.0, 0.3)
    tissue[:, :200] = True
    short = ArtefactSettings(fold_line_um=200.0)
    assert not find_folds(look_at(2 * CLEAN["pale"] * softly(tissue)), tissue, short).any()


def test_a_dense_strip_that_the_picture_cuts_is_no_fold() -> None:
    density = TISSUE.copy()
    density[:10] *= 3
    assert not FINDERS["fold"](density).any()


PAINTED = {
    "pen": np.asarray(TISSUE + 0.9 * softly(stroke()) * np.array(INKS["brown"], np.float32), np.float32),
    "dark": np.asarray(TISSUE + 1.6 * softly(distance_um() < 40), np.float32),
    "bubble": painted_bubble(),
    "edge": painted_edge(),
    "fold": painted_fold(),
}


@settings(max_examples=6, deadline=None)
@given(artefact=st.sampled_from(sorted(FINDERS)), turns=st.integers(1, 3))
def test_turning_the_picture_turns_the_mask(artefact: str, turns: int) -> None:
    found = FINDERS[artefact](PAINTED[artefact])
    turned = FINDERS[artefact](np.ascontiguousarray(np.rot90(PAINTED[artefact], turns)))
    assert found.any()
    assert rng(np.rot90(turned, -turns), found) > 0.9
