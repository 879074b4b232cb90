"""GeoJSON as QuPath writes it: objects, outlines, class names and the coordinate frame."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any, TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.errors import ShapelyError
from shapely.geometry import (
    GeometryCollection,
    LineString,
    MultiLineString,
    MultiPoint,
    MultiPolygon,
    Point,
    Polygon,
)
from shapely.geometry.base import BaseGeometry

from cxpath.errors import CxpathError, RegionsFileError

# Class names as programs and people write them: when two are the same, and that none means two things.


UNCLASSIFIED = "(no class)"
"""How an object or area without a class is named, in tables and in the maps that say what classes mean."""
_INVISIBLE = {"Cf", "Cc"}
"""Unicode's categories of format and control characters: zero-width spaces, byte order marks."""


def plain(name: str) -> str:
    """Return a class name without what does not matter: case, spaces outside and at colons, last stars."""
    parts = unicodedata.normalize("NFC", name).strip().rstrip("* ").split(":")
    return ": ".join(part.strip() for part in parts).casefold()


_WRITTEN_NUMBER = re.compile(r"0*([0-9]+)(?:\.0+)?", re.ASCII)


def lookalike_key(name: str) -> str:
    """Return what is equal for names that a person could not tell apart, or would not mean to differ.

    Case, the kind and number of spaces, normal forms and invisible characters make no difference.
    """
    composed = unicodedata.normalize("NFKC", name)
    visible = "".join(one for one in composed if one.isspace() or unicodedata.category(one) not in _INVISIBLE)
    return unicodedata.normalize("NFKC", " ".join(visible.split()).casefold())


def lookalike_number(name: str) -> str:
    """Return `lookalike_key`, and for a number what spreadsheets and pandas may leave of it.

    They turn 007 into 7, and 7 into 7.0 in a column with gaps.
    """
    key = lookalike_key(name)
    number = _WRITTEN_NUMBER.fullmatch(key)
    return number[1] if number else key


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

_FEW_SIDES = 200
"""All sides of so few may cross each other, and the crossings are still soon found."""
_MEETINGS_PER_SIDE, _SPARE_MEETINGS = 10, 50_000
_PAIRS_AT_A_TIME, _MOST_SOUGHT = 2_000_000, 200_000


