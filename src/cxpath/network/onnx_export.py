"""A model as ONNX, for programs that run networks without torch: QuPath's extensions, OpenVINO, ONNX Runtime.

The file takes tiles as bytes and returns the network's raw outputs; what turns them into cells (thresholds,
calibration) travels as metadata of the file and is applied by whoever reads it.
"""

from __future__ import annotations

import copy
import importlib
import io
import json
from contextlib import redirect_stdout
from typing import Any

import torch
from torch import Tensor, nn

from cxpath.errors import MissingExtraError
from cxpath.network.model import Model
from cxpath.network.unet import LATTICE_STRIDE_PX, NetworkOutput, PlainUNet, fold_norms

INPUT_NAME = "tiles"
OPSET = 18
_EXAMPLE_PX = 8 * LATTICE_STRIDE_PX


class FromBytes(nn.Module):
    """The network with bytes in and a plain tuple out, as other engines want it."""

    def __init__(self, network: PlainUNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, tiles: Tensor) -> tuple[Tensor, ...]:
        """Return the parts of `NetworkOutput` for tiles, uint8 (B, H, W, 3)."""
        return tuple(self.network(tiles.permute(0, 3, 1, 2)))


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
    onnx = _package("onnx")
    _package("onnxscript")
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
            FromBytes(network).eval(),
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


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(f"{name} is not installed", "pip install 'cxpath[onnx]'") from error
