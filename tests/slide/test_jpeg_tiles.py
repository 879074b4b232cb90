"""The fast tile path gives what the libraries give: every way of storing, every place, every size."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings, strategies as st
from numpy.typing import NDArray

from cxpath.errors import CxpathError, UnreadableSlideError
from cxpath.slide import jpeg_tiles, jpeg_tiles as open_file
from cxpath.slide.jpeg import decode
from cxpath.slide.jpeg_tiles import OpenFile, TileCache
from cxpath.slide.open import open_slide
from cxpath.slide.slide import Slide
from tests.slide.jpeg_slides import Storage, aperio_description, encoded, tissue, write_jpeg_tiff
from tests.slide.synthetic_slides import RGB, block_mean, disc, write_aperio, write_tiff

PICTURE = tissue(523, 781)
LEVELS = [PICTURE, cv2.GaussianBlur(block_mean(PICTURE, 4), (0, 0), 1.5).astype(np.uint8)]

STORAGES = {
    "4:2:0": Storage("420"),
    "4:2:2": Storage("422"),
    "4:4:4": Storage("444"),
    "4:2:0 Q70, tables in each tile": Storage("420", quality=70, shared=False),
    "RGB with its marker": Storage("444", "RGB"),
    "RGB without a marker": Storage("444", "RGB", marked=False),
    "YCbCr without a marker": Storage("420", marked=False),
    "tiles of 240": Storage("420", tile=(240, 240)),
    "tiles of 128 x 48": Storage("422", tile=(48, 128)),
}


def write(path: Path, storage: Storage, **options: Any) -> Path:
    return write_jpeg_tiff(path, LEVELS, storage, **options)


@contextmanager
def by_library(path: Path) -> Iterator[Slide]:
    """Open a slide with its fast path taken out: OpenSlide or tifffile, and area averaging."""
    with open_slide(path) as slide:
        slide._fast_once[:] = [None]
        yield slide


def assert_close(fast: RGB, slow: RGB, mean: float = 1.5) -> None:
    """The stated tolerance, in grey levels: mean difference 1.5 (2.5 far down or between sizes)."""
    difference = fast.astype(float) - slow
    assert np.abs(difference).mean() <= mean
    assert np.abs(difference.mean(axis=(0, 1))).max() <= 0.3


@pytest.mark.parametrize("storage", STORAGES.values(), ids=STORAGES)
@pytest.mark.parametrize("vendor", ["aperio", "generic-tiff"])
def test_every_storage_reads_as_openslide_shows_it(tmp_path: Path, storage: Storage, vendor: str) -> None:
    path = write(
        tmp_path / "a.svs", storage, description=aperio_description(PICTURE) if vendor == "aperio" else None
    )
    with open_slide(path) as fast, by_library(path) as slow:
        assert fast.info.vendor == vendor
        assert (fast.reader_path.name, fast.reader_path.fast_levels) == ("jpeg-tiles", (0, 1))
        np.testing.assert_array_equal(fast.read(0, 0, 781, 523, 0.25), slow.read(0, 0, 781, 523, 0.25))
        for x, y, width, height, mpp in [
            (0, 0, 391, 262, 0.5),
            (-31, -17, 200, 190, 0.5),
            (101, 83.5, 150, 140, 0.55),
            (256, 128, 90, 80, 0.93),
            (3, 5, 180, 120, 1.0),
            (0, 0, 98, 66, 2.0),
            (0, 0, 49, 33, 4.0),
        ]:
            mean = {0.5: 1.5, 1.0: 1.5, 2.0: 1.5}.get(mpp, 2.5)
            assert_close(fast.read(x, y, width, height, mpp), slow.read(x, y, width, height, mpp), mean)
        assert fast.reader_path.fallen_back == 0


def test_bigtiff(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", Storage(), bigtiff=True)
    with open_slide(path) as fast, by_library(path) as slow:
        assert fast.reader_path.fast_levels == (0, 1)
        assert_close(fast.read(11, 7, 300, 200, 0.5), slow.read(11, 7, 300, 200, 0.5))


@pytest.mark.parametrize("storage", [Storage(), Storage("444", "RGB", marked=False)], ids=["YCbCr", "RGB"])
def test_tags_that_contradict_the_data_read_as_openslide_shows_them(tmp_path: Path, storage: Storage) -> None:
    other = "rgb" if storage.colours == "YCBCR" else "ycbcr"
    wrong = Storage(storage.subsampling, storage.colours, storage.marked, tagged=other, shared=False)
    path = write(tmp_path / "a.tif", wrong)
    with open_slide(path) as fast, by_library(path) as slow:
        np.testing.assert_array_equal(fast.read(0, 0, 781, 523, 0.25), slow.read(0, 0, 781, 523, 0.25))
        assert_close(fast.read(0, 0, 300, 200, 0.5), slow.read(0, 0, 300, 200, 0.5))


def test_sub_directories_of_an_ome_tiff(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    how: dict[str, Any] = {"tile": (64, 64), "photometric": "rgb", "compression": "jpeg"}
    metadata = {"axes": "YXS", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
    with tifffile.TiffWriter(path, ome=True) as tiff:
        tiff.write(PICTURE, subifds=1, metadata=metadata, **how)
        tiff.write(LEVELS[1], subfiletype=1, **how)
    with open_slide(path) as fast, by_library(path) as slow:
        assert fast.reader_path.fast_levels == (0, 1)
        np.testing.assert_array_equal(fast.read(5, 3, 500, 400, 0.25), slow.read(5, 3, 500, 400, 0.25))
        assert_close(fast.read(0, 0, 391, 262, 0.5), slow.read(0, 0, 391, 262, 0.5))
        assert_close(fast.read(0, 0, 98, 66, 2.0), slow.read(0, 0, 98, 66, 2.0))


@pytest.mark.parametrize("name", ["wsi/cmu_small_region.svs", "unlabelled/os2_ki67/OS-2-ndpi.ome.tif",
                                  "unlabelled/os2_ki67/OS-2-vsi.ome.tif"])  # fmt: skip
def test_real_files(data_dir: Path, name: str) -> None:
    path = data_dir / name
    with open_slide(path) as fast, by_library(path) as slow:
        assert fast.reader_path.fast_levels == (0,)
        mpp = fast.mpp
        np.testing.assert_array_equal(fast.read(5, 3, 900, 800, mpp), slow.read(5, 3, 900, 800, mpp))
        for step in (2, 2.3, 4, 8):
            size = int(fast.width_px / step), int(fast.height_px / step)
            mean = 2.0 if step == 2.3 else 0.5
            assert_close(fast.read(0, 0, *size, step * mpp), slow.read(0, 0, *size, step * mpp), mean)


@pytest.mark.parametrize("name", ["test3-DAPI-2-(387).ndpi", "boxes.tiff", "boxes_0.dcm"])
def test_real_files_that_are_left_to_openslide(data_dir: Path, name: str) -> None:
    with open_slide(data_dir / "wsi" / name, mpp=0.25) as slide:
        slide.read(0, 0, 50, 40, 0.5)
        assert (slide.reader_path.name, slide.reader_path.fast_levels) == ("openslide", ())


@pytest.fixture(scope="module")
def disc_slide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slide]:
    picture = disc(1200, 1600, x=731.4, y=522.9, radius=210)
    with open_slide(write_aperio(tmp_path_factory.mktemp("disc") / "disc.svs", [picture])) as slide:
        yield slide


@pytest.mark.parametrize("step", [1, 1.7, 2, 2.0008, 3, 4, 5.5, 8, 13, 16])
def test_nothing_shifts_when_tiles_are_decoded_small(disc_slide: Slide, step: float) -> None:
    assert disc_slide.reader_path.name == "jpeg-tiles"
    width, height = int(1600 / step), int(1200 / step)
    darkness = 255.0 - disc_slide.read(0, 0, width, height, step * disc_slide.mpp)[..., 1]
    x = (darkness.sum(axis=0) @ (np.arange(width) + 0.5)) / darkness.sum() * step
    y = (darkness.sum(axis=1) @ (np.arange(height) + 0.5)) / darkness.sum() * step
    assert (x, y) == pytest.approx((731.4, 522.9), abs=0.1)  # half a pixel at 1/8 would be 4


@pytest.fixture(scope="module")
def odd_slide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slide]:
    with open_slide(write(tmp_path_factory.mktemp("odd") / "odd.tif", Storage())) as slide:
        yield slide


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    x=st.floats(-40, 700) | st.integers(-40, 700),
    y=st.floats(-40, 480) | st.integers(-40, 480),
    step=st.floats(0.7, 20) | st.sampled_from([1.0, 2.0, 2.0008, 3.0, 4.0, 5.5, 16.0]),
    column=st.integers(1, 30),
    row=st.integers(1, 20),
)
def test_parts_equal_the_whole(
    odd_slide: Slide, x: float, y: float, step: float, column: int, row: int
) -> None:
    mpp = step * odd_slide.mpp
    whole = odd_slide.read(x, y, 40, 30, mpp)
    part = odd_slide.read(x + column * step, y + row * step, 40 - column, 30 - row, mpp)
    assert np.abs(part.astype(int) - whole[row:, column:]).max() <= 1


@pytest.mark.parametrize("mpp", [0.25, 0.5, 1.0, 2.0])
def test_beyond_the_edge_is_white_though_tiles_are_filled_up_black(odd_slide: Slide, mpp: float) -> None:
    region = odd_slide.read(400, 300, int(500 * 0.25 / mpp), int(400 * 0.25 / mpp), mpp)
    inside = int((781 - 400) * 0.25 / mpp)
    assert (region[:, inside + 1 :] == 255).all()
    rim = region[: int(200 * 0.25 / mpp), inside - 1]
    before = region[: int(200 * 0.25 / mpp), inside - 2]
    assert np.abs(rim.astype(float) - before).mean() < 40  # black shining in would be off by 100


def test_tiles_never_written_are_glass(tmp_path: Path) -> None:
    missing = frozenset({(0, 3), (0, 20), (1, 0)})
    generic = write(tmp_path / "a.tif", Storage(), missing=missing)
    aperio = write(tmp_path / "a.svs", Storage(), missing=missing, description=aperio_description(PICTURE))
    # tiles missing below level 0 are drawn from the finer level by OpenSlide alone
    for path, fast_levels in ((generic, (0, 1)), (aperio, (0,))):
        with open_slide(path) as fast, by_library(path) as slow:
            assert fast.reader_path.fast_levels == fast_levels
            assert ("never written" in fast.reader_path.because) == (path == aperio)
            region = fast.read(0, 0, 390, 260, 0.5)
            assert (region[:32, 96:128] == 255).all()
            assert_close(region, slow.read(0, 0, 390, 260, 0.5))
            assert_close(fast.read(0, 0, 195, 130, 1.0), slow.read(0, 0, 195, 130, 1.0))


def test_a_single_tile_of_another_kind_is_left_to_the_library(tmp_path: Path) -> None:
    path = write_jpeg_tiff(tmp_path / "a.tif", [PICTURE], Storage(shared=False))
    with tifffile.TiffFile(path) as tiff:
        offset, length = tiff.pages.first.dataoffsets[15], tiff.pages.first.databytecounts[15]
    data = bytearray(path.read_bytes())
    small = encoded(PICTURE[:32, :32], Storage())
    data[offset : offset + length] = small + bytes(length - len(small))
    path.write_bytes(data)
    with open_slide(path) as slide:
        assert slide.reader_path.fast_levels == (0,)
        slide.read(0, 0, 100, 30, 0.5)
        assert slide.reader_path.fallen_back == 0
        with pytest.raises(UnreadableSlideError):  # OpenSlide refuses it as well
            slide.read(128, 64, 32, 32, 0.5)
        assert slide.reader_path.fallen_back == 1
        assert "32 x 32 px" in slide.reader_path.because


@pytest.mark.parametrize("cut", ["middle", "end", "nonsense"])
def test_damaged_tiles_are_named_and_never_grey(tmp_path: Path, cut: str) -> None:
    path = write_jpeg_tiff(tmp_path / "a.tif", [PICTURE], Storage(shared=False))
    with tifffile.TiffFile(path) as tiff:
        offsets, lengths = tiff.pages.first.dataoffsets, tiff.pages.first.databytecounts
    number = 4 * 13 + 5
    start, length = offsets[number], lengths[number]
    data = bytearray(path.read_bytes())
    if cut == "middle":
        data[start + length // 2 : start + length // 2 + 60] = bytes(60)
    elif cut == "end":
        data[start + length * 3 // 4 : start + length] = b"\xff\xd9" + bytes(length - length * 3 // 4 - 2)
    else:
        data[start : start + length] = b"\x55" * length
    path.write_bytes(data)
    with open_slide(path) as slide:
        assert slide.reader_path.fast_levels == (0,)
        for mpp in (0.25, 0.5):
            with pytest.raises(UnreadableSlideError, match="tile column 5, row 4 of level 0") as caught:
                slide.read(256, 256, 120, 60, mpp)
            assert str(path) in caught.value.message
            assert "\n" not in str(caught.value)
            assert isinstance(caught.value, CxpathError)
        assert_close(slide.read(0, 0, 128, 100, 0.5), block_mean(PICTURE[:200, :256], 2), mean=2.0)


def test_a_file_that_is_cut_while_it_is_read(tmp_path: Path) -> None:
    path = write_jpeg_tiff(tmp_path / "a.tif", [PICTURE], Storage())
    with tifffile.TiffFile(path) as tiff:
        last = tiff.pages.first.dataoffsets[60]
    with open_slide(path) as slide:
        os.truncate(path, last)
        with pytest.raises(UnreadableSlideError, match=r"tile column 8, row 4 .* ends within it"):
            slide.read(0, 256, 300, 100, 0.5)
        slide.read(0, 0, 100, 100, 0.5)


def test_odd_places_are_not_blurred(odd_slide: Slide, tmp_path: Path) -> None:
    with by_library(write(tmp_path / "a.tif", Storage())) as slow:
        exact = slow.read(31, 17, 200, 190, 0.5)
        np.testing.assert_array_equal(odd_slide.read(31, 17, 200, 190, 0.5), exact)


def test_padding_before_the_end_of_a_tile_is_no_damage(tmp_path: Path) -> None:
    storage = Storage(shared=False)
    padded = encoded(PICTURE[:64, :64], storage)[:-2] + bytes(6) + b"\xff\xd9"
    tifffile.imwrite(
        tmp_path / "a.tif", iter([padded]), shape=(64, 64, 3), dtype=np.uint8, tile=(64, 64),
        photometric="ycbcr", compression="jpeg", subsampling=(2, 2), metadata=None,
    )  # fmt: skip
    with open_slide(tmp_path / "a.tif", mpp=0.25) as slide:
        assert slide.reader_path.name == "jpeg-tiles"
        assert_close(slide.read(0, 0, 32, 32, 0.5), block_mean(PICTURE[:64, :64], 2), mean=2.0)


@pytest.mark.parametrize(
    ("options", "because"),
    [
        ({"tile": (64, 64), "compression": "deflate"}, "not JPEG"),
        ({"tile": None, "rowsperstrip": 64, "compression": "jpeg"}, "stored in strips"),
    ],
    ids=["deflate", "strips"],
)
def test_what_is_stored_otherwise_is_left_to_the_library(
    tmp_path: Path, options: dict[str, Any], because: str
) -> None:
    path = write_tiff(tmp_path / "a.tif", [PICTURE], **options)
    with open_slide(path) as slide:
        assert slide.reader_path.name != "jpeg-tiles"
        assert because in slide.reader_path.because
        assert str(tmp_path) not in slide.reader_path.because
        assert np.abs(slide.read(0, 0, 390, 261, 0.5) - block_mean(PICTURE, 2).astype(float)).mean() < 3


def test_aperio_jpeg_2000_is_left_to_openslide(tmp_path: Path) -> None:
    tiles = (imagecodecs.jpeg2k_encode(tissue(64, 64, seed), codecformat="J2K") for seed in range(4))
    tifffile.imwrite(
        tmp_path / "a.svs", (bytes(tile) for tile in tiles), shape=(128, 128, 3), dtype=np.uint8,
        tile=(64, 64), photometric="rgb", compression=33005, metadata=None,
        description=aperio_description(PICTURE[:128, :128]),
    )  # fmt: skip
    with open_slide(tmp_path / "a.svs") as slide:
        assert slide.info.vendor == "aperio"
        assert slide.reader_path.name == "openslide"
        assert "not JPEG" in slide.reader_path.because
        assert slide.read(0, 0, 64, 64, 0.5).std() > 10


def test_tiles_of_another_size_than_said_are_left_to_the_library(tmp_path: Path) -> None:
    small = encoded(PICTURE[:32, :32], Storage())
    tifffile.imwrite(
        tmp_path / "a.tif", iter([small]), shape=(64, 64, 3), dtype=np.uint8, tile=(64, 64),
        photometric="ycbcr", compression="jpeg", subsampling=(2, 2), metadata=None,
    )  # fmt: skip
    with open_slide(tmp_path / "a.tif", mpp=0.25) as slide:
        assert slide.reader_path.name == "openslide"
        assert "32 x 32 px" in slide.reader_path.because


def test_halos_do_not_decode_tiles_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_jpeg_tiff(tmp_path / "a.tif", [PICTURE], Storage())
    decoded: list[int] = []
    plain = decode
    with open_slide(path) as slide:
        assert slide.reader_path.fast_levels  # proved before the count begins

        def counted(stream: bytes, width: int, height: int, *rest: Any) -> RGB:
            decoded.append(height // 64)
            return plain(stream, width, height, *rest)

        monkeypatch.setattr(jpeg_tiles, "decode", counted)
        for y in range(0, 523, 128):
            for x in range(0, 781, 128):
                slide.read(x - 20, y - 20, 84, 84, 0.5)
    assert sum(decoded) == 13 * 9  # each of the tiles once, though each region touches sixteen


def test_threads_read_what_one_thread_reads(odd_slide: Slide) -> None:
    places = [(x, y) for x in range(-20, 700, 70) for y in range(-20, 500, 70)]
    alone = [odd_slide.read(x, y, 60, 60, 0.5) for x, y in places]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda place: odd_slide.read(place[0], place[1], 60, 60, 0.5), places * 3))
    np.testing.assert_array_equal(alone * 3, together)


def test_closed(tmp_path: Path) -> None:
    slide = open_slide(write(tmp_path / "a.tif", Storage()))
    slide.read(0, 0, 4, 4, 0.5)
    slide.close()
    slide.close()
    with pytest.raises(ValueError, match="closed"):
        slide.read(0, 0, 4, 4, 0.5)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.tuples(st.integers(150, 420), st.integers(150, 420)),
    tile=st.sampled_from([(64, 64), (48, 128), (96, 32), (240, 240)]),
    subsampling=st.sampled_from(["420", "422", "444"]),
    place=st.tuples(st.integers(-30, 120), st.integers(-30, 120)),
    step=st.sampled_from([1.0, 2.0, 2.0, 4.0, 1.37, 2.6]),
)
def test_any_geometry_reads_as_openslide_shows_it(
    tmp_path: Path,
    size: tuple[int, int],
    tile: tuple[int, int],
    subsampling: str,
    place: tuple[int, int],
    step: float,
) -> None:
    """Levels that no tile divides, tiles that are no squares, regions over every edge."""
    path = write_jpeg_tiff(tmp_path / "a.tif", [tissue(*size)], Storage(subsampling, tile=tile))
    with open_slide(path) as fast, by_library(path) as slow:
        assert fast.reader_path.fast_levels == (0,)
        where = (*place, 60, 50, step * fast.mpp)
        one, other = fast.read(*where), slow.read(*where)
        if step == 1.0:
            np.testing.assert_array_equal(one, other)
        else:
            assert np.abs(one.astype(float) - other).mean() <= (1.5 if step in {2.0, 4.0} else 2.5)


BYTES = bytes(range(256)) * 40


@pytest.mark.parametrize("positional", [True, False])
def test_threads_read_any_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, positional: bool) -> None:
    monkeypatch.setattr(open_file, "_POSITIONAL", positional)
    (tmp_path / "a").write_bytes(BYTES)
    file = OpenFile(tmp_path / "a")
    places = [(place * 37) % 10_000 for place in range(500)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda place: file.read(100, place), places))
    assert found == [BYTES[place : place + 100] for place in places]


def test_the_end_of_the_file_cuts(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(BYTES)
    file = OpenFile(tmp_path / "a")
    assert file.read(100, len(BYTES) - 7) == BYTES[-7:]
    assert file.read(100, len(BYTES) + 7) == b""


def test_shares_that_give_less_than_asked_are_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(BYTES)
    file = OpenFile(tmp_path / "a")
    whole = os.pread
    monkeypatch.setattr(os, "pread", lambda number, length, place: whole(number, min(length, 33), place))
    assert file.read(200, 11) == BYTES[11:211]


def test_let_go_of_it_is_closed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(BYTES)
    file = OpenFile(tmp_path / "a")
    number = file._number
    del file
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
    with pytest.raises(FileNotFoundError):
        OpenFile(tmp_path / "none")


@pytest.mark.parametrize("positional", [True, False])
@pytest.mark.parametrize(("length", "place"), [(2**62, 0), (2**70, 5), (10, 2**62), (10, 2**70), (0, 0)])
def test_damaged_lengths_and_places_set_no_memory_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, positional: bool, length: int, place: int
) -> None:
    monkeypatch.setattr(open_file, "_POSITIONAL", positional)
    (tmp_path / "a").write_bytes(BYTES)
    assert OpenFile(tmp_path / "a").read(length, place) == BYTES[place : place + length]


def test_it_decodes_once_and_forgets_the_least_recently_used() -> None:
    decoded: list[str] = []
    cache = TileCache(most_bytes=250)

    def get(key: str) -> NDArray[np.uint8]:
        def decode() -> NDArray[np.uint8]:
            decoded.append(key)
            return np.full(100, ord(key), dtype=np.uint8)

        return cache.get(key, decode)

    for key in "abacab":
        assert (get(key) == ord(key)).all()
    assert decoded == ["a", "b", "c", "b"]


def test_a_tile_larger_than_the_budget_is_not_kept() -> None:
    cache = TileCache(most_bytes=10)
    assert cache.get("a", lambda: np.zeros(100, dtype=np.uint8)).nbytes == 100
    small = cache.get("a", lambda: np.ones(1, dtype=np.uint8))
    assert cache.get("a", lambda: np.zeros(2, dtype=np.uint8)) is small


def test_opening_a_slide_decodes_no_tile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worklist of thousands is checked by opening each slide: proving the fast path would be most of it."""
    decoded = []
    monkeypatch.setattr(jpeg_tiles.JpegTiles, "read", lambda *_: decoded.append(1))
    with open_slide(write(tmp_path / "slide.svs", STORAGES["4:2:0"])):
        assert not decoded


def test_a_closed_slide_finds_no_fast_path(tmp_path: Path) -> None:
    slide = open_slide(write(tmp_path / "slide.svs", STORAGES["4:2:0"]))
    slide.close()
    with pytest.raises(ValueError, match="closed"):
        slide.read(0, 0, 16, 16, slide.mpp)
