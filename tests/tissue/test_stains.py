import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from cxpath.data.slide_info import DEFAULT_DAB, DEFAULT_HEMATOXYLIN, StainBasis, unit
from cxpath.tissue.stains import (
    DARKEST_OD_SUM,
    EOSIN,
    FEWEST_PIXELS_OF_VECTORS,
    FEWEST_STAINED_PIXELS,
    MOST_PINK,
    NO_TISSUE,
    NOT_BRIGHTFIELD,
    Look,
    Mask,
    distance_inside,
    estimate_stains,
    estimate_white_point,
    is_brightfield,
    mean_density,
    stain_hue,
    touching,
    why_stain_refused,
    within,
)


def test_white_filled_in_beyond_the_scan_is_not_glass() -> None:
    overview = np.full((100, 100, 3), 255, np.uint8)
    overview[:50] = (238, 236, 230)
    overview[10:20] = (120, 110, 160)
    assert estimate_white_point(overview) == (238.0, 236.0, 230.0)


def test_a_slide_whose_glass_is_white_keeps_white() -> None:
    overview = np.full((100, 100, 3), 255, np.uint8)
    overview[40:41] = (120, 110, 160)
    assert estimate_white_point(overview) == (255.0, 255.0, 255.0)


def test_fluorescence_is_not_brightfield() -> None:
    assert not is_brightfield((0.0, 0.0, 250.0))
    assert not is_brightfield((60.0, 60.0, 60.0))
    assert is_brightfield((187.0, 190.0, 180.0))


