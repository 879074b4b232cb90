"""Reading regions: exact means, parts equal to the whole, no shift between levels, white outside."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image

from cxpath.errors import ResolutionError, UnreadableSlideError
from cxpath.slide import slide as slide_module
from cxpath.slide.open import open_slide
from cxpath.slide.resolution import Level, level_for, levels_of
from cxpath.slide.slide import Slide
from tests.slide.synthetic_slides import block_mean, disc, exact_region, speckle, write_tiff


def test_a_whole_factor_explains_sizes_with_dropped_rest() -> None:
    levels = levels_of([(1501, 1003), (375, 250), (93, 62)])
    assert [level.factor_x for level in levels] == [1.0, 4.0, 16.0]
    assert [level.factor_y for level in levels] == [1.0, 4.0, 16.0]


@given(st.integers(5_000, 150_000), st.integers(5_000, 150_000), st.sampled_from([2, 4, 8, 16, 32]))
def test_halving_scanners_have_whole_factors(width: int, height: int, factor: int) -> None:
    for stored in [(width // factor, height // factor), (-(-width // factor), -(-height // factor))]:
        level = levels_of([(width, height), stored])[1]
        assert (level.factor_x, level.factor_y) == (factor, factor)


def test_other_sizes_keep_their_quotients() -> None:
    level = levels_of([(1000, 800), (400, 319)])[1]
    assert level.factor_x == 2.5
    assert level.factor_y == pytest.approx(800 / 319)
    assert level.downsample == pytest.approx((2.5 + 800 / 319) / 2)


def test_levels_filled_up_to_whole_tiles_have_whole_factors() -> None:
    sizes = [(97792, 221184), (49152, 110592), (24576, 55296), (12288, 27648), (6144, 13824)]
    sizes += [(3072, 7168), (1536, 3584), (1024, 2048), (512, 1024), (512, 512)]
    levels = levels_of(sizes, tiles=[(512, 512)] * len(sizes))
    assert [level.factor_x for level in levels] == [2**power for power in range(10)]
    assert [level.factor_y for level in levels] == [2**power for power in range(10)]
    with pytest.raises(UnreadableSlideError):
        levels_of([sizes[0], sizes[7]])  # without the tiles nothing explains it


def test_a_thumbnail_as_large_as_a_tile_keeps_its_quotient() -> None:
    level = levels_of([(1000, 1000), (512, 512)], tiles=[(512, 512)] * 2)[1]
    assert level.factor_x == pytest.approx(1000 / 512)


@pytest.mark.parametrize(
    "size", [(128, 16777216), (1000000, 128), (512, 500), (64, 32), (4096, 4096), (0, 10), (2100, 2048)]
)
def test_a_level_whose_sides_contradict_each_other_is_damaged(size: tuple[int, int]) -> None:
    with pytest.raises(UnreadableSlideError, match=r"a\.svs: damaged: level 1 of") as caught:
        levels_of([(2048, 2048), size], "a.svs", [(256, 256)] * 2)
    assert "again" in caught.value.hint


@pytest.mark.parametrize("size", [(3, 2), (13, 8), (26, 16)])
def test_a_pixel_of_rounding_in_a_small_level_is_no_damage(size: tuple[int, int]) -> None:
    assert len(levels_of([(2600, 1700), size])) == 2


@pytest.mark.parametrize(
    ("factor", "expected"),
    [(0.5, 0), (1, 0), (3.99, 0), (4, 1), (3.9999999, 1), (15.9, 1), (16, 2), (900, 2)],
)
def test_the_coarsest_level_still_fine_enough_is_read(factor: float, expected: int) -> None:
    assert level_for([Level(1600, 1600), Level(400, 400, 4, 4), Level(100, 100, 16, 16)], factor) == expected


reading = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@reading
@given(
    x=st.floats(-40, 1300) | st.integers(-40, 1300),
    y=st.floats(-40, 900) | st.integers(-40, 900),
    step=st.floats(0.3, 20) | st.sampled_from([1.0, 2.0, 2.0008, 3.0, 4.0, 5.5, 16.0]),
    column=st.integers(1, 30),
    row=st.integers(1, 20),
)
def test_parts_equal_the_whole(
    odd_slide: Slide, x: float, y: float, step: float, column: int, row: int
) -> None:
    mpp = step * odd_slide.mpp
    whole = odd_slide.read(x, y, 40, 30, mpp)
    part = odd_slide.read(x + column * step, y + row * step, 40 - column, 30 - row, mpp)
    difference = np.abs(part.astype(int) - whole[row:, column:])
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


@reading
@given(st.floats(-20, 1480), st.floats(-20, 990), st.floats(1, 3.99))
def test_level_0_reads_are_exact_means(odd_slide: Slide, x: float, y: float, step: float) -> None:
    region = odd_slide.read(x, y, 13, 11, step * odd_slide.mpp)
    assert np.abs(region - exact_region(speckle(1003, 1501), x, y, step, 13, 11)).max() <= 0.51


@reading
@given(st.floats(0, 1.0), st.floats(0, 1.0), st.floats(4, 15.9))
def test_lower_level_reads_are_means_of_that_level(odd_slide: Slide, x: float, y: float, step: float) -> None:
    """Near the origin OpenSlide blends nothing, so the stored level must come back exactly averaged."""
    stored = block_mean(speckle(1003, 1501), 4)
    region = odd_slide.read(4 * x, 4 * y, 13, 11, step * odd_slide.mpp)
    assert np.abs(region - exact_region(stored, x, y, step / 4, 13, 11)).max() <= 0.51


def test_large_regions_read_in_parts_are_the_same(odd_slide: Slide, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = odd_slide.read(-3.3, 5.1, 700, 460, 2.1 * odd_slide.mpp)
    monkeypatch.setattr(slide_module, "_MOST_SOURCE_PX", 50_000)
    assert np.abs(odd_slide.read(-3.3, 5.1, 700, 460, 2.1 * odd_slide.mpp).astype(int) - whole).max() <= 1


def test_one_output_pixel_may_cover_more_than_a_part(
    odd_slide: Slide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slide_module, "_MOST_SOURCE_PX", 10)
    assert odd_slide.read(0, 0, 1, 1, 200 * odd_slide.mpp).mean() == pytest.approx(127.5, abs=6)


@pytest.fixture(scope="module")
def disc_slide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slide]:
    full = disc(1200, 1600, x=731.4, y=522.9, radius=210)
    levels = [full, *(block_mean(full, factor) for factor in (2, 4, 8, 16))]
    with open_slide(write_tiff(tmp_path_factory.mktemp("disc") / "disc.tif", levels)) as slide:
        yield slide


@pytest.mark.parametrize("step", [0.5, 1, 1.3, 2, 3, 4, 5.7, 8, 13, 16, 21])
def test_nothing_shifts_between_levels(disc_slide: Slide, step: float) -> None:
    width, height = int(1600 / step), int(1200 / step)
    darkness = 255.0 - disc_slide.read(0, 0, width, height, step * disc_slide.mpp)[..., 1]
    x = (darkness.sum(axis=0) @ (np.arange(width) + 0.5)) / darkness.sum() * step
    y = (darkness.sum(axis=1) @ (np.arange(height) + 0.5)) / darkness.sum() * step
    assert (x, y) == pytest.approx((731.4, 522.9), abs=0.1)  # half a pixel of level 4 would be 8


def test_outside_the_scan_is_white(odd_slide: Slide) -> None:
    assert (odd_slide.read(-500, -500, 100, 100, 1.0) == 255).all()
    assert (odd_slide.read(5000, 20, 10, 10, 0.25) == 255).all()
    corner = odd_slide.read(-10, -10, 20, 20, 0.25)
    assert (corner[:10] == 255).all()
    assert (corner[:, :10] == 255).all()
    np.testing.assert_array_equal(corner[10:, 10:], speckle(1003, 1501)[:10, :10])


def test_threads_read_what_one_thread_reads(odd_pyramid: Path) -> None:
    places = [(x, y) for x in range(0, 1400, 170) for y in range(0, 900, 130)]
    with open_slide(odd_pyramid) as slide, ThreadPoolExecutor(6) as pool:
        alone = [slide.read(x, y, 60, 60, 0.6) for x, y in places]
        together = list(pool.map(lambda place: slide.read(place[0], place[1], 60, 60, 0.6), places))
    np.testing.assert_array_equal(alone, together)


@pytest.mark.parametrize(
    ("x", "y", "width", "height", "mpp"),
    [
        (0, 0, 0, 5, 1),
        (0, 0, 5, -1, 1),
        (0, 0, 5, 5, 0),
        (float("nan"), 0, 5, 5, 1),
        (0, 0, 5, 5, float("inf")),
    ],
)
def test_nonsense_regions_are_refused(
    odd_slide: Slide, x: float, y: float, width: int, height: int, mpp: float
) -> None:
    with pytest.raises(ValueError, match="no region"):
        odd_slide.read(x, y, width, height, mpp)


def test_info_tells_the_facts(odd_slide: Slide) -> None:
    info = odd_slide.info
    assert (info.name, info.stem, info.reader, info.vendor) == ("odd.tif", "odd", "openslide", "generic-tiff")
    assert (info.width_px, info.height_px) == (1501, 1003)
    assert info.mpp == pytest.approx(0.25)
    assert info.mpp_source == "tiff.XResolution"
    assert info.level_downsamples == (1.0, 4.0, 16.0)
    assert info.bounds_px == (0, 0, 1501, 1003)
    assert len(info.digest) == len(info.quickhash) == 64


@pytest.mark.parametrize(
    ("name", "shown", "stem"),
    [
        (None, "odd.tif", "odd"),
        ("slide-0a1b", "slide-0a1b", "slide-0a1b"),
        ("case 1.2.tif", "case 1.2.tif", "case 1.2"),
    ],
)
def test_another_name_may_be_shown(odd_pyramid: Path, name: str | None, shown: str, stem: str) -> None:
    with open_slide(odd_pyramid, name=name) as slide:
        assert (slide.info.name, slide.info.stem) == (shown, stem)


def test_a_closed_slide_says_so(odd_pyramid: Path) -> None:
    slide = open_slide(odd_pyramid)
    slide.close()
    slide.close()
    with pytest.raises(ValueError, match="closed"):
        slide.read(0, 0, 4, 4, 0.25)


@pytest.mark.parametrize(("width", "height", "mpp"), [(60_000, 10, 5.0), (40_000, 30_000, 5.0)])
def test_a_slide_larger_than_any_glass_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int, height: int, mpp: float
) -> None:
    path = tmp_path / "a.png"
    Image.new("1", (width // 100, height // 10)).save(path)
    monkeypatch.setattr(slide_module, "_LONGEST_MM", 2.5)
    monkeypatch.setattr(slide_module, "_LARGEST_MM2", 25.0)
    with pytest.raises(ResolutionError, match="larger than any glass slide") as caught:
        open_slide(path, mpp=mpp)
    assert "--mpp" in caught.value.hint
    with open_slide(path, mpp=0.25) as slide:
        assert slide.mpp == 0.25
