"""A TIFF cut short is known by its chain of directories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from cxpath.errors import ResolutionError, UnreadableSlideError
from cxpath.slide import tiff as plain_tiff
from cxpath.slide.open import open_slide
from cxpath.slide.tiff import is_ome_tiff, leaves_the_file
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
    other = 255 - block_mean(PICTURE, 2)  # told apart from level 0
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
        assert slide.warnings == ("the file holds 2 pictures; the first one is read",)


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
    assert not leaves_the_file(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert leaves_the_file(path)


def test_other_files_have_no_chain(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    assert not leaves_the_file(path)
    path.write_bytes(b"II")
    assert not leaves_the_file(path)


def test_a_chain_that_bites_its_tail_ends(tmp_path: Path) -> None:
    path = tmp_path / "ring.tif"
    path.write_bytes(b"II*\x00\x08\x00\x00\x00" + b"\x00\x00" + b"\x08\x00\x00\x00")
    assert not leaves_the_file(path)


def test_a_slide_cut_short_is_called_damaged_not_without_resolution(tmp_path: Path) -> None:
    path = pages(tmp_path / "cut.tif")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(UnreadableSlideError, match=r"cut\.tif: damaged: the file ends") as caught:
        open_slide(path)
    assert "copy the file again" in caught.value.hint
