from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from cxpath.slide import plain_tiff
from cxpath.slide.open_slide import open_slide
from cxpath.values.errors import ResolutionError, UnreadableSlideError
from tests.slide.drawn_slides import RGB, speckle, write_tiff

PICTURE = speckle(90, 120, seed=2)
GREY = PICTURE[..., 0]


@pytest.mark.parametrize(
    ("stored", "expected", "options"),
    [
        (PICTURE, PICTURE, {"rowsperstrip": 8}),
        (PICTURE, PICTURE, {"rowsperstrip": 1000}),
        (PICTURE, PICTURE, {"compression": "lzw", "predictor": True}),
        (np.moveaxis(PICTURE, 2, 0), PICTURE, {"planarconfig": "separate"}),
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
    rgba = np.concatenate([PICTURE, alpha], axis=2)
    path = write_tiff(tmp_path / "a.tif", [rgba], tile=None, extrasamples=["UNASSALPHA"])
    with open_slide(path) as slide:
        region = slide.read(0, 0, 120, 90, 0.25)
    assert (region[:, :60] == 255).all()
    np.testing.assert_array_equal(region[:, 60:], PICTURE[:, 60:])


@pytest.mark.parametrize("unit", ["INCH", "NONE"])
def test_printing_resolutions_are_never_believed(tmp_path: Path, unit: str) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PICTURE, photometric="rgb", resolution=(72, 72), resolutionunit=unit)
    with pytest.raises(ResolutionError) as caught:
        open_slide(path)
    assert ("352.8" in caught.value.message) == (unit == "INCH")
    assert "--mpp 0.25" in caught.value.hint


def test_further_pages_are_announced(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", [PICTURE, PICTURE[:40, :40]], tile=None)
    with open_slide(path) as slide:
        assert slide.warnings == ("the file holds 2 pictures; the first one is read",)


@pytest.mark.parametrize(
    ("stored", "options"),
    [
        (PICTURE.astype(np.uint16), {}),
        (GREY, {"photometric": "palette", "colormap": np.zeros((3, 256), dtype=np.uint16)}),
        (np.repeat(PICTURE[..., :1], 4, axis=2), {"photometric": "separated"}),
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
    path = write_tiff(tmp_path / "a.tif", [PICTURE], tile=None, rowsperstrip=90)
    monkeypatch.setattr(plain_tiff, "MOST_PICTURE_PX", 5000)
    with pytest.raises(UnreadableSlideError, match="120 x 90 px is too large"):
        open_slide(path)


def test_a_cut_picture_breaks_in_one_line(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", [PICTURE], tile=None, compression="lzw", rowsperstrip=8)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(UnreadableSlideError) as caught, open_slide(path) as slide:
        slide.read(0, 0, 120, 90, 0.25)
    assert str(path) in caught.value.message
    assert "\n" not in str(caught.value)
