"""Areas drawn in QuPath, from its GeoJSON, moved into level-0 pixels. Does not know what a class means."""

from __future__ import annotations

from collections import Counter
from typing import Any

from shapely.affinity import translate
from shapely.geometry import GeometryCollection, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from cxpath.exchange.drawn_area import DrawnArea, drawn_area
from cxpath.exchange.qupath_frame import Bounds, from_qupath_frame
from cxpath.exchange.qupath_geojson import (
    FeatureShapeError,
    class_name,
    geometry,
    object_type,
    parse_features,
    shape_of,
)
from cxpath.values.errors import RegionsFileError

FORM = "QuPath GeoJSON"

_DRAWN_TYPES = {"", "annotation"}
_AREAS = {"Polygon", "MultiPolygon", "GeometryCollection"}


def drawn_in_geojson(content: bytes, bounds_px: Bounds, file: object) -> tuple[list[DrawnArea], list[str]]:
    """Return the areas of a file, and warnings about what was passed over.

    Polygons and multipolygons keep their holes; of a mixed geometry the polygons are taken. Points, lines
    and objects that are no annotations (detections, cells, tiles) are passed over.

    Parameters
    ----------
    content : bytes
        A FeatureCollection, a bare array of features or one feature.
    bounds_px : tuple of int
        x, y, width, height of the slide's scanned part: QuPath's positions are relative to it.
    file : object
        Names the file in messages.

    Raises
    ------
    RegionsFileError
        When it is no GeoJSON, or an area is none.
    """
    offset = from_qupath_frame(0.0, 0.0, bounds_px)
    found: list[DrawnArea] = []
    passed_over: Counter[str] = Counter()
    features, _ = parse_features(content, file, RegionsFileError)
    for number, feature in enumerate(features, start=1):
        held, kind, name = geometry(feature), object_type(feature), class_name(feature)
        if kind not in _DRAWN_TYPES or held.get("type") not in _AREAS:
            passed_over[kind if kind not in _DRAWN_TYPES else str(held.get("type") or "no geometry")] += 1
            continue
        where = f"annotation {number} ({name})"
        outline = _polygons(_shape(held, where, file))
        found.append(drawn_area(translate(outline, *offset), name, where, file))
    return found, [_said(passed_over)] if passed_over else []


def _shape(held: dict[str, Any], where: str, file: object) -> BaseGeometry:
    try:
        return shape_of(held)
    except FeatureShapeError as error:
        message = f"{file}: {where} is not a polygon: {error.message}"
        raise RegionsFileError(message, "export the annotations again") from error


def _polygons(outline: BaseGeometry) -> BaseGeometry:
    if not isinstance(outline, GeometryCollection):
        return outline
    areas = [part for part in outline.geoms if isinstance(part, Polygon | MultiPolygon)]
    polygons = [p for part in areas for p in (part.geoms if isinstance(part, MultiPolygon) else [part])]
    return MultiPolygon(polygons)


def _said(passed_over: Counter[str]) -> str:
    kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(passed_over.items()))
    return f"objects without a drawn area were passed over: {kinds}"
