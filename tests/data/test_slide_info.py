from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray
from shapely.geometry import Polygon, box

from cxpath.data.slide_info import (
    Direction,
    FamiliarStains,
    Region,
    RegionMeaning,
    Regions,
    RegionUse,
    StainBasis,
    TileFrame,
    degrees_from_arc,
    in_other_stains,
    optical_density,
    unit,
)

WHITE = (240.0, 235.0, 230.0)


def test_glass_has_no_density_and_brighter_than_glass_neither() -> None:
    pixels = np.array([[240, 235, 230], [255, 255, 255]], dtype=np.uint8)
    assert optical_density(pixels, WHITE).max() < 0.001


def test_a_tenth_of_the_light_is_density_one() -> None:
    tenth = np.full((1, 3), 25, dtype=np.uint8)
    assert optical_density(tenth, (255.0, 255.0, 255.0)) == pytest.approx(np.ones((1, 3)), abs=0.01)


def test_black_is_finite() -> None:
    assert np.isfinite(optical_density(np.zeros((1, 3), np.uint8), WHITE)).all()


@given(st.floats(0, 1.5), st.floats(0, 1.5))
def test_unmixing_returns_the_amounts_that_were_mixed(hematoxylin: float, dab: float) -> None:
    basis = StainBasis()
    mixed = hematoxylin * unit(basis.hematoxylin) + dab * unit(basis.dab)
    assert mixed @ basis.unmixing() == pytest.approx([hematoxylin, dab], abs=1e-9)


FAMILIAR = FamiliarStains(
    hematoxylin_arc=((0.80, 0.52, 0.30), (0.63, 0.72, 0.30)),
    dab_arc=((0.22, 0.46, 0.88), (0.43, 0.58, 0.70)),
    hematoxylin_deg=(5.0, 9.0),
    dab_deg=(3.0, 6.0),
)
MAGENTA = (0.44, 0.83, 0.335)
YELLOW = (0.05, 0.28, 0.96)


def degrees(one: Direction, other: Direction) -> float:
    return float(np.degrees(np.arccos(np.clip(unit(one) @ unit(other), -1, 1))))


def test_a_direction_on_the_arc_is_no_degree_away_and_beyond_its_end_as_far_as_the_end() -> None:
    arc: tuple[Direction, Direction] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    assert degrees_from_arc((1.0, 1.0, 0.0), arc) == pytest.approx(0.0, abs=1e-5)
    assert degrees_from_arc((1.0, 1.0, 1.0), arc) == pytest.approx(35.26, abs=0.01)
    assert degrees_from_arc((1.0, -1.0, 0.0), arc) == pytest.approx(45.0, abs=0.01)


def test_usual_stains_are_familiar_and_shown_as_they_are() -> None:
    assert FAMILIAR.strangeness(StainBasis()) == 0.0
    assert FAMILIAR.shown(StainBasis()) == StainBasis()


@pytest.mark.parametrize(
    "strange", [StainBasis(hematoxylin=MAGENTA), StainBasis(dab=YELLOW)], ids=["haematoxylin", "dab"]
)
def test_one_strange_stain_is_enough_to_show_both_in_the_middle_of_training(strange: StainBasis) -> None:
    assert FAMILIAR.strangeness(strange) == 1.0
    shown = FAMILIAR.shown(strange)
    assert degrees(shown.hematoxylin, (0.72, 0.62, 0.30)) < 1.0
    assert degrees(shown.dab, (0.33, 0.53, 0.79)) < 1.0
    assert shown.white_point == strange.white_point


@given(st.floats(0, 1), st.floats(0, 0.02))
def test_nearly_equal_stains_are_shown_nearly_equally(share: float, more: float) -> None:
    def between(part: float) -> StainBasis:
        return StainBasis(hematoxylin=tuple(unit((0.63, 0.72, 0.30)) * (1 - part) + unit(MAGENTA) * part))

    one, other = FAMILIAR.shown(between(share)), FAMILIAR.shown(between(share + more))
    assert degrees(one.hematoxylin, other.hematoxylin) < 2.0
    assert degrees(one.dab, other.dab) < 2.0


def test_two_estimates_of_nearly_one_colour_are_no_basis_to_turn_by() -> None:
    alike = StainBasis(hematoxylin=(0.10, 0.30, 0.94), dab=YELLOW)
    assert FAMILIAR.strangeness(alike) == 1.0
    assert FAMILIAR.shown(alike) == alike


def stained(stains: StainBasis) -> NDArray[np.uint8]:
    """A picture of known amounts of both stains, in the colours of a slide."""
    hematoxylin, dab = np.meshgrid(np.linspace(0, 0.9, 24), np.linspace(0, 0.9, 24))
    density = hematoxylin[..., None] * unit(stains.hematoxylin) + dab[..., None] * unit(stains.dab)
    light = 10**-density * np.array(stains.white_point) - 0.5
    return np.asarray(np.rint(light.clip(0, 255)), np.uint8)


