"""Directories of a TIFF, built byte by byte: what a library would choke on is named before it is opened."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from cxpath.slide.tiff_directories import LARGEST_SIDE_PX, orientation, tiff_damage, unspecified_samples

SHORT, LONG, ASCII, UNDEFINED, LONG8 = 3, 4, 2, 7, 16
_FORMS = {SHORT: "H", LONG: "I", ASCII: "B", UNDEFINED: "B", LONG8: "Q"}
Tags = dict[int, tuple[int, tuple[int, ...]]]

STRIPED: Tags = {
    256: (LONG, (100,)),
    257: (LONG, (80,)),
    258: (SHORT, (8, 8, 8)),
    262: (SHORT, (2,)),
    273: (LONG, (8,)),
    277: (SHORT, (3,)),
    278: (LONG, (80,)),
    279: (LONG, (16,)),
}
TILED: Tags = {
    256: (LONG, (100,)),
    257: (LONG, (80,)),
    262: (SHORT, (2,)),
    277: (SHORT, (3,)),
    322: (LONG, (64,)),
    323: (LONG, (64,)),
    324: (LONG, (8, 8, 8, 8)),
    325: (LONG, (1, 1, 1, 1)),
}


def directory(tags: Tags, at: int, following: int, order: str, *, big: bool) -> bytes:
    """Return the bytes of a directory that begins at a place of the file."""
    count, offset = ("Q", "Q") if big else ("H", "I")
    inline = struct.calcsize(offset)
    entry_bytes = 4 + 2 * inline
    beyond = at + struct.calcsize(count) + len(tags) * entry_bytes + inline
    entries, values = b"", b""
    for tag, (kind, numbers) in sorted(tags.items()):
        data = struct.pack(f"{order}{len(numbers)}{_FORMS[kind]}", *numbers)
        place = data.ljust(inline, b"\0")
        if len(data) > inline:
            place = struct.pack(order + offset, beyond + len(values))
            values += data
        entries += struct.pack(f"{order}HH{offset}", tag, kind, len(numbers)) + place
    return struct.pack(order + count, len(tags)) + entries + struct.pack(order + offset, following) + values


def tiff(tags: Tags, *, order: str = "<", big: bool = False, following: int = 0) -> bytes:
    """Return a TIFF of one directory."""
    mark = b"II" if order == "<" else b"MM"
    if big:
        return (
            mark + struct.pack(f"{order}HHHQ", 43, 8, 0, 16) + directory(tags, 16, following, order, big=True)
        )
    return mark + struct.pack(f"{order}HI", 42, 8) + directory(tags, 8, following, order, big=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "slide.tif"


def damage(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return tiff_damage(path)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("tags", [STRIPED, TILED], ids=["strips", "tiles"])
def test_a_sound_picture_has_no_damage(tags: Tags, order: str, big: bool, path: Path) -> None:
    assert damage(path, tiff(tags, order=order, big=big)) == ""


@pytest.mark.parametrize("content", [b"", b"II", b"no tiff at all", b"II\x2b", b"II\x63\x00aaaaaaaa"])
def test_what_is_no_tiff_is_left_to_others(content: bytes, path: Path) -> None:
    assert damage(path, content) == ""
    assert orientation(path) == 1
    assert not unspecified_samples(path)


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        (STRIPED | {256: (LONG, (0,))}, "a picture of 0 x 80 px"),
        (STRIPED | {256: (LONG, (LARGEST_SIDE_PX + 1,))}, f"a picture of {LARGEST_SIDE_PX + 1} x 80 px"),
        (STRIPED | {277: (SHORT, (65,))}, "65 samples a pixel"),
        (STRIPED | {256: (LONG, (100, 100))}, "ImageWidth is not a whole number"),
        (STRIPED | {257: (ASCII, (56,))}, "ImageLength is not a whole number"),
        (STRIPED | {279: (LONG, (10**6,))}, "StripByteCounts states more bytes than the file has"),
        (TILED | {325: (LONG, (1, 1, 1, 10**6))}, "TileByteCounts states more bytes than the file has"),
        (TILED | {322: (LONG, (0,))}, "tiles of 0 x 64 px"),
        (TILED | {322: (LONG, ((1 << 16) + 16,))}, "tiles of 65552 x 64 px"),
        (TILED | {322: (LONG, (1 << 15,)), 323: (LONG, (1 << 15,))}, "tiles of 32768 x 32768 px"),
        (TILED | {324: (LONG, (8, 8, 8))}, "3 tiles for a picture of 100 x 80 px"),
        (TILED | {284: (SHORT, (2,))}, "4 tiles for a picture of 100 x 80 px"),
        ({key: value for key, value in TILED.items() if key != 325}, "0 tiles for a picture"),
        (STRIPED | {347: (SHORT, (1, 2, 3))}, "JPEGTables are not bytes"),
    ],
)
def test_a_number_that_cannot_be_is_named_with_its_directory(tags: Tags, why: str, path: Path) -> None:
    assert damage(path, tiff(tags)).startswith(f"directory 0: {why}")


def test_jpeg_tables_of_bytes_are_fine(path: Path) -> None:
    assert damage(path, tiff(STRIPED | {347: (UNDEFINED, (1, 2, 3, 4, 5))})) == ""


def test_the_largest_side_and_the_most_samples_are_allowed(path: Path) -> None:
    assert damage(path, tiff(STRIPED | {256: (LONG, (LARGEST_SIDE_PX,)), 277: (SHORT, (64,))})) == ""


def test_a_table_that_would_be_larger_than_the_file_is_never_allocated(path: Path) -> None:
    content = bytearray(tiff(STRIPED))
    place = content.index(struct.pack("<HH", 279, LONG))
    struct.pack_into("<I", content, place + 4, 0xFFFF_FFFF)
    assert damage(path, bytes(content)) == "directory 0: StripByteCounts would be larger than the file"


def test_values_beyond_the_end_are_named(path: Path) -> None:
    content = bytearray(tiff(TILED))
    place = content.index(struct.pack("<HH", 324, LONG))
    struct.pack_into("<I", content, place + 8, len(content) - 4)
    assert damage(path, bytes(content)) == "directory 0: TileOffsets lies beyond the end of the file"


def test_directories_in_a_circle_end(path: Path) -> None:
    assert damage(path, tiff(STRIPED, following=8)) == "its directories run in a circle"


def test_a_directory_beyond_the_end_is_named(path: Path) -> None:
    assert damage(path, tiff(STRIPED, following=10**6)) == "the file ends before all of its pages"


def test_a_sub_directory_is_checked_too(path: Path) -> None:
    at = len(tiff(STRIPED | {330: (LONG, (0,))}))
    whole = tiff(STRIPED | {330: (LONG, (at,))})
    assert damage(path, whole + directory(STRIPED, at, 0, "<", big=False)) == ""
    broken = directory(STRIPED | {257: (LONG, (0,))}, at, 0, "<", big=False)
    assert damage(path, whole + broken) == "directory 1: a picture of 100 x 0 px"
    assert damage(path, whole) == "the file ends before all of its pages"


@pytest.mark.parametrize("stated", range(1, 9))
def test_how_a_picture_lies_is_read(stated: int, path: Path) -> None:
    path.write_bytes(tiff(STRIPED | {274: (SHORT, (stated,))}))
    assert orientation(path) == stated


def test_without_a_statement_or_with_a_damaged_one_a_picture_is_upright(path: Path) -> None:
    path.write_bytes(tiff(STRIPED))
    assert orientation(path) == 1
    path.write_bytes(tiff(STRIPED | {274: (SHORT, (6,))})[:12])
    assert orientation(path) == 1


@pytest.mark.parametrize(
    ("tags", "unspecified"),
    [
        (STRIPED, False),
        (STRIPED | {277: (SHORT, (4,))}, True),
        (STRIPED | {277: (SHORT, (4,)), 338: (SHORT, (0,))}, True),
        (STRIPED | {277: (SHORT, (4,)), 338: (SHORT, (1,))}, False),
        (STRIPED | {277: (SHORT, (4,)), 338: (SHORT, (2,))}, False),
        (STRIPED | {277: (SHORT, (5,)), 338: (SHORT, (0, 2))}, False),
        (STRIPED | {277: (SHORT, (4,)), 262: (SHORT, (5,))}, False),
    ],
)
def test_a_fourth_sample_is_transparency_only_where_it_is_declared(
    tags: Tags, unspecified: bool, path: Path
) -> None:
    path.write_bytes(tiff(tags))
    assert unspecified_samples(path) is unspecified


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_is_a_line_and_never_an_exception(path: Path, data: st.DataObject) -> None:
    content = bytearray(tiff(data.draw(st.sampled_from([STRIPED, TILED])), big=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    path.write_bytes(bytes(content[:cut]) if data.draw(st.booleans()) else bytes(content))
    said = tiff_damage(path)
    assert "\n" not in said
    assert isinstance(orientation(path), int)
    assert isinstance(unspecified_samples(path), bool)
