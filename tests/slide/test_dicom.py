"""A DICOM series as input: the same pixels, µm per pixel and tissue as its TIFF twin."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from cxpath.errors import UnreadableSlideError
from cxpath.slide.open import open_slide
from cxpath.tissue.tissue import find_tissue
from tests.conftest import SyntheticSlide
from tests.slide.dicom_slides import PATIENT, write_dicom_series
from tests.slide.synthetic_slides import block_mean, speckle, write_tiff


@pytest.fixture(scope="module")
def twins(synthetic_slide: SyntheticSlide, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The tissue of a synthetic slide as a DICOM series and as a TIFF, both without compression loss."""
    folder = tmp_path_factory.mktemp("twins")
    with open_slide(synthetic_slide.path) as slide:
        picture = slide.read(0, 0, 2048, 2048, slide.mpp)
    levels = [picture, block_mean(picture, 4), block_mean(picture, 16)]
    return write_dicom_series(folder / "series", levels), write_tiff(folder / "twin.tif", levels)


def test_every_level_gives_the_pixels_that_were_stored(tmp_path: Path) -> None:
    picture = speckle(700, 900)
    quarter = block_mean(picture, 4)
    with open_slide(write_dicom_series(tmp_path, [picture, quarter])) as slide:
        assert (slide.width_px, slide.height_px, slide.mpp) == (900, 700, 0.25)
        assert slide.info.vendor == "dicom"
        np.testing.assert_array_equal(slide.read(0, 0, 900, 700, 0.25), picture)
        np.testing.assert_array_equal(slide.read(0, 0, 225, 175, 1.0), quarter)


def test_a_copy_in_the_folder_changes_nothing(tmp_path: Path) -> None:
    path = write_dicom_series(tmp_path, [speckle(700, 900)])
    with open_slide(path) as slide:
        digest = slide.info.digest
    shutil.copy(path, tmp_path / "copy of level_0.dcm")
    with open_slide(path) as slide:
        assert slide.info.digest == digest


def test_files_that_claim_to_be_one_image_but_differ_are_refused(tmp_path: Path) -> None:
    path = write_dicom_series(tmp_path, [speckle(700, 900)])
    write_dicom_series(tmp_path / "changed", [speckle(700, 900, seed=1)])
    shutil.move(tmp_path / "changed" / "level_0.dcm", tmp_path / "changed.dcm")
    with pytest.raises(UnreadableSlideError, match=r"differ \(changed.dcm, level_0.dcm\)"):
        open_slide(path)
    with pytest.raises(UnreadableSlideError, match=r"^slide-1: 2 files of its series .* differ ") as caught:
        open_slide(path, name="slide-1")
    assert "level_0" not in str(caught.value)


def test_a_part_is_read_like_its_twin(twins: tuple[Path, Path]) -> None:
    with open_slide(twins[0]) as series, open_slide(twins[1]) as twin:
        for mpp in (0.25, 0.5, 2.0):
            np.testing.assert_array_equal(
                series.read(300.5, 200, 300, 200, mpp), twin.read(300.5, 200, 300, 200, mpp)
            )


def test_tissue_and_stains_are_those_of_the_twin(twins: tuple[Path, Path]) -> None:
    with open_slide(twins[0]) as series, open_slide(twins[1]) as twin:
        found, expected = find_tissue(series), find_tissue(twin)
    np.testing.assert_array_equal(found.scored, expected.scored)
    assert found.scored.any()
    assert found.stains == expected.stains
    assert found.areas == expected.areas


def test_no_identifier_of_the_series_leaves_it(twins: tuple[Path, Path]) -> None:
    with open_slide(twins[0], name="slide-1.dcm") as series:
        told = repr(series.info)
    assert not [word for word in PATIENT.values() if len(word) > 1 and word in told]
