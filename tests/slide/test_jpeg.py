from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import simplejpeg

from cxpath.slide.jpeg import (
    DamagedStreamError,
    JpegLevel,
    NotFastError,
    StreamError,
    UnknownStreamError,
    decode,
    jpeg_level_of,
    memory_for,
    read_head,
)
from tests.slide.jpeg_slides import Storage, encoded, split, tissue

TILE = tissue(64, 64)


def test_a_head_ends_where_pixels_begin() -> None:
    stream = encoded(TILE, Storage())
    head = read_head(stream)
    assert stream.startswith(head.data)
    assert head.segments[-1].marker == 0xDA
    assert (head.width_px, head.height_px) == (64, 64)


@pytest.mark.parametrize(
    ("storage", "ycbcr"),
    [
        (Storage("420"), True),
        (Storage("444", "RGB"), False),
        (Storage("444", "RGB", marked=False), True),  # nothing in it says RGB: that stands in the TIFF
    ],
)
def test_markers_say_which_colours(storage: Storage, ycbcr: bool) -> None:
    assert read_head(encoded(TILE, storage)).stored_as_ycbcr == ycbcr


@pytest.mark.parametrize("storage", [Storage("422"), Storage("444", "RGB", marked=False)])
def test_a_completed_head_stands_alone_and_wins_over_markers(storage: Storage) -> None:
    tables, stream = split(encoded(TILE, storage))
    head = read_head(stream)
    own = storage.colours == "YCBCR"
    right, wrong = (
        simplejpeg.decode_jpeg(head.completed(tables, ycbcr=ycbcr) + stream[len(head.data) :])
        for ycbcr in (own, not own)
    )
    assert np.abs(right.astype(int) - TILE).mean() < 6
    assert np.abs(wrong.astype(int) - TILE).mean() > 30


@pytest.mark.parametrize("cut", [0, 1, 2, 30, 200])
def test_what_is_cut_off_is_no_stream(cut: int) -> None:
    with pytest.raises(StreamError):
        read_head(encoded(TILE, Storage())[:cut])


def test_nonsense_is_no_stream() -> None:
    with pytest.raises(StreamError):
        read_head(b"\x55" * 500)
    with pytest.raises(StreamError):
        read_head(b"\xff\xd8" + b"\x55" * 500)


def test_other_kinds_of_jpeg_are_left_to_others() -> None:
    grey = simplejpeg.encode_jpeg(np.ascontiguousarray(TILE[..., :1]), colorspace="GRAY")
    with pytest.raises(UnknownStreamError, match="1 x 8 bits"):
        read_head(grey)
    arithmetic = encoded(TILE, Storage()).replace(b"\xff\xc0", b"\xff\xc9", 1)
    with pytest.raises(UnknownStreamError, match="SOF9"):
        read_head(arithmetic)


# Heads written by hand: markers, a length, what it says.


def segment(marker: int, content: bytes, length: int | None = None) -> bytes:
    stated = len(content) + 2 if length is None else length
    return bytes([0xFF, marker]) + stated.to_bytes(2, "big") + content


def head(*notes: bytes, ids: bytes = b"\1\2\3") -> bytes:
    """A stream of 16 x 8 px whose components are numbered so, with notes before its frame."""
    components = b"".join(bytes([one, 0x11, 0]) for one in ids)
    frame = segment(0xC0, b"\x08\0\x08\0\x10\x03" + components)
    return b"\xff\xd8" + b"".join(notes) + frame + segment(0xDA, b"\x03\1\0\2\0\3\0\0\x3f\0") + b"pixels"


JFIF = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
ADOBE_RGB, ADOBE_YCBCR = (segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([how])) for how in (0, 1))
OTHER_NOTE = segment(0xEE, b"Other\0\x64\0\0\0\0\0")
SHORT_ADOBE = segment(0xEE, b"Adobe\0\x64\0\0\0")


