"""GeoJSON as QuPath writes it: objects, outlines, class names and the coordinate frame."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any, TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.errors import ShapelyError
from shapely.geometry import MultiPolygon, Polygon, shape
from shapely.geometry.base import BaseGeometry

from cxpath.errors import CxpathError, RegionsFileError

# Class names as programs and people write them: when two are the same, and that none means two things.


UNCLASSIFIED = "(no class)"
"""How an object or area without a class is named, in tables and in the maps that say what classes mean."""


def plain(name: str) -> str:
    """Return a class name without what does not matter: case, spaces outside and at colons, last stars."""
    parts = name.strip().rstrip("* ").split(":")
    return ": ".join(part.strip() for part in parts).casefold()


def refuse_repeats(names: Iterable[str]) -> None:
    """Raise ValueError, for a settings model to report, when two of these names are the same."""
    twice = [name for name, number in Counter(map(plain, names)).items() if number > 1]
    if twice:
        raise ValueError(f"class {twice[0]!r} has two meanings")


# AnnotatedArea: one outline as a drawing tool left it, and how its outline is made fit for use.
#
# Knows no file form and no meaning of a class.


AGAIN = "correct it in the drawing tool and export the annotations again"

Ring = list[tuple[float, float]]


@dataclass(frozen=True)
class AnnotatedArea:
    """One annotation.

    Parameters
    ----------
    where : str
        Which annotation of the file it is, for messages: "annotation 3 (Necrosis)".
    class_name : str
        As the tool writes it; `UNCLASSIFIED` without one.
    shape : Polygon or MultiPolygon
        Valid, with its holes, in level-0 pixels.
    negative : bool
        Annotated to be cut out of the areas of its class.
    warnings : tuple of str
        What had to be repaired.
    """

    where: str
    class_name: str
    shape: Polygon | MultiPolygon
    negative: bool = False
    warnings: tuple[str, ...] = ()


def annotated_area(
    outline: BaseGeometry, class_name: str, where: str, file: object, *, negative: bool = False
) -> AnnotatedArea:
    """Check an outline and repair one that crosses or touches itself.

    Raises
    ------
    RegionsFileError
        When it has no area, or coordinates that are no pixels: what was meant cannot be known.
    """
    if outline.is_empty:
        raise RegionsFileError(f"{file}: {where} is empty", AGAIN)
    if not (np.abs(shapely.get_coordinates(outline)) < 1e9).all():  # bounds would pass over NaN
        raise RegionsFileError(f"{file}: {where} has coordinates that are no pixels", AGAIN)
    repaired = outline
    if not outline.is_valid:
        repaired = shapely.make_valid(outline, method="structure", keep_collapsed=False)
    if not isinstance(repaired, Polygon | MultiPolygon) or repaired.area <= 0:
        raise RegionsFileError(f"{file}: {where} has no area", AGAIN)
    said = f"{where}: its outline crosses or touches itself and was repaired"
    return AnnotatedArea(where, class_name, repaired, negative, () if repaired is outline else (said,))


def closed_outline(points: Ring, where: str, file: object) -> Polygon:
    """Return the polygon through points in order.

    Raises
    ------
    RegionsFileError
        With fewer than three points.
    """
    if len(points) < 3:
        raise RegionsFileError(f"{file}: {where} has {len(points)} points, which enclose nothing", AGAIN)
    try:
        return Polygon(points)
    except (ShapelyError, ValueError) as error:
        raise RegionsFileError(f"{file}: {where} is no polygon: {error}", AGAIN) from error


def coordinate(text: str | None, where: str, file: object) -> float:
    """Read one coordinate; a decimal comma is understood.

    Raises
    ------
    RegionsFileError
        When it is missing or no number.
    """
    try:
        number = float((text or "").strip().replace(",", "."))
    except ValueError:
        number = nan
    if not isfinite(number):
        raise RegionsFileError(f"{file}: {where}: {text!r} is no coordinate", AGAIN)
    return number


# QuPath's frame against the file's own: QuPath crops a slide to its scanned bounds, cxpath does not.


Bounds = tuple[int, int, int, int]
"""x, y, width, height of the scanned part, in level-0 pixels."""

Numbers = TypeVar("Numbers", float, NDArray[np.float64])


def to_qupath_frame(x_px: Numbers, y_px: Numbers, bounds_px: Bounds) -> tuple[Numbers, Numbers]:
    """Turn level-0 positions of the file into positions in QuPath's image.

    QuPath's OpenSlide reader shows only the bounds a scanner wrote (`openslide.bounds-x`, `-y`), so its
    origin is their top left corner. A slide without bounds has (0, 0, width, height), and nothing moves.

    Parameters
    ----------
    x_px, y_px : float or float64 array
        Level-0 pixels, origin at the top left of the file.
    bounds_px : tuple of int
        x, y, width, height of the scanned part.
    """
    return x_px - bounds_px[0], y_px - bounds_px[1]


def from_qupath_frame(x_px: Numbers, y_px: Numbers, bounds_px: Bounds) -> tuple[Numbers, Numbers]:
    """Turn positions in QuPath's image into level-0 positions of the file; undoes `to_qupath_frame`."""
    return x_px + bounds_px[0], y_px + bounds_px[1]


