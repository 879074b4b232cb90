"""Annotated regions as XML: of ASAP, Aperio ImageScope and HALO, and XML read without trust."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import shapely
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring
from shapely.affinity import scale
from shapely.geometry import Point, Polygon

from cxpath.errors import RegionsFileError
from cxpath.io.geojson import (
    UNCLASSIFIED,
    AnnotatedArea,
    Ring,
    annotated_area,
    closed_outline,
    coordinate,
    place_name,
)

# XML from elsewhere, read without trust: a document type declaration is refused before it is acted upon.
#
# Entity bombs and references to other files both need a declaration (`<!DOCTYPE`), which no drawing tool
# writes. Refusing it in the standard library's parser makes a further dependency needless.


_HINT = "export the annotations again"


def parse_xml(content: bytes, file: object) -> ElementTree.Element:
    """Return the root element.

    Parameters
    ----------
    content : bytes
        In any encoding that the XML declaration or a byte order mark names.
    file : object
        Names the file in messages.

    Raises
    ------
    RegionsFileError
        When it is not well formed, or declares document types.
    """
    try:
        return fromstring(content, forbid_dtd=True)
    except DefusedXmlException as error:
        message = f"{file}: contains a document type declaration (<!DOCTYPE), which is not read for safety"
        raise RegionsFileError(message, _HINT) from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise RegionsFileError(f"{file}: not readable XML: {error}", _HINT) from error


# Regions drawn in ASAP: its XML, in level-0 pixels of the file. Does not know what a group means.


ASAP_FORM = "ASAP XML"
ASAP_ROOT = "ASAP_Annotations"

_PLACE = "Annotations/Annotation"
_NUMBERED = re.compile(r"(annotation)?\s*\d*", re.IGNORECASE)
_AREAS = {"polygon", "rectangle", "spline"}


def regions_in_asap(root: Element, file: object) -> tuple[list[AnnotatedArea], list[str]]:
    """Return the areas of a file, and warnings about what was passed over.

    The class is the annotation's group (`PartOfGroup`); "None" is no class. Points and measurements are
    passed over. A spline is read as the polygon through its points. Holes are drawn as areas of an excluded
    group: ASAP has no others.

    Parameters
    ----------
    root : Element
        `ASAP_Annotations`.
    file : object
        Names the file in messages.

    Raises
    ------
    RegionsFileError
        When an area encloses nothing or has a coordinate that is none.
    """
    found, warnings = [], []
    for number, annotation in enumerate(root.iterfind(_PLACE), start=1):
        group = (annotation.get("PartOfGroup") or "").strip()
        class_name = UNCLASSIFIED if group.casefold() in {"", "none"} else group
        kind, where = annotation.get("Type") or "", place_name(f"annotation {number}", class_name)
        if kind.casefold() not in _AREAS:
            warnings.append(f"{where} was passed over: a {kind or 'nameless type'} encloses no area")
            continue
        if kind.casefold() == "spline":
            warnings.append(f"{where} is a spline and was read as the polygon through its points")
        outline = closed_outline(_points(annotation, where, file), where, file)
        found.append(annotated_area(outline, class_name, where, file, label=_label(annotation)))
    elsewhere = sum(1 for _ in root.iter("Annotation")) - sum(1 for _ in root.iterfind(_PLACE))
    if elsewhere:
        warnings.append(f"annotations in other places of the file than usual, not read: {elsewhere}")
    return found, warnings


def _label(annotation: Element) -> tuple[str, str]:
    """Return the name that a person gave; ASAP itself numbers annotations."""
    name = (annotation.get("Name") or "").strip()
    return ("", "") if _NUMBERED.fullmatch(name) else ("Name", name)


def _points(annotation: Element, where: str, file: object) -> Ring:
    return [point for _, point in sorted(_numbered(annotation, where, file), key=lambda pair: pair[0])]


def _numbered(annotation: Element, where: str, file: object) -> Iterator[tuple[float, tuple[float, float]]]:
    for position, point in enumerate(annotation.iterfind("Coordinates/Coordinate")):
        order = point.get("Order")
        number = float(position) if order is None else coordinate(order, where, file)
        yield number, (coordinate(point.get("X"), where, file), coordinate(point.get("Y"), where, file))


# Regions drawn in Aperio ImageScope: its XML, in level-0 pixels. Does not know what a layer means.
#
# HALO (Indica Labs) writes the same elements with other names: `V` for a vertex, a word for the kind. Its
# files as pyhaloxml (https://pypi.org/project/pyhaloxml/) reads and writes them; a rectangle and an ellipse
# are two opposite corners.


IMAGESCOPE_FORM = "ImageScope XML"
IMAGESCOPE_ROOT = "Annotations"
HALO_FORM = "HALO XML"

_RECTANGLE, _ELLIPSE = "1", "2"
_KINDS_OF_HALO = {"polygon": "0", "rectangle": _RECTANGLE, "ellipse": _ELLIPSE, "ruler": "4", "pin": "pin"}
_LINES = {"3": "an arrow", "4": "a ruler", "pin": "a pin"}
_SAME_SCALE = 0.05
"""Scanners' statements of µm per pixel differ by less."""

_VERTICES = "Annotation/Regions/Region/Vertices"
_NAMING_ATTRIBUTES = {"description", "class", "classification", "name"}


