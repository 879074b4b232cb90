from __future__ import annotations

import torch

from cxpath.network.architecture import ArchitectureSettings, PlainUNet
from cxpath.network.receptive_field import receptive_field


def test_the_shipped_network_sees_no_more_than_a_cheap_halo() -> None:
    field = receptive_field(PlainUNet(ArchitectureSettings()))
    assert field.width_px <= 140
    assert field.reach_px <= 64
    assert ((1024 + 2 * 64) / 1024) ** 2 <= 1.3


def test_the_reach_is_the_true_one(network: PlainUNet) -> None:
    """Change the picture just inside and just outside the reach of one lattice block."""
    reach = receptive_field(network).reach_px
    with torch.no_grad():  # all positive, so that no rectifier hides a path
        for tensor in network.parameters():
            tensor.abs_()
    plain = torch.full((1, 3, 256, 256), 205.0)
    inside, outside = plain.clone(), plain.clone()
    outside[..., : 128 - reach] = 255.0
    inside[..., : 128 - reach + 1] = 255.0
    block = (slice(None), slice(None), slice(32, 36), slice(32, 36))
    with torch.inference_mode():
        base, same, other = (network.double()(light.double()) for light in (plain, outside, inside))
    assert all(torch.equal(a[block], b[block]) for a, b in zip(base, same, strict=True))
    assert any(not torch.equal(a[block], b[block]) for a, b in zip(base, other, strict=True))


def test_measuring_leaves_the_network_alone(network: PlainUNet) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    receptive_field(network)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
