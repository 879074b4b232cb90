"""Objects of a QuPath GeoJSON export: class name, type and shape, in level-0 pixels of the image file.

Knows nothing of what a class means.
"""

from __future__ import annotations

import gzip
import json
import logging
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely
from shapely.affinity import translate
from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from cxpath.exchange.qupath_frame import Bounds, from_qupath_frame
from cxpath.training.annotations.class_map import UNCLASSIFIED
from cxpath.values.errors import CxpathError

_AGAIN = "export the objects from QuPath again, as GeoJSON"
_POINTS, _OUTLINES = {"Point", "MultiPoint"}, {"Polygon", "MultiPolygon"}
_NOT_MARKED = {"tile", "tmacore", "tma_core", "root"}
_logger = logging.getLogger(__name__)


class AnnotationsError(CxpathError, ValueError):
    """Annotations are missing, cannot be read, or do not fit their image or class map."""


@dataclass(frozen=True)
class MarkedObject:
    """One object.

    Parameters
    ----------
    where : str
        File and number of the feature, for messages.
    class_name : str
        As QuPath writes it, derived classes as "Tumor: Positive"; `UNCLASSIFIED` without one.
    drawn : bool
        True for an annotation, False for a detection or cell.
    outline : BaseGeometry
        (Multi)Point or (Multi)Polygon.
    nucleus : BaseGeometry or None
        A cell's nucleus, where QuPath knows it.
    """

    where: str
    class_name: str
    drawn: bool
    outline: BaseGeometry
    nucleus: BaseGeometry | None = None

    @property
    def is_points(self) -> bool:
        """Whether it is one point or several, not an outline."""
        return self.outline.geom_type in _POINTS

    def centres(self) -> list[tuple[float, float]]:
        """Return every point, or the centre of the nucleus, or that of the outline."""
        if self.is_points:
            return [(x, y) for x, y in shapely.get_coordinates(self.outline)]
        centre = shapely.centroid(self.outline if self.nucleus is None else self.nucleus)
        return [(centre.x, centre.y)]


def read_objects(path: Path, bounds_px: Bounds) -> list[MarkedObject]:
    """Read all points and outlines of a file; TMA cores and tiles are passed over.

    Parameters
    ----------
    path : Path
        `.geojson` or `.geojson.gz`: a FeatureCollection, a bare array of features or one feature.
    bounds_px : tuple of int
        x, y, width, height of the slide's scanned part: QuPath's positions are relative to it.

    Raises
    ------
    AnnotationsError
        When it cannot be read, is no GeoJSON, or holds no object.
    """
    offset = from_qupath_frame(0.0, 0.0, bounds_px)
    objects = list(_objects(_features(path), path, offset))
    if not objects:
        raise AnnotationsError(f"{path}: holds no point or outline", "annotate cells and export them again")
    return objects


def _features(path: Path) -> list[dict[str, Any]]:
    document = _document(path)
    if isinstance(document, dict):
        document = document.get("features") if document.get("type") == "FeatureCollection" else [document]
    if not isinstance(document, list) or not all(_is_feature(item) for item in document):
        raise AnnotationsError(f"{path}: not a GeoJSON FeatureCollection", _AGAIN)
    return document


def _document(path: Path) -> Any:
    try:
        raw = path.read_bytes()
        text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise AnnotationsError(f"{path}: cannot be read: {error}", _AGAIN) from error
    if not text.strip():
        raise AnnotationsError(f"{path}: the file is empty", _AGAIN)
    try:
        return json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise AnnotationsError(f"{path}: not valid JSON", _AGAIN) from error


def _is_feature(item: Any) -> bool:
    parts = ("properties", "geometry")
    is_feature = isinstance(item, dict) and item.get("type") == "Feature"
    return is_feature and all(isinstance(item.get(part) or {}, dict) for part in parts)


def _objects(
    features: list[dict[str, Any]], path: Path, offset: tuple[float, float]
) -> Iterator[MarkedObject]:
    for number, feature in enumerate(features, start=1):
        where = f"{path}: feature {number}"
        kind = _object_type(feature)
        geometry = feature.get("geometry") or {}
        if kind in _NOT_MARKED or geometry.get("type") not in _POINTS | _OUTLINES:
            _logger.warning("%s passed over: %s of type %s", where, kind or "object", geometry.get("type"))
            continue
        outline = _shape(geometry, where, offset)
        nucleus = feature.get("nucleusGeometry") or (feature.get("properties") or {}).get("nucleusGeometry")
        yield MarkedObject(
            where=where,
            class_name=_class_name(feature),
            drawn=kind not in {"cell", "detection"},
            outline=outline,
            nucleus=_shape(nucleus, where, offset) if isinstance(nucleus, dict) else None,
        )


def _object_type(feature: dict[str, Any]) -> str:
    properties = feature.get("properties") or {}
    stated = properties.get("objectType", properties.get("object_type"))
    if stated:
        return str(stated).casefold()
    # Before QuPath 0.4 the id said it: "PathCellObject", "PathDetectionObject".
    old = str(feature.get("id") or "").casefold()
    return next((kind for kind in ("cell", "detection") if old == f"path{kind}object"), "")


def _class_name(feature: dict[str, Any]) -> str:
    given = (feature.get("properties") or {}).get("classification")
    if isinstance(given, dict):
        names = given.get("names") or given.get("name")
        given = ": ".join(str(name) for name in names) if isinstance(names, list) else names
    return str(given).strip() if given else UNCLASSIFIED


def _shape(geometry: dict[str, Any], where: str, offset: tuple[float, float]) -> BaseGeometry:
    try:
        outline = shape(geometry)
    except (ShapelyError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise AnnotationsError(f"{where}: not a shape: {error}", _AGAIN) from error
    if outline.is_empty or not all(abs(edge) < 1e9 for edge in outline.bounds):
        raise AnnotationsError(f"{where}: coordinates are no pixels", _AGAIN)
    if not outline.is_valid:
        outline = shapely.make_valid(outline, method="structure", keep_collapsed=True)
    return translate(outline, *offset)
