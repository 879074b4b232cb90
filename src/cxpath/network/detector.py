"""From the network's maps to cells: peaks, staining rings and probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor
from torch.nn import functional

from cxpath.data import CellPeaks, StainBasis, in_other_stains
from cxpath.network.architecture import LATTICE_STRIDE_PX, OUTPUT_STRIDE_PX
from cxpath.network.card import ModelCard
from cxpath.network.device import Device
from cxpath.network.engines import Engine, Launched, TorchEngine
from cxpath.network.model import Model, PeakEmbedding

# Peaks of the centre map, found on the device: where the network sees a cell.
#
# A plateau gives one peak, the first in reading order, so that equal inputs give equal cells.


class GridPeaks(NamedTuple):
    """Peaks of a batch; K peaks in reading order, tile by tile.

    Attributes
    ----------
    tile, row, column : Tensor of int64, (K,)
        Which output cell of which tile.
    score : Tensor of float32, (K,)
        Centre probability.
    """

    tile: Tensor
    row: Tensor
    column: Tensor
    score: Tensor


def find_peaks(centre_logit: Tensor, threshold: float, radius: int) -> GridPeaks:
    """Find local maxima.

    Parameters
    ----------
    centre_logit : Tensor, (B, 1, h, w)
    threshold : float
        Least probability of a peak.
    radius : int
        A peak is the largest within a window of 2 radius + 1 output cells.
    """
    logit = centre_logit[:, 0].float()
    # Logits are compared, not probabilities: those of two sure neighbours round to the same number.
    candidate = logit == _highest_around(logit, radius)
    tile, row, column = candidate.nonzero(as_tuple=True)
    score = torch.sigmoid(logit[tile, row, column])
    # Most candidates are faint: what else is asked is asked of the few that are left.
    likely = (score >= threshold).nonzero()[:, 0]
    peaks = GridPeaks(*(part[likely] for part in (tile, row, column, score)))
    first = _first_of_plateau(candidate, peaks.tile, peaks.row, peaks.column, radius)
    return GridPeaks(*(part[first] for part in peaks))


def _highest_around(logit: Tensor, radius: int) -> Tensor:
    """Return the largest of the window around each place, (B, h, w); torch's `max_pool2d` takes ten times."""
    height, width = logit.shape[1:]
    framed = functional.pad(logit, (radius,) * 4, value=-math.inf)
    steps = range(2 * radius + 1)
    across = reduce(torch.maximum, (framed[:, :, step : step + width] for step in steps))
    return reduce(torch.maximum, (across[:, step : step + height] for step in steps))


def peak_positions(peaks: GridPeaks, offset: Tensor) -> Tensor:
    """Return x, y of each peak in tile pixels (pixel centres at .5), (K, 2).

    Parameters
    ----------
    offset : Tensor, (B, 2, h, w)
        Limited to one cell and a half: further out another cell would have peaked.
    """
    shift = offset.float()[peaks.tile, :, peaks.row, peaks.column].clamp(-1.5, 1.5)
    middle = torch.stack((peaks.column, peaks.row), dim=1) + 0.5
    return (middle + shift) * OUTPUT_STRIDE_PX


def non_maximum_suppression(
    positions_px: NDArray[np.float64], score: NDArray[np.float32], min_distance_px: float
) -> NDArray[np.bool_]:
    """Say which peaks of one tile have no stronger peak nearer than `min_distance_px`.

    A peak falls even if the stronger one falls to a third: so the answer depends on near neighbours
    alone and is the same in every tile that sees them.

    Parameters
    ----------
    positions_px : float64 array, (N, 2)
    score : float32 array, (N,)
    min_distance_px : float

    Returns
    -------
    bool array, (N,)
        True for the peaks to keep.
    """
    keep = np.ones(len(score), dtype=bool)
    if len(score) < 2:
        return keep
    pairs = cKDTree(positions_px).query_pairs(min_distance_px, output_type="ndarray")
    first, second = pairs[:, 0], pairs[:, 1]
    keep[np.where(score[first] >= score[second], second, first)] = False
    return keep


def _first_of_plateau(candidate: Tensor, tile: Tensor, row: Tensor, column: Tensor, radius: int) -> Tensor:
    """Say which candidates come first, in reading order, among those within their window, which are equal.

    Looks next to the few candidates, not everywhere.
    """
    framed = functional.pad(candidate, (radius, radius, radius, 0))
    first = torch.ones_like(tile, dtype=torch.bool)
    for down in range(radius + 1):
        for right in range(2 * radius + 1 if down < radius else radius):
            first &= ~framed[tile, row + down, column + right]
    return first


# Stain amounts on rings around each peak, sampled on the device from the light itself.


RADII_UM: tuple[float, ...] = tuple(float(radius) for radius in range(11))
ANGLES = 16