def test_a_slide_turned_to_other_stains_looks_as_if_stained_so() -> None:
    own = StainBasis(white_point=WHITE, hematoxylin=MAGENTA, dab=YELLOW)
    wanted = StainBasis(white_point=WHITE)
    turned = in_other_stains(stained(own), own, wanted)
    assert turned.dtype == np.uint8
    away = np.abs(turned.astype(int) - stained(wanted))
    assert away[:12, :12].max() <= 2
    assert away.max() <= 8
    assert np.abs(stained(own).astype(int) - stained(wanted)).max() > 40


def test_a_slide_turned_to_its_own_stains_stays() -> None:
    rgb = np.random.default_rng(3).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    own = StainBasis(white_point=WHITE)
    assert np.abs(in_other_stains(rgb, own, own).astype(int) - rgb).max() <= 1


INNER = Region("Exclude", RegionUse.EXCLUDE, box(40, 40, 60, 60))
OUTER = Region("ROI", RegionUse.INCLUDE, box(20, 20, 80, 80))


def inside(regions: Regions, x_px: float, y_px: float) -> bool:
    return bool(regions.contains(np.array([x_px]), np.array([y_px]), 100, 100)[0])


def test_nothing_drawn_scores_everything() -> None:
    assert inside(Regions(), 5, 5)


def test_only_an_exclusion_scores_all_else() -> None:
    regions = Regions((INNER,))
    assert inside(regions, 5, 5)
    assert not inside(regions, 50, 50)


def test_exclusion_wins_inside_an_inclusion() -> None:
    regions = Regions((OUTER, INNER))
    assert inside(regions, 30, 30)
    assert not inside(regions, 50, 50)
    assert not inside(regions, 5, 5)


def test_a_hole_is_outside() -> None:
    ring = Polygon(box(20, 20, 80, 80).exterior, [box(40, 40, 60, 60).exterior])
    assert not inside(Regions((Region("ROI", RegionUse.INCLUDE, ring),)), 50, 50)


BED = Region.meaning_of("Tumor bed", RegionMeaning.TUMOUR_BED, box(20, 20, 80, 80))
NECROSIS = Region.meaning_of("Necrosis", RegionMeaning.NECROSIS, box(40, 40, 60, 60))


def test_the_use_follows_from_the_meaning() -> None:
    assert (BED.use, NECROSIS.use) == (RegionUse.INCLUDE, RegionUse.EXCLUDE)
    assert [meaning for meaning in RegionMeaning if meaning.use is RegionUse.INCLUDE] == [
        RegionMeaning.INCLUDE,
        RegionMeaning.TUMOUR_BED,
    ]


def test_a_region_of_known_use_alone_holds_just_that() -> None:
    assert (OUTER.effective_meaning, INNER.effective_meaning) == (
        RegionMeaning.INCLUDE,
        RegionMeaning.EXCLUDE,
    )


def test_areas_are_found_by_meaning() -> None:
    regions = Regions((OUTER, BED, NECROSIS))
    assert regions.with_meaning(RegionMeaning.NECROSIS) == (NECROSIS,)
    x_px = np.array([30.0, 50.0, 90.0])
    assert regions.within(RegionMeaning.TUMOUR_BED, x_px, x_px).tolist() == [True, True, False]
    assert regions.within(RegionMeaning.NECROSIS, x_px, x_px).tolist() == [False, True, False]
    assert not regions.within(RegionMeaning.CONTROL, x_px, x_px).any()


def test_overlapping_inclusions_are_one_area_cut_to_the_slide() -> None:
    beyond = Region("ROI", RegionUse.INCLUDE, box(70, 70, 150, 150))
    shape = Regions((OUTER, beyond)).scored_shape(100, 100)
    assert shape.area == pytest.approx(60 * 60 + 30 * 30 - 10 * 10)
    assert shape.bounds == (20, 20, 100, 100)


@given(x_px=st.floats(0, 100), y_px=st.floats(0, 100))
def test_the_scored_area_is_what_is_included_and_not_excluded(x_px: float, y_px: float) -> None:
    hole = Region("hole", RegionUse.INCLUDE, INNER.shape)
    included, excluded = (inside(Regions((one,)), x_px, y_px) for one in (OUTER, hole))
    on_edge = 40 in {x_px, y_px} or 60 in {x_px, y_px}
    if not on_edge:
        assert inside(Regions((OUTER, INNER)), x_px, y_px) == (included and not excluded)


def test_a_tile_puts_its_core_between_two_halos() -> None:
    frame = TileFrame(index=3, x_px=1_000.0, y_px=2_000.0, scale=2.0, core_px=512, halo_px=64)
    assert frame.side_px == 640
    assert (frame.core_x_px, frame.core_y_px) == (1_128.0, 2_128.0)
    assert frame.core_side_px == 1_024.0
    right = frame.x_px + frame.side_px * frame.scale
    assert right - (frame.core_x_px + frame.core_side_px) == frame.halo_px * frame.scale


