"""OpenSlide's own ways: broken tiles, bounds, label and macro."""

from __future__ import annotations

import shutil
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import openslide
import pytest
import tifffile

from cxpath.errors import UnreadableSlideError
from cxpath.slide.open import open_slide
from cxpath.slide.openslide import OpenSlideHandles
from tests.slide.synthetic_slides import RGB, block_mean, disc, speckle, spoil_tile, write_tiff


@pytest.fixture
def spoilt(tmp_path: Path) -> Path:
    """A slide of 8 x 8 tiles of 64 px whose tile at column 5, row 2 is nonsense."""
    path = write_tiff(tmp_path / "spoilt.tif", [speckle(512, 512)])
    spoil_tile(path, page=0, tile=2 * 8 + 5)
    return path


def test_a_broken_tile_names_file_and_place_and_spares_the_rest(spoilt: Path) -> None:
    with open_slide(spoilt) as slide:
        with pytest.raises(UnreadableSlideError) as caught:
            slide.read(320, 128, 64, 64, 0.25)
        assert str(spoilt) in caught.value.message
        assert "x 320, y 128" in caught.value.message
        assert "\n" not in str(caught.value)
        np.testing.assert_array_equal(slide.read(0, 0, 64, 64, 0.25), speckle(512, 512)[:64, :64])


def test_threads_on_sound_regions_do_not_suffer_from_a_broken_one(spoilt: Path) -> None:
    sound = speckle(512, 512)[256:320, 64:128]
    outcomes: list[str] = []

    def read(number: int) -> None:
        if number % 3 == 0:
            with pytest.raises(UnreadableSlideError):
                slide.read(330, 140, 20, 20, 0.25)
            outcomes.append("broken")
        else:
            np.testing.assert_array_equal(slide.read(64, 256, 64, 64, 0.25), sound)
            outcomes.append("sound")

    with open_slide(spoilt) as slide, ThreadPoolExecutor(6) as pool:
        list(pool.map(read, range(90)))
    assert (outcomes.count("broken"), outcomes.count("sound")) == (30, 60)


