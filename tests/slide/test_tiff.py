"""A TIFF that is cut short or whose numbers are damaged is refused before a library reads it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from cxpath.errors import ResolutionError, UnreadableSlideError
from cxpath.slide import tiff as plain_tiff
from cxpath.slide.open import open_slide
from cxpath.slide.tiff import is_ome_tiff
from cxpath.slide.tiff_directories import parsed_tiff, tiff_damage, unspecified_samples
from tests.slide.synthetic_slides import RGB, block_mean, speckle, spoil_tile, write_ome, write_tiff

PICTURE = speckle(211, 333, seed=5)


@pytest.mark.parametrize("name", ["OS-2-ndpi.ome.tif", "OS-2-vsi.ome.tif"])
def test_real_files_read_as_stored(data_dir: Path, name: str) -> None:
    path = data_dir / "unlabelled" / "os2_ki67" / name
    with open_slide(path) as slide:
        region = slide.read(400, 480, 300, 200, slide.mpp)
    np.testing.assert_array_equal(region, tifffile.imread(path)[480:680, 400:700])


@pytest.mark.parametrize(
    ("stored", "options"),
    [
        (PICTURE, {"tile": (64, 64), "photometric": "rgb"}),
        (PICTURE, {"rowsperstrip": 16, "photometric": "rgb"}),
        (PICTURE, {"tile": (64, 64), "photometric": "rgb", "compression": "deflate", "predictor": True}),
        (
            np.moveaxis(PICTURE, 2, 0),
            {
                "tile": (64, 64),
                "photometric": "rgb",
                "planarconfig": "separate",
                "metadata": {"axes": "SYX"},
            },
        ),
        (
            np.moveaxis(PICTURE, 2, 0),
            {"tile": (64, 64), "photometric": "minisblack", "metadata": {"axes": "CYX"}},
        ),
    ],
    ids=["tiles", "strips", "deflate", "planes", "channels"],
)
def test_every_way_of_storing_rgb(tmp_path: Path, stored: RGB, options: dict[str, Any]) -> None:
    path = write_ome(tmp_path / "a.ome.tif", stored, **options)
    with open_slide(path) as slide:
        assert (slide.info.reader, slide.info.mpp_source) == ("ome-tiff", "ome.PhysicalSizeX")
        assert (slide.width_px, slide.height_px) == (333, 211)
        np.testing.assert_array_equal(slide.read(0, 0, 333, 211, slide.mpp), PICTURE)
        np.testing.assert_array_equal(slide.read(70, 50, 100, 90, slide.mpp), PICTURE[50:140, 70:170])


def test_levels_in_sub_directories_are_used(tmp_path: Path) -> None:
    path = tmp_path / "pyramid.ome.tif"
    how: dict[str, Any] = {"tile": (64, 64), "photometric": "rgb"}
    other = 255 - block_mean(PICTURE, 2)  # distinguished from level 0
    with tifffile.TiffWriter(path, ome=True) as tiff:
        tiff.write(PICTURE, subifds=1, metadata={"axes": "YXS", "PhysicalSizeX": 0.3}, **how)
        tiff.write(other, subfiletype=1, **how)
    with open_slide(path) as slide:
        assert slide.info.level_downsamples == (1.0, 2.0)
        np.testing.assert_array_equal(slide.read(0, 0, 166, 105, 0.6), other)


def test_the_largest_picture_is_the_slide_with_its_own_resolution(tmp_path: Path) -> None:
    path = tmp_path / "label.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tiff:
        for picture, mpp in ((PICTURE[:40, :60], 30.0), (PICTURE, 0.4)):
            metadata = {"axes": "YXS", "PhysicalSizeX": mpp, "PhysicalSizeY": mpp}
            tiff.write(picture, photometric="rgb", tile=(64, 64), metadata=metadata)
    with open_slide(path) as slide:
        assert (slide.width_px, slide.info.mpp) == (333, 0.4)


Pictures = Sequence[tuple[RGB, float | None, str]]
LABEL = PICTURE[:40, :60]
HALF = PICTURE[:150, :220]
SMALL = PICTURE[:50, :50]


@pytest.mark.parametrize(
    ("pictures", "left"),
    [
        ([(PICTURE, 0.4, "a"), (PICTURE, 0.4, "b")], "another picture of 333 x 211 px"),
        ([(PICTURE, 0.4, "a"), (PICTURE, 0.8, "b")], "another picture of 333 x 211 px"),
        ([(HALF, 0.4, "a"), (PICTURE, 0.4, "b")], "another picture of 220 x 150 px"),
        ([(PICTURE, 0.4, "a"), (SMALL, 0.4, "b")], "another picture of 50 x 50 px"),
        ([(PICTURE, 0.4, "a"), (HALF, 0.4, "b"), (SMALL, 0.4, "c")], "of 220 x 150 px and 1 more"),
        ([(PICTURE, 0.4, "a"), (LABEL, 30.0, "b")], ""),
        ([(PICTURE, 0.4, "a"), (HALF, 9.0, "macro image"), (LABEL, None, "Label")], ""),
        ([(PICTURE, 0.4, "a"), (block_mean(PICTURE, 3), 1.2, "smaller copy")], ""),
    ],
)
def test_another_picture_that_is_not_read_is_named(tmp_path: Path, pictures: Pictures, left: str) -> None:
    path = tmp_path / "two.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tiff:
        for picture, mpp, name in pictures:
            metadata = {"axes": "YXS", "PhysicalSizeX": mpp, "PhysicalSizeY": mpp, "Name": name}
            metadata = {key: value for key, value in metadata.items() if value is not None}
            tiff.write(picture, photometric="rgb", tile=(64, 64), metadata=metadata)
    with open_slide(path) as slide:
        assert slide.width_px == 333
        assert left in "".join(slide.warnings)
        assert bool(left) == bool(slide.warnings)


def test_alpha_is_laid_over_white(tmp_path: Path) -> None:
    alpha = np.zeros((211, 333, 1), dtype=np.uint8)
    alpha[:, :100] = 255
    rgba = np.concatenate([PICTURE, alpha], axis=2)
    path = write_ome(
        tmp_path / "a.ome.tif", rgba, tile=(64, 64), photometric="rgb", extrasamples=["UNASSALPHA"]
    )
    with open_slide(path) as slide:
        region = slide.read(0, 0, 333, 211, slide.mpp)
    np.testing.assert_array_equal(region[:, :100], PICTURE[:, :100])
    assert (region[:, 100:] == 255).all()


def test_what_is_no_brightfield_picture_is_refused(tmp_path: Path) -> None:
    deep = PICTURE.astype(np.uint16)
    grey = PICTURE[..., 0]
    five = np.repeat(grey[None], 5, axis=0)
    cases: list[tuple[NDArray[Any], str]] = [(deep, "YXS"), (grey, "YX"), (five, "CYX"), (five, "ZYX")]
    for number, (stored, axes) in enumerate(cases):
        path = write_ome(tmp_path / f"{number}.ome.tif", stored, metadata={"axes": axes}, tile=(64, 64))
        with pytest.raises(UnreadableSlideError, match="not an 8-bit RGB picture"):
            open_slide(path)


def test_a_missing_resolution_is_no_damage(tmp_path: Path) -> None:
    path = write_ome(tmp_path / "a.ome.tif", PICTURE, mpp=None, tile=(64, 64), photometric="rgb")
    with pytest.raises(ResolutionError):
        open_slide(path)
    with open_slide(path, mpp=0.5) as slide:
        assert slide.info.mpp_source == "user"


def test_a_broken_tile_names_file_and_place(tmp_path: Path) -> None:
    path = write_ome(tmp_path / "a.ome.tif", PICTURE, tile=(64, 64), photometric="rgb", compression="deflate")
    spoil_tile(path, page=0, tile=7)
    with open_slide(path) as slide:
        with pytest.raises(UnreadableSlideError, match="x 64, y 64") as caught:
            slide.read(64, 64, 64, 64, slide.mpp)
        assert str(path) in caught.value.message
        np.testing.assert_array_equal(slide.read(0, 0, 64, 64, slide.mpp), PICTURE[:64, :64])


def test_closed(tmp_path: Path) -> None:
    slide = open_slide(write_ome(tmp_path / "a.ome.tif", PICTURE, tile=(64, 64), photometric="rgb"))
    slide.close()
    with pytest.raises(ValueError, match="closed"):
        slide.read(0, 0, 4, 4, 1.0)


def test_only_ome_is_ome(tmp_path: Path) -> None:
    assert is_ome_tiff(write_ome(tmp_path / "a.tif", PICTURE, tile=(64, 64), photometric="rgb"))
    assert not is_ome_tiff(write_tiff(tmp_path / "b.tif", [PICTURE]))
    (tmp_path / "c.tif").write_bytes(b"II*\0\xff\xff\xff\xff")
    assert not is_ome_tiff(tmp_path / "c.tif")


def ome_xml(*pictures: str, uuid: str = "2") -> bytes:
    return f'<?xml version="1.0"?><OME UUID="urn:uuid:{uuid}">{"".join(pictures)}</OME>'.encode()


def ome_picture(size: tuple[int, int], mpp: float, uuid: str = "2", **attributes: object) -> str:
    """OME-XML of one RGB picture stored in page 0 of the file of a UUID."""
    facts: dict[str, object] = {
        "DimensionOrder": "XYCZT",
        "Type": "uint8",
        "SizeX": size[0],
        "SizeY": size[1],
    }
    facts |= {"SizeC": 3, "SizeZ": 1, "SizeT": 1, "PhysicalSizeX": mpp, "PhysicalSizeY": mpp, **attributes}
    planes = facts.pop("PlaneCount", 1)
    stated = " ".join(f'{name}="{value}"' for name, value in facts.items())
    where = f'<UUID FileName="set_{uuid}.ome.tif">urn:uuid:{uuid}</UUID>'
    data = f'<TiffData IFD="0" PlaneCount="{planes}">{where}</TiffData>'
    return f'<Image><Pixels {stated}><Channel SamplesPerPixel="3"/>{data}</Pixels></Image>'


def write_with_ome_xml(path: Path, xml: bytes) -> Path:
    tifffile.imwrite(path, PICTURE, photometric="rgb", tile=(64, 64), description=xml, metadata=None)
    return path


def test_a_file_of_a_set_has_the_resolution_of_its_own_picture(tmp_path: Path) -> None:
    xml = ome_xml(ome_picture((166, 105), 0.6, uuid="1"), ome_picture((333, 211), 0.3))
    with open_slide(write_with_ome_xml(tmp_path / "set_2.ome.tif", xml)) as slide:
        assert (slide.mpp, slide.info.mpp_source) == (0.3, "ome.PhysicalSizeX")
        np.testing.assert_array_equal(slide.read(0, 0, 333, 211, 0.3), PICTURE)


def test_the_resolution_of_another_file_of_the_set_is_not_taken(tmp_path: Path) -> None:
    xml = ome_xml(ome_picture((333, 211), 0.6, uuid="1"))
    with pytest.raises(ResolutionError):
        open_slide(write_with_ome_xml(tmp_path / "set_2.ome.tif", xml))


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ({"SizeC": 3_000_000_000}, "3000000000 channels"),
        ({"SizeC": 3_000_000}, "3000000 pictures of 333 x 211 px"),
        ({"SizeZ": 10**9}, "1000000000 planes"),
        ({"SizeT": 10_000_000}, "30000000 pictures"),
        ({"SizeX": 10**9}, "a picture of 1000000000 x 211 px"),
        ({"SizeX": 0}, "a picture of 0 x 211 px"),
        ({"SizeC": -3}, "-1 channels"),
        ({"SizeT": "9" * 5000}, "-1 times"),
        ({"PlaneCount": 10**9}, "an impossible page or number of pages (1000000000)"),
    ],
)
def test_absurd_counts_are_refused_before_tifffile_lists_them(
    tmp_path: Path, attributes: dict[str, Any], says: str
) -> None:
    path = write_with_ome_xml(tmp_path / "a.ome.tif", ome_xml(ome_picture((333, 211), 0.3, **attributes)))
    with pytest.raises(UnreadableSlideError) as caught:
        open_slide(path)
    assert f"{path}: damaged: its OME-XML contains" in caught.value.message
    assert says in caught.value.message


@pytest.mark.parametrize(
    "xml",
    [
        b'<!DOCTYPE OME [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><OME>&b;</OME>',
        b"<OME><Image></OME>",
        b'<OME><A><B><ModuloAlongZ Start="0" End="1e12" Step="1e-9"/></B></A></OME>',
    ],
    ids=["entities", "not closed", "endless axis"],
)
def test_hostile_ome_xml_ends_in_one_line(tmp_path: Path, xml: bytes) -> None:
    path = write_with_ome_xml(tmp_path / "a.ome.tif", xml)
    with pytest.raises(UnreadableSlideError, match="its OME-XML contains") as caught:
        open_slide(path, mpp=0.3)
    assert "\n" not in str(caught.value)


def test_four_channels_are_stains_not_colours(tmp_path: Path) -> None:
    four = np.repeat(PICTURE[None, ..., 0], 4, axis=0)
    path = write_ome(tmp_path / "a.ome.tif", four, metadata={"axes": "CYX"}, tile=(64, 64))
    with pytest.raises(UnreadableSlideError, match="not an 8-bit RGB picture"):
        open_slide(path)


def test_a_sample_that_is_not_declared_transparency_is_none(tmp_path: Path) -> None:
    four = np.dstack([PICTURE, np.zeros((211, 333), dtype=np.uint8)])
    how: dict[str, Any] = {"tile": (64, 64), "photometric": "rgb", "extrasamples": ["UNSPECIFIED"]}
    with open_slide(write_ome(tmp_path / "a.ome.tif", four, **how)) as slide:
        np.testing.assert_array_equal(slide.read(0, 0, 333, 211, slide.mpp), PICTURE)


@pytest.mark.parametrize(
    ("codec", "found", "claimed"),
    [
        ("jpeg", struct.pack(">HH", 64, 64), struct.pack(">HH", 60_000, 60_000)),
        ("jpeg2000", struct.pack(">4I", 64, 64, 0, 0), struct.pack(">4I", 60_000, 60_000, 0, 0)),
    ],
)
def test_a_tile_that_states_more_pixels_than_it_has_room_for_is_damaged(
    tmp_path: Path, codec: str, found: bytes, claimed: bytes
) -> None:
    how: dict[str, Any] = {"tile": (64, 64), "photometric": "rgb", "compression": codec}
    path = write_ome(tmp_path / "a.ome.tif", PICTURE, **how)
    with open_slide(path) as slide:
        assert slide.read(0, 0, 64, 64, slide.mpp).shape == (64, 64, 3)
    content = path.read_bytes()
    first = content.index(found, content.index(b"\xff\x4f\xff\x51" if codec == "jpeg2000" else b"\xff\xc0"))
    path.write_bytes(content[:first] + claimed + content[first + len(found) :])
    with open_slide(path) as slide, pytest.raises(UnreadableSlideError, match="damaged in the"):
        slide.read(0, 0, 64, 64, slide.mpp)


def test_pictures_in_pictures_of_unbounded_size_are_refused(tmp_path: Path) -> None:
    how: dict[str, Any] = {"tile": (64, 64), "photometric": "rgb", "compression": "png"}
    with pytest.raises(UnreadableSlideError, match="not an 8-bit RGB picture"):
        open_slide(write_ome(tmp_path / "a.ome.tif", PICTURE, **how))


@pytest.mark.parametrize("codec", ["jpeg", "deflate"])
def test_a_tile_that_states_more_bytes_than_the_file_holds_is_damaged(tmp_path: Path, codec: str) -> None:
    how: dict[str, Any] = {"tile": (64, 64), "photometric": "rgb", "compression": codec, "bigtiff": True}
    path = write_ome(tmp_path / "a.ome.tif", PICTURE, **how)
    with tifffile.TiffFile(path) as tiff:
        tag = tiff.pages.first.tags["TileByteCounts"]
    letter = {3: "<H", 4: "<I", 16: "<Q"}[int(tag.dtype)]
    with path.open("r+b") as file:
        file.seek(tag.valueoffset)
        file.write(struct.pack(letter, 2 ** (8 * struct.calcsize(letter)) - 1))
    with pytest.raises(UnreadableSlideError, match=r"a\.ome\.tif: damaged: .* more bytes than the file has"):
        open_slide(path)


PICTURE_OF_PLAIN_TIFF = speckle(90, 120, seed=2)
GREY = PICTURE_OF_PLAIN_TIFF[..., 0]


@pytest.mark.parametrize(
    ("stored", "expected", "options"),
    [
        (PICTURE_OF_PLAIN_TIFF, PICTURE_OF_PLAIN_TIFF, {"rowsperstrip": 8}),
        (PICTURE_OF_PLAIN_TIFF, PICTURE_OF_PLAIN_TIFF, {"rowsperstrip": 1000}),
        (PICTURE_OF_PLAIN_TIFF, PICTURE_OF_PLAIN_TIFF, {"compression": "lzw", "predictor": True}),
        (np.moveaxis(PICTURE_OF_PLAIN_TIFF, 2, 0), PICTURE_OF_PLAIN_TIFF, {"planarconfig": "separate"}),
        (GREY, np.repeat(GREY[..., None], 3, axis=2), {"photometric": "minisblack"}),
    ],
    ids=["strips", "one strip", "lzw", "planes", "grey"],
)
def test_tiffs_without_tiles_open(
    tmp_path: Path, stored: RGB, expected: RGB, options: dict[str, Any]
) -> None:
    path = write_tiff(tmp_path / "a.tif", [stored], **{"tile": None, **options})
    with open_slide(path) as slide:
        info = slide.info
        assert (info.reader, info.vendor, info.level_downsamples) == ("picture", "tiff", (1.0,))
        assert info.mpp == pytest.approx(0.25)
        assert info.mpp_source == "tiff.XResolution"
        assert slide.warnings == ()
        np.testing.assert_array_equal(slide.read(0, 0, 120, 90, 0.25), expected)
        np.testing.assert_array_equal(slide.read(31, 17, 40, 50, 0.25), expected[17:67, 31:71])


def test_transparency_is_glass(tmp_path: Path) -> None:
    alpha = np.zeros((90, 120, 1), dtype=np.uint8)
    alpha[:, 60:] = 255
    rgba = np.concatenate([PICTURE_OF_PLAIN_TIFF, alpha], axis=2)
    path = write_tiff(tmp_path / "a.tif", [rgba], tile=None, extrasamples=["UNASSALPHA"])
    with open_slide(path) as slide:
        region = slide.read(0, 0, 120, 90, 0.25)
    assert (region[:, :60] == 255).all()
    np.testing.assert_array_equal(region[:, 60:], PICTURE_OF_PLAIN_TIFF[:, 60:])


@pytest.mark.parametrize("options", [{"tile": None}, {}], ids=["strips", "tiles"])
@pytest.mark.parametrize("extra", [1, 2, 3])
def test_samples_not_declared_transparency_are_left_out(
    tmp_path: Path, options: dict[str, Any], extra: int
) -> None:
    blank = np.zeros((90, 120, extra), dtype=np.uint8)
    stored = np.concatenate([PICTURE_OF_PLAIN_TIFF, blank], axis=2)
    path = write_tiff(tmp_path / "a.tif", [stored], extrasamples=["UNSPECIFIED"] * extra, **options)
    with open_slide(path) as slide:
        np.testing.assert_array_equal(slide.read(0, 0, 120, 90, 0.25), PICTURE_OF_PLAIN_TIFF)
        assert slide.info.mpp_source == "tiff.XResolution"


def test_smaller_copies_of_such_a_picture_are_its_levels(tmp_path: Path) -> None:
    four = np.dstack([PICTURE_OF_PLAIN_TIFF, np.zeros((90, 120), dtype=np.uint8)])
    other = 255 - four[::2, ::2]  # distinguished from level 0
    path = write_tiff(tmp_path / "a.tif", [four, other], extrasamples=["UNSPECIFIED"])
    with open_slide(path) as slide:
        assert slide.info.level_downsamples == (1.0, 2.0)
        assert slide.warnings == ()
        np.testing.assert_array_equal(slide.read(0, 0, 60, 45, 0.5), other[..., :3])


def test_colours_multiplied_with_transparency_are_laid_over_white(tmp_path: Path) -> None:
    alpha = np.full((90, 120), 128, dtype=np.uint8)
    stored = np.dstack([PICTURE_OF_PLAIN_TIFF // 2, alpha])
    path = write_tiff(tmp_path / "a.tif", [stored], tile=None, extrasamples=["ASSOCALPHA"])
    with open_slide(path) as slide:
        np.testing.assert_array_equal(slide.read(0, 0, 120, 90, 0.25), PICTURE_OF_PLAIN_TIFF // 2 + 127)


def test_a_header_without_a_picture_is_one_line_and_names_no_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "Mueller_1962.tif"
    path.write_bytes(b"II*\0\0\0\0\0")
    with pytest.raises(UnreadableSlideError, match="slide-1: damaged: no picture in the file"):
        open_slide(path, name="slide-1")
    assert "Mueller" not in caplog.text + "".join(capfd.readouterr())


@pytest.mark.parametrize("tag", ["ImageWidth", "ImageLength"])
def test_a_picture_without_width_or_height_is_refused(tmp_path: Path, tag: str) -> None:
    """Found by make fuzz: without the tag the picture has 0 px, and was opened as a slide."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PICTURE_OF_PLAIN_TIFF, photometric="rgb")
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages.first.tags[tag].offset
    content = bytearray(path.read_bytes())
    content[offset : offset + 2] = struct.pack("<H", 65_000)
    path.write_bytes(content)
    with pytest.raises(UnreadableSlideError, match=r"a\.tif: ") as caught:
        open_slide(path, 0.25)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("unit", ["INCH", "NONE"])
