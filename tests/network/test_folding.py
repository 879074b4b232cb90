from __future__ import annotations

import torch
from torch import nn

from cxpath.network.architecture import PlainUNet
from cxpath.network.folding import fold_norms


def test_folded_network_says_the_same_without_any_norm(network: PlainUNet) -> None:
    light = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    with torch.inference_mode():
        before = network(light)
        fold_norms(network)
        after = network(light)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    for a, b in zip(before, after, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