def test_spoilt_handles_are_closed(spoilt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive: set[int] = set()
    opened: list[int] = []
    lock = threading.Lock()
    plain_open, plain_close = openslide.OpenSlide.__init__, openslide.OpenSlide.close

    def counted_open(self: openslide.OpenSlide, *args: Any) -> None:
        plain_open(self, *args)
        with lock:
            alive.add(id(self))
            opened.append(id(self))

    def counted_close(self: openslide.OpenSlide) -> None:
        plain_close(self)
        with lock:
            alive.discard(id(self))

    monkeypatch.setattr(openslide.OpenSlide, "__init__", counted_open)
    monkeypatch.setattr(openslide.OpenSlide, "close", counted_close)
    handles = OpenSlideHandles(spoilt, openslide.OpenSlide(spoilt))
    for _ in range(5):
        with pytest.raises(openslide.OpenSlideError):
            handles.read_region(330, 140, 0, (8, 8))
        assert len(alive) <= 1
    before = len(opened)
    for _ in range(4):
        handles.read_region(0, 0, 0, (8, 8))
    assert len(opened) == before + 1  # one sound handle took the place of the spoilt one
    assert len(alive) == 1
    handles.close()
    assert not alive


def test_a_file_that_vanishes_while_reading(spoilt: Path) -> None:
    with open_slide(spoilt) as slide:
        spoilt.unlink()
        with pytest.raises(UnreadableSlideError, match="damaged in"):
            slide.read(330, 140, 20, 20, 0.25)


def test_bounds_are_reported_in_the_level_0_frame(odd_pyramid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = openslide.OpenSlide.properties.fget  # type: ignore[attr-defined]
    assert plain is not None
    bounds = {"x": "10", "y": "20", "width": "300", "height": "200"}
    extra = {f"openslide.bounds-{key}": value for key, value in bounds.items()}
    monkeypatch.setattr(openslide.OpenSlide, "properties", property(lambda self: {**plain(self), **extra}))
    with open_slide(odd_pyramid) as slide:
        assert slide.info.bounds_px == (10, 20, 300, 200)
        assert (slide.info.width_px, slide.info.height_px) == (1501, 1003)
        np.testing.assert_array_equal(slide.read(0, 0, 5, 5, slide.mpp), speckle(1003, 1501)[:5, :5])


def test_label_and_macro_are_never_opened(aperio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with openslide.OpenSlide(aperio) as handle:
        assert {"label", "macro"} <= set(handle.associated_images)  # they are there to be opened

    def refuse(*_: object) -> None:
        raise AssertionError("an associated image was touched")

    monkeypatch.setattr(openslide.OpenSlide, "associated_images", property(refuse))
    monkeypatch.setattr(openslide.lowlevel, "read_associated_image", refuse)
    with open_slide(aperio) as slide:
        assert slide.info.digest
        slide.read(0, 0, 50, 50, 1.0)


def test_jpeg_pyramid_reads_close_to_what_was_drawn(aperio: Path) -> None:
    with open_slide(aperio) as slide:
        assert slide.info.level_downsamples == (1.0, 4.0)
        full = slide.read(0, 0, 780, 520, 0.25).astype(float)
        fourth = slide.read(0, 0, 195, 130, 1.0).astype(float)
    drawn = disc(520, 780, x=400, y=250, radius=120)
    assert np.abs(full - drawn).mean() < 1
    assert np.abs(fourth - block_mean(drawn, 4)).mean() < 1


def test_odd_file_names_open(tmp_path: Path, aperio: Path) -> None:
    path = tmp_path / "Fall \N{MICROSCOPE} 12 %s {x}.svs"
    shutil.copy(aperio, path)
    with open_slide(path) as slide:
        assert slide.info.name == path.name


def write_pages(path: Path, *pages: tuple[RGB, float, int]) -> Path:
    """Write a tiled TIFF of pictures, each with its own µm per pixel and NewSubfileType."""
    with tifffile.TiffWriter(path) as tiff:
        for picture, mpp, kind in pages:
            per_cm = 10_000 / mpp
            how: dict[str, Any] = {"tile": (64, 64), "photometric": "rgb", "compression": "deflate"}
            how |= {"resolution": (per_cm, per_cm), "resolutionunit": "CENTIMETER", "subfiletype": kind}
            tiff.write(picture, metadata=None, **how)
    return path


def test_the_resolution_is_that_of_level_0_where_it_is_not_the_first_page(tmp_path: Path) -> None:
    full = speckle(600, 800)
    path = write_pages(tmp_path / "a.tif", (block_mean(full, 4), 1.0, 0), (full, 0.25, 1))
    with open_slide(path) as slide:
        assert (slide.width_px, slide.mpp, slide.info.mpp_source) == (800, 0.25, "tiff.XResolution")
        assert slide.warnings == ()


def test_a_larger_picture_that_is_not_read_is_named(tmp_path: Path) -> None:
    full = speckle(600, 800)
    path = write_pages(tmp_path / "a.tif", (block_mean(full, 4), 1.0, 0), (full, 0.25, 0))
    with open_slide(path) as slide:
        assert (slide.width_px, slide.mpp) == (200, 1.0)
        assert slide.warnings == (
            "the file contains a larger picture of 800 x 600 px; the first one of 200 x 150 px is read",
        )


@pytest.mark.parametrize(
    ("second", "left"),
    [
        (speckle(600, 800, seed=1), "another picture of 800 x 600 px"),
        (speckle(450, 700, seed=1), "another picture of 700 x 450 px"),
        (block_mean(speckle(600, 800), 4), ""),
        (speckle(100, 120), ""),
    ],
    ids=["equal", "smaller", "copy", "label"],
)
def test_another_picture_that_is_not_read_is_named(tmp_path: Path, second: RGB, left: str) -> None:
    path = write_pages(tmp_path / "a.tif", (speckle(600, 800), 0.25, 0), (second, 0.25, 0))
    with open_slide(path) as slide:
        assert slide.width_px == 800
        assert left in "".join(slide.warnings)
        assert bool(left) == bool(slide.warnings)


def test_several_pictures_of_one_size_in_an_svs_are_named(tmp_path: Path) -> None:
    """Focal planes: OpenSlide gives them as levels."""
    with tifffile.TiffWriter(tmp_path / "a.svs") as tiff:
        for seed in range(3):
            says = "Aperio Image Library v12\r\n800x600|AppMag = 40|MPP = 0.25"
            tiff.write(
                speckle(600, 800, seed), photometric="rgb", tile=(64, 64), description=says, metadata=None
            )
    with open_slide(tmp_path / "a.svs") as slide:
        (warning,) = slide.warnings
        assert "another picture of 800 x 600 px and 1 more" in warning
        np.testing.assert_array_equal(slide.read(0, 0, 99, 99, 0.25), speckle(600, 800)[:99, :99])


def test_a_page_whose_size_is_no_number_leaves_the_slide_readable(tmp_path: Path) -> None:
    """Found by make fuzz: the height of the second page was of the type BYTE, which reads as a text."""
    path = write_pages(tmp_path / "a.tif", (speckle(600, 800), 0.25, 0), (speckle(64, 64), 1.0, 0))
    with tifffile.TiffFile(path) as tiff:
        tag = tiff.pages[1].aspage().tags["ImageLength"]
    content = bytearray(path.read_bytes())
    content[tag.offset + 2 : tag.offset + 4] = struct.pack("<H", 1)
    path.write_bytes(content)
    with open_slide(path, 0.25) as slide:
        assert (slide.width_px, slide.height_px) == (800, 600)


@pytest.mark.parametrize(
    ("mpp", "magnification", "said"),
    [
        ("0.25", "40", False),
        ("0.2", "40", False),
        ("0.5", "40", True),
        ("0.25", "20", True),
        ("0.5", "", False),
    ],
)
def test_a_magnification_that_speaks_for_another_resolution_is_named(
    tmp_path: Path,
    mpp: str,
    magnification: str,
    said: bool,
) -> None:
    says = f"Aperio Image Library v12\r\n800x600|AppMag = {magnification}|MPP = {mpp}"
    with tifffile.TiffWriter(tmp_path / "a.svs") as tiff:
        tiff.write(speckle(600, 800), photometric="rgb", tile=(64, 64), description=says, metadata=None)
    with open_slide(tmp_path / "a.svs") as slide:
        assert slide.mpp == float(mpp)
        assert said == any("usual at magnification" in warning for warning in slide.warnings)
    with open_slide(tmp_path / "a.svs", float(mpp)) as slide:
        assert slide.warnings == ()
