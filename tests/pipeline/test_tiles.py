from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image

from cxpath.data.slide_info import SlideInfo, StainBasis, TileFrame
from cxpath.pipeline.settings import TileSettings
from cxpath.pipeline.tiles import BAND_TILES, PlannedTile, TilePlan, plan_tiles, read_tiles
from cxpath.slide import jpeg_tiles
from cxpath.slide.jpeg import decode
from cxpath.slide.open import open_slide
from cxpath.slide.slide import Slide
from cxpath.tissue.tissue import Tissue
from tests.slide.jpeg_slides import Storage, tissue as tissue_imported, write_jpeg_tiff

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


@pytest.fixture
def slide(tmp_path: Path) -> Iterator[Slide]:
    pixels = np.random.default_rng(3).integers(0, 255, (256, 256, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noise.png")
    with open_slide(tmp_path / "noise.png", 0.5) as opened:
        yield opened


def planned(number: int) -> list[PlannedTile]:
    return [
        PlannedTile(TileFrame(index, 16.0 * (index % 8), 16.0 * (index // 8), 1.0, 16, 0), 1.0)
        for index in range(number)
    ]


@pytest.mark.parametrize(("threads", "ahead"), [(1, 1), (4, 3), (8, 20)])
def test_tiles_come_in_order_whatever_the_threads(slide: Slide, threads: int, ahead: int) -> None:
    settings = TileSettings(reader_threads=threads, read_ahead=ahead)
    tiles = list(read_tiles(slide, planned(40), 0.5, settings))
    assert [tile.frame.index for tile in tiles] == list(range(40))
    for tile in tiles:
        assert np.array_equal(tile.rgb, slide.read(tile.frame.x_px, tile.frame.y_px, 16, 16, 0.5))


def test_no_more_than_read_ahead_wait(slide: Slide, monkeypatch: pytest.MonkeyPatch) -> None:
    started, lock, original = [0], threading.Lock(), type(slide).read

    def counting(self: Slide, *where: float) -> object:
        with lock:
            started[0] += 1
        return original(self, *where)  # type: ignore[arg-type]

    monkeypatch.setattr(type(slide), "read", counting)
    tiles = read_tiles(slide, planned(40), 0.5, TileSettings(reader_threads=2, read_ahead=3))
    for taken in range(1, 6):
        next(tiles)
        assert started[0] <= taken + 3
    tiles.close()


def test_an_error_in_a_reader_reaches_the_caller(slide: Slide, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError("tile 3 is damaged")

    monkeypatch.setattr(type(slide), "read", broken)
    with pytest.raises(OSError, match="tile 3"):
        list(read_tiles(slide, planned(5), 0.5, TileSettings()))


def test_reading_in_bands_decodes_no_tile_of_the_slide_much_more_than_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wide slide, and room to remember fewer of its tiles than one row of the plan touches."""
    path = write_jpeg_tiff(tmp_path / "wide.tif", [tissue_imported(1024, 6144)], Storage())
    stored = (1024 // 64) * (6144 // 64)
    monkeypatch.setattr(jpeg_tiles, "CACHE_BYTES", 400_000)
    in_rows = [(row, column) for row in range(8) for column in range(48)]
    in_bands = sorted(in_rows, key=lambda place: (place[1] // BAND_TILES, *place))
    decoded = [decodings(path, order, monkeypatch) for order in (in_bands, in_rows)]
    assert decoded[0] < 1.5 * stored < decoded[1]


def decodings(path: Path, order: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many tiles of the slide are decoded to read tiles of 64 px with a halo of 16."""
    count = 0

    def counted(stream: bytes, width: int, height: int, *rest: Any) -> Any:
        nonlocal count
        count += height // 64
        return decode(stream, width, height, *rest)

    with open_slide(path) as slide, monkeypatch.context() as patch:
        patch.setattr(jpeg_tiles, "decode", counted)
        for row, column in order:
            slide.read(column * 128 - 32, row * 128 - 32, 96, 96, 0.5)
    return count