# QuPath's GeoJSON taken apart: features and their type, class, measurements and shape, of all versions.
#
# Since QuPath 0.4 derived classes are a list of `names` and measurements an object; before, a class was one
# name, measurements were an array of name and value, and the type of an object stood in its id. Does not
# know what a class or a measurement means.


Feature = dict[str, Any]

_AGAIN = "export the objects from QuPath again, as GeoJSON"
_PARTS = ("properties", "geometry")
_NO_SHAPE = (ShapelyError, ValueError, TypeError, KeyError, IndexError, AttributeError)


class FeatureShapeError(CxpathError, ValueError):
    """A geometry that is no shape."""


def parse_features(
    content: bytes, file: object, complaint: type[CxpathError]
) -> tuple[list[Feature], dict[str, Any]]:
    """Return the features of a FeatureCollection, a bare array of features, or one feature.

    Parameters
    ----------
    content : bytes
        UTF-8, with or without byte order mark.
    file : object
        Names the file in messages.
    complaint : type
        The error to raise when it is no GeoJSON.

    Returns
    -------
    features : list of dict
    collection : dict
        The other members of the collection; empty without one.
    """
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise complaint(f"{file}: not valid JSON", _AGAIN) from error
    collection: dict[str, Any] = {}
    if isinstance(document, dict):
        if document.get("type") == "FeatureCollection":
            collection = {key: value for key, value in document.items() if key != "features"}
            document = document.get("features")
        else:
            document = [document]
    if not isinstance(document, list) or not all(map(_is_feature, document)):
        raise complaint(f"{file}: not a GeoJSON FeatureCollection", _AGAIN)
    return document, collection


def _is_feature(item: Any) -> bool:
    is_feature = isinstance(item, dict) and item.get("type") == "Feature"
    return is_feature and all(isinstance(item.get(part) or {}, dict) for part in _PARTS)


def properties(feature: Feature) -> dict[str, Any]:
    """Return the feature's properties; empty without any."""
    return feature.get("properties") or {}


def geometry(feature: Feature) -> dict[str, Any]:
    """Return the feature's geometry; empty without one."""
    return feature.get("geometry") or {}


def object_type(feature: Feature) -> str:
    """Return "annotation", "detection", "cell", "tile", "tmacore", ... or an empty text when unsaid."""
    held = properties(feature)
    stated = held.get("objectType", held.get("object_type"))
    if stated:
        return str(stated).casefold()
    old = str(feature.get("id") or "").casefold()
    return next((kind for kind in ("cell", "detection", "tile") if old == f"path{kind}object"), "")


def class_name(feature: Feature) -> str:
    """Return the class as QuPath shows it, derived ones as "Tumor: Positive"; `UNCLASSIFIED` without."""
    given = properties(feature).get("classification")
    if isinstance(given, dict):
        names = given.get("names") or given.get("name")
        given = ": ".join(str(name) for name in names) if isinstance(names, list) else names
    return (str(given).strip() if given else "") or UNCLASSIFIED


def nucleus(feature: Feature) -> dict[str, Any] | None:
    """Return the geometry of a cell's nucleus, where QuPath knows it."""
    found = feature.get("nucleusGeometry") or properties(feature).get("nucleusGeometry")
    return found if isinstance(found, dict) else None


def measurements(feature: Feature) -> Mapping[str, Any]:
    """Return measurements by name, from an object (since QuPath 0.4) or an array of name and value."""
    held = properties(feature).get("measurements")
    if isinstance(held, dict):
        return held
    if isinstance(held, list):
        entries = [entry for entry in held if isinstance(entry, dict) and "name" in entry]
        return {str(entry["name"]): entry.get("value") for entry in entries}
    return {}


def shape_of(held: dict[str, Any]) -> BaseGeometry:
    """Return a geometry as a shape in the file's own frame.

    Raises
    ------
    FeatureShapeError
        When it is none; the message says why and names no file.
    """
    try:
        with np.errstate(invalid="ignore"):  # who asked looks for coordinates that are no numbers
            return shape(held)
    except _NO_SHAPE as error:
        raise FeatureShapeError(str(error) or type(error).__name__) from error
