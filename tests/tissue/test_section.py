import cv2
import numpy as np
import pytest
from hypothesis import given, strategies as st

from cxpath.tissue.artefacts.section import (
    FocusLattice,
    Sharpness,
    cut_of,
    find_blur,
    lay_lattice,
    measure_sharpness,
)
from cxpath.tissue.settings import ArtefactSettings
from cxpath.tissue.stains import FloatImage, Look, Mask
from tests.tissue.painted import rng, tissue_density

MPP = 1.0
SETTINGS = ArtefactSettings(blur_patch_um=32.0)
SHARP = np.ascontiguousarray(tissue_density(3, 0.3).mean(axis=2)) + np.float32(0.02) * np.abs(
    np.random.default_rng(0).normal(size=(320, 320)).astype(np.float32)
)


def looked_at(image: FloatImage, settings: ArtefactSettings = SETTINGS) -> tuple[Mask, int]:
    """The blur found on a picture of mean optical density, and how many patches were read."""
    half, read = int(settings.blur_patch_um / MPP / 2), []

    def closely(column: float, row: float) -> Sharpness:
        read.append((column, row))
        top, left = max(0, int(row) - half), max(0, int(column) - half)
        return measure_sharpness(
            np.ascontiguousarray(image[top : top + 2 * half, left : left + 2 * half]), MPP
        )

    look = Look(np.repeat(image[..., None], 3, axis=2), MPP)
    return find_blur(look, np.ones(image.shape, bool), settings, closely), len(read)


@pytest.mark.parametrize("factor", [0.2, 1.0, 3.0])
def test_sharpness_does_not_depend_on_how_much_stain_there_is(factor: float) -> None:
    own = measure_sharpness(SHARP, MPP).sharpness
    assert measure_sharpness(SHARP * np.float32(factor), MPP).sharpness == pytest.approx(own, rel=1e-3)


def test_the_more_out_of_focus_the_less_sharp() -> None:
    blurred = [cv2.GaussianBlur(SHARP, (0, 0), width) for width in (0.5, 1.5, 2.5, 4.0)]
    found = [measure_sharpness(np.asarray(image, np.float32), MPP).sharpness for image in blurred]
    assert found == sorted(found, reverse=True)
    assert found[0] > 1.3 * found[1]


def test_the_blurred_half_is_found() -> None:
    image = SHARP.copy()
    image[:, 160:] = cv2.GaussianBlur(SHARP, (0, 0), 3.0)[:, 160:]
    truth = np.zeros(image.shape, bool)
    truth[:, 160:] = True
    assert rng(looked_at(image)[0], truth) > 0.85


def test_sharp_tissue_and_even_ground_are_left_alone() -> None:
    assert not looked_at(SHARP)[0].any()
    assert not looked_at(np.full((320, 320), 0.2, np.float32))[0].any()


def test_no_more_patches_are_read_than_allowed() -> None:
    few = SETTINGS.model_copy(update={"blur_patches": 16})
    assert looked_at(SHARP)[1] == 100
    assert looked_at(SHARP, few)[1] <= 25


@given(sharpness=st.lists(st.floats(0.1, 1.5), min_size=4, max_size=50))
def test_the_cut_stays_between_its_limits(sharpness: list[float]) -> None:
    cut = cut_of(np.array(sharpness), SETTINGS)
    assert SETTINGS.blur_softest_threshold <= cut <= SETTINGS.blur_sharpest_threshold


@given(height=st.integers(1, 300), width=st.integers(1, 300), side_um=st.floats(32, 200))
def test_every_pixel_lies_in_one_square_and_turning_turns_the_squares(
    height: int, width: int, side_um: float
) -> None:
    settings = ArtefactSettings(blur_patch_um=side_um)
    look = Look(np.zeros((height, width, 3), np.float32), MPP)
    lattice = lay_lattice(look, np.ones((height, width), bool), settings)
    assert lattice.mean(np.ones((height, width))).min() == 1
    turned = lattice.rows.max() - lattice.rows[::-1]
    assert np.count_nonzero(turned != lattice.rows) <= lattice.shape[0]  # middles of pixels on a line


def test_the_mean_over_squares_is_a_mean() -> None:
    lattice = FocusLattice(np.array([0, 0, 1]), np.array([0, 1]))
    image = np.array([[1.0, 5.0], [3.0, 5.0], [7.0, 9.0]])
    assert lattice.mean(image).tolist() == [[2.0, 5.0], [7.0, 9.0]]
