from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxpath.errors import ResolutionError, UnreadableSlideError
from cxpath.slide import picture as picture_slide
from cxpath.slide.open import open_slide
from cxpath.slide.pixels import on_white
from tests.slide.synthetic_slides import speckle

PICTURE = speckle(90, 120, seed=2)


@pytest.mark.parametrize(("suffix", "vendor"), [("png", "png"), ("jpg", "jpeg")])
def test_plain_pictures_are_slides_of_one_level(tmp_path: Path, suffix: str, vendor: str) -> None:
    path = tmp_path / f"field.{suffix}"
    Image.fromarray(PICTURE).save(path, quality=100, dpi=(72, 72))
    with open_slide(path, mpp=0.5) as slide:
        info = slide.info
        assert (info.reader, info.vendor, info.level_downsamples) == ("picture", vendor, (1.0,))
        assert (info.mpp, info.mpp_source) == (0.5, "user")
        region = slide.read(0, 0, 120, 90, 0.5)
    if suffix == "jpg":
        with Image.open(path) as picture:
            np.testing.assert_array_equal(region, np.asarray(picture))
    else:
        np.testing.assert_array_equal(region, PICTURE)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("dots_per_inch", [72, 101_600 // 2])  # 352.8 µm, and an innocent 0.5 µm
def test_printing_resolutions_are_never_believed(tmp_path: Path, suffix: str, dots_per_inch: int) -> None:
    path = tmp_path / f"field.{suffix}"
    Image.fromarray(PICTURE).save(path, dpi=(dots_per_inch, dots_per_inch))
    with pytest.raises(ResolutionError) as caught:
        open_slide(path)
    assert "--mpp 0.25" in caught.value.hint


@pytest.mark.parametrize(("orientation", "refused"), [(1, False), (3, True), (6, True)])
def test_a_picture_that_viewers_turn_is_refused(tmp_path: Path, orientation: int, refused: bool) -> None:
    path, tags = tmp_path / "field.jpg", Image.Exif()
    tags[0x0112] = orientation
    Image.fromarray(PICTURE).save(path, exif=tags)
    if not refused:
        open_slide(path, mpp=0.5).close()
        return
    with pytest.raises(UnreadableSlideError, match=f"turned or mirrored .EXIF orientation {orientation}"):
        open_slide(path, mpp=0.5)


def test_transparency_is_glass(tmp_path: Path) -> None:
    rgba = np.dstack([PICTURE, np.full((90, 120), 255, dtype=np.uint8)])
    rgba[:, :60, 3] = 0
    Image.fromarray(rgba).save(tmp_path / "a.png")
    with open_slide(tmp_path / "a.png", mpp=0.5) as slide:
        region = slide.read(0, 0, 120, 90, 0.5)
    assert (region[:, :60] == 255).all()
    np.testing.assert_array_equal(region[:, 60:], PICTURE[:, 60:])


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK"])
def test_other_8_bit_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    converted = Image.fromarray(PICTURE).convert(mode)
    converted.save(path)
    with open_slide(path, mpp=0.5) as slide, Image.open(path) as stored:
        np.testing.assert_array_equal(slide.read(0, 0, 120, 90, 0.5), np.asarray(stored.convert("RGB")))


def test_16_bits_are_refused(tmp_path: Path) -> None:
    Image.fromarray(PICTURE[..., 0].astype(np.uint16) * 200).save(tmp_path / "a.png")
    with pytest.raises(UnreadableSlideError, match="8 bits"):
        open_slide(tmp_path / "a.png", mpp=0.5)


def test_a_huge_picture_is_refused_before_it_fills_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 50_000, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
        + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    )  # fmt: skip
    with pytest.raises(UnreadableSlideError, match="60000 x 50000 px is too large") as caught:
        open_slide(path, mpp=0.5)
    assert "pyramid" in caught.value.hint


def test_a_picture_that_unfolds_too_far_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("1", (3000, 3000)).save(tmp_path / "a.png")  # nine million pixels in two thousand bytes
    with open_slide(tmp_path / "a.png", mpp=0.5) as slide:
        assert slide.width_px == 3000
    monkeypatch.setattr(picture_slide, "_UNSUSPICIOUS_PX", 10_000)
    with pytest.raises(UnreadableSlideError, match=r"a picture of 3000 x 3000 px in \d+ bytes"):
        open_slide(tmp_path / "a.png", mpp=0.5)
    Image.new("RGB", (1000, 1000), (243, 241, 240)).save(tmp_path / "glass.png")
    with open_slide(tmp_path / "glass.png", mpp=0.5) as slide:
        assert slide.width_px == 1000


def test_a_picture_above_pillows_own_warning_limit_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with open_slide(tmp_path / "a.png", mpp=0.5) as slide:
        assert slide.width_px == 120


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_cut_picture_is_damaged(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(PICTURE).save(path)
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(UnreadableSlideError, match="damaged") as caught:
        open_slide(path, mpp=0.5)
    assert "\n" not in str(caught.value)


def test_a_palette_that_is_missing_is_damage(tmp_path: Path) -> None:
    Image.fromarray(PICTURE).convert("P").save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content.replace(b"PLTE", b"pLTE"))
    with pytest.raises(UnreadableSlideError, match=r"the PNG picture is damaged: \w") as caught:
        open_slide(tmp_path / "a.png", mpp=0.5)
    assert "Error" not in str(caught.value)


def test_straight_alpha_over_white() -> None:
    rgba = np.array([[[100, 0, 255, 255], [100, 0, 255, 0], [30, 0, 255, 100]]], dtype=np.uint8)
    assert on_white(rgba).tolist() == [[[100, 0, 255], [255, 255, 255], [167, 155, 255]]]


def test_closed(tmp_path: Path) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    slide = open_slide(tmp_path / "a.png", mpp=0.5)
    slide.close()
    with pytest.raises(ValueError, match="closed"):
        slide.read(0, 0, 4, 4, 0.5)


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_png_that_is_stored_turned_is_refused(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(PICTURE).save(tmp_path / "a.png", exif=exif)
    with pytest.raises(UnreadableSlideError, match="turned or mirrored"):
        open_slide(tmp_path / "a.png", mpp=0.5)
