"""QuPath's GeoJSON taken apart: features and their type, class, measurements and shape, of all versions.

Since QuPath 0.4 derived classes are a list of `names` and measurements an object; before, a class was one
name, measurements were an array of name and value, and the type of an object stood in its id.
Does not know what a class or a measurement means.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from cxpath.exchange.class_names import UNCLASSIFIED
from cxpath.values.errors import CxpathError

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
