"""A pathologist's regions from QuPath GeoJSON, in level-0 pixels of the file.

A class that nobody gave a meaning is an error: an area meant as "do not score this" must never be scored
because its name was spelled differently.
"""

from __future__ import annotations

import gzip
import json
import logging
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import shapely
from shapely.affinity import translate
from shapely.errors import ShapelyError
from shapely.geometry import MultiPolygon, Polygon, shape
from shapely.geometry.base import BaseGeometry

from cxpath.exchange.qupath_frame import Bounds, from_qupath_frame
from cxpath.values.errors import MissingFileError, RegionsFileError
from cxpath.values.regions import Region, Regions, RegionUse

logger = logging.getLogger(__name__)

INCLUDED_CLASSES = (
    "Tumor", "Tumour", "Tumor bed", "Tumour bed", "Invasive tumor", "Invasive tumour", "Carcinoma",
    "Region", "ROI", "Region of interest", "Include",
)  # fmt: skip
EXCLUDED_CLASSES = (
    "Exclude", "Ignore", "Necrosis", "Artefact", "Artifact", "Benign", "Normal", "CIN", "CIN1", "CIN2",
    "CIN3", "CIS", "HSIL", "LSIL", "Dysplasia", "Ulcer", "Fold", "Pen", "Blur", "Control", "Positive control",
    "Negative control",
)  # fmt: skip

DEFAULT_CLASSES: Mapping[str, RegionUse] = {
    **dict.fromkeys(INCLUDED_CLASSES, RegionUse.INCLUDE),
    **dict.fromkeys(EXCLUDED_CLASSES, RegionUse.EXCLUDE),
}
"""What a class name means. Neither case matters nor the star that QuPath sets behind `Region*`, `Ignore*`."""

UNCLASSIFIED = "(no class)"
_DRAWN_TYPES = {None, "annotation"}


def read_regions(
    path: Path | str, bounds_px: Bounds = (0, 0, 0, 0), classes: Mapping[str, RegionUse] = DEFAULT_CLASSES
) -> Regions:
    """Read the drawn areas of a slide.

    Parameters
    ----------
    path : Path
        `.geojson` or `.geojson.gz`: a FeatureCollection, a bare array of features or one feature.
    bounds_px : tuple of int
        x, y, width, height of the slide's scanned part: QuPath's positions are relative to it.
    classes : mapping of str to RegionUse
        What each class name means. An area without a class is included.

    Returns
    -------
    Regions
        Polygons and multipolygons with their holes; broken outlines are repaired. Other geometries, and
        objects that are no annotations (detections, cells, tiles), are left out with a log line.

    Raises
    ------
    MissingFileError
        When there is no such file.
    RegionsFileError
        When it is no GeoJSON, has a class without a meaning, or holds no area at all.
    """
    path = Path(path)
    meaning = {_plain(name): use for name, use in classes.items()}
    areas = []
    for number, feature in enumerate(_features(_load(path), path), start=1):
        drawn = _drawn_shape(feature, f"{path}: feature {number}")
        if drawn is not None:
            name = _class_name(feature)
            use = RegionUse.INCLUDE if name == UNCLASSIFIED else meaning.get(_plain(name))
            if use is None:
                raise RegionsFileError(
                    f"{path}: feature {number} has the unknown class {name!r}", _known(classes)
                )
            areas.append(Region(name, use, _in_file_frame(drawn, bounds_px)))
    if not areas:
        raise RegionsFileError(f"{path}: no drawn area in the file", "export polygon annotations from QuPath")
    return Regions(tuple(areas))


def _load(path: Path) -> Any:
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file")
    try:
        raw = path.read_bytes()
        content = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise RegionsFileError(f"{path}: cannot be read: {error}", "export the annotations again") from error
    if not content.strip():
        raise RegionsFileError(f"{path}: the file is empty", "export the annotations again")
    try:
        return json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise RegionsFileError(f"{path}: not valid JSON", "export the annotations as GeoJSON") from error


def _features(document: Any, path: Path) -> list[dict[str, Any]]:
    if isinstance(document, dict):
        kind = document.get("type")
        document = document.get("features") if kind == "FeatureCollection" else [document]
    if not isinstance(document, list) or not all(_is_feature(item) for item in document):
        raise RegionsFileError(
            f"{path}: not a GeoJSON FeatureCollection", "export the annotations as GeoJSON"
        )
    return document


def _is_feature(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and item.get("type") == "Feature"
        and isinstance(item.get("properties") or {}, dict)
        and isinstance(item.get("geometry") or {}, dict)
    )


def _properties(feature: dict[str, Any]) -> dict[str, Any]:
    return feature.get("properties") or {}


def _class_name(feature: dict[str, Any]) -> str:
    given = _properties(feature).get("classification")
    if isinstance(given, dict):
        names = given.get("names") or given.get("name")
        given = ": ".join(str(name) for name in names) if isinstance(names, list) else names
    return str(given).strip() if given else UNCLASSIFIED


def _drawn_shape(feature: dict[str, Any], where: str) -> Polygon | MultiPolygon | None:
    properties, geometry = _properties(feature), feature.get("geometry") or {}
    drawn_type = properties.get("objectType", properties.get("object_type"))
    if drawn_type not in _DRAWN_TYPES or geometry.get("type") not in {"Polygon", "MultiPolygon"}:
        logger.warning("%s ignored: %s of type %s", where, drawn_type or "object", geometry.get("type"))
        return None
    try:
        outline = shape(geometry)
    except (ShapelyError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise RegionsFileError(f"{where}: not a polygon: {error}", "export the annotations again") from error
    if not all(abs(edge) < 1e9 for edge in outline.bounds):
        raise RegionsFileError(f"{where}: coordinates are no pixels", "export the annotations again")
    return _valid_area(outline, where)


def _valid_area(outline: BaseGeometry, where: str) -> Polygon | MultiPolygon | None:
    """Repair crossing outlines; what has no area is ignored."""
    if not outline.is_valid:
        logger.warning("%s: the outline crosses itself and was repaired", where)
        outline = shapely.make_valid(outline, method="structure", keep_collapsed=False)
    if not isinstance(outline, Polygon | MultiPolygon) or outline.area == 0:
        logger.warning("%s ignored: it has no area", where)
        return None
    return outline


def _in_file_frame(drawn: Polygon | MultiPolygon, bounds_px: Bounds) -> Polygon | MultiPolygon:
    x_px, y_px = from_qupath_frame(0.0, 0.0, bounds_px)
    return translate(drawn, x_px, y_px)


def _plain(name: str) -> str:
    return name.strip().rstrip("*").strip().casefold()


def _known(classes: Mapping[str, RegionUse]) -> str:
    of_use = {use: ", ".join(name for name, meant in classes.items() if meant is use) for use in RegionUse}
    return "; ".join(f"to {use} areas name them {names}" for use, names in of_use.items())
