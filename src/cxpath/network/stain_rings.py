"""Stain amounts on rings around each peak, sampled on the device from the light itself."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from cxpath.values.stains import StainBasis

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
        self._rings_px = rings.to(device)
        self._white = torch.tensor(stain.white_point, dtype=torch.float32, device=device).clamp(min=1.0)
        self._unmixing = torch.tensor(stain.unmixing(), dtype=torch.float32, device=device)

    def sample(self, light: Tensor, positions_px: Tensor) -> Tensor:
        """Return stain amounts, (N, 11, 16, 2): haematoxylin and DAB, in optical density.

        Parameters
        ----------
        light : Tensor, (3, H, W)
            One tile, 0-255.
        positions_px : Tensor, (N, 2)
            x, y in tile pixels, pixel centres at .5.
        """
        points = positions_px.float()[:, None, None, :] + self._rings_px
        size = torch.tensor((light.shape[2], light.shape[1]), device=light.device)
        grid = (points / size * 2.0 - 1.0).flatten(1, 2)[None]
        seen = functional.grid_sample(
            light.float()[None], grid, mode="bilinear", padding_mode="border", align_corners=False
        )
        seen = seen[0].permute(1, 2, 0)
        density = -torch.log10((seen + 0.5) / self._white)
        return (density.clamp(min=0.0) @ self._unmixing).view(*points.shape[:3], 2)
