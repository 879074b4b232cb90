from __future__ import annotations

import numpy as np
import pytest

from cxpath.synth.optics import (
    HELD_OUT_STAINS,
    TRAINING_STAINS,
    Scanner,
    StainLayers,
    StainLook,
    StainRange,
    jpeg_round_trip,
    optical_density,
    random_scanner,
    random_stain_look,
    scan,
)

IDEAL = Scanner((240.0, 236.0, 230.0), blur_um=0, sharpen=0, noise=0, black=0, jpeg_quality=0)


def _edge() -> np.ndarray:
    od = np.zeros((40, 40, 3), np.float32)
    od[:, 20:] = 1.0
    return od


def test_glass_is_white_and_one_optical_density_a_tenth_of_it() -> None:
    rgb = scan(_edge(), IDEAL, 0.5, (0, 0))
    assert rgb[5, 5].tolist() == [240, 236, 230]
    assert rgb[5, 35].tolist() == [24, 24, 23]


def test_blur_softens_and_sharpening_overshoots() -> None:
    soft = scan(_edge(), Scanner(blur_um=1.0, sharpen=0, noise=0), 0.5, (0, 0))
    sharp = scan(_edge(), Scanner(white=(200, 200, 200), blur_um=0, sharpen=1.0, noise=0), 0.5, (0, 0))
    hard = scan(_edge(), IDEAL, 0.5, (0, 0))
    assert (
        np.abs(np.diff(soft[20, :, 0].astype(int))).max() < np.abs(np.diff(hard[20, :, 0].astype(int))).max()
    )
    assert sharp[20, 19, 0] > sharp[20, 5, 0]


def test_noise_is_tied_to_the_world() -> None:
    noisy = Scanner(blur_um=0, sharpen=0, noise=3.0)
    od = np.full((40, 60, 3), 0.3, np.float32)
    whole = scan(od, noisy, 0.5, (100, 200))
    part = scan(od[10:30, 20:50], noisy, 0.5, (110, 220))
    assert np.array_equal(whole[10:30, 20:50], part)
    assert whole.std(axis=(0, 1)).min() > 1


def test_less_saturation_brings_channels_together_and_leaves_white() -> None:
    od = np.zeros((4, 4, 3), np.float32)
    od[2:] = (0.1, 0.3, 0.6)
    full, pale = (scan(od, Scanner(IDEAL.white, blur_um=0, sharpen=0, noise=0, saturation=s), 0.5, (0, 0))
                  for s in (1.0, 0.5))  # fmt: skip
    assert np.ptp(pale[3, 3].astype(int)) < np.ptp(full[3, 3].astype(int))
    assert np.array_equal(pale[0, 0], full[0, 0])


def test_chromatic_shift_moves_red_alone() -> None:
    shifted = Scanner(IDEAL.white, blur_um=0, sharpen=0, noise=0, chromatic_shift_um=0.5)
    moved = scan(_edge(), shifted, 0.5, (0, 0))
    still = scan(_edge(), Scanner(IDEAL.white, blur_um=0, sharpen=0, noise=0), 0.5, (0, 0))
    assert np.array_equal(moved[..., 2], still[..., 2])
    assert not np.array_equal(moved[..., 0], still[..., 0])


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_jpeg_loses_little_and_more_at_low_quality(subsampling: str) -> None:
    rng = np.random.default_rng(0)
    rgb = rng.integers(120, 200, (64, 64, 3), dtype=np.uint8)
    files = [Scanner(jpeg_quality=quality, jpeg_subsampling=subsampling) for quality in (95, 60)]
    good, bad = (np.abs(jpeg_round_trip(rgb, file).astype(int) - rgb).mean() for file in files)
    assert 0 < good < bad
    assert jpeg_round_trip(rgb, IDEAL) is rgb


def test_random_scanners_stay_in_their_ranges() -> None:
    for seed in range(50):
        scanner = random_scanner(np.random.default_rng(seed))
        assert all(180 <= level <= 255 for level in scanner.white)
        assert scanner.jpeg_quality == 0 or 60 <= scanner.jpeg_quality <= 95


def _layers(**amounts: float) -> StainLayers:
    layers = StainLayers.empty((3, 4))
    for name, amount in amounts.items():
        getattr(layers, name)[:] = amount
    return layers


def test_clear_glass_takes_no_light() -> None:
    assert not optical_density(_layers(), StainLook()).any()


def test_haematoxylin_and_faint_dab_follow_their_directions() -> None:
    look = StainLook(dab_browning=0.0)
    assert np.allclose(
        optical_density(_layers(haematoxylin=0.3), look)[0, 0], 0.3 * np.array(look.haematoxylin)
    )
    assert np.allclose(optical_density(_layers(dab=0.5), look)[0, 0], 0.5 * np.array(look.dab))


def test_stains_add_up() -> None:
    look = StainLook()
    both = optical_density(_layers(haematoxylin=0.2, dab=0.4), look)
    apart = optical_density(_layers(haematoxylin=0.2), look) + optical_density(_layers(dab=0.4), look)
    assert np.allclose(both, apart, atol=1e-6)


def test_dense_dab_turns_neutral() -> None:
    look = StainLook(dab_browning=0.6)

    def redness(amount: float) -> float:
        od = optical_density(_layers(dab=amount), look)[0, 0]
        return float(od[0] / od[2])

    assert redness(1.5) > redness(0.1) * 1.1


def test_a_thicker_section_takes_more_light() -> None:
    layers = _layers(haematoxylin=0.3, dab=0.1)
    thick, thin = (optical_density(layers, StainLook(section_thickness=t)).sum() for t in (1.2, 0.8))
    assert thick > thin


@pytest.mark.parametrize("name", ["carbon", "pigment", "blood", "tan"])
def test_every_pigment_darkens(name: str) -> None:
    assert (optical_density(_layers(**{name: 0.5}), StainLook()) > 0.05).all()


def test_a_crop_is_the_same_layers() -> None:
    layers = _layers(dab=0.5)
    layers.dab[1, 2] = 9
    assert layers.crop(slice(1, 2), slice(2, 3)).dab.tolist() == [[9.0]]


def _directions(stains: StainRange, stain: str) -> np.ndarray:
    looks = [random_stain_look(np.random.default_rng(seed), stains) for seed in range(300)]
    return np.array([getattr(look, stain) for look in looks])


@pytest.mark.parametrize("stain", ["haematoxylin", "dab"])
def test_held_out_colours_lie_ten_degrees_from_training(stain: str) -> None:
    training, held_out = _directions(TRAINING_STAINS, stain), _directions(HELD_OUT_STAINS, stain)
    assert np.allclose(np.linalg.norm(training, axis=1), 1)
    angle = np.degrees(np.arccos(np.clip(held_out @ training.T, -1, 1)))
    assert angle.min() >= 10.0


def test_training_covers_what_real_slides_show() -> None:
    dab, haematoxylin = _directions(TRAINING_STAINS, "dab"), _directions(TRAINING_STAINS, "haematoxylin")
    for real in ((0.22, 0.46, 0.88), (0.43, 0.58, 0.72), (0.33, 0.53, 0.78)):
        assert (dab @ (np.array(real) / np.linalg.norm(real))).max() > np.cos(np.radians(3))
    for real in ((0.77, 0.56, 0.30), (0.63, 0.72, 0.30)):
        assert (haematoxylin @ (np.array(real) / np.linalg.norm(real))).max() > np.cos(np.radians(3))
