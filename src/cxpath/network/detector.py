"""Detector: tiles in, peaks out. Holds a network on a device and the stains of one slide.

Drops no peak for lying in a tile's halo: which tile a cell belongs to is decided in `cells/`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cxpath.network.architecture import LATTICE_STRIDE_PX, OUTPUT_STRIDE_PX, NetworkOutput
from cxpath.network.card import ModelCard
from cxpath.network.device import Device
from cxpath.network.engine import Engine, TorchEngine
from cxpath.network.model_store import Model
from cxpath.network.peaks import GridPeaks, find_peaks, not_doubled, peak_positions
from cxpath.network.stain_rings import RADII_UM, StainRings
from cxpath.values.cell_peaks import CellPeaks
from cxpath.values.stains import StainBasis


class Launched(NamedTuple):
    """A batch on the device, (B, 3, H, W), and what the network makes of it."""

    light: Tensor
    output: NetworkOutput


class Detector:
    """Finds cells in batches of tiles of one slide.

    Parameters
    ----------
    model : Model
        Left untouched.
    device : Device
    stain : StainBasis
        White point and stain directions of the slide, for the optical-density samples only: the
        network sees the colours as they are.
    centre_threshold : float, optional
        Instead of the card's.
    engine : Engine, optional
        What runs the network; torch when left out.

    Attributes
    ----------
    card : ModelCard
    device : Device
    """

    def __init__(
        self,
        model: Model,
        device: Device,
        stain: StainBasis,
        *,
        centre_threshold: float | None = None,
        engine: Engine | None = None,
    ) -> None:
        self.card: ModelCard = model.card
        self.device = device
        thresholds = model.card.thresholds
        self._threshold = thresholds.centre_threshold if centre_threshold is None else centre_threshold
        self._min_distance_px = thresholds.min_distance_um / self.mpp
        self._window_radius = max(1, int(self._min_distance_px / OUTPUT_STRIDE_PX))
        self._engine: Engine = engine or TorchEngine(model, device)
        self._rings = StainRings(stain, self.mpp, device.torch_device)

    @property
    def mpp(self) -> float:
        """Micrometres per pixel that tiles must have."""
        return self.card.mpp

    @property
    def halo_px(self) -> int:
        """Pixels around a tile's core that must be read for its cells to be right."""
        return self.card.halo_px

    @property
    def stride_px(self) -> int:
        """Tile origins must be multiples of this for a cell to be the same in every tile."""
        return self.card.stride_px

    def detect(self, batch: NDArray[np.uint8]) -> list[CellPeaks]:
        """Find the cells of every tile of a batch: `launch` and `collect` in one."""
        return self.collect(self.launch(batch))

    @torch.inference_mode()
    def launch(self, batch: NDArray[np.uint8]) -> Launched:
        """Bring a batch to the device and run the network on it.

        On a GPU this returns while it computes, so that the next batch can be launched meanwhile.

        Parameters
        ----------
        batch : uint8 array, (B, H, W, 3)
            Tiles with their halo at `mpp`; H and W multiples of 16.

        Returns
        -------
        Launched
            For `collect`, which any thread may call.

        Raises
        ------
        ValueError
            When the batch has another shape or type.
        """
        _check(batch)
        return Launched(*self._engine.run(np.require(batch, requirements=("C", "W"))))

    @torch.inference_mode()
    def collect(self, launched: Launched) -> list[CellPeaks]:
        """Find the peaks of a launched batch, on the device, and measure them.

        Returns
        -------
        list of CellPeaks
            One for each tile, peaks in reading order.
        """
        light, output = launched
        peaks = find_peaks(output.centre, self._threshold, self._window_radius)
        return [self._tile_peaks(light, output, _of_tile(peaks, tile)) for tile in range(len(light))]

    def _tile_peaks(self, light: Tensor, output: NetworkOutput, peaks: GridPeaks) -> CellPeaks:
        positions = peak_positions(peaks, output.offset)
        keep = not_doubled(_array(positions, np.float64), _array(peaks.score), self._min_distance_px)
        rows = torch.from_numpy(np.flatnonzero(keep)).to(light.device)
        positions, peaks = positions[rows], GridPeaks(*(part[rows] for part in peaks))
        where = (peaks.tile, slice(None), peaks.row, peaks.column)
        tile = int(peaks.tile[0]) if len(rows) else 0
        stains = self._rings.sample(light[tile], positions)
        place = _array(positions, np.float64)
        return CellPeaks(
            x_px=place[:, 0],
            y_px=place[:, 1],
            score=_array(peaks.score),
            kind_logits=_array(output.kind[where]),
            stain_logits=_array(output.stain[where]),
            region=_array(output.region[where].argmax(dim=1), np.uint8),
            radii_um=np.array(RADII_UM, dtype=np.float32),
            hematoxylin_od=_array(stains[..., 0]),
            dab_od=_array(stains[..., 1]),
        )


def _check(batch: NDArray[np.uint8]) -> None:
    if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[3] != 3:
        raise ValueError(f"a batch must be uint8 (B, H, W, 3), not {batch.dtype} {batch.shape}")
    if batch.shape[1] % LATTICE_STRIDE_PX or batch.shape[2] % LATTICE_STRIDE_PX:
        raise ValueError(f"tile sides must be multiples of {LATTICE_STRIDE_PX} px, not {batch.shape[1:3]}")


def _of_tile(peaks: GridPeaks, tile: int) -> GridPeaks:
    rows = peaks.tile == tile
    return GridPeaks(*(part[rows] for part in peaks))


def _array(tensor: Tensor, element: type[np.generic] = np.float32) -> NDArray[Any]:
    return tensor.cpu().float().numpy().astype(element)
