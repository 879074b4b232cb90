"""Cells that QuPath exported as GeoJSON: detections, cells, or points that a person set.

Reads the forms of all QuPath versions, and cxpath's own `cells.geojson.gz`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from cxpath.errors import CellsFileError
from cxpath.io.cell_classes import (
    MEASURED,
    NOT_MEASURED,
    CellClasses,
    ClassifiedCells,
)
from cxpath.io.geojson import (
    UNCLASSIFIED,
    Bounds,
    Feature,
    FeatureShapeError,
    class_name,
    from_qupath_frame,
    geometry,
    label,
    measurements,
    nucleus,
    object_type,
    parse_features,
    planes,
    properties,
    shape_of,
)

GEOJSON_FORM = "QuPath GeoJSON"

_CELLS = {"cell", "detection"}
_POINTS = {"Point", "MultiPoint"}
_LINES = {"LineString", "MultiLineString"}
_MOST_PARTS, _WIDEST_SPREAD = 8, 4.0
"""A cell may fall into a few parts side by side; many parts, or parts far from each other, are many cells."""
_NO_NUMBERS = {"", "nan", "inf", "-inf", "infinity", "-infinity"}
"""How QuPath writes measurements that are not finite."""


def cells_in_geojson(
    content: bytes, bounds_px: Bounds, classes: CellClasses, file: object
) -> tuple[ClassifiedCells, list[str]]:
    """Return the cells of a file, and warnings about what was passed over.

    A cell lies at the centroid of its nucleus, else of its outline. Annotations count only as points, of
    which one object may contain several; drawn outlines, tiles and cores are passed over.

    Parameters
    ----------
    content : bytes
        A FeatureCollection or a bare array of features.
    bounds_px : tuple of int
        x, y, width, height of the slide's scanned part: QuPath's positions are relative to it.
    classes : CellClasses
        Says which measurement fills which column.
    file : object
        Names the file in messages.

    Raises
    ------
    CellsFileError
        When it is no GeoJSON, a geometry is none, or it contains no cell.
    """
    features, collection = parse_features(content, file, CellsFileError)
    threshold, slide_digest = _own_facts(collection)
    cells = [(number, feature) for number, feature in enumerate(features, start=1) if _is_cell(feature)]
    others = list(_passed_over([feature for feature in features if not _is_cell(feature)]))
    if not cells:
        said = f"contains no cell; {others[0]}" if others else "contains no cell"
        raise CellsFileError(f"{file}: {said}", "export detections, cells or points from QuPath")
    outlines = [_place(feature, f"{file}: feature {number}") for number, feature in cells]
    copies = np.array([len(outline) for outline in outlines])
    places = np.concatenate(outlines)
    objects = [feature for _, feature in cells]
    names, code = np.unique([class_name(feature) for feature in objects], return_inverse=True)
    measured, unread = _measured(objects, classes)
    x_px, y_px = from_qupath_frame(places[:, 0], places[:, 1], bounds_px)
    labelled = _labelled(objects)
    found = ClassifiedCells(
        x_px=x_px,
        y_px=y_px,
        class_code=np.repeat(code.astype(np.int64), copies),
        class_names=tuple(str(name) for name in names),
        measured={name: np.repeat(values, copies) for name, values in measured.items()},
        stained_threshold=threshold,
        slide_digest=slide_digest,
        remark=labelled,
        own=isinstance(collection.get("cxpath"), dict),
    )
    return found, [
        *others,
        *planes(objects),
        *_several_parts(objects),
        *unread,
        *([labelled] if labelled else []),
    ]


def _own_facts(collection: dict[str, Any]) -> tuple[float | None, str]:
    """Return the staining threshold and the slide's digest that cxpath notes in its own file."""
    own = collection.get("cxpath")
    if not isinstance(own, dict):
        return None, ""
    threshold = own.get("stained_threshold")
    stated = float(threshold) if isinstance(threshold, int | float) and 0 <= threshold <= 1 else None
    return stated, str(own.get("slide_digest") or "")


def _is_cell(feature: Feature) -> bool:
    kind = object_type(feature)
    if kind in _CELLS:
        return geometry(feature).get("type") not in _LINES
    # QuPath takes an object without a type for an annotation; a drawn outline is an area, not a cell.
    return kind in {"", "annotation"} and geometry(feature).get("type") in _POINTS


