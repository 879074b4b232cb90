"""A small network with random weights, and the card that fits it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cxpath.data.cells import FINE_CLASSES, REGION_CLASSES, STAIN_CLASSES
from cxpath.network.architecture import PlainUNet, PlainUNetSettings
from cxpath.network.card import CardCalibration, DataSource, Metric, ModelCard, Thresholds, TrainingRecord
from cxpath.network.device import Device
from cxpath.network.model import Model


@pytest.fixture
def network() -> PlainUNet:
    """A narrow network whose norms have seen something, so that folding them is not a trivial thing."""
    torch.manual_seed(7)
    network = PlainUNet(
        PlainUNetSettings(
            stem_channels=8, fine_channels=8, middle_channels=8, deep_channels=16,
            merged_channels=8, hidden_channels=16,
        )
    ).eval()  # fmt: skip
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
            module.running_mean = 0.3 * torch.randn(module.num_features)
            module.running_var = 0.5 + torch.rand(module.num_features)
    nn.init.normal_(network.outputs.weight, std=0.1)
    nn.init.normal_(network.region.weight, std=0.5)
    return network


@pytest.fixture
def card(network: PlainUNet) -> ModelCard:
    return ModelCard(
        name="trial", version="1", description='Says "µm" and \\ too.', digest="0" * 64, mpp=0.5,
        accepted_mpp=(0.15, 0.65), stride_px=16, output_stride_px=4, halo_px=80, receptive_field_px=134,
        fine_classes=FINE_CLASSES, stain_classes=STAIN_CLASSES, region_classes=REGION_CLASSES,
        architecture=network.settings,
        thresholds=Thresholds(centre_threshold=0.3, stained_threshold=0.6, min_distance_um=3.0),
        calibration=CardCalibration(membrane_temperature=1.5, any_bias=-0.25),
        training=TrainingRecord(
            command="none", seed=1, steps=1, minutes=0.1, software="none", settings_digest="1" * 64
        ),
        data=(
            DataSource(name="drawn", licence="MIT", use="train", amount="1 field"),
            DataSource(name="drawn", licence="MIT", use="validate", amount="2 fields"),
        ),
        metrics={"macro_f1": Metric(value=0.5, low=0.4, high=0.6, count=3, method="none")},
    )  # fmt: skip


@pytest.fixture
def model(network: PlainUNet, card: ModelCard) -> Model:
    return Model(card, network)


@pytest.fixture
def processor() -> Device:
    return Device("cpu", torch.float32, torch.get_num_threads())
