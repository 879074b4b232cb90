"""Regions drawn in ASAP: its XML, in level-0 pixels of the file. Does not know what a group means."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from cxpath.exchange.class_names import UNCLASSIFIED
from cxpath.exchange.drawn_area import DrawnArea, Ring, closed_outline, coordinate, drawn_area

FORM = "ASAP XML"
ROOT = "ASAP_Annotations"

_AREAS = {"polygon", "rectangle", "spline"}


def drawn_in_asap(root: Element, file: object) -> tuple[list[DrawnArea], list[str]]:
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
    for number, annotation in enumerate(root.iterfind("Annotations/Annotation"), start=1):
        group = (annotation.get("PartOfGroup") or "").strip()
        class_name = UNCLASSIFIED if group.casefold() in {"", "none"} else group
        kind, where = annotation.get("Type") or "", f"annotation {number} ({class_name})"
        if kind.casefold() not in _AREAS:
            warnings.append(
                f"annotation {number} was passed over: a {kind or 'nameless type'} encloses no area"
            )
            continue
        if kind.casefold() == "spline":
            warnings.append(f"{where} is a spline and was read as the polygon through its points")
        outline = closed_outline(_points(annotation, where, file), where, file)
        found.append(drawn_area(outline, class_name, where, file))
    return found, warnings


def _points(annotation: Element, where: str, file: object) -> Ring:
    return [point for _, point in sorted(_numbered(annotation, where, file), key=lambda pair: pair[0])]


def _numbered(annotation: Element, where: str, file: object) -> Iterator[tuple[float, tuple[float, float]]]:
    for position, point in enumerate(annotation.iterfind("Coordinates/Coordinate")):
        order = point.get("Order")
        number = float(position) if order is None else coordinate(order, where, file)
        yield number, (coordinate(point.get("X"), where, file), coordinate(point.get("Y"), where, file))
