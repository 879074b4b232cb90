from __future__ import annotations

import numpy as np
import pytest
import torch

from cxpath.network.stain_rings import ANGLES, RADII_UM, StainRings
from cxpath.values.stains import StainBasis, optical_density, unit

STAIN = StainBasis(white_point=(230.0, 225.0, 220.0))


def picture_of(hematoxylin: torch.Tensor, dab: torch.Tensor) -> torch.Tensor:
    """Light (3, H, W) through given amounts of the two stains."""
    directions = torch.tensor(np.array([unit(STAIN.hematoxylin), unit(STAIN.dab)]), dtype=torch.float32)
    density = torch.stack((hematoxylin, dab), dim=-1) @ directions
    light = torch.tensor(STAIN.white_point) * 10.0**-density - 0.5
    return light.permute(2, 0, 1)


@pytest.fixture
def rings() -> StainRings:
    return StainRings(STAIN, 0.5, torch.device("cpu"))


def test_even_tissue_gives_its_amounts_everywhere(rings: StainRings) -> None:
    light = picture_of(torch.full((64, 64), 0.3), torch.full((64, 64), 0.7))
    amounts = rings.sample(light, torch.tensor([[32.0, 32.0], [1.0, 60.0]]))
    assert amounts.shape == (2, len(RADII_UM), ANGLES, 2)
    torch.testing.assert_close(amounts[..., 0], torch.full((2, 11, 16), 0.3), atol=1e-3, rtol=0)
    torch.testing.assert_close(amounts[..., 1], torch.full((2, 11, 16), 0.7), atol=1e-3, rtol=0)


def test_a_brown_ring_is_seen_at_its_radius(rings: StainRings) -> None:
    row, column = torch.meshgrid(torch.arange(80) + 0.5, torch.arange(80) + 0.5, indexing="ij")
    radius_um = 0.5 * torch.hypot(column - 40.25, row - 38.5)
    dab = 0.8 * torch.exp(-0.5 * ((radius_um - 6.0) / 0.7) ** 2)
    amounts = rings.sample(picture_of(torch.zeros(80, 80), dab), torch.tensor([[40.25, 38.5]]))
    profile = amounts[0, :, :, 1].mean(dim=1)
    assert int(profile.argmax()) == 6
    assert profile[6] > 0.6
    assert profile[0] < 0.02


def test_angles_run_from_the_right_downwards(rings: StainRings) -> None:
    dab = torch.zeros(80, 80)
    dab[:, 40:] = 0.5
    toward_right = rings.sample(picture_of(torch.zeros(80, 80), dab), torch.tensor([[40.0, 40.0]]))[
        0, 8, :, 1
    ]
    assert toward_right[0] > 0.45
    assert toward_right[ANGLES // 2] < 0.05
    dab = torch.zeros(80, 80)
    dab[40:] = 0.5
    downward = rings.sample(picture_of(torch.zeros(80, 80), dab), torch.tensor([[40.0, 40.0]]))[0, 8, :, 1]
    assert downward[ANGLES // 4] > 0.45


def test_a_pixel_centre_gives_that_pixel_as_the_values_room_measures_it(rings: StainRings) -> None:
    rgb = np.random.default_rng(1).integers(20, 240, (9, 9, 3)).astype(np.uint8)
    amounts = rings.sample(torch.from_numpy(rgb).permute(2, 0, 1), torch.tensor([[5.5, 3.5]]))[0, 0, 0]
    expected = optical_density(rgb[3, 5], STAIN.white_point) @ STAIN.unmixing()
    np.testing.assert_allclose(amounts.numpy(), expected, atol=1e-4)


def test_no_points_give_no_samples(rings: StainRings) -> None:
    assert rings.sample(torch.zeros(3, 32, 32), torch.zeros(0, 2)).shape == (0, 11, 16, 2)