def mixed(haematoxylin: NDArray[np.float32], dab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Optical densities of pixels with so much of either stain."""
    density = np.outer(haematoxylin, unit(DEFAULT_HEMATOXYLIN)) + np.outer(dab, unit(DEFAULT_DAB))
    return density.astype(np.float32)


def amounts(seed: int, pixels: int = 3_000) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(0.2, 1.2, pixels).astype(np.float32)


NONE = np.zeros(3_000, np.float32)
GLASS = (240.0, 238.0, 232.0)
PINK = np.array([0.07, 0.99, 0.11], np.float32)


def test_brownness_tells_dab_from_haematoxylin_and_both_lie_in_their_plane() -> None:
    blue, brown = stain_hue(mixed(amounts(1), NONE)), stain_hue(mixed(NONE, amounts(2)))
    assert blue.brownness.max() < -0.2 < 0.2 < brown.brownness.min()
    for hue in (blue, brown):
        assert np.abs(hue.offplane).max() < 1e-6


@given(factor=st.floats(0.05, 20.0))
def test_hue_does_not_depend_on_how_much_stain_there_is(factor: float) -> None:
    density = mixed(amounts(3, 50), amounts(4, 50))
    hue, scaled = stain_hue(density), stain_hue(np.float32(factor) * density)
    assert scaled.brownness == pytest.approx(hue.brownness, abs=1e-4)
    assert scaled.offplane == pytest.approx(hue.offplane, abs=1e-4)


def test_eosin_lies_on_the_negative_side_of_the_plane() -> None:
    assert float(stain_hue(PINK[None]).offplane[0]) < -0.5


@pytest.mark.parametrize(
    ("haematoxylin", "dab"),
    [(amounts(5), NONE), (NONE, amounts(6)), (amounts(7), amounts(8)), (0.2 * amounts(9), NONE)],
    ids=["haematoxylin alone", "DAB alone", "both", "pale"],
)
def test_any_mixture_of_the_two_stains_can_be_scored(
    haematoxylin: NDArray[np.float32], dab: NDArray[np.float32]
) -> None:
    assert why_stain_refused(mixed(haematoxylin, dab), GLASS) == ()


def test_fluorescence_is_refused_before_its_colours_are_looked_at() -> None:
    assert why_stain_refused(np.zeros((0, 3), np.float32), (10.0, 12.0, 200.0)) == (NOT_BRIGHTFIELD,)


def test_too_few_stained_pixels_are_no_tissue() -> None:
    density = mixed(amounts(10), NONE)
    assert why_stain_refused(density[: FEWEST_STAINED_PIXELS - 1], GLASS) == (NO_TISSUE,)
    assert why_stain_refused(density[:FEWEST_STAINED_PIXELS], GLASS) == ()


@given(share=st.floats(0.0, 1.0))
def test_plain_eosin_is_refused_from_a_tenth_of_the_pixels_on(share: float) -> None:
    density = mixed(amounts(11), amounts(12))  # brown is there, so that only the plain pink counts
    pink = round(share * len(density))
    density[:pink] = PINK * 0.5
    refused = why_stain_refused(density, GLASS)
    assert refused == ((EOSIN,) if pink / len(density) > MOST_PINK else ())


def test_pale_pink_between_blue_nuclei_is_refused_unless_brown_is_there() -> None:
    nuclei, faint = mixed(1.2 * amounts(13), NONE), 0.25 * amounts(14)
    # Cytoplasm and stroma: fainter, redder and off the plane, but not so plainly pink that it counts alone.
    pale = mixed(faint, NONE) + 0.55 * np.outer(faint, PINK)
    he = np.concatenate([nuclei[:600], pale])
    assert why_stain_refused(he, GLASS) == (EOSIN,)
    brown = mixed(NONE, amounts(15))[: len(he) // 20]
    assert why_stain_refused(np.concatenate([he, brown]), GLASS) == ()


@pytest.mark.parametrize("own", [(0.77, 0.56, 0.30), (0.63, 0.72, 0.30)], ids=["blue", "violet"])
def test_a_slides_own_haematoxylin_is_found_next_to_dab(own: tuple[float, float, float]) -> None:
    blue = np.outer(amounts(16), unit(own)).astype(np.float32)
    found = estimate_stains(np.concatenate([blue, mixed(NONE, amounts(17))]), GLASS)
    assert found.white_point == GLASS
    assert np.dot(found.hematoxylin, unit(own)) > 0.999
    assert np.dot(found.dab, unit(DEFAULT_DAB)) > 0.999
    assert np.linalg.norm([found.hematoxylin, found.dab], axis=1) == pytest.approx([1.0, 1.0])


def test_a_stain_that_is_hardly_there_keeps_its_usual_direction() -> None:
    blue = mixed(amounts(18), NONE)
    few = mixed(NONE, amounts(19))[: FEWEST_PIXELS_OF_VECTORS - 1]
    found = estimate_stains(np.concatenate([blue, few]), GLASS)
    assert found.dab == DEFAULT_DAB
    assert found.hematoxylin != DEFAULT_HEMATOXYLIN


def test_a_reddish_haematoxylin_is_found_although_nothing_is_plainly_blue() -> None:
    own = (0.44, 0.83, 0.335)
    nuclei = np.outer(amounts(21), unit(own)).astype(np.float32)
    found = estimate_stains(np.concatenate([nuclei, mixed(NONE, amounts(22))]), GLASS)
    assert np.dot(found.hematoxylin, unit(own)) > 0.999


def test_mixtures_of_both_stains_are_not_taken_for_a_haematoxylin() -> None:
    both = amounts(23)
    found = estimate_stains(np.concatenate([mixed(both, both), mixed(NONE, amounts(24))]), GLASS)
    assert found.hematoxylin == DEFAULT_HEMATOXYLIN


def test_pixels_near_black_say_nothing_of_a_stain() -> None:
    black = np.full((5_000, 3), DARKEST_OD_SUM, np.float32)
    assert estimate_stains(black, GLASS) == StainBasis(white_point=GLASS)


# The overview as detectors of artefacts see it.


def look(density: float = 0.0, mpp: float = 4.0) -> Look:
    return Look(np.full((60, 80, 3), density, np.float32), mpp)


def square(side_px: int, at: tuple[int, int] = (20, 20)) -> Mask:
    mask = np.zeros((60, 80), bool)
    mask[at[0] : at[0] + side_px, at[1] : at[1] + side_px] = True
    return mask


def test_mean_and_blackness_are_of_the_three_channels() -> None:
    seen = Look(np.array([[[0.2, 0.4, 0.9]]], np.float32), 1.0)
    assert seen.mean[0, 0] == pytest.approx(0.5)
    assert seen.blackness[0, 0] == pytest.approx(0.2)
    assert mean_density(seen.density) == pytest.approx(seen.density.mean(axis=2))


def test_smoothing_keeps_the_total_and_lowers_the_peak() -> None:
    spot = np.zeros((60, 80), np.float32)
    spot[30, 40] = 1.0
    smooth = look().smooth(spot, 12.0)
    assert float(smooth.sum()) == pytest.approx(1.0, abs=1e-4)
    assert float(smooth.max()) < 0.05


@given(side_px=st.integers(1, 12), reach_px=st.floats(0.0, 10.0))
def test_a_grown_mask_contains_what_lies_within_reach_and_nothing_else(side_px: int, reach_px: float) -> None:
    mask = square(side_px)
    grown = within(mask, reach_px)
    assert (grown | mask == grown).all()
    rows, columns = np.nonzero(grown)
    last = 20 + side_px - 1
    down, across = (np.maximum(0, np.maximum(20 - one, one - last)) for one in (rows, columns))
    away = np.hypot(down, across)
    assert away.max() <= reach_px * 1.03 + 0.05, (
        "a distance over a 5 by 5 neighbourhood is off by 2 % at most"
    )


def test_nothing_grows_from_nothing() -> None:
    assert not within(np.zeros((5, 5), bool), 3.0).any()
    assert not look().widened(np.zeros((60, 80), bool), 100.0).any()


def test_the_pictures_border_is_no_edge() -> None:
    assert (distance_inside(np.ones((4, 9), bool)) == 9).all()
    half = np.zeros((9, 9), bool)
    half[:, :5] = True
    assert distance_inside(half)[4, 0] == pytest.approx(5.0, abs=0.1)


def test_opening_drops_what_is_narrow_and_keeps_the_outline_of_the_rest() -> None:
    wide, line = square(20), np.zeros((60, 80), bool)
    line[30:32, 40:] = True
    opened = look(mpp=4.0).opened(wide | line, 24.0)
    assert not opened[:, 48:].any(), "a line of 8 µm is narrower than 24 µm"
    assert (opened & wide).sum() >= wide.sum() - 4 * 6, "only the corners are rounded"


def test_small_pieces_are_dropped_by_their_area_in_mm2() -> None:
    pieces = square(10) | square(4, at=(45, 60))
    kept = look(mpp=4.0).pieces(pieces, least_mm2=10 * 10 * 0.004**2)
    assert (kept == square(10)).all()
    assert not look().pieces(np.zeros((60, 80), bool), 0.0).any()


def test_a_weak_piece_is_kept_where_it_contains_something_strong() -> None:
    weak, strong = square(10) | square(8, at=(45, 60)), square(2, at=(22, 22))
    assert (touching(weak, strong) == square(10)).all()
    assert not touching(weak, np.zeros((60, 80), bool)).any()
