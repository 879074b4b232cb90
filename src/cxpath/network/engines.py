"""Engines that run the network: torch, OpenVINO; and the network as ONNX for others."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import io
import itertools
import json
import sys
import warnings
import weakref
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cxpath.errors import DeviceError, MissingExtraError
from cxpath.network.architecture import LATTICE_STRIDE_PX, Network, NetworkOutput, fold_norms
from cxpath.network.device import Device, computes_int8
from cxpath.network.model import Model
from cxpath.network.settings import NetworkSettings

# Engine: what runs the network on a batch. Torch here; OpenVINO in its own module.
#
# Knows the network's input and output, nothing of peaks, stains or tiles' places.


class Launched(NamedTuple):
    """A batch on the device, and what the network makes of it.

    Attributes
    ----------
    light : uint8 Tensor, (B, 3, H, W)
        The batch, where peaks are to be found and measured.
    output : NetworkOutput
        On the same device.
    features : Tensor, (B, merged channels, h, w), optional
        What `PeakEmbedding` takes; None where an engine gives none, whose cells then have no embedding.
    """

    light: Tensor
    output: NetworkOutput
    features: Tensor | None = None


class Engine(Protocol):
    """Runs a network. Any object with this method will do, whatever the weights and their number."""

    def run(self, batch: NDArray[np.uint8]) -> Launched:
        """Run the network on tiles, uint8 (B, H, W, 3)."""


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
    def run(self, batch: NDArray[np.uint8]) -> Launched:
        """Run the network; on a GPU this returns before it has computed."""
        light = torch.from_numpy(batch)
        if self._device.type == "cuda":
            light = light.pin_memory().to(self._device, non_blocking=True)
        light = light.permute(0, 3, 1, 2)
        return Launched(light, *self._network.with_features(light))


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
                f"OpenVINO runs on CPUs, not on {device.name}",
                "use --device cpu, or network.engine=torch",
            )
        self._core = _package("openvino").Core()
        self._network = self._core.read_model(kept) if kept else converted(model)
        self._properties = {
            "INFERENCE_PRECISION_HINT": "bf16" if device.number_type == torch.bfloat16 else "f32",
            "INFERENCE_NUM_THREADS": device.threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._compiled: dict[tuple[int, ...], _Requests] = {}

    def run(self, batch: NDArray[np.uint8]) -> Launched:
        """Run the network; compiled once for every shape of a batch."""
        parts = [torch.from_numpy(found) for found in self._for_shape(batch.shape).run(batch)]
        number = len(NetworkOutput._fields)
        light = torch.from_numpy(batch).permute(0, 3, 1, 2)
        features = (part.permute(0, 3, 1, 2) for part in parts[number:])
        return Launched(light, NetworkOutput(*parts[:number]), *features)

    def _for_shape(self, shape: tuple[int, ...]) -> _Requests:
        if shape not in self._compiled:
            own = self._network.clone()
            own.reshape(list(shape))
            self._compiled[shape] = _Requests(self._core.compile_model(own, "CPU", self._properties))
        return self._compiled[shape]


class _Requests:
    """Runs a compiled network and gives its results where OpenVINO wrote them.

    Copies would cost up to a third of the network's own time: 23 MB for a tile, in new memory each time. So
    each run takes a request whose earlier results nobody refers to any more, or a new one. There are as many
    as tiles wait between the network and their cells.
    """

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._idle: list[Any] = []

    def run(self, batch: NDArray[np.uint8]) -> list[NDArray[Any]]:
        """Return the outputs in order; their memory is used again when all of them are gone."""
        request = self._request()
        request.infer({0: batch}, share_inputs=True)
        number = len(self._compiled.outputs)
        found = [request.get_output_tensor(place).data for place in range(number)]
        counted = itertools.count(1)

        def gone() -> None:
            if next(counted) == number:
                self._idle.append(request)

        # Whoever keeps a tensor, or a part of one, keeps its array: nothing in use is overwritten.
        for one in found:
            weakref.finalize(one, gone).atexit = False
        return found

    def _request(self) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            return self._compiled.create_infer_request()


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
    """Return the folded network as OpenVINO's; bytes in, the parts of `NetworkOutput` out.

    Where the model has an embedding, the merged features follow, channels last: as they lie in memory. To lay
    them out otherwise took a third of the network's own time.
    """
    network = copy.deepcopy(model.network).eval().float()
    fold_norms(network)
    side = 4 * LATTICE_STRIDE_PX
    example = torch.zeros((1, side, side, 3), dtype=torch.uint8)
    openvino = _package("openvino")
    with warnings.catch_warnings():
        # OpenVINO traces with torch.jit, which torch is about to replace; for the user that is no news.
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        return openvino.convert_model(
            _FromBytes(network, with_features=model.embedding is not None), example_input=example
        )


def openvino_version() -> str:
    """Return the version of OpenVINO; raises `DeviceError` when it is not installed."""
    return str(_package("openvino").__version__)


class _FromBytes(nn.Module):
    """The network as OpenVINO and ONNX want it: bytes in, a plain tuple out."""

    def __init__(self, network: Network, *, with_features: bool) -> None:
        super().__init__()
        self.network, self._with_features = network, with_features

    def forward(self, tiles: Tensor) -> tuple[Tensor, ...]:
        """Return the network's outputs for tiles whose colours come last, as they lie in memory."""
        output, features = self.network.with_features(tiles.permute(0, 3, 1, 2))
        return (*output, features.permute(0, 2, 3, 1)) if self._with_features else tuple(output)


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


