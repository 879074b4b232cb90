from __future__ import annotations

import pytest
import torch

from cxpath.network.architecture import ArchitectureSettings, PlainUNet
from cxpath.values.cell_peaks import FINE_CLASSES, REGION_CLASSES, STAIN_CLASSES


def picture(height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (1, 3, height, width), dtype=torch.uint8, generator=generator)


def test_outputs_lie_on_every_fourth_pixel_and_have_a_channel_for_every_class(network: PlainUNet) -> None:
    with torch.inference_mode():
        output = network(picture(64, 96))
    channels = (1, 2, len(FINE_CLASSES), len(STAIN_CLASSES), len(REGION_CLASSES))
    assert tuple(part.shape for part in output) == tuple((1, number, 16, 24) for number in channels)


def test_a_tile_with_its_halo_equals_the_whole_picture(network: PlainUNet) -> None:
    halo_px, left, top, core_px = 64, 16, 48, 64
    whole = picture(256, 272)
    side = core_px + 2 * halo_px
    tile = whole[..., top : top + side, left : left + side]
    with torch.inference_mode():
        from_whole, from_tile = network(whole), network(tile)
    first, last = halo_px // 4, (halo_px + core_px) // 4
    for a, b in zip(from_whole, from_tile, strict=True):
        in_whole = a[..., top // 4 + first : top // 4 + last, left // 4 + first : left // 4 + last]
        torch.testing.assert_close(in_whole, b[..., first:last, first:last], rtol=1e-4, atol=1e-4)


def test_a_tile_without_halo_does_not(network: PlainUNet) -> None:
    whole = picture(192, 192)
    with torch.inference_mode():
        in_whole = network(whole).centre[..., 16:32, 16:32]
        alone = network(whole[..., 64:128, 64:128]).centre
    assert (in_whole - alone).abs().max() > 1e-3


def test_the_shipped_size_stays_within_its_budget() -> None:
    network = PlainUNet(ArchitectureSettings())
    number = sum(weight.numel() for weight in network.parameters())
    assert 0.7e6 < number < 1.3e6


def test_light_may_come_as_bytes_or_floats(network: PlainUNet) -> None:
    light = picture(32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(network(light).kind, network(light.float()).kind)


def test_lower_precision_keeps_logits_in_float32_and_near(network: PlainUNet) -> None:
    light = picture(64, 64)
    with torch.inference_mode():
        exact = network(light)
        network.lower_precision(torch.bfloat16)
        coarse = network(light)
    assert {part.dtype for part in coarse} == {torch.float32}
    assert len(coarse.centre.unique()) > 200, "bf16 logits would tie"
    spread = exact.kind.std()
    assert (coarse.kind - exact.kind).abs().mean() < 0.1 * spread


@pytest.mark.parametrize("channels", [8, 24])
def test_settings_decide_the_width(channels: int) -> None:
    network = PlainUNet(ArchitectureSettings(deep_channels=channels))
    assert network.deep_to_middle.convolution.in_channels == channels