def _place(feature: Feature, where: str) -> NDArray[np.float64]:
    """Return the positions of one object, (1, 2), or (N, 2) for points."""
    held = nucleus(feature) or geometry(feature)
    if held.get("type") == "Point" and _is_pair(held.get("coordinates")):
        return np.array([held["coordinates"][:2]], dtype=np.float64)  # most files: no detour over shapes
    try:
        outline = shape_of(held)
        inner = outline if held.get("type") in _POINTS else shapely.centroid(outline)
        places = shapely.get_coordinates(inner)
    except (FeatureShapeError, shapely.errors.ShapelyError) as error:
        reason = getattr(error, "message", str(error))
        raise CellsFileError(f"{where}: not a shape: {reason}", "export the cells again") from error
    if held.get("type") not in _POINTS:
        _refuse_many_cells(outline, where)
    if not len(places) or not (np.abs(places) < 1e9).all():
        raise CellsFileError(f"{where}: coordinates are no pixels", "export the cells again")
    return places


def _refuse_many_cells(outline: BaseGeometry, where: str) -> None:
    """Refuse an object of many parts: QuPath takes it for one cell, whoever wrote it meant many."""
    if isinstance(outline, Polygon):  # most cells: no detour over parts
        return
    parts = shapely.get_parts(outline)
    if len(parts) < 2:
        return
    left, top, right, bottom = shapely.bounds(parts).T
    own, whole = (right - left) * (bottom - top), (right.max() - left.min()) * (bottom.max() - top.min())
    if len(parts) > _MOST_PARTS or whole > _WIDEST_SPREAD * own.sum():
        raise CellsFileError(
            f"{where}: one object of {len(parts)} separate parts, which would count as one cell",
            "write every cell as an object of its own",
        )


def _several_parts(objects: list[Feature]) -> Iterator[str]:
    outlines = (nucleus(feature) or geometry(feature) for feature in objects)
    number = sum(
        held.get("type") in {"MultiPolygon", "GeometryCollection"}
        and len(held.get("coordinates") or held.get("geometries") or ()) > 1
        for held in outlines
    )
    if number:
        yield f"cells whose outline has several parts: {number}; each was counted once"


def _labelled(objects: list[Feature]) -> str:
    """Say how many cells carry a name or label, but no class."""
    labels = Counter(key for one in objects if class_name(one) == UNCLASSIFIED and (key := label(one)[0]))
    counted = ", ".join(f"{number} with {key!r}" for key, number in sorted(labels.items()))
    return f"cells without a class that carry another property like one: {counted}" if counted else ""


def _is_pair(place: Any) -> bool:
    return (
        isinstance(place, list)
        and len(place) >= 2
        and all(isinstance(number, int | float) and abs(number) < 1e9 for number in place[:2])
    )


def _measured(
    features: list[Feature], classes: CellClasses
) -> tuple[dict[str, NDArray[np.float64]], list[str]]:
    """Return the columns that any of the cells has a number for, and what could not be read of them."""
    wanted = {column: classes.measurement(column) for column in MEASURED}
    wanted |= {name: name for name in NOT_MEASURED}
    held = [measurements(feature) if properties(feature) else {} for feature in features]
    present = set().union(*(members.keys() for members in held))
    columns: dict[str, NDArray[np.float64]] = {}
    unread = []
    for column, name in wanted.items():
        if name in present:
            values = [members.get(name) for members in held]
            columns[column] = _numbers(values)
            strange = sum(map(_is_no_number, values))
            unread += [f"measurements {name!r} that are no numbers: {strange}; taken as unknown"] * bool(
                strange
            )
    return columns, unread


def _numbers(values: Iterable[Any]) -> NDArray[np.float64]:
    return np.array([_number(value) for value in values], dtype=np.float64)


def _number(value: Any) -> float:
    """Return a measurement; QuPath writes one that is not finite as a text or as null."""
    if isinstance(value, int | float | str):
        with suppress(ValueError, OverflowError):
            return float(value)
        return float("inf") if isinstance(value, int) else float("nan")
    return float("nan")


def _is_no_number(value: Any) -> bool:
    if value is None or isinstance(value, int | float):
        return False
    return not (isinstance(value, str) and value.strip().casefold() in _NO_NUMBERS) and _number(
        value
    ) != _number(value)


def _passed_over(objects: list[Feature]) -> Iterator[str]:
    """Count what is no cell, by type, class and number of parts."""
    kinds = Counter(map(_described, objects))
    said = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common(5))
    more = f" and {len(kinds) - 5} more kinds" if len(kinds) > 5 else ""
    if kinds:
        yield f"objects of the file that are no cells were passed over: {said}{more}"


def _described(feature: Feature) -> str:
    held = geometry(feature)
    parts = held.get("coordinates")
    many = isinstance(parts, list) and str(held.get("type")) == "MultiPolygon"
    form = str(held.get("type") or "no geometry") + (f" of {len(parts)} parts" if many and parts else "")
    return f"{object_type(feature) or 'annotation'} ({form}, {class_name(feature)})"
