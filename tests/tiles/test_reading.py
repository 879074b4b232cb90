import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cxpath.slide import jpeg_tiles
from cxpath.slide.jpeg_decoder import decode
from cxpath.slide.open_slide import open_slide
from cxpath.slide.slide import Slide
from cxpath.tiles.plan import BAND_TILES, PlannedTile
from cxpath.tiles.reading import read_tiles
from cxpath.tiles.settings import TileSettings
from cxpath.values.tile_frame import TileFrame
from tests.slide.jpeg_slides import Storage, tissue, write_jpeg_tiff


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
    path = write_jpeg_tiff(tmp_path / "wide.tif", [tissue(1024, 6144)], Storage())
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