@given(
    rgb=st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=20),
    white=st.tuples(*[st.floats(120, 255)] * 3),
)
def test_density_falls_as_light_rises_and_is_never_negative(
    rgb: list[tuple[int, int, int]], white: tuple[float, float, float]
) -> None:
    pixels = np.array(rgb, np.uint8)
    density = optical_density(pixels, white)
    assert density.min() >= 0.0
    for channel in range(3):
        order = np.argsort(pixels[:, channel], kind="stable")
        assert (np.diff(density[order, channel]) <= 0).all()


@given(direction=st.tuples(*[st.floats(0.01, 10)] * 3))
def test_a_unit_direction_keeps_its_ratios(direction: tuple[float, float, float]) -> None:
    found = unit(direction)
    assert np.linalg.norm(found) == pytest.approx(1.0)
    assert found * np.linalg.norm(direction) == pytest.approx(direction)


def test_density_is_that_of_beer_and_lambert_for_every_channel_by_its_own_white() -> None:
    """−log10((level + 0.5) / white) by hand; the levels differ between channels."""
    found = optical_density(np.array([[[23, 46, 114]]], np.uint8), (235.0, 232.5, 229.0))
    assert found.shape == (1, 1, 3)
    assert found.dtype == np.float32
    assert found[0, 0].tolist() == pytest.approx([1.0, 0.69897, 0.30103], abs=1e-5)


def test_a_picture_without_light_divides_by_nothing() -> None:
    found = optical_density(np.full((2, 3), 10, np.uint8), (0.0, 0.0, 0.0))
    assert (found == 0).all(), "brighter than a white of nothing is glass"


def test_stains_are_unmixed_whatever_the_length_of_their_vectors() -> None:
    stains = StainBasis(hematoxylin=(1.4, 1.28, 0.62), dab=(0.033, 0.053, 0.078))
    plain = StainBasis()
    np.testing.assert_allclose(stains.unmixing(), plain.unmixing(), atol=1e-12)
    assert plain.unmixing().shape == (3, 2)
    assert np.linalg.norm(unit((3.0, 4.0, 0.0))) == pytest.approx(1.0)


def test_what_lies_outside_the_plane_of_both_stains_is_ignored() -> None:
    basis = StainBasis()
    across = np.cross(unit(basis.hematoxylin), unit(basis.dab))
    mixed = 0.8 * unit(basis.hematoxylin) + 0.3 * unit(basis.dab)
    assert (mixed + 0.5 * across) @ basis.unmixing() == pytest.approx([0.8, 0.3])


@given(st.integers(0, 10_000), st.floats(0.25, 8), st.integers(16, 2048), st.integers(0, 128))
def test_a_tile_is_its_core_and_a_halo_on_all_sides(
    start: int, scale: float, core_px: int, halo_px: int
) -> None:
    frame = TileFrame(3, float(start), 2.0 * start, scale, core_px, halo_px)
    assert frame.side_px == core_px + 2 * halo_px
    assert frame.core_x_px == pytest.approx(start + halo_px * scale)
    assert frame.core_y_px == pytest.approx(2 * start + halo_px * scale)
    right_px = frame.x_px + frame.side_px * scale
    assert frame.core_x_px + frame.core_side_px == pytest.approx(right_px - halo_px * scale)


def test_overlapping_inclusions_are_one_area_and_nothing_outside_the_slide_counts() -> None:
    beyond = Region("ROI", RegionUse.INCLUDE, box(70, 70, 140, 140))
    shape = Regions((OUTER, beyond)).scored_shape(100, 100)
    assert shape.area == pytest.approx(60 * 60 + 30 * 30 - 10 * 10)
    assert Regions((INNER,)).scored_shape(100, 100).area == pytest.approx(100 * 100 - 20 * 20)
    assert Regions().scored_shape(100, 50).area == pytest.approx(5000)


def test_a_point_on_the_edge_of_an_exclusion_is_not_scored_twice() -> None:
    """Of two areas that touch, a cell on the common line belongs to one at most."""
    left = Region("left", RegionUse.INCLUDE, box(0, 0, 50, 100))
    right = Region("right", RegionUse.EXCLUDE, box(50, 0, 100, 100))
    on_line = Regions((left, right)).contains(np.array([50.0]), np.array([50.0]), 100, 100)
    assert not on_line[0]


def test_an_exclusion_that_takes_everything_scores_nothing() -> None:
    nothing = Regions((OUTER, Region("all", RegionUse.EXCLUDE, box(-10, -10, 200, 200))))
    assert nothing.scored_shape(100, 100).is_empty
    assert not inside(nothing, 30, 30)
    assert len(nothing) == 2


@pytest.mark.parametrize("shape", [(0, 3), (0, 5, 3), (2, 0, 3)])
def test_no_pixels_have_no_optical_density(shape: tuple[int, ...]) -> None:
    assert optical_density(np.zeros(shape, np.uint8), WHITE).shape == shape
