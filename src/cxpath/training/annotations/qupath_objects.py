"""Objects of a QuPath GeoJSON export: class name, type and shape, in level-0 pixels of the image file.

Knows nothing of what a class means.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

from cxpath.exchange.file_content import read_content
from cxpath.exchange.qupath_frame import Bounds, from_qupath_frame
from cxpath.exchange.qupath_geojson import (
    FeatureShapeError,
    class_name,
    geometry,
    nucleus,
    object_type,
    parse_features,
    shape_of,
)
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
        As QuPath writes it, derived classes as "Tumor: Positive"; "(no class)" without one.
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
    features, _ = parse_features(read_content(path, AnnotationsError, _AGAIN), path, AnnotationsError)
    objects = list(_objects(features, path, offset))
    if not objects:
        raise AnnotationsError(f"{path}: holds no point or outline", "annotate cells and export them again")
    return objects


def _objects(
    features: list[dict[str, Any]], path: Path, offset: tuple[float, float]
) -> Iterator[MarkedObject]:
    for number, feature in enumerate(features, start=1):
        where = f"{path}: feature {number}"
        kind, held = object_type(feature), geometry(feature)
        if kind in _NOT_MARKED or held.get("type") not in _POINTS | _OUTLINES:
            _logger.warning("%s passed over: %s of type %s", where, kind or "object", held.get("type"))
            continue
        inner = nucleus(feature)
        yield MarkedObject(
            where=where,
            class_name=class_name(feature),
            drawn=kind not in {"cell", "detection"},
            outline=_shape(held, where, offset),
            nucleus=None if inner is None else _shape(inner, where, offset),
        )


def _shape(held: dict[str, Any], where: str, offset: tuple[float, float]) -> BaseGeometry:
    try:
        outline = shape_of(held)
    except FeatureShapeError as error:
        raise AnnotationsError(f"{where}: not a shape: {error.message}", _AGAIN) from error
    if outline.is_empty or not all(abs(edge) < 1e9 for edge in outline.bounds):
        raise AnnotationsError(f"{where}: coordinates are no pixels", _AGAIN)
    if not outline.is_valid:
        outline = shapely.make_valid(outline, method="structure", keep_collapsed=True)
    return translate(outline, *offset)
