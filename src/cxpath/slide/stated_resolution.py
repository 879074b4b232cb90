"""Where files write down their micrometres per pixel: OpenSlide properties, TIFF tags, OME-XML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from cxpath.slide.resolution import StatedResolution

_UM_PER_TIFF_UNIT = {"centimeter": 10_000.0, "inch": 25_400.0}
_TIFF_UNIT_NAMES = {2: "inch", 3: "centimeter"}
_UM_PER_OME_UNIT = {
    "µm": 1.0,
    "μm": 1.0,  # the Greek letter, which some writers use for the micro sign
    "um": 1.0,
    "nm": 1e-3,
    "Å": 1e-4,
    "mm": 1e3,
    "cm": 1e4,
    "m": 1e6,
    "in": 25_400.0,
}


def stated_in_openslide(properties: Mapping[str, str]) -> StatedResolution | None:
    """Read `openslide.mpp-x` and `-y`, else the TIFF tags that OpenSlide passes on."""
    from_tags = stated_in_tags(
        _number(properties.get("tiff.XResolution")),
        _number(properties.get("tiff.YResolution")),
        properties.get("tiff.ResolutionUnit", ""),
    )
    x_mpp = _number(properties.get("openslide.mpp-x"))
    if x_mpp is None:
        return from_tags
    if properties.get("openslide.vendor") == "generic-tiff" and from_tags is not None:
        return from_tags  # OpenSlide derived its number from these very tags
    y_mpp = _number(properties.get("openslide.mpp-y"))
    return StatedResolution(x_mpp, x_mpp if y_mpp is None else y_mpp, "openslide.mpp-x")


def stated_in_tags(x_per_unit: float | None, y_per_unit: float | None, unit: str) -> StatedResolution | None:
    """Read pixels per centimetre or inch; None without a unit, since then it is an aspect ratio."""
    um_per_unit = _UM_PER_TIFF_UNIT.get(unit)
    if um_per_unit is None or not x_per_unit or x_per_unit <= 0:
        return None
    y_per_unit = y_per_unit if y_per_unit and y_per_unit > 0 else x_per_unit
    return StatedResolution(um_per_unit / x_per_unit, um_per_unit / y_per_unit, "tiff.XResolution")


def stated_in_tag_values(x_value: Any, y_value: Any, unit: Any) -> StatedResolution | None:
    """Read raw values of tags 282, 283 and 296: numbers or (numerator, denominator), unit 2 or 3."""
    return stated_in_tags(_fraction(x_value), _fraction(y_value), _TIFF_UNIT_NAMES.get(int(unit or 0), ""))


def stated_in_ome(xml: str, image: int) -> StatedResolution | None:
    """Read `PhysicalSizeX` and `Y` of the picture at index `image`; a missing unit means µm, as OME says."""
    try:
        pixels = ElementTree.fromstring(xml).findall("{*}Image/{*}Pixels")[image]
    except (ElementTree.ParseError, IndexError):
        return None
    x_mpp = _ome_length_um(pixels, "PhysicalSizeX")
    y_mpp = _ome_length_um(pixels, "PhysicalSizeY")
    if x_mpp is None:
        return None
    return StatedResolution(x_mpp, x_mpp if y_mpp is None else y_mpp, "ome.PhysicalSizeX")


def _ome_length_um(pixels: ElementTree.Element, name: str) -> float | None:
    value = _number(pixels.get(name))
    um_per_unit = _UM_PER_OME_UNIT.get(pixels.get(f"{name}Unit", "µm"))
    return None if value is None or um_per_unit is None else value * um_per_unit


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _fraction(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, tuple):
        numerator, denominator = value
        return float(numerator) / float(denominator) if denominator else None
    return float(value)
