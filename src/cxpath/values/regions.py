"""Regions a pathologist drew: where to score, where not to. Level-0 pixels."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry


class RegionUse(StrEnum):
    """What a drawn region is for."""

    INCLUDE = "include"
    EXCLUDE = "exclude"


@dataclass(frozen=True)
class Region:
    """One drawn area (with holes) and the class name it carried in the drawing tool."""

    name: str
    use: RegionUse
    shape: Polygon | MultiPolygon


@dataclass(frozen=True)
class Regions:
    """All drawn areas of one slide. Without an include area the whole tissue is included."""

    areas: tuple[Region, ...] = ()

    def __len__(self) -> int:
        return len(self.areas)

    def scored_shape(self, width_px: int, height_px: int) -> BaseGeometry:
        """Return the area to score: the included (else all of the slide) less the excluded."""
        included = [area.shape for area in self.areas if area.use is RegionUse.INCLUDE]
        excluded = [area.shape for area in self.areas if area.use is RegionUse.EXCLUDE]
        whole = shapely.box(0, 0, width_px, height_px)
        wanted = shapely.union_all(included) if included else whole
        return shapely.intersection(wanted, whole).difference(shapely.union_all(excluded))

    def contains(
        self, x_px: NDArray[np.float64], y_px: NDArray[np.float64], width_px: int, height_px: int
    ) -> NDArray[np.bool_]:
        """Say for each point whether it lies where to score."""
        if not self.areas:
            return np.ones(len(x_px), dtype=bool)
        shape = self.scored_shape(width_px, height_px)
        shapely.prepare(shape)
        return np.asarray(shapely.contains_xy(shape, x_px, y_px), dtype=bool)