def place_name(place: str, class_name: str) -> str:
    """Return how an area is called in messages: "annotation 3 (Necrosis)"."""
    return f"{place} {class_name}" if class_name == UNCLASSIFIED else f"{place} ({class_name})"


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
    label : str
        What it is called besides its class, where the file says so: a name, a text, another property.
    label_key : str
        In which property of the file.
    """

    where: str
    class_name: str
    shape: Polygon | MultiPolygon
    negative: bool = False
    warnings: tuple[str, ...] = ()
    label: str = ""
    label_key: str = ""


def annotated_area(
    outline: BaseGeometry,
    class_name: str,
    where: str,
    file: object,
    *,
    negative: bool = False,
    label: tuple[str, str] = ("", ""),
) -> AnnotatedArea:
    """Check an outline and repair one that crosses or touches itself; `label` is its key and text.

    Raises
    ------
    RegionsFileError
        When it has no area, or coordinates that are not pixels: what was meant cannot be known.
    """
    if outline.is_empty:
        raise RegionsFileError(f"{file}: {where} is empty", AGAIN)
    if not (np.abs(shapely.get_coordinates(outline)) < 1e9).all():  # bounds would pass over NaN
        raise RegionsFileError(f"{file}: {where} has coordinates that are not pixels", AGAIN)
    repaired = outline
    if not outline.is_valid:
        if are_tangled([outline]):
            raise RegionsFileError(f"{file}: {where} crosses itself too often to be repaired", AGAIN)
        repaired = _repaired(outline)
    if not isinstance(repaired, Polygon | MultiPolygon) or repaired.area <= 0:
        raise RegionsFileError(f"{file}: {where} has no area", AGAIN)
    said = f"{where}: its outline crosses or touches itself and was repaired"
    warnings = () if repaired is outline else (said,)
    return AnnotatedArea(where, class_name, repaired, negative, warnings, label[1], label[0])


def _repaired(outline: BaseGeometry) -> BaseGeometry:
    """Return a valid outline; a hole beyond its outer ring, which GEOS would add as an area, adds nothing."""
    valid = shapely.make_valid(outline, method="structure", keep_collapsed=False)
    parts = [part for part in shapely.get_parts(outline) if isinstance(part, Polygon)]
    if not any(part.interiors for part in parts):
        return valid
    rings = [shapely.make_valid(Polygon(part.exterior), method="structure") for part in parts]
    return shapely.intersection(valid, shapely.union_all(rings))


def are_tangled(outlines: Iterable[BaseGeometry]) -> bool:
    """Say whether the sides of outlines meet so often that GEOS would need many gigabytes to cut them.

    Two combs across each other are a small file, and their teeth have millions of crossings.
    """
    sides = _sides(outlines)
    if len(sides) <= _FEW_SIDES:
        return False
    tree = shapely.STRtree(sides)
    sought = sides[:: len(sides) // _MOST_SOUGHT + 1]
    most = _MEETINGS_PER_SIDE * len(sought) + _SPARE_MEETINGS * len(sought) // len(sides)
    step = max(1, _PAIRS_AT_A_TIME // len(sides))
    met = 0
    for start in range(0, len(sought), step):
        met += tree.query(sought[start : start + step], predicate="intersects").shape[1]
        if met > most:
            return True
    return False


def _sides(outlines: Iterable[BaseGeometry]) -> NDArray[np.object_]:
    """Return every side as a line of two points."""
    rings = shapely.get_rings(shapely.get_parts(list(outlines)))
    points, ring = shapely.get_coordinates(rings, return_index=True)
    joined = ring[1:] == ring[:-1]
    return np.asarray(shapely.linestrings(np.stack([points[:-1], points[1:]], axis=1)[joined]))


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
        raise RegionsFileError(f"{file}: {where} is not a polygon: {error}", AGAIN) from error


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
        raise RegionsFileError(f"{file}: {where}: {text!r} is not a coordinate", AGAIN)
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
_NO_SHAPE = (ShapelyError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError)
_DEEPEST = 8
"""Of collections within collections; what programs write has one."""
_MOST_POINTS = 2_000_000
"""Of one geometry: an outline of a whole slide, pixel by pixel, has fewer."""
_LARGEST_PX = 1e9
_LABELS = (
    *("name", "class", "classname", "class_name", "classificationname", "classification_name"),
    *("classification", "label", "labels", "type", "category", "annotationtype", "annotation_type", "group"),
    *("tissue", "tissuetype", "tissue_type", "region", "region_type", "regiontype", "kind", "tag", "tags"),
    *("title", "text", "description", "annotation_description", "comment", "note"),
)
"""Properties in which other programs, or people, write what QuPath writes under `classification`."""
_NO_PROPERTIES = {"type", "id", "geometry", "properties", "nucleusGeometry", "bbox", "measurements"}
"""Members of a feature in which nobody looks for its class."""


class FeatureShapeError(CxpathError, ValueError):
    """A geometry that is not a shape."""


_ESCAPES = re.compile(rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F]|(u[dD][89a-fA-F])|.)")


def contains_half_characters(content: bytes) -> bool:
    r"""Say whether JSON escapes one half of a surrogate pair, such as `\ud800`.

    Python reads it, but cannot write the text anywhere: a result would fail when all its work is done.
    """
    return any(half in content for half in (rb"\ud", rb"\uD")) and any(
        found[1] for found in _ESCAPES.finditer(content)
    )


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
    if contains_half_characters(content):
        raise complaint(f"{file}: a text of it contains half a character (such as \\ud800)", _AGAIN)
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
    if not isinstance(item, dict) or item.get("type") != "Feature":
        return False
    if not all(isinstance(item.get(part) or {}, dict) for part in _PARTS):
        return False
    return isinstance((item.get("geometry") or {}).get("type", ""), str)


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


def planes(features: Iterable[Feature]) -> Iterator[str]:
    """Warn of objects on several planes of a stack or at several times: they are treated as one picture."""
    held = (geometry(feature).get("plane") for feature in features)
    places = {f"{one.get('z', 0)} {one.get('t', 0)}" if isinstance(one, dict) else "0 0" for one in held}
    if len(places) > 1:
        yield f"objects of {len(places)} planes or times were combined"


def label(feature: Feature) -> tuple[str, str]:
    """Return what an object without a class is called elsewhere: the property's name and its text, or blanks.

    QuPath leaves these alone, and so does cxpath: a name is no class. Whoever reads the file must be warned.
    """
    held = properties(feature)
    inner = [value for key, value in held.items() if isinstance(value, dict) and key not in _NO_PROPERTIES]
    others = {key: value for key, value in feature.items() if key not in _NO_PROPERTIES}
    for place in (held, others, *inner):
        found = _label_in(place)
        if found[0]:
            return found
    return "", ""


def _label_in(place: Mapping[str, Any]) -> tuple[str, str]:
    by_name = {str(key).casefold(): (str(key), value) for key, value in place.items()}
    for known in _LABELS:
        key, value = by_name.get(known, ("", None))
        if key != "classification" and (text := _label_text(value)):
            return key, text
    return "", ""


def _label_text(value: Any) -> str:
    """Return a label as text; also a number stands for a class in some programs."""
    if isinstance(value, dict):
        value = value.get("name")
    if isinstance(value, list):
        return ", ".join(filter(None, (_label_text(one) for one in value[:4] if not isinstance(one, list))))
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip()


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


def shape_of(held: Mapping[str, Any]) -> BaseGeometry:
    """Return a geometry as a shape in the file's own frame; every number in it was looked at beforehand.

    GEOS ends the program over some geometries that are none, such as one with an empty hole.

    Raises
    ------
    FeatureShapeError
        When it is none; the message says why and names no file.
    """
    try:
        return _shape(held, 0)
    except FeatureShapeError:
        raise
    except _NO_SHAPE as error:
        raise FeatureShapeError(str(error) or type(error).__name__) from error


def _shape(held: Mapping[str, Any], depth: int) -> BaseGeometry:
    kind = held.get("type")
    if kind == "GeometryCollection":
        if depth >= _DEEPEST:
            raise FeatureShapeError("collections are nested too deeply")
        return GeometryCollection([_shape(part, depth + 1) for part in _list(held.get("geometries"))])
    build = _BUILDERS.get(str(kind))
    if build is None:
        raise FeatureShapeError(f"{kind!r} is not a type of geometry")
    return build(held.get("coordinates"))


def _list(held: Any) -> list[Any]:
    if not isinstance(held, list):
        raise FeatureShapeError("coordinates are missing")
    return held


def _positions(held: Any, fewest: int = 0) -> NDArray[np.float64]:
    """Return positions as (N, 2); a third coordinate, QuPath's plane, is left out."""
    entries = _list(held)
    if len(entries) < fewest:
        raise FeatureShapeError(f"a ring or line of {len(entries)} points encloses nothing")
    if len(entries) > _MOST_POINTS:
        raise FeatureShapeError(f"{len(entries)} points are too many")
    if not entries:
        return np.empty((0, 2))
    try:
        places = np.asarray(entries)
    except ValueError as error:  # as many dimensions as no array has
        raise FeatureShapeError("it has coordinates that are not pairs of numbers") from error
    if places.dtype.kind not in "iuf" or places.ndim != 2 or places.shape[1] < 2:
        raise FeatureShapeError("it has coordinates that are not pairs of numbers")
    places = places[:, :2].astype(np.float64)
    if not (np.abs(places) < _LARGEST_PX).all():
        raise FeatureShapeError("it has coordinates that are not pixels")
    return places


def _polygon(held: Any) -> Polygon:
    rings = [_positions(ring, 3) for ring in _list(held)]
    return Polygon(rings[0], rings[1:]) if rings else Polygon()


_BUILDERS: dict[str, Callable[[Any], BaseGeometry]] = {
    "Point": lambda held: Point(_positions([held])[0]),
    "MultiPoint": lambda held: MultiPoint(_positions(held)),
    "LineString": lambda held: LineString(_positions(held, 2)),
    "MultiLineString": lambda held: MultiLineString([_positions(one, 2) for one in _list(held)]),
    "Polygon": _polygon,
    "MultiPolygon": lambda held: MultiPolygon([_polygon(one) for one in _list(held)]),
}
