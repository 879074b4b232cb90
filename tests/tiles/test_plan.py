import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxpath.tiles.plan import TilePlan, plan_tiles
from cxpath.tiles.settings import TileSettings
from cxpath.tissue.tissue import Tissue
from cxpath.values.slide_info import SlideInfo
from cxpath.values.stains import StainBasis

MPP, NETWORK_MPP, STRIDE_PX, HALO_PX = 0.25, 0.5, 16, 72


def info(width_px: int, height_px: int) -> SlideInfo:
    return SlideInfo(
        "s.svs", "s", "", "", width_px, height_px, MPP, "user", "openslide", "aperio", (1.0,), (0, 0, 0, 0)
    )


def tissue(width_px: int, height_px: int, scored: slice = slice(None)) -> Tissue:
    """Tissue everywhere, or in some overview rows, at 4 µm/px."""
    shape = (-(-height_px // 16), -(-width_px // 16))
    mask = np.zeros(shape, dtype=bool)
    mask[scored] = True
    overview = np.zeros((*shape, 3), np.uint8)
    return Tissue(overview, 4.0, mask, mask, {}, StainBasis(), (), MPP)


def plan(
    width_px: int, height_px: int, core_px: int = 256, offset_px: int = 0, rows: slice = slice(None)
) -> TilePlan:
    settings = TileSettings(core_px=core_px, lattice_offset_px=offset_px)
    where = tissue(width_px, height_px, rows)
    return plan_tiles(info(width_px, height_px), where, NETWORK_MPP, HALO_PX, STRIDE_PX, settings)


@given(
    width_px=st.integers(100, 5000),
    height_px=st.integers(100, 5000),
    core_px=st.integers(64, 1500),
    offset_px=st.integers(0, 300),
    where=st.tuples(st.floats(0, 0.9999), st.floats(0, 0.9999)),
)
def test_every_place_of_the_slide_lies_in_exactly_one_core(
    width_px: int, height_px: int, core_px: int, offset_px: int, where: tuple[float, float]
) -> None:
    tiles = plan(width_px, height_px, core_px, offset_px)
    x_px, y_px = where[0] * width_px, where[1] * height_px
    owners = [
        tile.frame.index
        for tile in tiles.tiles
        if tile.frame.core_x_px <= x_px < tile.frame.core_x_px + tile.frame.core_side_px
        and tile.frame.core_y_px <= y_px < tile.frame.core_y_px + tile.frame.core_side_px
    ]
    assert owners == [int(tiles.tile_at(np.array([x_px]), np.array([y_px]))[0])]


@pytest.mark.parametrize("core_px", [64, 250, 1024])
def test_origins_and_sides_are_multiples_of_the_stride(core_px: int) -> None:
    for tile in plan(4000, 3000, core_px).tiles:
        frame = tile.frame
        assert (frame.x_px / frame.scale) % STRIDE_PX == 0
        assert frame.side_px % STRIDE_PX == 0
        assert frame.halo_px >= HALO_PX


def test_tiles_without_tissue_stay_in_the_plan_but_are_not_read() -> None:
    tiles = plan(2048, 2048, core_px=256, rows=slice(0, 10))  # 10 rows of 16 px: 160 px of 2048
    assert len(tiles.tiles) == 16
    assert [tile.frame.index for tile in tiles.with_tissue] == [0, 1, 2, 3]
    assert {tile.excluded for tile in tiles.tiles[4:]} == {"glass"}


def test_a_single_tissue_pixel_is_enough() -> None:
    only_last = plan(2048, 2048, core_px=256, rows=slice(127, 128))
    assert [tile.frame.index for tile in only_last.with_tissue] == [12, 13, 14, 15]


def test_wide_slides_are_read_in_bands_of_columns() -> None:
    tiles = plan(10_240, 1024, core_px=256)  # 20 by 2 tiles
    order = [tile.frame.index for tile in tiles.with_tissue]
    assert order == [*range(8), *range(20, 28), *range(8, 16), *range(28, 36), *range(16, 20), *range(36, 40)]


def test_a_plan_limited_to_some_tiles_says_why_the_others_are_not_read() -> None:
    limited = plan(2048, 2048, rows=slice(0, 32)).limited_to([1, 5], "not drawn")
    assert [tile.frame.index for tile in limited.with_tissue] == [1]
    assert limited.tiles[0].excluded == "not drawn"
    assert limited.tiles[5].excluded == "glass"
