"""A moving average of the weights along training: steadier than the last step's (Polyak averaging)."""

from __future__ import annotations

import copy

import torch

from cxpath.network.architecture import PlainUNet


class WeightAverage:
    """Exponential moving average of a network's weights and norm statistics.

    Parameters
    ----------
    network : PlainUNet
        Copied.
    decay : float
        Largest share of the old average that a step keeps; less in the first steps, so that the
        random start is soon forgotten.

    Attributes
    ----------
    network : PlainUNet
        The averaged network.
    """

    def __init__(self, network: PlainUNet, decay: float) -> None:
        self.network = copy.deepcopy(network).eval()
        self._decay = decay

    @torch.no_grad()
    def update(self, network: PlainUNet, step: int) -> None:
        """Take in the weights after `step` steps."""
        decay = min(self._decay, (1 + step) / (10 + step))
        current = network.state_dict()
        for name, average in self.network.state_dict().items():
            if average.dtype.is_floating_point:
                average.lerp_(current[name], 1 - decay)
            else:
                average.copy_(current[name])
