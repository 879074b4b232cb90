"""A TIFF cut short is known by its chain of directories."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cxpath.slide.open_slide import open_slide
from cxpath.slide.tiff_chain import leaves_the_file
from cxpath.values.errors import UnreadableSlideError


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