@pytest.mark.parametrize(
    ("stream", "ycbcr"),
    [
        (head(), True),
        (head(ids=b"RGB"), False),
        (head(JFIF, ids=b"RGB"), True),
        (head(JFIF, ADOBE_RGB), True),  # JFIF comes first, as in libjpeg
        (head(ADOBE_RGB), False),
        (head(ADOBE_YCBCR, ids=b"RGB"), True),
        (head(OTHER_NOTE), True),  # some other program's note says nothing
        (head(SHORT_ADOBE), True),
        (head(ADOBE_YCBCR, ADOBE_RGB), False),  # the last one counts
        (head(segment(0xE0, b"JFXX\0\0"), ids=b"RGB"), False),
    ],
)
def test_colours_follow_the_rule_of_libjpeg(stream: bytes, *, ycbcr: bool) -> None:
    assert read_head(stream).stored_as_ycbcr is ycbcr


def test_the_head_ends_with_its_scan_and_filling_between_markers_is_skipped() -> None:
    plain = read_head(head(JFIF))
    assert (plain.width_px, plain.height_px) == (16, 8)
    assert [part.marker for part in plain.segments] == [0xE0, 0xC0, 0xDA]
    assert plain.data == head(JFIF)[: -len(b"pixels")]
    filled = read_head(head(JFIF, b"\xff\xff\xff"))
    assert [part.marker for part in filled.segments] == [0xE0, 0xC0, 0xDA]


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (head(b"\x55"), "a JPEG marker is missing"),
        (head(segment(0xE0, b"x", length=60_000)), "cut off"),  # longer than the stream
        (head(segment(0xE0, b"", length=1)), "cut off"),  # shorter than its own length
        (head(b"\xff\xd9"), "cut off"),  # the end before the pixels
        (head(b"\xff\xd8"), "cut off"),  # a stream within the stream
        (b"\xff\xd8" + segment(0xDA, b"x"), "no JPEG frame"),
        (head(segment(0xC0, b"\x08\0\x08\0\x10\x03" + b"\1\x11\0" * 3)), "no JPEG frame"),  # two of them
        (head()[1:], "not a JPEG stream"),
    ],
)
def test_a_head_that_contradicts_itself_is_no_stream(stream: bytes, said: str) -> None:
    with pytest.raises(StreamError, match=said):
        read_head(stream)


@pytest.mark.parametrize(
    "tables", [b"", b"\xff\xd8\xff\xd9", b"\xff\xd8" + segment(0xDB, b"T" * 64) + b"\xff\xd9"]
)
def test_shared_tables_come_before_the_frame_and_notes_are_dropped(tables: bytes) -> None:
    found = read_head(head(JFIF, ADOBE_RGB)).completed(tables, ycbcr=True)
    again = read_head(found + b"pixels")
    own = [0xDB] if len(tables) > 4 else []
    assert [part.marker for part in again.segments] == [0xEE, *own, 0xC0, 0xDA]
    assert again.stored_as_ycbcr


# Decoding.

STREAM = encoded(TILE, Storage("444"))


@pytest.mark.parametrize("shrink", [1, 2, 4, 8])
def test_a_stream_is_decoded_to_the_mean_light_of_its_blocks(shrink: int) -> None:
    side = 64 // shrink
    found = decode(STREAM, 64, 64, shrink)
    means = TILE.reshape(side, shrink, side, shrink, 3).mean(axis=(1, 3))
    assert found.shape == (side, side, 3)
    assert np.abs(found - means).mean() < 4


def test_pixels_are_decoded_into_the_memory_that_is_given() -> None:
    memory = memory_for(32, 32)
    memory[:] = 7
    found = decode(STREAM, 64, 64, 2, memory)
    np.testing.assert_array_equal(memory, found)
    np.testing.assert_array_equal(found, decode(STREAM, 64, 64, 2))


@pytest.mark.parametrize(("width", "height"), [(64, 64), (7, 3), (1, 1)])
def test_memory_never_begins_where_decoding_is_slow(width: int, height: int) -> None:
    for _ in range(8):
        memory = memory_for(width, height)
        assert memory.shape == (height, width, 3)
        assert memory.flags.c_contiguous
        assert memory.ctypes.data % 32 == 16


@pytest.mark.parametrize("cut", [0.4, 0.8, 0.98])
def test_missing_pixels_are_an_error_and_no_grey(cut: float) -> None:
    with pytest.raises(DamagedStreamError):
        decode(STREAM[: int(len(STREAM) * cut)], 64, 64, 1)