class StainRings:
    """Samples haematoxylin and DAB at 11 radii (0 to 10 µm) by 16 angles around points.

    Light is interpolated between pixels first and turned into optical density then, as a lens would;
    what lies beyond the tile repeats its edge.

    Parameters
    ----------
    stain : StainBasis
        White point and stain directions of the slide.
    mpp : float
        Micrometres per pixel of the tiles.
    device : torch.device
    """

    def __init__(self, stain: StainBasis, mpp: float, device: torch.device) -> None:
        angle = torch.arange(ANGLES) * (2.0 * math.pi / ANGLES)
        radius_px = torch.tensor(RADII_UM)[:, None] / mpp
        rings = torch.stack((radius_px * angle.cos(), radius_px * angle.sin()), dim=-1)
        self._rings_px = rings.flatten(0, 1).T.contiguous().to(device)
        white = torch.tensor(stain.white_point, dtype=torch.float32, device=device).clamp(min=1.0)
        self._log_white = white.log()[:, None, None]
        # Natural logarithms are the quicker ones; their base is part of the unmixing.
        unmixing = torch.tensor(stain.unmixing() / math.log(10.0), dtype=torch.float32, device=device)
        self._unmixing = unmixing.T.contiguous()

    def sample(self, light: Tensor, positions_px: Tensor) -> Tensor:
        """Return stain amounts, (2, N, 11, 16): haematoxylin and DAB, in optical density.

        Parameters
        ----------
        light : Tensor, (3, H, W)
            One tile, 0-255.
        positions_px : Tensor, (N, 2)
            x, y in tile pixels, pixel centres at .5.
        """
        amounts = torch.empty((2, len(positions_px), len(RADII_UM), ANGLES), device=light.device)
        for start in range(0, len(positions_px), _CELLS_AT_A_TIME):
            part = slice(start, start + _CELLS_AT_A_TIME)
            amounts[:, part] = self._amounts(light, positions_px[part]).view(2, -1, len(RADII_UM), ANGLES)
        return amounts

    def _amounts(self, light: Tensor, positions_px: Tensor) -> Tensor:
        """Return haematoxylin and DAB, (2, N, 176), around few points."""
        seen = _light_at(light, positions_px.float().T[:, :, None] + self._rings_px[:, None])
        density = (self._log_white - _log_in_place(seen.add_(0.5))).clamp_(min=0.0)
        return (self._unmixing @ density.flatten(1)).view(2, *seen.shape[1:])


_CELLS_AT_A_TIME = 160
"""Sampled at once: what they need stays in the caches, and OpenCV starts no threads, which wait busily."""


