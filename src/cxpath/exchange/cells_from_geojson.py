"""Cells that QuPath exported as GeoJSON: detections, cells, or points that a person set.

Reads the forms of all QuPath versions, and cxpath's own `cells.geojson.gz`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from cxpath.exchange.cell_classes import MEASURED, CellClasses
from cxpath.exchange.classified_cells import REGION_CODE, SUBKIND_CODE, ClassifiedCells
from cxpath.exchange.qupath_frame import Bounds, from_qupath_frame
from cxpath.exchange.qupath_geojson import (
    Feature,
    FeatureShapeError,
    class_name,
    geometry,
    measurements,
    nucleus,
    object_type,
    parse_features,
    properties,
    shape_of,
)
from cxpath.values.errors import CellsFileError

FORM = "QuPath GeoJSON"

_CELLS = {"cell", "detection"}
_POINTS = {"Point", "MultiPoint"}


def cells_in_geojson(
    content: bytes, bounds_px: Bounds, classes: CellClasses, file: object
) -> tuple[ClassifiedCells, list[str]]:
    """Return the cells of a file, and warnings about what was passed over.

    A cell lies at the centroid of its nucleus, else of its outline. Annotations count only as points, of
    which one object may hold several; drawn outlines, tiles and cores are passed over.

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
        When it is no GeoJSON, a geometry is none, or it holds no cell.
    """
    features, collection = parse_features(content, file, CellsFileError)
    threshold, slide_digest = _own_facts(collection)
    cells = [(number, feature) for number, feature in enumerate(features, start=1) if _is_cell(feature)]
    if not cells:
        raise CellsFileError(f"{file}: holds no cell", "export detections, cells or points from QuPath")
    outlines = [_place(feature, f"{file}: feature {number}") for number, feature in cells]
    copies = np.array([len(outline) for outline in outlines])
    places = np.concatenate(outlines)
    names, code = np.unique([class_name(feature) for _, feature in cells], return_inverse=True)
    measured = _measured([feature for _, feature in cells], classes)
    x_px, y_px = from_qupath_frame(places[:, 0], places[:, 1], bounds_px)
    found = ClassifiedCells(
        x_px=x_px,
        y_px=y_px,
        class_code=np.repeat(code.astype(np.int64), copies),
        class_names=tuple(str(name) for name in names),
        measured={name: np.repeat(values, copies) for name, values in measured.items()},
        stained_threshold=threshold,
        slide_digest=slide_digest,
    )
    return found, list(_passed_over(len(features) - len(cells)))


def _own_facts(collection: dict[str, Any]) -> tuple[float | None, str]:
    """Return the staining threshold and the slide's digest that cxpath notes in its own file."""
    own = collection.get("cxpath")
    if not isinstance(own, dict):
        return None, ""
    threshold = own.get("stained_threshold")
    known = float(threshold) if isinstance(threshold, int | float) else None
    return known, str(own.get("slide_digest") or "")


def _is_cell(feature: Feature) -> bool:
    kind = object_type(feature)
    if kind in _CELLS:
        return True
    # QuPath takes an object without a type for an annotation; a drawn outline is an area, not a cell.
    return kind in {"", "annotation"} and geometry(feature).get("type") in _POINTS


def _place(feature: Feature, where: str) -> NDArray[np.float64]:
    """Return the positions of one object, (1, 2), or (N, 2) for points."""
    held = nucleus(feature) or geometry(feature)
    if held.get("type") == "Point" and _is_pair(held.get("coordinates")):
        return np.array([held["coordinates"][:2]], dtype=np.float64)  # most files: no detour over shapes
    try:
        outline = shape_of(held)
    except FeatureShapeError as error:
        raise CellsFileError(f"{where}: not a shape: {error.message}", "export the cells again") from error
    if held.get("type") in _POINTS:
        places = shapely.get_coordinates(outline)
    else:
        places = shapely.get_coordinates(shapely.centroid(outline))
    if not len(places) or not (np.abs(places) < 1e9).all():
        raise CellsFileError(f"{where}: coordinates are no pixels", "export the cells again")
    return places


def _is_pair(place: Any) -> bool:
    return (
        isinstance(place, list)
        and len(place) >= 2
        and all(isinstance(number, int | float) and abs(number) < 1e9 for number in place[:2])
    )


def _measured(features: list[Feature], classes: CellClasses) -> dict[str, NDArray[np.float64]]:
    """Return the columns that any of the cells has a number for."""
    wanted = {column: classes.measurement(column) for column in MEASURED}
    wanted |= {SUBKIND_CODE: SUBKIND_CODE, REGION_CODE: REGION_CODE}
    held = [measurements(feature) if properties(feature) else {} for feature in features]
    present = set().union(*(members.keys() for members in held))
    return {
        column: _numbers(members.get(name) for members in held)
        for column, name in wanted.items()
        if name in present
    }


def _numbers(values: Iterable[Any]) -> NDArray[np.float64]:
    return np.array([_number(value) for value in values], dtype=np.float64)


def _number(value: Any) -> float:
    """Return a measurement; QuPath writes one that is not finite as a text or as null."""
    return float(value) if isinstance(value, int | float) else float("nan")


def _passed_over(number: int) -> Iterator[str]:
    if number:
        yield f"{number} objects of the file that are no cells were passed over"
