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


class RegionMeaning(StrEnum):
    """What a drawn region contains, as far as its class name says."""

    INCLUDE = "include"
    TUMOUR_BED = "tumour bed"
    EXCLUDE = "exclude"
    NECROSIS = "necrosis"
    BENIGN = "benign or CIN"
    ARTEFACT = "artefact"
    CONTROL = "control tissue"

    @property
    def use(self) -> RegionUse:
        """Whether such an area is scored."""
        scored = self in {RegionMeaning.INCLUDE, RegionMeaning.TUMOUR_BED}
        return RegionUse.INCLUDE if scored else RegionUse.EXCLUDE


@dataclass(frozen=True)
class Region:
    """One drawn area (with holes) and the class name it carried in the drawing tool."""

    name: str
    use: RegionUse
    shape: Polygon | MultiPolygon
    meaning: RegionMeaning | None = None
    """None: nothing is known beyond the use."""

    @classmethod
    def meaning_of(cls, name: str, meaning: RegionMeaning, shape: Polygon | MultiPolygon) -> Region:
        """Make a region whose use follows from its meaning."""
        return cls(name, meaning.use, shape, meaning)

    @property
    def effective_meaning(self) -> RegionMeaning:
        """The meaning; plain include or exclude where only the use is known."""
        return self.meaning or RegionMeaning(self.use.value)


@dataclass(frozen=True)
class Regions:
    """All drawn areas of one slide. Without an include area the whole tissue is included.

    Parameters
    ----------
    areas : tuple of Region
    warnings : tuple of str
        What a reader of the score must know about the drawing; names no file.
    form : str
        The file's form: "QuPath GeoJSON", "ASAP XML", "ImageScope XML"; empty when made in Python.
    digest : str
        SHA-256 of the file, or empty.
    """

    areas: tuple[Region, ...] = ()
    warnings: tuple[str, ...] = ()
    form: str = ""
    digest: str = ""

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
        return _inside(self.scored_shape(width_px, height_px), x_px, y_px)

    def with_meaning(self, meaning: RegionMeaning) -> tuple[Region, ...]:
        """Return the drawn areas of one meaning."""
        return tuple(area for area in self.areas if area.effective_meaning is meaning)

    def within(
        self, meaning: RegionMeaning, x_px: NDArray[np.float64], y_px: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Say for each level-0 point whether it lies in an area of that meaning."""
        return _inside(shapely.union_all([area.shape for area in self.with_meaning(meaning)]), x_px, y_px)


def _inside(shape: BaseGeometry, x_px: NDArray[np.float64], y_px: NDArray[np.float64]) -> NDArray[np.bool_]:
    shapely.prepare(shape)
    return np.asarray(shapely.contains_xy(shape, x_px, y_px), dtype=bool)
