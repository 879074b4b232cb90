from __future__ import annotations

import numpy as np
import pytest

from cxpath.training.synthetic.stains import (
    HELD_OUT_STAINS,
    TRAINING_STAINS,
    StainLayers,
    StainLook,
    StainRange,
    optical_density,
    random_stain_look,
)


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