def _light_at(light: Tensor, points_px: Tensor) -> Tensor:
    """Return the light of a tile, (3, N, P), between its pixels at x, y of points, (2, N, P)."""
    if light.device.type == "cpu":
        return _light_at_on_processor(light, points_px)
    size = torch.tensor((light.shape[2], light.shape[1]), device=light.device)
    seen = functional.grid_sample(
        light.float()[None],
        (points_px.permute(1, 2, 0) / size * 2.0 - 1.0)[None],
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    return seen[0]


def _light_at_on_processor(light: Tensor, points_px: Tensor) -> Tensor:
    """Return the same from the bytes of the four pixels around each point; torch makes floats of the tile.

    OpenCV only fetches pixels here: its own interpolation was rounded to 1/32 px before OpenCV 5.
    """
    pixels = np.ascontiguousarray(light.permute(1, 2, 0).numpy())
    last = torch.tensor((light.shape[2] - 1.0, light.shape[1] - 1.0))[:, None, None]
    points = (points_px - 0.5).clamp_(min=0.0).minimum(last)
    first = points.floor()
    across, down = points - first
    place = cv2.merge(list(first.short().numpy()))
    corners = (pixels, pixels[:, 1:], pixels[1:], pixels[1:, 1:])
    planes = [plane for corner in corners for plane in cv2.split(_pixels_at(corner, place))]
    seen = torch.from_numpy(np.stack(planes)).float().view(2, 2, 3, *place.shape[:2])
    upper, lower = torch.lerp(seen[:, 0], seen[:, 1], across)
    return torch.lerp(upper, lower, down)


_WHOLE = np.empty(0, np.uint16)
"""Places have no fractions."""


def _pixels_at(pixels: NDArray[Any], place: NDArray[Any]) -> NDArray[Any]:
    """Return pixels, (N, P, 3), at whole x and y; beyond the right and lower edge those of the edge."""
    return cv2.remap(pixels, place, _WHOLE, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)


def _log_in_place(values: Tensor) -> Tensor:
    """Take the natural logarithm; OpenCV's takes a tenth of the time of torch's."""
    if values.device.type != "cpu":
        return values.log_()
    numbers = values.flatten(1).numpy()
    cv2.log(numbers, numbers)
    return values


# Detector: tiles in, peaks out. Contains a network on a device and the stains of one slide.
#
# Peaks in a tile's halo are dropped only for who asks so: `pipeline/` decides which tile a cell belongs to.


class Detector:
    """Finds cells in batches of tiles of one slide.

    Parameters
    ----------
    model : Model
        Left untouched.
    device : Device
    stain : StainBasis
        White point and stain directions of the slide: for the optical-density samples, and for the network
        to see stains that its card does not know in colours that it does.
    centre_threshold : float, optional
        Instead of the card's.
    engine : Engine, optional
        What runs the network; torch when left out.
    match_stains : bool
        False shows the network every slide as it is.

    Attributes
    ----------
    card : ModelCard
    device : Device
    stain : StainBasis
    shown_stain : StainBasis
        The stains in which the network sees the slide; mostly its own.
    """

    def __init__(
        self,
        model: Model,
        device: Device,
        stain: StainBasis,
        *,
        centre_threshold: float | None = None,
        engine: Engine | None = None,
        match_stains: bool = True,
    ) -> None:
        self.card: ModelCard = model.card
        self.device = device
        known = model.card.stains if match_stains else None
        self.stain, self.shown_stain = stain, known.as_value().shown(stain) if known else stain
        thresholds = model.card.thresholds
        self._threshold = thresholds.centre_threshold if centre_threshold is None else centre_threshold
        self._min_distance_px = thresholds.min_distance_um / self.mpp
        self._window_radius = max(1, int(self._min_distance_px / OUTPUT_STRIDE_PX))
        self._engine: Engine = engine or TorchEngine(model, device)
        self._rings = StainRings(stain, self.mpp, device.torch_device)
        self._embedding = PeakEmbedding(model.network, model.embedding) if model.embedding else None

    @property
    def embeds(self) -> bool:
        """Whether its cells carry an embedding."""
        return self._embedding is not None

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
        batch = np.require(batch, requirements=("C", "W"))
        if self.shown_stain == self.stain:
            return self._engine.run(batch)
        shown = np.stack([in_other_stains(tile, self.stain, self.shown_stain) for tile in batch])
        launched = self._engine.run(shown)
        # Amounts of stain are measured in the slide's own light.
        light = torch.from_numpy(batch).to(launched.light.device).permute(0, 3, 1, 2)
        return launched._replace(light=light)

    @torch.inference_mode()
    def collect(self, launched: Launched, halo_px: int = 0) -> list[CellPeaks]:
        """Find the peaks of a launched batch, on the device, and measure them.

        Parameters
        ----------
        launched : Launched
        halo_px : int
            Peaks so near to a tile's edge are those of other tiles; they are neither measured nor returned.

        Returns
        -------
        list of CellPeaks
            One for each tile, peaks in reading order.
        """
        peaks = find_peaks(launched.output.centre, self._threshold, self._window_radius)
        tiles = range(len(launched.light))
        return [self._tile_peaks(launched, _of_tile(peaks, tile), halo_px) for tile in tiles]

    def _tile_peaks(self, launched: Launched, peaks: GridPeaks, halo_px: int) -> CellPeaks:
        light, output = launched.light, launched.output
        positions = peak_positions(peaks, output.offset)
        place = _array(positions, np.float64)
        keep = non_maximum_suppression(place, _array(peaks.score), self._min_distance_px)
        if halo_px:
            keep &= _in_core(place, light.shape[2:], halo_px)
        rows = torch.from_numpy(np.flatnonzero(keep)).to(light.device)
        positions, peaks = positions[rows], GridPeaks(*(part[rows] for part in peaks))
        where = (peaks.tile, slice(None), peaks.row, peaks.column)
        tile = int(peaks.tile[0]) if len(rows) else 0
        stains = self._rings.sample(light[tile], positions)
        return CellPeaks(
            x_px=place[keep, 0],
            y_px=place[keep, 1],
            score=_array(peaks.score),
            class_logits=_array(output.kind[where]),
            stain_logits=_array(output.stain[where]),
            region=_array(output.region[where].argmax(dim=1), np.uint8),
            radii_um=np.array(RADII_UM, dtype=np.float32),
            hematoxylin_od=_array(stains[0]),
            dab_od=_array(stains[1]),
            embedding=self._embedded(launched.features, peaks),
        )

    def _embedded(self, features: Tensor | None, peaks: GridPeaks) -> NDArray[np.uint8] | None:
        if self._embedding is None or features is None:
            return None
        return self._embedding.encode(_array(features[peaks.tile, :, peaks.row, peaks.column]))


def _in_core(place_px: NDArray[np.float64], size: Sequence[int], halo_px: int) -> NDArray[np.bool_]:
    """Say which places, x and y, lie in the half-open core of a tile of that height and width."""
    last = np.subtract(size[::-1], halo_px)
    return np.asarray(((place_px >= halo_px) & (place_px < last)).all(axis=1))


def _check(batch: NDArray[np.uint8]) -> None:
    if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[3] != 3:
        raise ValueError(f"a batch must be uint8 (B, H, W, 3), not {batch.dtype} {batch.shape}")
    if batch.shape[1] % LATTICE_STRIDE_PX or batch.shape[2] % LATTICE_STRIDE_PX:
        raise ValueError(f"tile sides must be multiples of {LATTICE_STRIDE_PX} px, not {batch.shape[1:3]}")


def _of_tile(peaks: GridPeaks, tile: int) -> GridPeaks:
    rows = peaks.tile == tile
    return GridPeaks(*(part[rows] for part in peaks))


def _array(tensor: Tensor, element: type[np.generic] = np.float32) -> NDArray[Any]:
    return tensor.cpu().float().numpy().astype(element, copy=False)
