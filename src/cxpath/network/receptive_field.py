"""How far around a pixel the network looks, measured on the network itself."""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import nn

from cxpath.network.architecture import (
    LATTICE_STRIDE_PX,
    OUTPUT_STRIDE_PX,
    ConvolutionBlock,
    PlainUNet,
)

_PROBE_PX = 384


class ReceptiveField(NamedTuple):
    """Extent of what can influence an output.

    Attributes
    ----------
    width_px : int
        Widest span of input pixels behind one output cell.
    reach_px : int
        How far beyond the edge of a lattice block (16 pixels) the outputs inside it look: the halo
        that makes a tile whose core starts on the lattice equal to the whole picture.
    """

    width_px: int
    reach_px: int


def receptive_field(network: PlainUNet) -> ReceptiveField:
    """Measure the receptive field by back-propagation through a copy whose weights are all one.

    With positive weights no rectifier closes and no two paths cancel, so every pixel that can matter
    gets a gradient: this is the true extent, not the smaller effective one of Luo et al. 2016.

    Parameters
    ----------
    network : PlainUNet
        Left untouched.
    """
    open_copy = _all_open(network)
    start = _PROBE_PX // 2
    cells = range(start // OUTPUT_STRIDE_PX, (start + LATTICE_STRIDE_PX) // OUTPUT_STRIDE_PX)
    spans = [_seen_by(open_copy, cell) for cell in cells]
    first, last = min(low for low, _ in spans), max(high for _, high in spans)
    reach = max(start - first, last - (start + LATTICE_STRIDE_PX - 1))
    return ReceptiveField(max(high - low + 1 for low, high in spans), reach)


def _all_open(network: PlainUNet) -> PlainUNet:
    network = copy.deepcopy(network).float().cpu().eval()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1.0 / module.weight[0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, ConvolutionBlock):
            module.norm = nn.Identity()
    return network


def _seen_by(network: PlainUNet, cell: int) -> tuple[int, int]:
    """Return the first and last pixel column that output column `cell` depends on (rows are alike)."""
    strip = torch.full((1, 3, _PROBE_PX, _PROBE_PX), 255.0, requires_grad=True)
    output = network(strip)
    seen = sum(part[..., cell, cell].sum() for part in output)
    (gradient,) = torch.autograd.grad(seen, strip)
    columns = gradient.abs().sum(dim=(0, 1, 2)).nonzero().flatten()
    return int(columns[0]), int(columns[-1])
