import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxpath.slide.open_slide import open_slide
from cxpath.slide.slide import Slide
from cxpath.tiles.plan import PlannedTile
from cxpath.tiles.reading import read_tiles
from cxpath.tiles.settings import TileSettings
from cxpath.values.tile_frame import TileFrame


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
    tiles.close()  # type: ignore[attr-defined]


def test_an_error_in_a_reader_reaches_the_caller(slide: Slide, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError("tile 3 is damaged")

    monkeypatch.setattr(type(slide), "read", broken)
    with pytest.raises(OSError, match="tile 3"):
        list(read_tiles(slide, planned(5), 0.5, TileSettings()))
