from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from cxpath.slide.ome_tiff import is_ome_tiff
from cxpath.slide.open_slide import open_slide
from cxpath.values.errors import ResolutionError, UnreadableSlideError
from tests.slide.drawn_slides import RGB, block_mean, speckle, spoil_tile, write_ome, write_tiff

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
