"""Regions drawn in Aperio ImageScope: its XML, in level-0 pixels. Does not know what a layer means."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

import shapely
from shapely.affinity import scale
from shapely.geometry import Point, Polygon

from cxpath.exchange.class_names import UNCLASSIFIED
from cxpath.exchange.drawn_area import DrawnArea, Ring, closed_outline, coordinate, drawn_area

FORM = "ImageScope XML"
ROOT = "Annotations"

_RECTANGLE, _ELLIPSE = "1", "2"
_LINES = {"3": "arrow", "4": "ruler"}
_NAMING_ATTRIBUTES = {"description", "class", "classification", "name"}


def drawn_in_imagescope(root: Element, file: object) -> tuple[list[DrawnArea], list[str]]:
    """Return the areas of a file, and warnings about what was passed over.

    A layer (`Annotation`) is a class: its `Name`, else its attribute `Description` or `Class`, else the
    region's own `Text`. A region with `NegativeROA="1"` is to be cut out. Arrows and rulers are passed over.

    Parameters
    ----------
    root : Element
        `Annotations`.
    file : object
        Names the file in messages.

    Raises
    ------
    RegionsFileError
        When a region encloses nothing or has a coordinate that is none.
    """
    found, warnings = [], []
    for layer_number, layer in enumerate(root.iterfind("Annotation"), start=1):
        for number, region in enumerate(layer.iterfind("Regions/Region"), start=1):
            class_name = _layer_class(layer) or (region.get("Text") or "").strip() or UNCLASSIFIED
            place = f"layer {layer_number}, region {number}"
            where = f"{place} ({class_name})"
            kind = (region.get("Type") or "0").strip()
            if kind in _LINES:
                warnings.append(f"{place} was passed over: a {_LINES[kind]} encloses no area")
                continue
            outline = _outline(_points(region, where, file), kind, where, file)
            negative = (region.get("NegativeROA") or "0").strip() == "1"
            found.append(drawn_area(outline, class_name, where, file, negative=negative))
    return found, warnings


def _layer_class(layer: Element) -> str:
    own = (layer.get("Name") or "").strip()
    return own or next(_stated(layer), "")


def _stated(layer: Element) -> Iterator[str]:
    for attribute in layer.iterfind("Attributes/Attribute"):
        value = (attribute.get("Value") or "").strip()
        if value and (attribute.get("Name") or "").strip().casefold() in _NAMING_ATTRIBUTES:
            yield value


def _points(region: Element, where: str, file: object) -> Ring:
    return [
        (coordinate(vertex.get("X"), where, file), coordinate(vertex.get("Y"), where, file))
        for vertex in region.iterfind("Vertices/Vertex")
    ]


def _outline(points: Ring, kind: str, where: str, file: object) -> Polygon:
    """Return the outline; rectangles and ellipses may be given by two opposite corners of their box."""
    if len(points) == 2 and kind in {_RECTANGLE, _ELLIPSE}:
        (left, top), (right, bottom) = points
        if kind == _RECTANGLE:
            return shapely.box(min(left, right), min(top, bottom), max(left, right), max(top, bottom))
        circle = Point((left + right) / 2, (top + bottom) / 2).buffer(0.5, quad_segs=32)
        return scale(circle, abs(right - left), abs(bottom - top))
    return closed_outline(points, where, file)
