from __future__ import annotations

import torch

from cxpath.network.architecture import ArchitectureSettings, PlainUNet
from cxpath.training.weight_average import WeightAverage


def test_the_average_follows_slowly_and_soon_forgets_the_start() -> None:
    network = PlainUNet(ArchitectureSettings(deep_channels=8))
    average = WeightAverage(network, decay=0.9)
    with torch.no_grad():
        for tensor in network.parameters():
            tensor.fill_(1.0)
    average.update(network, step=1000)
    bias = average.network.region.bias
    assert bias is not None
    torch.testing.assert_close(bias, torch.full_like(bias, 0.1))
    average.update(network, step=0)
    torch.testing.assert_close(bias, torch.full_like(bias, 0.91))


def test_norm_statistics_are_averaged_too() -> None:
    network = PlainUNet(ArchitectureSettings(deep_channels=8)).train()
    average = WeightAverage(network, decay=0.0)
    network(torch.full((2, 3, 32, 32), 50.0))
    average.update(network, step=10)
    for name, tensor in average.network.state_dict().items():
        torch.testing.assert_close(tensor, network.state_dict()[name])
    assert not average.network.training
