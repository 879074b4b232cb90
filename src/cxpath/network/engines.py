"""Engines that run the network: torch and OpenVINO."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cxpath.errors import DeviceError
from cxpath.network.device import Device, computes_int8
from cxpath.network.model import Model
from cxpath.network.settings import NetworkSettings
from cxpath.network.unet import LATTICE_STRIDE_PX, NetworkOutput, PlainUNet, fold_norms

# Engine: what runs the network on a batch. Torch here; OpenVINO in its own module.
#
# Knows the network's input and output, nothing of peaks, stains or tiles' places.


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
    copy runs while the batch before it.

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


# OpenvinoEngine: the network in OpenVINO, on processors; in float32, bfloat16 or, quantised, in int8.
#
# OpenVINO and NNCF come with the extra `cxpath[openvino]`. Both would report their use to Google Analytics
# unasked; here they cannot (see `_package`).


EXACT_LAYERS = (".*outputs.*", ".*region.*")
"""Layers that stay in floating point when a network is quantised: the last ones, which give the logits."""


def resolve_engine(
    settings: NetworkSettings, device: Device, validated_precisions: Sequence[str] = ()
) -> NetworkSettings:
    """Return the settings with engine "auto" replaced by the one to run; what was stated stays.

    OpenVINO is taken on processors that compute bfloat16: there it is twice as fast as torch (see
    docs/performance.md). Elsewhere, and in float32, nobody has shown that it is quicker.

    Parameters
    ----------
    settings : NetworkSettings
    device : Device
    validated_precisions : sequence of str
        Of the model's card.
    """
    if settings.engine != "auto":
        return settings
    if settings.precision == "int8":
        return settings.model_copy(update={"engine": "openvino"})
    quicker = device.name == "cpu" and device.number_type == torch.bfloat16
    if not quicker or importlib.util.find_spec("openvino") is None:
        return settings.model_copy(update={"engine": "torch"})
    sure = settings.precision == "auto" and "int8" in validated_precisions
    int8 = sure and computes_int8(device.name) and importlib.util.find_spec("nncf") is not None
    return settings.model_copy(
        update={"engine": "openvino", "precision": "int8" if int8 else settings.precision}
    )


class OpenvinoEngine:
    """Runs the network in OpenVINO.

    Parameters
    ----------
    model : Model
        Left untouched.
    device : Device
        A processor; its number type is what convolutions compute in, as far as they are not quantised.
    kept : Path, optional
        What `quantise` or `convert` wrote for this model; else it is converted now, which takes a second.

    Raises
    ------
    DeviceError
        When OpenVINO is not installed, or the device is a GPU.
    """

    def __init__(self, model: Model, device: Device, kept: Path | None = None) -> None:
        if device.name != "cpu":
            raise DeviceError(
                f"OpenVINO runs on processors, not on {device.name}",
                "use --device cpu, or network.engine=torch",
            )
        self._core = _package("openvino").Core()
        self._network = self._core.read_model(kept) if kept else converted(model)
        self._properties = {
            "INFERENCE_PRECISION_HINT": "bf16" if device.number_type == torch.bfloat16 else "f32",
            "INFERENCE_NUM_THREADS": device.threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._compiled: dict[tuple[int, ...], Any] = {}

    def run(self, batch: NDArray[np.uint8]) -> tuple[Tensor, NetworkOutput]:
        """Run the network; compiled once for every shape of a batch."""
        found = self._for_shape(batch.shape)(batch)
        outputs = (torch.from_numpy(found[place]) for place in range(len(NetworkOutput._fields)))
        return torch.from_numpy(batch).permute(0, 3, 1, 2), NetworkOutput(*outputs)

    def _for_shape(self, shape: tuple[int, ...]) -> Any:
        if shape not in self._compiled:
            own = self._network.clone()
            own.reshape(list(shape))
            self._compiled[shape] = self._core.compile_model(own, "CPU", self._properties)
        return self._compiled[shape]


def quantise(model: Model, tiles: Sequence[NDArray[np.uint8]], path: Path) -> None:
    """Quantise a network to int8 after training, and write it.

    Weights are rounded per channel; the ranges of what flows between layers are those seen on the tiles
    (NNCF's post-training quantisation, with bias correction). `EXACT_LAYERS` stay as they are.

    Parameters
    ----------
    model : Model
    tiles : sequence of uint8 arrays, (H, W, 3)
        What the network will see, at its µm/px; sides of one size, multiples of 16.
    path : Path
        The `.xml` to write; the weights come next to it as `.bin`.

    Raises
    ------
    DeviceError
        When OpenVINO or NNCF is not installed.
    """
    nncf, openvino = _package("nncf"), _package("openvino")
    found = nncf.quantize(
        converted(model),
        nncf.Dataset([tile[None] for tile in tiles]),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(tiles),
        ignored_scope=nncf.IgnoredScope(patterns=list(EXACT_LAYERS)),
    )
    openvino.save_model(found, path, compress_to_fp16=False)


def convert(model: Model, path: Path) -> None:
    """Write the network as OpenVINO's, in full precision: an `.xml`, and its weights next to it as `.bin`."""
    _package("openvino").save_model(converted(model), path, compress_to_fp16=False)


def converted(model: Model) -> Any:
    """Return the folded network as OpenVINO's; bytes in, the parts of `NetworkOutput` out."""
    network = copy.deepcopy(model.network).eval().float()
    fold_norms(network)
    side = 4 * LATTICE_STRIDE_PX
    example = torch.zeros((1, side, side, 3), dtype=torch.uint8)
    openvino = _package("openvino")
    with warnings.catch_warnings():
        # OpenVINO traces with torch.jit, which torch is about to replace; for the user that is no news.
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        return openvino.convert_model(_FromBytes(network), example_input=example)


def openvino_version() -> str:
    """Return the version of OpenVINO; raises `DeviceError` when it is not installed."""
    return str(_package("openvino").__version__)


class _FromBytes(nn.Module):
    """The network as OpenVINO wants it: one tensor in, a plain tuple out."""

    def __init__(self, network: PlainUNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, tiles: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.network(tiles.permute(0, 3, 1, 2)))


def _package(name: str) -> Any:
    """Import OpenVINO or NNCF.

    An entry of None makes Python refuse their telemetry, and both fall back to stubs that send nothing: no
    slide, no use of cxpath is reported to anybody.
    """
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise DeviceError(f"{name} is not installed", "pip install 'cxpath[openvino]'") from error
