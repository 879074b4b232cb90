"""Opening: every format, and one clear line for everything that is not a slide."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cxpath.errors import CxpathError, MissingFileError, ResolutionError, UnreadableSlideError
from cxpath.slide.open import open_slide
from tests.slide.synthetic_slides import speckle, write_aperio, write_ome, write_tiff


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("boxes.tiff", ResolutionError, "352.8 µm per pixel"),
        ("test_orient1.tif", ResolutionError, "352.9 µm per pixel"),
        ("broken.svs", UnreadableSlideError, "not a slide"),
        ("unopenable.tiff", UnreadableSlideError, "Unsupported TIFF compression: 52479"),
    ],
)
def test_bad_real_files_are_refused_in_one_line(
    data_dir: Path, name: str, error: type[CxpathError], says: str
) -> None:
    path = data_dir / "wsi" / name
    with pytest.raises(error) as caught:
        open_slide(path)
    _is_one_clear_line(caught.value, path, says)


@pytest.mark.parametrize("name", ["broken.svs", "unopenable.tiff"])
def test_a_stated_mpp_does_not_mend_a_broken_file(data_dir: Path, name: str) -> None:
    with pytest.raises(UnreadableSlideError):
        open_slide(data_dir / "wsi" / name, mpp=0.25)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.svs", b"", "empty"),
        ("text.svs", b"Dear colleague,\nthe slide follows.\n", "looks like a text file"),
        ("noise.ndpi", bytes(range(256)), "not a slide"),
        ("stub.tif", b"II*\0", "damaged"),
        ("stub.png", b"\x89PNG\r\n\x1a\n", "damaged"),
        ("stub.jpg", b"\xff\xd8\xff\xe0", "damaged"),
    ],
)
def test_other_bad_files_are_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UnreadableSlideError) as caught:
        open_slide(path, mpp=0.25)
    _is_one_clear_line(caught.value, path, says)


def test_folders_and_missing_paths(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSlideError) as folder:
        open_slide(tmp_path)
    _is_one_clear_line(folder.value, tmp_path, "a folder")
    with pytest.raises(MissingFileError) as missing:
        open_slide(str(tmp_path / "gone.svs"))
    _is_one_clear_line(missing.value, tmp_path / "gone.svs", "no such file")


@pytest.mark.parametrize("name", ["a\0b.svs", "a" * 300 + ".svs", "\ud800.svs", "a\nb.svs"])
def test_names_that_no_file_can_have_end_in_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises((MissingFileError, UnreadableSlideError)) as caught:
        open_slide(tmp_path / name)
    str(caught.value).encode()
    assert str(caught.value).isprintable()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_forbidden_file(tmp_path: Path) -> None:
    path = tmp_path / "locked.svs"
    path.write_bytes(b"II*\0")
    path.chmod(0)
    with pytest.raises(UnreadableSlideError, match="cannot be read"):
        open_slide(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.svs")
    with pytest.raises(UnreadableSlideError, match="device or pipe"):
        open_slide(tmp_path / "pipe.svs")


def test_a_truncated_slide_is_refused_or_breaks_in_one_line(tmp_path: Path, aperio: Path) -> None:
    path = tmp_path / "cut.svs"
    path.write_bytes(aperio.read_bytes()[: aperio.stat().st_size // 2])
    with pytest.raises(UnreadableSlideError) as caught, open_slide(path, mpp=0.25) as slide:
        slide.read(0, 0, slide.width_px, slide.height_px, slide.mpp)
    _is_one_clear_line(caught.value, path, "")


def test_messages_name_the_pseudonym_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "DOE_JANE.svs").write_bytes(b"not a slide")
    with pytest.raises(UnreadableSlideError) as caught:
        open_slide(tmp_path / "DOE_JANE.svs", name="slide-0123456789ab")
    assert "DOE" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "reader", "vendor", "mpp", "size"),
    [
        ("wsi/cmu_small_region.svs", "openslide", "aperio", 0.499, (2220, 2967)),
        ("wsi/small.svs", "openslide", "aperio", 0.499, (16, 16)),
        ("wsi/test3-DAPI-2-(387).ndpi", "openslide", "hamamatsu", 0.228175, (3968, 4864)),
        ("wsi/boxes_0.dcm", "openslide", "dicom", 0.499, (16, 16)),
        ("unlabelled/os2_ki67/OS-2-ndpi.ome.tif", "ome-tiff", "ome", 0.2271, (2202, 2202)),
        ("unlabelled/os2_ki67/OS-2-vsi.ome.tif", "ome-tiff", "ome", 0.34605, (1445, 1445)),
    ],
)
def test_real_files_open(
    data_dir: Path, name: str, reader: str, vendor: str, mpp: float, size: tuple[int, int]
) -> None:
    with open_slide(data_dir / name) as slide:
        info = slide.info
        assert (info.reader, info.vendor, (info.width_px, info.height_px)) == (reader, vendor, size)
        assert info.mpp == pytest.approx(mpp, rel=1e-3)
        assert slide.read(0, 0, 16, 16, info.mpp).shape == (16, 16, 3)


@pytest.mark.parametrize("name", ["boxes.tiff", "test_orient1.tif"])
def test_an_absurd_file_opens_with_the_users_number(data_dir: Path, name: str) -> None:
    with open_slide(data_dir / "wsi" / name, mpp=0.25) as slide:
        assert (slide.info.mpp, slide.info.mpp_source) == (0.25, "user")
        assert slide.read(0, 0, 30, 30, 1.0).min() < 255


def test_real_pixels_come_back_as_stored(data_dir: Path) -> None:
    path = data_dir / "wsi" / "cmu_small_region.svs"
    with open_slide(path) as slide, tifffile.TiffFile(path) as tiff:
        region = slide.read(500, 700, 300, 200, slide.mpp)
        stored = tiff.pages[0].asarray()[700:900, 500:800]
    assert np.abs(region.astype(int) - stored).max() <= 2  # two JPEG decoders


def test_a_property_whose_name_is_no_text_is_left_out(tmp_path: Path) -> None:
    path = write_aperio(tmp_path / "a.svs", [speckle(300, 400)])
    content = path.read_bytes()
    assert b"|Barcode = " in content
    path.write_bytes(content.replace(b"|Barcode = ", b"|B\xffrcode = "))
    with open_slide(path) as slide:
        assert slide.mpp == 0.25


def test_written_formats_open(tmp_path: Path) -> None:
    picture = speckle(300, 400)
    for path, reader, mpp in [
        (write_aperio(tmp_path / "a.svs", [picture]), "openslide", 0.25),
        (write_tiff(tmp_path / "b.tif", [picture], tile=None), "picture", 0.25),
        (write_tiff(tmp_path / "c.tif", [picture]), "openslide", 0.25),
        (write_ome(tmp_path / "d.ome.tif", picture, tile=(64, 64)), "ome-tiff", 0.3),
    ]:
        with open_slide(path) as slide:
            assert slide.info.reader == reader
            assert slide.info.mpp == pytest.approx(mpp)


def test_an_svs_without_mpp_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = write_aperio(tmp_path / "a.svs", [speckle(300, 400)], mpp=None)
    with pytest.raises(ResolutionError) as caught:
        open_slide(path)
    assert "--mpp 0.25" in caught.value.hint
    assert "objective 40" in caught.value.hint


def _is_one_clear_line(error: CxpathError, path: Path, says: str) -> None:
    assert str(path) in error.message
    assert says in error.message
    assert "\n" not in str(error)
    assert error.hint
    assert len(str(error).replace(str(path), "")) < 300