@pytest.mark.parametrize("filling", [b"\x00" * 40, b"\xff" * 40, b"\xff\x00" * 20])
def test_filling_before_the_end_is_no_damage(filling: bytes) -> None:
    """Some scanners fill a tile's stream up to a whole number of words."""
    padded = STREAM[:-2] + filling + STREAM[-2:]
    np.testing.assert_array_equal(decode(padded, 64, 64, 1), decode(STREAM, 64, 64, 1))


def test_other_bytes_before_the_end_are_damage() -> None:
    with pytest.raises(DamagedStreamError, match="extraneous"):
        decode(STREAM[:-2] + b"\x00\x00\x55\x55" * 10 + STREAM[-2:], 64, 64, 1)


def test_a_stream_of_another_size_is_damage() -> None:
    with pytest.raises(DamagedStreamError):
        decode(STREAM, 128, 128, 1)


# Levels of tiles.


def page(**changes: Any) -> Any:
    """What tifffile says of a level of 100 x 70 px in tiles of 64 x 32 px: two across and three down."""
    stated: dict[str, Any] = {
        "is_tiled": True, "compression": 7, "photometric": 6, "samplesperpixel": 3, "extrasamples": (),
        "bitspersample": 8, "planarconfig": 1, "imagedepth": 1, "imagewidth": 100, "imagelength": 70,
        "tilewidth": 64, "tilelength": 32, "tags": {}, "jpegheader": None,
    }  # fmt: skip
    frame = SimpleNamespace(**stated | changes)
    return SimpleNamespace(
        keyframe=frame, dataoffsets=(8, 9, 10, 11, 12, 13), databytecounts=(1, 1, 1, 1, 1, 1), jpegtables=None
    )


def test_a_level_knows_its_tiles_and_those_that_its_edge_cuts() -> None:
    level = jpeg_level_of(page())
    assert (level.across, level.down) == (2, 3)
    assert (level.whole_across, level.whole_down) == (1, 2)
    assert (level.tables, level.tagged_ycbcr, level.has_gaps) == (b"", True, False)
    assert level.shrinks == (1, 2, 4, 8)


@pytest.mark.parametrize(("tile", "shrinks"), [((64, 36), (1, 2, 4)), ((50, 64), (1, 2)), ((33, 64), (1,))])
def test_a_tile_is_shrunk_only_to_whole_pixels(tile: tuple[int, int], shrinks: tuple[int, ...]) -> None:
    level = JpegLevel(200, 200, *tile, offsets=(), lengths=(1, 0), tables=b"", tagged_ycbcr=True)
    assert level.shrinks == shrinks
    assert level.has_gaps


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"is_tiled": False}, "in strips"),
        ({"compression": SimpleNamespace(name="LZW")}, "compressed as LZW, not JPEG"),
        ({"compression": 33003}, "compressed as 33003, not JPEG"),
        ({"photometric": 1}, "not stored as three colours"),
        ({"samplesperpixel": 4}, "not stored as three colours"),
        ({"extrasamples": (1,)}, "not stored as three colours"),
        ({"bitspersample": 12}, "not 8 bits"),
        ({"planarconfig": 2}, "side by side"),
        ({"imagedepth": 5}, "side by side"),
        ({"tags": {274: SimpleNamespace(value=3)}}, "stored turned"),
        ({"tags": {266: SimpleNamespace(value=2)}}, "bits reversed"),
        ({"tilelength": 4}, "tiles of 64 x 4 px"),
        ({"tilewidth": 8192}, "tiles of 8192 x 32 px"),
        ({"jpegheader": b"x"}, "parts of one JPEG stream"),
        ({"imagewidth": 200}, "number of tiles does not fit"),
    ],
)
def test_any_other_storage_is_left_to_the_library_with_the_reason(changes: Any, because: str) -> None:
    with pytest.raises(NotFastError, match=because):
        jpeg_level_of(page(**changes))


def test_a_tile_of_the_largest_size_is_read_fast() -> None:
    level = jpeg_level_of(page(tilewidth=4096, tilelength=8, imagewidth=100, imagelength=48))
    assert (level.across, level.down) == (1, 6)