def regions_in_imagescope(root: Element, file: object) -> tuple[list[AnnotatedArea], list[str]]:
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
            where = place_name(place, class_name)
            kind = _kind(region)
            if kind in _LINES:
                warnings.append(f"{where} was passed over: {_LINES[kind]} encloses no area")
                continue
            outline = _outline(_imagescope_points(region, where, file), kind, where, file)
            negative = (region.get("NegativeROA") or "0").strip().casefold() in {"1", "true"}
            if not negative and (region.get("Analyze") or "1").strip() == "0":
                warnings.append(
                    f"{where} is marked as not to be analysed (Analyze=0), but was used nevertheless"
                )
            text = (region.get("Text") or "").strip()
            label = ("Text", text) if text else ("Attribute", _attribute_name(layer))
            label = label if label[1] != class_name else ("", "")
            found.append(annotated_area(outline, class_name, where, file, negative=negative, label=label))
    elsewhere = sum(1 for _ in root.iter("Region")) - sum(
        1 for _ in root.iterfind("Annotation/Regions/Region")
    )
    if elsewhere:
        warnings.append(f"regions in other places of the file than usual, not read: {elsewhere}")
    return found, warnings


def form_of_imagescope(root: Element) -> str:
    """Return `HALO_FORM` where the vertices are HALO's, else `IMAGESCOPE_FORM`."""
    return IMAGESCOPE_FORM if root.find(f"{_VERTICES}/V") is None else HALO_FORM


def halo_origin_warnings(root: Element, file: object, *, at_corner: bool) -> list[str]:
    """Say that HALO's outlines may count from elsewhere than the picture's corner.

    Parameters
    ----------
    root : Element
        `Annotations`.
    file : object
        Names the file in messages.
    at_corner : bool
        Whether the scanned part of the slide begins at its corner.

    Raises
    ------
    RegionsFileError
        When they surely do: a place is negative, or the slide is scanned in a part of its picture only.
    """
    if form_of_imagescope(root) != HALO_FORM:
        return []
    places = [
        coordinate(vertex.get(axis), "a vertex", file)
        for vertex in root.iterfind(f"{_VERTICES}/V")
        for axis in ("X", "Y")
    ]
    if not at_corner or min(places) < -1:
        message = f"{file}: HALO's places count from elsewhere than the corner of this slide's picture"
        raise RegionsFileError(message, "draw the regions in QuPath, or convert and move them there")
    return ["HALO does not state from where its places count: check in the overview that the regions fit"]


def imagescope_scale_warnings(root: Element, mpp: float | None) -> list[str]:
    """Say where the file states other µm per pixel than the slide's: its outlines may be of another scan."""
    said = (root.get("MicronsPerPixel") or "").strip()
    if not said or mpp is None:
        return []
    try:
        stated = float(said)
    except ValueError:
        return [f'the file states no number of µm per pixel: "{said}"']
    if stated > 0 and abs(stated / mpp - 1) <= _SAME_SCALE:
        return []
    drawn_at = f"the file was drawn at {stated:g} µm per pixel and the slide has {mpp:g}"
    return [f"{drawn_at}: its outlines may belong to another scan"]


def _layer_class(layer: Element) -> str:
    own = (layer.get("Name") or "").strip()
    return own or next(_stated(layer), "")


def _stated(layer: Element) -> Iterator[str]:
    for attribute in layer.iterfind("Attributes/Attribute"):
        value = (attribute.get("Value") or "").strip()
        if value and (attribute.get("Name") or "").strip().casefold() in _NAMING_ATTRIBUTES:
            yield value


def _attribute_name(layer: Element) -> str:
    """Return the name of a layer's attribute that is not one of the usual ones: it may be the class."""
    names = ((one.get("Name") or "").strip() for one in layer.iterfind("Attributes/Attribute"))
    return next((name for name in names if name and name.casefold() not in _NAMING_ATTRIBUTES), "")


def _kind(region: Element) -> str:
    """Return ImageScope's number of a region's kind, also for HALO's word."""
    kind = (region.get("Type") or "0").strip()
    return _KINDS_OF_HALO.get(kind.casefold(), kind)


def _imagescope_points(region: Element, where: str, file: object) -> Ring:
    return [
        (coordinate(vertex.get("X"), where, file), coordinate(vertex.get("Y"), where, file))
        for name in ("Vertex", "V")
        for vertex in region.iterfind(f"Vertices/{name}")
    ]


def _is_box(points: Ring) -> bool:
    """Say whether these are the four corners, in order, of an upright rectangle."""
    if len(points) != 4:
        return False
    (a, b), (c, d), (e, f), (g, h) = points
    return (b == d and c == e and f == h and g == a) or (a == c and d == f and e == g and h == b)


def _outline(points: Ring, kind: str, where: str, file: object) -> Polygon:
    """Return the outline; rectangles and ellipses may be given by two opposite corners of their box."""
    if kind in {_RECTANGLE, _ELLIPSE} and (len(points) == 2 or (kind == _ELLIPSE and _is_box(points))):
        (left, top), (right, bottom) = points[0], points[1 if len(points) == 2 else 2]
        if kind == _RECTANGLE:
            return shapely.box(min(left, right), min(top, bottom), max(left, right), max(top, bottom))
        circle = Point((left + right) / 2, (top + bottom) / 2).buffer(0.5, quad_segs=32)
        return scale(circle, abs(right - left), abs(bottom - top))
    return closed_outline(points, where, file)
