from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, strategies as st
from PIL import Image

from cxpath.slide.open import open_slide
from cxpath.slide.pixels import ColourTransform, Icc, Sampling, icc_as_recorded, managed_colour, resample
from tests.slide.dicom_slides import write_dicom_series
from tests.slide.icc_profiles import expected_srgb, icc_profile, srgb_profile
from tests.slide.synthetic_slides import (
    RGB,
    block_mean,
    exact_region,
    speckle,
    write_aperio,
    write_ome,
    write_tiff,
)


def _resampled(picture: RGB, x: float, y: float, step: float, width: int, height: int) -> RGB:
    along_y, along_x = Sampling.snapped(y, step, height), Sampling.snapped(x, step, width)
    rows = slice(along_y.first, along_y.first + along_y.length)
    columns = slice(along_x.first, along_x.first + along_x.length)
    return resample(picture[rows, columns], along_y, along_x)


@given(st.floats(0, 20), st.floats(0, 20), st.floats(1, 9))
def test_equals_the_exact_mean_to_half_a_grey_level(x: float, y: float, step: float) -> None:
    picture = speckle(120, 120)
    result = _resampled(picture, x, y, step, 11, 9)
    exact = exact_region(picture, x, y, step, 11, 9)
    assert np.abs(result - exact).max() <= 0.501


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 7])
def test_whole_factors_equal_the_exact_mean(factor: int) -> None:
    picture = speckle(84, 168)
    result = _resampled(picture, 0, 0, factor, 168 // factor, 84 // factor)
    exact = exact_region(picture, 0, 0, factor, 168 // factor, 84 // factor)
    assert np.abs(result - exact).max() <= 0.5


@pytest.mark.parametrize("step", [2.0, 2.5, 3.0, 4.0, 1.37])
def test_rounding_has_no_bias(step: float) -> None:
    picture = speckle(1024, 1024, seed=3)
    size = int(1024 / step)
    error = _resampled(picture, 0, 0, step, size, size) - exact_region(picture, 0, 0, step, size, size)
    assert abs(error.mean()) < 0.005  # ties rounded upwards would give 0.125 at a factor of two


def test_magnifying_is_linear_between_pixel_centres() -> None:
    ramp = np.repeat(np.arange(0, 200, 10, dtype=np.uint8)[None, :, None], 8, axis=0).repeat(3, axis=2)
    row = _resampled(ramp, 2, 2, 0.25, 16, 4)[0, :, 0]
    centres = 2 + (np.arange(16) + 0.5) * 0.25
    np.testing.assert_allclose(row, (centres - 0.5) * 10, atol=0.5)


STARTS = st.floats(-500, 500)
STEPS = st.floats(0.05, 40)
NUMBERS = st.integers(1, 60)


@given(STARTS, STEPS, NUMBERS)
def test_every_output_pixel_weighs_one(start: float, step: float, number: int) -> None:
    weights = Sampling.snapped(start, step, number).weights().toarray()
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)


@given(STARTS, STEPS, NUMBERS)
def test_every_output_pixel_has_its_centre_of_mass_in_place(start: float, step: float, number: int) -> None:
    sampling = Sampling.snapped(start, step, number)
    source_centres = sampling.first + np.arange(sampling.length) + 0.5
    wanted = sampling.start + (np.arange(number) + 0.5) * sampling.step
    # a footprint that ends inside a source pixel takes that pixel's light as a whole: within a quarter pixel
    slack = 1e-3 if step < 1 or sampling.whole_factor else 0.26 / step + 1e-3
    assert np.abs(sampling.weights() @ source_centres - wanted).max() <= slack


@given(STARTS, STEPS, st.integers(2, 60))
def test_halves_continue_each_other(start: float, step: float, number: int) -> None:
    whole = Sampling.snapped(start, step, number)
    first, second = whole.halves()
    assert first.number + second.number == number
    for part, rows in ((first, slice(0, first.number)), (second, slice(first.number, number))):
        shift = part.first - whole.first
        dense = np.zeros((part.number, whole.length + 2), dtype=np.float32)
        dense[:, shift : shift + part.length] = part.weights().toarray()
        np.testing.assert_allclose(dense[:, : whole.length], whole.weights().toarray()[rows], atol=1e-5)


def test_area_weights_by_hand() -> None:
    weights = Sampling(0.5, 2.5, 2).weights().toarray()
    np.testing.assert_allclose(weights, np.array([[0.5, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 0.5]]) / 2.5)


def test_linear_weights_by_hand() -> None:
    sampling = Sampling(0, 0.5, 4)
    assert sampling.first == -1
    expected = [[0.25, 0.75, 0, 0], [0, 0.75, 0.25, 0], [0, 0.25, 0.75, 0], [0, 0, 0.75, 0.25]]
    np.testing.assert_allclose(sampling.weights().toarray(), expected)


@pytest.mark.parametrize(
    ("start", "step", "factor"),
    [(3, 2, 2), (3.0000000001, 1.9999999999, 2), (3.5, 2, None), (3, 2.5, None), (3, 1, 1), (3, 0.5, None)],
)
def test_whole_factor_only_on_whole_blocks(start: float, step: float, factor: int | None) -> None:
    assert Sampling.snapped(start, step, 5).whole_factor == factor


PICTURE = speckle(200, 300, seed=5)


@given(gamma=st.floats(1.0, 2.8), seed=st.integers(0, 1000))
def test_colours_are_those_that_the_profile_means(gamma: float, seed: int) -> None:
    gamma = round(gamma * 256) / 256  # as the profile holds it
    rgb = speckle(20, 20, seed)
    found = ColourTransform(icc_profile(gamma)).apply(rgb)
    dark = rgb.min(axis=2) < 8  # 8 bits of lcms's curves are coarse in the shadows
    difference = np.abs(found - expected_srgb(rgb, gamma)).max(axis=2)
    assert difference[~dark].max(initial=0) <= 2


def test_white_stays_white_and_greys_stay_grey() -> None:
    greys = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    found = ColourTransform(icc_profile()).apply(greys)
    assert found[0, 255].tolist() == [255, 255, 255]
    assert np.ptp(found[0], axis=1).max() <= 1
    assert (np.diff(found[0, :, 0].astype(int)) >= 0).all()


def test_srgb_is_read_as_it_is_stored() -> None:
    colour = managed_colour(srgb_profile(), Icc.APPLY)
    assert colour.profile
    assert (colour.profile.use, colour.transform) == ("identity", None)


def test_any_number_of_threads_get_the_same() -> None:
    transform = ColourTransform(icc_profile())
    pictures = [speckle(64, 64, seed) for seed in range(16)]
    expected = [transform.apply(picture) for picture in pictures]
    with ThreadPoolExecutor(8) as pool:
        for found, wanted in zip(pool.map(transform.apply, pictures), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


def _dicom(folder: Path, profile: bytes) -> Path:
    return write_dicom_series(folder / "series", [PICTURE, block_mean(PICTURE, 4)], icc_profile=profile)


def _tiff(folder: Path, profile: bytes, **how: Any) -> Path:
    return write_tiff(folder / "a.tif", [PICTURE, block_mean(PICTURE, 4)], iccprofile=profile, **how)


def _strips(folder: Path, profile: bytes) -> Path:
    tifffile.imwrite(folder / "b.tif", PICTURE, iccprofile=profile, photometric="rgb")
    return folder / "b.tif"


def _png(folder: Path, profile: bytes) -> Path:
    Image.fromarray(PICTURE).save(folder / "a.png", icc_profile=profile)
    return folder / "a.png"


def _ome(folder: Path, profile: bytes) -> Path:
    return write_ome(folder / "a.ome.tif", PICTURE, iccprofile=profile, photometric="rgb")


FORMS = {"dicom": _dicom, "tiff": _tiff, "strips": _strips, "png": _png, "ome": _ome}


@pytest.mark.parametrize("form", FORMS)
def test_a_profile_is_applied_in_every_format(form: str, tmp_path: Path) -> None:
    path = FORMS[form](tmp_path, icc_profile())
    with open_slide(path, 0.25) as slide, open_slide(path, 0.25, icc=Icc.IGNORE) as as_stored:
        stored = as_stored.read(0, 0, 300, 200, 0.25)
        found = slide.read(0, 0, 300, 200, 0.25)
        assert slide.info.colour
        assert as_stored.info.colour
        assert (slide.info.colour.use, as_stored.info.colour.use) == ("applied", "ignored")
        assert slide.info.colour.digest == hashlib.sha256(icc_profile()).hexdigest()
        assert slide.warnings == as_stored.warnings
    np.testing.assert_array_equal(stored, PICTURE)
    np.testing.assert_array_equal(found, ColourTransform(icc_profile()).apply(PICTURE))
    assert np.abs(found.astype(int) - stored).max() > 10


@pytest.mark.parametrize("form", FORMS)
def test_srgb_changes_no_pixel(form: str, tmp_path: Path) -> None:
    with open_slide(FORMS[form](tmp_path, srgb_profile()), 0.25) as slide:
        np.testing.assert_array_equal(slide.read(0, 0, 300, 200, 0.25), PICTURE)
        assert slide.info.colour
        assert slide.info.colour.use == "identity"


def test_fast_tiles_and_the_library_get_the_same_colours(tmp_path: Path) -> None:
    levels = [speckle(512, 512) // 4 + 150]
    path = write_tiff(
        tmp_path / "a.tif", levels, compression="jpeg", tile=(256, 256), iccprofile=icc_profile()
    )
    with open_slide(path) as slide, open_slide(path, icc=Icc.IGNORE) as as_stored:
        assert slide.reader_path.name == as_stored.reader_path.name == "jpeg-tiles"
        stored = as_stored.read(10, 20, 200, 200, 0.5)
        found = slide.read(10, 20, 200, 200, 0.5)
    np.testing.assert_array_equal(found, ColourTransform(icc_profile()).apply(stored))


def test_stored_tiles_are_not_handed_on_where_a_profile_changes_them(tmp_path: Path) -> None:
    how: dict[str, Any] = {"compression": "jpeg", "tile": (256, 256), "iccprofile": icc_profile()}
    path = write_tiff(tmp_path / "a.tif", [speckle(512, 512) // 4 + 150], **how)
    with open_slide(path) as slide, open_slide(path, icc=Icc.IGNORE) as as_stored:
        assert slide.stored_tile(0, 0, 0) is None
        assert as_stored.stored_tile(0, 0, 0)


def test_a_slide_is_opened_again_as_its_result_says() -> None:
    assert icc_as_recorded("ignored") is Icc.IGNORE
    assert {icc_as_recorded(use) for use in ("applied", "identity", "unusable", None)} == {Icc.APPLY}


def test_beyond_the_scan_it_is_white(tmp_path: Path) -> None:
    with open_slide(_tiff(tmp_path, icc_profile())) as slide:
        assert (slide.read(-100, -100, 50, 50, 0.25) == 255).all()


def test_slides_without_a_profile_are_read_as_before(tmp_path: Path) -> None:
    path = write_aperio(tmp_path / "a.svs", [speckle(512, 512)])
    with open_slide(path) as slide, open_slide(path, icc=Icc.IGNORE) as as_stored:
        assert slide.info.colour is as_stored.info.colour is None
        np.testing.assert_array_equal(slide.read(0, 0, 300, 300, 0.25), as_stored.read(0, 0, 300, 300, 0.25))


@pytest.mark.parametrize("form", ["tiff", "strips", "dicom"])
@pytest.mark.parametrize("profile", [b"x" * 500, icc_profile()[:200], icc_profile(space=b"CMYK")])
def test_a_profile_that_cannot_be_used_is_named_and_left_out(
    form: str, profile: bytes, tmp_path: Path
) -> None:
    with open_slide(FORMS[form](tmp_path, profile), 0.25) as slide:
        (warning,) = [one for one in slide.warnings if "ICC" in one]
        assert warning.startswith("the slide's ICC profile cannot be used: ")
        assert warning.endswith("colours are read as they are stored")
        assert slide.info.colour
        assert slide.info.colour.use == "unusable"
        np.testing.assert_array_equal(slide.read(0, 0, 300, 200, 0.25), PICTURE)


def test_a_serial_number_in_the_profiles_name_stays_inside(tmp_path: Path) -> None:
    for name, shown in (("Aperio GT450", "Aperio GT450"), ("Scanner SS45001 of Dr. Doe", "")):
        with open_slide(_tiff(tmp_path, icc_profile(name=name))) as slide:
            assert slide.info.colour
            assert slide.info.colour.description == shown