def test_printing_resolutions_are_never_believed(tmp_path: Path, unit: str) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PICTURE_OF_PLAIN_TIFF, photometric="rgb", resolution=(72, 72), resolutionunit=unit)
    with pytest.raises(ResolutionError) as caught:
        open_slide(path)
    assert ("352.8" in caught.value.message) == (unit == "INCH")
    assert "--mpp 0.25" in caught.value.hint


def test_further_pages_are_announced(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", [PICTURE_OF_PLAIN_TIFF, PICTURE_OF_PLAIN_TIFF[:40, :40]], tile=None)
    with open_slide(path) as slide:
        assert slide.warnings == ("the file contains 2 pictures; the first one is read",)


@pytest.mark.parametrize(
    ("stored", "options"),
    [
        (PICTURE_OF_PLAIN_TIFF.astype(np.uint16), {}),
        (GREY, {"photometric": "palette", "colormap": np.zeros((3, 256), dtype=np.uint16)}),
        (np.repeat(PICTURE_OF_PLAIN_TIFF[..., :1], 4, axis=2), {"photometric": "separated"}),
        (GREY.astype(np.float32), {"photometric": "minisblack"}),
    ],
    ids=["16 bits", "palette", "CMYK", "float"],
)
def test_other_pictures_are_refused(tmp_path: Path, stored: NDArray[Any], options: dict[str, Any]) -> None:
    path = write_tiff(tmp_path / "a.tif", [stored], **{"tile": None, **options})
    with pytest.raises(UnreadableSlideError, match="8 bits a channel") as caught:
        open_slide(path)
    assert "8-bit RGB" in caught.value.hint


def test_a_strip_too_large_to_decode_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_tiff(tmp_path / "a.tif", [PICTURE_OF_PLAIN_TIFF], tile=None, rowsperstrip=90)
    monkeypatch.setattr(plain_tiff, "MOST_PICTURE_PX", 5000)
    with pytest.raises(UnreadableSlideError, match="120 x 90 px is too large"):
        open_slide(path)


def test_a_cut_picture_breaks_in_one_line(tmp_path: Path) -> None:
    path = write_tiff(
        tmp_path / "a.tif", [PICTURE_OF_PLAIN_TIFF], tile=None, compression="lzw", rowsperstrip=8
    )
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(UnreadableSlideError) as caught, open_slide(path) as slide:
        slide.read(0, 0, 120, 90, 0.25)
    assert str(path) in caught.value.message
    assert "\n" not in str(caught.value)


def pages(path: Path, *, bigtiff: bool = False, byteorder: str = "<") -> Path:
    picture = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    with tifffile.TiffWriter(path, bigtiff=bigtiff, byteorder=byteorder) as writer:  # type: ignore[arg-type]
        for _ in range(3):
            writer.write(picture, photometric="rgb", resolution=(20_000, 20_000), resolutionunit="CENTIMETER")
    return path


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_a_whole_file_stays_within_itself(tmp_path: Path, bigtiff: bool, byteorder: str) -> None:
    path = pages(tmp_path / "whole.tif", bigtiff=bigtiff, byteorder=byteorder)
    assert tiff_damage(path) == ""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert tiff_damage(path) == "the file ends before all of its pages"


def test_other_files_have_no_chain(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    assert tiff_damage(path) == ""
    path.write_bytes(b"II")
    assert tiff_damage(path) == ""


def test_a_chain_that_bites_its_tail_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "ring.tif"
    path.write_bytes(b"II*\x00\x08\x00\x00\x00" + b"\x00\x00" + b"\x08\x00\x00\x00")
    assert tiff_damage(path) == "its directories run in a circle"


def test_a_slide_cut_short_is_called_damaged_not_without_resolution(tmp_path: Path) -> None:
    path = pages(tmp_path / "cut.tif")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(UnreadableSlideError, match=r"cut\.tif: damaged: the file ends") as caught:
        open_slide(path)
    assert "copy the file again" in caught.value.hint


def with_tag(path: Path, page: int, name: str, value: int, kind: int | None = None) -> Path:
    """Overwrite the first value (and the type) of a tag of a little-endian classic TIFF."""
    with tifffile.TiffFile(path) as tiff:
        tag = tiff.pages[page].aspage().tags[name]
    with path.open("r+b") as file:
        if kind is not None:
            file.seek(tag.offset + 2)
            file.write(struct.pack("<H", kind))
        file.seek(tag.valueoffset)
        file.write(struct.pack("<H" if tag.dtype == 3 and kind is None else "<I", value))
    return path


@pytest.mark.parametrize(
    ("page", "name", "value", "says"),
    [
        (0, "TileWidth", 2**31 - 1, "directory 0: tiles of 2147483647 x 64 px"),
        (0, "TileLength", 2**31 - 1, "directory 0: tiles of 64 x 2147483647 px"),
        (1, "TileWidth", 0, "directory 1: tiles of 0 x 64 px"),
        (1, "ImageLength", 2**24, "directory 1: 12 tiles for a picture of 200 x 16777216 px"),
        (1, "ImageWidth", 1_000_000, "directory 1: 12 tiles for a picture of 1000000 x 150 px"),
        (0, "ImageLength", 2**32 - 1, "directory 0: a picture of 400 x 4294967295 px"),
        (0, "ImageLength", 0, "directory 0: a picture of 400 x 0 px"),
        (0, "TileByteCounts", 2**31, "directory 0: TileByteCounts states more bytes than the file has"),
        (1, "TileByteCounts", 2**32 - 1, "directory 1: TileByteCounts states more bytes than the file has"),
    ],
)
@pytest.mark.parametrize("vendor", ["generic", "aperio"])
def test_impossible_geometry_is_refused_before_openslide_reads_it(
    tmp_path: Path, vendor: str, page: int, name: str, value: int, says: str
) -> None:
    full = speckle(300, 400)
    levels = [full, block_mean(full, 2)]
    aperio = "Aperio Image Library v12.0.15\r\n400x300 [0,0 400x300] (64x64) JPEG/RGB Q=90|MPP = 0.25"
    options: dict[str, Any] = {"description": aperio} if vendor == "aperio" else {}
    path = with_tag(write_tiff(tmp_path / "a.svs", levels, **options), page, name, value)
    with pytest.raises(UnreadableSlideError) as caught:
        open_slide(path, mpp=0.25)
    assert says in caught.value.message
    assert "\n" not in str(caught.value)


def test_byte_counts_of_a_wider_type_are_read_as_such(tmp_path: Path) -> None:
    """One damaged byte makes two counts one: OpenSlide would ask for terabytes, and GLib end the process."""
    path = write_tiff(tmp_path / "a.tif", [speckle(300, 400)])
    with tifffile.TiffFile(path) as tiff:
        first = tiff.pages.first.tags["TileByteCounts"].value[0]
    with_tag(path, 0, "TileByteCounts", first, kind=16)
    with pytest.raises(UnreadableSlideError, match=r"TileByteCounts (states more bytes|lies beyond)"):
        open_slide(path, mpp=0.25)


@pytest.mark.parametrize(("name", "kind"), [("ImageWidth", 11), ("BitsPerSample", 5), ("RowsPerStrip", 12)])
def test_a_size_that_is_no_whole_number_is_refused(tmp_path: Path, name: str, kind: int) -> None:
    path = write_tiff(tmp_path / "a.tif", [speckle(90, 120)], tile=None, rowsperstrip=8)
    with_tag(path, 0, name, 100, kind)
    with pytest.raises(UnreadableSlideError, match=r"directory 0: .* (not a whole number|beyond the end)"):
        open_slide(path, mpp=0.25)


@pytest.mark.parametrize(
    ("name", "count", "says"),
    [
        ("TileOffsets", 2**31, "TileOffsets would be larger than the file"),
        ("ImageWidth", 2, "ImageWidth is not a whole number"),
        ("TileLength", 0, "TileLength is not a whole number"),
        ("Software", 2**31, "tag 305 would be larger than the file"),
    ],
)
def test_no_memory_is_set_aside_for_a_damaged_count(tmp_path: Path, name: str, count: int, says: str) -> None:
    path = write_tiff(tmp_path / "a.tif", [speckle(300, 400)], software="by nobody")
    with tifffile.TiffFile(path) as tiff:
        tag = tiff.pages.first.tags[name]
    with path.open("r+b") as file:
        file.seek(tag.offset + 4)
        file.write(struct.pack("<I", count))
    with pytest.raises(UnreadableSlideError, match=f"directory 0: {says}"):
        open_slide(path, mpp=0.25)


def test_a_damaged_count_of_an_ndpi_is_refused(data_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.ndpi"
    path.write_bytes((data_dir / "wsi" / "test3-DAPI-2-(387).ndpi").read_bytes())
    assert tiff_damage(path) == ""
    with tifffile.TiffFile(path) as tiff:
        tag = tiff.pages.first.tags[65426]  # where the restart markers of the JPEG stand
    with path.open("r+b") as file:
        file.seek(tag.offset + 4)
        file.write(struct.pack("<I", 2**28))
    with pytest.raises(UnreadableSlideError, match="tag 65426 would be larger than the file"):
        open_slide(path)


@pytest.mark.parametrize(
    ("extra", "unspecified"),
    [("UNSPECIFIED", True), ("ASSOCALPHA", False), ("UNASSALPHA", False), (None, False)],
)
def test_samples_that_are_not_declared_to_be_transparency(
    tmp_path: Path, extra: str | None, unspecified: bool
) -> None:
    picture = speckle(90, 120)
    if extra:
        picture = np.dstack([picture, np.full((90, 120), 9, dtype=np.uint8)])
    options: dict[str, Any] = {"extrasamples": [extra]} if extra else {}
    path = write_tiff(tmp_path / "a.tif", [picture], **options)
    assert unspecified_samples(path) == unspecified


def test_values_beyond_the_end_of_the_file_are_refused(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", [speckle(300, 400)])
    with tifffile.TiffFile(path) as tiff:
        tag = tiff.pages.first.tags["TileOffsets"]
    with path.open("r+b") as file:
        file.seek(tag.offset + 8)
        file.write(struct.pack("<I", path.stat().st_size - 4))
    with pytest.raises(
        UnreadableSlideError, match="directory 0: TileOffsets lies beyond the end of the file"
    ):
        open_slide(path, mpp=0.25)


@pytest.mark.parametrize("lies", [2, 3, 6, 8])
def test_a_picture_that_is_not_stored_upright_is_refused(tmp_path: Path, lies: int) -> None:
    """OpenSlide would turn each tile by itself."""
    path, tag = tmp_path / "turned.tif", (274, "H", 1, lies, True)
    options: dict[str, Any] = {"photometric": "rgb", "tile": (64, 64), "metadata": None}
    tifffile.imwrite(path, np.full((200, 200, 3), 200, np.uint8), extratags=[tag], **options)
    with pytest.raises(UnreadableSlideError, match=rf"turned\.tif: is stored turned .*orientation {lies}"):
        open_slide(path, 0.25)


@pytest.mark.parametrize("lies", [0, 1, 9])
def test_an_upright_picture_and_an_impossible_orientation_are_read(tmp_path: Path, lies: int) -> None:
    path, tag = tmp_path / "upright.tif", (274, "H", 1, lies, True)
    options: dict[str, Any] = {"photometric": "rgb", "tile": (64, 64), "metadata": None}
    tifffile.imwrite(path, np.full((200, 200, 3), 200, np.uint8), extratags=[tag], **options)
    with open_slide(path, 0.25) as slide:
        assert slide.info.width_px == 200


@pytest.mark.filterwarnings("error")
def test_numbers_that_overflow_in_damaged_tags_are_no_news(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(path: Path, **_: object) -> object:
        return path, np.uint8(1) - np.uint8(2)

    monkeypatch.setattr(tifffile, "TiffFile", parse)
    parsed: Any = parsed_tiff(Path("a.tif"))
    assert parsed == (Path("a.tif"), 255)


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (PICTURE.astype(np.uint16) * 16, "16 bits a channel"),
        (PICTURE.astype(np.float32) / 255, "32 bits a channel, floating point"),
        (PICTURE.astype(np.int8), "8 bits a channel, with sign"),
    ],
)
def test_samples_that_are_no_whole_numbers_of_8_bits_are_refused(
    tmp_path: Path, samples: NDArray[Any], says: str
) -> None:
    """OpenSlide reads them: twelve bits in sixteen as a dark picture, numbers with sign in false colours."""
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", tile=(64, 64), metadata=None)
    with pytest.raises(UnreadableSlideError, match=f"not a picture of 8 bits a channel .{says}"):
        open_slide(tmp_path / "a.tif", 0.25)


@pytest.mark.parametrize(("tag_mpp", "said"), [(0.25, False), (0.26, False), (1.0, True), (352.8, False)])
def test_two_contradicting_resolutions_are_named(tmp_path: Path, tag_mpp: float, said: bool) -> None:
    """72 dpi is what programs write unasked."""
    per_cm = (10_000 / tag_mpp,) * 2
    how: dict[str, Any] = {"resolution": per_cm, "resolutionunit": "CENTIMETER"}
    path = write_ome(tmp_path / "a.ome.tif", PICTURE, mpp=0.25, tile=(64, 64), photometric="rgb", **how)
    with open_slide(path) as slide:
        assert slide.mpp == 0.25
        assert said == any("contradicts itself" in warning for warning in slide.warnings)
