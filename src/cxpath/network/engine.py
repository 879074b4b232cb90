"""Engine: what runs the network on a batch. Torch here; OpenVINO in its own module.

Knows the network's input and output, nothing of peaks, stains or tiles' places.
"""

from __future__ import annotations

import copy
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cxpath.network.architecture import NetworkOutput
from cxpath.network.device import Device
from cxpath.network.folding import fold_norms
from cxpath.network.model_store import Model


class Engine(Protocol):
    """Runs a network. Any object with this method will do, whatever the weights and their number."""

    def run(self, batch: NDArray[np.uint8]) -> tuple[Tensor, NetworkOutput]:
        """Run the network on tiles.

        Parameters
        ----------
        batch : uint8 array, (B, H, W, 3)

        Returns
        -------
        light : uint8 Tensor, (B, 3, H, W)
            The batch, where peaks are to be found and measured.
        output : NetworkOutput
            On the same device.
        """


class TorchEngine:
    """Runs a folded copy of the network in torch.

    Bytes travel to the device and become numbers there. On a GPU they go through pinned memory, so that the
    copy runs beside the batch before it.

    Parameters
    ----------
    model : Model
        Left untouched; a copy is folded and moved.
    device : Device
    """

    def __init__(self, model: Model, device: Device) -> None:
        self._device = device.torch_device
        network = copy.deepcopy(model.network).eval()
        fold_norms(network)
        network.lower_precision(device.number_type)
        # Channels last: the layout in which convolutions run fastest on processors and GPUs alike.
        self._network = network.to(self._device).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def run(self, batch: NDArray[np.uint8]) -> tuple[Tensor, NetworkOutput]:
        """Run the network; on a GPU this returns before it has computed."""
        light = torch.from_numpy(batch)
        if self._device.type == "cuda":
            light = light.pin_memory().to(self._device, non_blocking=True)
        light = light.permute(0, 3, 1, 2)
        return light, self._network(light)