# A model as ONNX, for programs that run networks without torch: QuPath's extensions, OpenVINO, ONNX Runtime.
#
# The file takes tiles as bytes and returns the network's raw outputs; what turns them into cells (thresholds,
# calibration) travels as metadata of the file and is applied by whoever reads it.


INPUT_NAME = "tiles"
OPSET = 18
_EXAMPLE_PX = 8 * LATTICE_STRIDE_PX


def onnx_content(model: Model) -> bytes:
    """Return a model as the content of an ONNX file.

    Parameters
    ----------
    model : Model
        Left untouched; a copy is folded.

    Returns
    -------
    bytes
        Input `tiles`: uint8 (B, H, W, 3), H and W multiples of 16. Outputs by the names of
        `NetworkOutput`, float32, at a quarter of the input's height and width.

    Raises
    ------
    MissingExtraError
        When `onnx` or `onnxscript` is not installed.
    """
    onnx = _onnx_package("onnx")
    _onnx_package("onnxscript")
    document = _exported(model).model_proto
    for key, value in _metadata(model).items():
        document.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(document)
    return bytes(document.SerializeToString())


def _exported(model: Model) -> Any:
    network = copy.deepcopy(model.network).eval().float().cpu()
    fold_norms(network)
    example = torch.zeros((2, _EXAMPLE_PX, _EXAMPLE_PX, 3), dtype=torch.uint8)
    blocks_down, blocks_across = (
        torch.export.Dim("blocks_down", min=1),
        torch.export.Dim("blocks_across", min=1),
    )
    sides = {1: LATTICE_STRIDE_PX * blocks_down, 2: LATTICE_STRIDE_PX * blocks_across}
    with redirect_stdout(io.StringIO()):  # torch tells of every step on the standard output
        return torch.onnx.export(
            _FromBytes(network, with_features=False).eval(),
            (example,),
            input_names=[INPUT_NAME],
            output_names=list(NetworkOutput._fields),
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)} | sides,),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def _metadata(model: Model) -> dict[str, str]:
    """Return what a reader of the file must know, each value as JSON or plain text."""
    card = model.card
    return {
        "name": card.name,
        "version": card.version,
        "digest": card.digest,
        "notice": card.notice,
        "intended_use": card.intended_use,
        "mpp": f"{card.mpp:g}",
        "output_stride_px": str(card.output_stride_px),
        "halo_px": str(card.halo_px),
        "fine_classes": json.dumps(card.fine_classes),
        "stain_classes": json.dumps(card.stain_classes),
        "region_classes": json.dumps(card.region_classes),
        "thresholds": card.thresholds.model_dump_json(),
        "calibration": card.calibration.model_dump_json(),
    }


def _onnx_package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(f"{name} is not installed", "pip install 'cxpath[onnx]'") from error
