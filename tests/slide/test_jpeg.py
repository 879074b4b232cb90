from __future__ import annotations

import numpy as np
import pytest
import simplejpeg

from cxpath.slide.jpeg import StreamError, UnknownStreamError, read_head
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
