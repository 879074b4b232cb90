from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import pytest
import torch
from pydantic import Field, ValidationError
from torch import Tensor, nn

from cxpath.data.cells import FINE_CLASSES, REGION_CLASSES, STAIN_CLASSES
from cxpath.errors import ConfigurationError
from cxpath.network.architecture import (
    ARCHITECTURES,
    ArchitectureSettings,
    ConvolutionBlock,
    Network,
    NetworkOutput,
    PlainUNet,
    PlainUNetSettings,
    architecture_class,
    build_network,
    fold_norms,
    receptive_field,
    widened,
)
from cxpath.network.card import ModelCard
from cxpath.network.model import load_model
from cxpath.training.pack import pack, stored_weights
from cxpath.training.settings import TrainingSettings


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


WIDER = PlainUNetSettings(
    stem_channels=24,
    fine_channels=40,
    middle_channels=64,
    deep_channels=300,
    merged_channels=96,
    hidden_channels=97,
)
"""Twice as wide as `small` in one layer, not a multiple in others, as it is in one."""


def test_a_widened_network_answers_as_before_and_its_copies_can_be_told_apart() -> None:
    narrow = load_model("small").network
    wide = widened(narrow, WIDER).eval()
    assert sum(part.numel() for part in wide.parameters()) > sum(part.numel() for part in narrow.parameters())
    with torch.inference_mode():
        for before, after in zip(narrow(picture(96, 128)), wide(picture(96, 128)), strict=True):
            torch.testing.assert_close(before, after, rtol=1e-3, atol=1e-3)
    before, after = (one.state_dict()["outputs.weight"] for one in (narrow, wide))
    assert not torch.equal(after[:, 0], after[:, 96])
    torch.testing.assert_close(after[:, 0] + after[:, 96], before[:, 0])
    torch.testing.assert_close(after[:, 1], before[:, 1])


def test_widening_is_the_same_each_time() -> None:
    narrow = load_model("small").network
    first, second = (widened(narrow, WIDER).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_network_never_becomes_narrower() -> None:
    narrower = PlainUNetSettings(stem_channels=8)
    with pytest.raises(ConfigurationError, match="only become wider"):
        widened(load_model("small").network, narrower)


def test_a_tile_without_halo_does_not(network: PlainUNet) -> None:
    whole = picture(192, 192)
    with torch.inference_mode():
        in_whole = network(whole).centre[..., 16:32, 16:32]
        alone = network(whole[..., 64:128, 64:128]).centre
    assert (in_whole - alone).abs().max() > 1e-3


def test_the_shipped_size_stays_within_its_budget() -> None:
    network = PlainUNet(PlainUNetSettings())
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
    network = PlainUNet(PlainUNetSettings(deep_channels=channels))
    assert network.deep_to_middle.convolution.in_channels == channels


def test_folded_network_says_the_same_without_any_norm(network: PlainUNet) -> None:
    light = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    with torch.inference_mode():
        before = network(light)
        fold_norms(network)
        after = network(light)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    for a, b in zip(before, after, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_the_shipped_network_sees_no_more_than_a_cheap_halo() -> None:
    field = receptive_field(PlainUNet(PlainUNetSettings()))
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


class SmallestSettings(ArchitectureSettings):
    """One number, and a name of its own."""

    name: Literal["smallest"] = "smallest"
    channels: int = Field(default=4, ge=1)


class Smallest(Network):
    """Another architecture: one layer of features for everything."""

    settings_class = SmallestSettings

    def __init__(self, settings: ArchitectureSettings) -> None:
        super().__init__(settings)
        own = SmallestSettings.model_validate(settings)
        self.settings = own
        self.merged = ConvolutionBlock(3, own.channels, 4, 4)
        self.hidden = ConvolutionBlock(own.channels, 16, kernel=1)
        self.outputs = nn.Conv2d(16, 20, 1)

    def with_features(self, rgb: Tensor) -> tuple[NetworkOutput, Tensor]:
        merged = self.merged(rgb.float() / 255)
        return NetworkOutput(*self.outputs(self.hidden(merged)).split((1, 2, 10, 2, 5), dim=1)), merged

    def last_features(self, rgb: Tensor) -> Tensor:
        _, merged = self.with_features(rgb)
        return torch.cat((merged, self.hidden(merged)), dim=1)

    def lower_precision(self, number_type: torch.dtype) -> None:
        self.to(number_type)


@pytest.fixture
def smallest(monkeypatch: pytest.MonkeyPatch) -> SmallestSettings:
    """The settings of an architecture that is a module and a line of the registry."""
    monkeypatch.setitem(ARCHITECTURES, "smallest", f"{__name__}:Smallest")
    return SmallestSettings(channels=6)


def test_another_architecture_is_packed_loaded_and_run_by_its_line_alone(
    smallest: SmallestSettings, card: ModelCard, tmp_path: Path
) -> None:
    network = build_network(smallest).eval()
    assert isinstance(network, Smallest)
    own = card.model_copy(
        update={"architecture": smallest, "digest": hashlib.sha256(stored_weights(network)).hexdigest()}
    )
    pack(network, own, tmp_path / "trial")
    model = load_model(tmp_path / "trial")
    assert model.card.architecture == smallest
    assert isinstance(model.network, Smallest)
    light = torch.full((1, 3, 32, 32), 90.0)
    with torch.inference_mode():
        output = model.network(light)
        fold_norms(network)
        assert torch.allclose(network(light).kind, output.kind, atol=1e-2)
    assert output.region.shape == (1, 5, 8, 8)


def test_a_training_file_may_name_any_architecture_and_its_keys_alone(smallest: SmallestSettings) -> None:
    stated = TrainingSettings.model_validate({"architecture": {"name": "smallest", "channels": 6}})
    assert stated.architecture == smallest
    assert stated.digest() != TrainingSettings().digest()
    with pytest.raises(ValidationError, match="deep_channels: Extra inputs are not permitted"):
        TrainingSettings.model_validate({"architecture": {"name": "smallest", "deep_channels": 6}})
    with pytest.raises(ValidationError, match="architecture 'u_shaped' is unknown; there are: plain_unet"):
        TrainingSettings.model_validate({"architecture": {"name": "u_shaped"}})


def test_a_file_without_a_name_means_the_plain_network() -> None:
    stated = TrainingSettings.model_validate({"architecture": {"deep_channels": 8}})
    assert stated.architecture == PlainUNetSettings(deep_channels=8)
    with pytest.raises(ValidationError, match="deep_channels: Input should be greater than 0"):
        TrainingSettings.model_validate({"architecture": {"deep_channels": 0}})


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_every_line_of_the_registry_leads_to_a_network_of_that_name(name: str) -> None:
    found = architecture_class(name)
    assert issubclass(found, Network)
    settings = found.settings_class.model_validate({})
    assert settings.name == name
    assert build_network(settings).settings == settings
