"""What a slide is and where it counts: facts, stains, tile frames, tissue areas and annotated regions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

# SlideInfo: what is known of a slide file once it is open, and nothing that identifies a patient.


@dataclass(frozen=True)
class ColourProfile:
    """The ICC profile of a slide, and what was done with it.

    Parameters
    ----------
    description : str
        Its name, where that tells nothing of a device's owner; else empty.
    digest : str
        SHA-256 of its bytes.
    intent : str
        The rendering intent that it asks for.
    use : str
        "applied": colours were turned into sRGB; "identity": it is sRGB; "ignored": as asked for; "unusable":
        it is damaged or not of RGB, and colours were read as stored.
    """

    description: str
    digest: str
    intent: str
    use: Literal["applied", "identity", "ignored", "unusable"]


@dataclass(frozen=True)
class SlideInfo:
    """Facts of one slide.

    Parameters
    ----------
    name : str
        File name with suffix, or its pseudonym.
    stem : str
        The name without suffix; the default name of the results folder.
    digest : str
        SHA-256 of the file, hexadecimal.
    quickhash : str
        OpenSlide's quickhash-1, or empty.
    width_px, height_px : int
        Level-0 size.
    mpp : float
        Micrometres per level-0 pixel, mean of x and y.
    mpp_source : str
        Where that number came from: "user", "openslide.mpp-x", "tiff.XResolution", "ome.PhysicalSizeX", ...
    reader : str
        "openslide", "picture" or "ome-tiff".
    vendor : str
        OpenSlide's vendor name, or the picture format.
    level_downsamples : tuple of float
        Downsample factor of each stored level; the first is 1.
    bounds_px : tuple of int
        x, y, width, height of the scanned part in level-0 pixels (QuPath's frame); else the whole slide.
    properties : mapping of str to str
        Allow-listed properties only (objective power, scanner model, compression ...): never user,
        date, barcode or file name.
    colour : ColourProfile or None
        The slide's ICC profile; None for the many slides without one.
    """

    name: str
    stem: str
    digest: str
    quickhash: str
    width_px: int
    height_px: int
    mpp: float
    mpp_source: str
    reader: str
    vendor: str
    level_downsamples: tuple[float, ...]
    bounds_px: tuple[int, int, int, int]
    properties: Mapping[str, str] = field(default_factory=dict)
    colour: ColourProfile | None = None


# Optical density, and a slide's own two stains: from light to how much haematoxylin and DAB it passed.
#
# Beer-Lambert: OD = -log10(intensity / white), additive over stains (Ruifrok & Johnston 2001).


Direction = tuple[float, float, float]

DEFAULT_HEMATOXYLIN: Direction = (0.70, 0.64, 0.31)
"""Mean of what real H-DAB slides show, (.77, .56, .30) to (.63, .72, .30); textbooks say (.65, .70, .29)."""

DEFAULT_DAB: Direction = (0.33, 0.53, 0.78)
"""Mean of what real slides show, (.22-.43, .46-.58, .72-.88)."""


@dataclass(frozen=True)
class StainBasis:
    """White point and stain directions of one slide.

    Parameters
    ----------
    white_point : tuple of float
        Red, green, blue of empty glass, 0-255.
    hematoxylin, dab : tuple of float
        Optical-density directions (red, green, blue), of unit length.
    """

    white_point: tuple[float, float, float] = (255.0, 255.0, 255.0)
    hematoxylin: Direction = DEFAULT_HEMATOXYLIN
    dab: Direction = DEFAULT_DAB

    def unmixing(self) -> NDArray[np.float64]:
        """Return the (3, 2) matrix that turns an OD row vector into haematoxylin and DAB amounts.

        Least squares in the plane of the two stains; what lies outside the plane is ignored.
        """
        stains = np.array([unit(self.hematoxylin), unit(self.dab)])
        return np.linalg.pinv(stains)


def unit(direction: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the direction scaled to length one."""
    vector = np.asarray(direction, dtype=np.float64)
    return vector / np.linalg.norm(vector)


def optical_density(rgb: NDArray[np.uint8], white_point: tuple[float, float, float]) -> NDArray[np.float32]:
    """Turn 8-bit light into optical density.

    Parameters
    ----------
    rgb : uint8 array, (..., 3)
    white_point : tuple of float
        Red, green, blue of empty glass.

    Returns
    -------
    float32 array, (..., 3)
        -log10((rgb + 0.5) / white), clipped below at 0: brighter than glass is glass. The half step
        keeps black finite (at 2.7).
    """
    if not rgb.size:  # of which OpenCV makes a picture of one pixel
        return np.zeros(rgb.shape, np.float32)
    levels = (np.arange(256, dtype=np.float64) + 0.5)[:, None] / np.maximum(np.asarray(white_point), 1.0)
    table = np.maximum(-np.log10(levels), 0.0).astype(np.float32)
    # OpenCV looks up three channels at once, in a fifth of NumPy's time.
    return np.asarray(cv2.LUT(rgb.reshape(-1, 1, 3), table[None]), np.float32).reshape(rgb.shape)


# Familiar stains: which stain directions a network knows, and a slide's light turned to them.


Arc = tuple[Direction, Direction]

_NEARLY_ONE_STAIN_DEG = 15.0
"""Two estimated stains nearer than this are no basis to turn colours by."""
_STEPS = np.linspace(0.0, 1.0, 65)


@dataclass(frozen=True)
class FamiliarStains:
    """The stain directions that a network was trained on: an arc for each stain, and some room around it.

    Parameters
    ----------
    hematoxylin_arc, dab_arc : tuple of two Direction
        The ends of each arc.
    hematoxylin_deg, dab_deg : tuple of two float
        Degrees from the arc up to which a stain is familiar, and from which it is wholly strange.
    """

    hematoxylin_arc: Arc
    dab_arc: Arc
    hematoxylin_deg: tuple[float, float]
    dab_deg: tuple[float, float]

    def strangeness(self, stains: StainBasis) -> float:
        """Say how strange the stranger of both stains is: 0 is familiar, 1 unlike anything in training."""
        shares = (
            _beyond(degrees_from_arc(stains.hematoxylin, self.hematoxylin_arc), self.hematoxylin_deg),
            _beyond(degrees_from_arc(stains.dab, self.dab_arc), self.dab_deg),
        )
        return max(shares)

    def shown(self, stains: StainBasis) -> StainBasis:
        """Return the stains in which the network should see a slide.

        Familiar stains stay as they are, strange ones become the middles of the arcs, and between the two
        they move part of the way, so that no small difference of two slides makes a large one. Both stains
        move by the same share. Estimates that lie too near to each other are left alone.
        """
        share = self.strangeness(stains)
        if share == 0.0 or _degrees(stains.hematoxylin, stains.dab) < _NEARLY_ONE_STAIN_DEG:
            return stains
        return StainBasis(
            white_point=stains.white_point,
            hematoxylin=_mixed(stains.hematoxylin, _mixed(*self.hematoxylin_arc, 0.5), share),
            dab=_mixed(stains.dab, _mixed(*self.dab_arc, 0.5), share),
        )


def degrees_from_arc(direction: Direction, arc: Arc) -> float:
    """Return the angle between a direction and the nearest point of an arc, in degrees."""
    return min(_degrees(direction, _mixed(*arc, float(share))) for share in _STEPS)


def in_other_stains(rgb: NDArray[np.uint8], own: StainBasis, wanted: StainBasis) -> NDArray[np.uint8]:
    """Return a picture as if its section had been stained in other colours.

    Optical density is unmixed into the two own stains and what is at right angles to both, and mixed again
    from the wanted ones (Macenko et al. 2009, with amounts left as they are). Where `own` is `wanted` nothing
    changes but by rounding.

    Parameters
    ----------
    rgb : uint8 array, (H, W, 3)
    own, wanted : StainBasis
        Of one white point: that of `own` is used.
    """
    white = np.maximum(np.asarray(own.white_point, np.float32), 1.0)
    levels = (np.arange(256, dtype=np.float32) + 0.5)[:, None] / white
    density = cv2.LUT(rgb, -np.log10(levels)[None])
    turn = np.linalg.inv(_three_directions(own)) @ _three_directions(wanted)
    turned = np.asarray(cv2.transform(density, turn.T.astype(np.float32)), np.float32)
    turned *= np.float32(-np.log(10.0))
    light = np.exp(turned, out=turned)
    light *= white
    light -= np.float32(0.5)
    return np.asarray(np.clip(np.rint(light, out=light), 0, 255), np.uint8)


def _three_directions(stains: StainBasis) -> NDArray[np.float64]:
    hematoxylin, dab = unit(stains.hematoxylin), unit(stains.dab)
    return np.stack([hematoxylin, dab, unit(tuple(np.cross(hematoxylin, dab)))])


def _beyond(degrees: float, room: tuple[float, float]) -> float:
    familiar, strange = room
    return float(np.clip((degrees - familiar) / (strange - familiar), 0.0, 1.0))


def _degrees(one: Direction, other: Direction) -> float:
    return float(np.degrees(np.arccos(np.clip(unit(one) @ unit(other), -1.0, 1.0))))


def _mixed(one: Direction, other: Direction, share: float) -> Direction:
    red, green, blue = unit(tuple(unit(one) * (1.0 - share) + unit(other) * share))
    return float(red), float(green), float(blue)


# TileFrame: where a tile lies, so that what was found in it can be put back on the slide.


@dataclass(frozen=True)
class TileFrame:
    """Place of one tile: a core square with a halo around it.

    Parameters
    ----------
    index : int
        Number of the tile in its plan.
    x_px, y_px : float
        Level-0 pixels of the top left corner of the tile, halo included.
    scale : float
        Level-0 pixels per tile pixel.
    core_px, halo_px : int
        Side of the core and width of the halo, in tile pixels.
    """

    index: int
    x_px: float
    y_px: float
    scale: float
    core_px: int
    halo_px: int

    @property
    def side_px(self) -> int:
        """Side of the whole tile in tile pixels."""
        return self.core_px + 2 * self.halo_px

    @property
    def core_x_px(self) -> float:
        """Level-0 x of the core's left edge."""
        return self.x_px + self.halo_px * self.scale

    @property
    def core_y_px(self) -> float:
        """Level-0 y of the core's top edge."""
        return self.y_px + self.halo_px * self.scale

    @property
    def core_side_px(self) -> float:
        """Side of the core in level-0 pixels."""
        return self.core_px * self.scale


# TissueAreas: how much tissue was scored and how much was left out, by reason.


@dataclass(frozen=True)
class TissueAreas:
    """Areas of one slide in square millimetres.

    Parameters
    ----------
    scored_mm2 : float
        Tissue that entered the score.
    excluded_mm2 : mapping of str to float
        Tissue left out, by reason ("pen", "blur", "region", ...).
    annotated_mm2 : mapping of str to float
        Tissue inside the pathologist's regions, by meaning ("tumour bed", "necrosis", ...); areas of one
        meaning that overlap count once. Empty when nothing was drawn.
    tumour_bed_mm2 : float or None
        Scored tissue inside the drawn tumour bed, less all that was left out; None when none was drawn.
    """

    scored_mm2: float
    excluded_mm2: Mapping[str, float] = field(default_factory=dict)
    annotated_mm2: Mapping[str, float] = field(default_factory=dict)
    tumour_bed_mm2: float | None = None


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
        The file's form: "QuPath GeoJSON", "ASAP XML", "ImageScope XML", "HALO XML"; empty when made in
        Python.
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
