"""Cells from QuPath: GeoJSON of detections, and tables of measurements."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import PurePath
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from cxpath.data import SlideInfo
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
    lookalike_key,
    measurements,
    nucleus,
    object_type,
    parse_features,
    planes,
    properties,
    shape_of,
)
from cxpath.io.tables import numbers, texts

# Cells that QuPath exported as GeoJSON: detections, cells, or points that a person set.
#
# Reads the forms of all QuPath versions, and cxpath's own `cells.geojson.gz`.

GEOJSON_FORM = "QuPath GeoJSON"

_CELLS = {"cell", "detection"}
_POINTS = {"Point", "MultiPoint"}
_LINES = {"LineString", "MultiLineString"}
_MOST_PARTS, _WIDEST_SPREAD = 8, 4.0
"""A cell may fall into a few parts side by side; many parts, or parts far from each other, are many cells."""
_TIMES_WIDER = 10
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
        *_points_besides(objects, copies),
        *_large(objects),
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
        raise CellsFileError(f"{where}: coordinates are not pixels", "export the cells again")
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


def _points_besides(objects: list[Feature], copies: NDArray[np.int64]) -> Iterator[str]:
    """Say that points were counted next to detections: they may be examples a classifier learned from."""
    by_hand = np.array([object_type(feature) not in _CELLS for feature in objects], dtype=bool)
    if by_hand.any() and not by_hand.all():
        number = int(copies[by_hand].sum())
        yield (
            f"points of annotations were counted as cells next to the detections: {number}; "
            "leave them out if they mark cells that were detected, too"
        )


def _large(objects: list[Feature]) -> Iterator[str]:
    """Say how many outlines are far wider than the others: areas that a program wrote as detections."""
    widths = np.array([_width(geometry(feature)) for feature in objects], dtype=np.float64)
    known = widths[widths > 0]
    if len(known) and (large := int((known > _TIMES_WIDER * np.median(known)).sum())):
        yield f"cells more than {_TIMES_WIDER} times as wide as most: {large}; each was counted as one cell"


def _width(held: Mapping[str, Any]) -> float:
    """Return how far the outer ring of a polygon reaches from left to right; 0 of anything else."""
    if held.get("type") != "Polygon":
        return 0.0
    try:
        outer = [float(point[0]) for point in held["coordinates"][0]]
    except (LookupError, TypeError, ValueError):  # it is not a cell, and is named where places are read
        return 0.0
    return max(outer) - min(outer) if outer else 0.0


def _labelled(objects: list[Feature]) -> str:
    """Say how many cells carry a name or label, but no class."""
    labels = Counter(key for one in objects if class_name(one) == UNCLASSIFIED and (key := label(one)[0]))
    counted = ", ".join(f"{number} with {key!r}" for key, number in sorted(labels.items()))
    return f"cells without a class that carry another property like one: {counted}" if counted else ""


def _is_pair(place: Any) -> bool:
    return (
        isinstance(place, list)
        and len(place) >= 2
        and all(type(number) in {int, float} and abs(number) < 1e9 for number in place[:2])
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
            unread += [f"measurements {name!r} that are not numbers: {strange}; taken as unknown"] * bool(
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
    """Count what is not a cell, by type, class and number of parts."""
    kinds = Counter(map(_described, objects))
    said = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common(5))
    more = f" and {len(kinds) - 5} more kinds" if len(kinds) > 5 else ""
    if kinds:
        yield f"objects of the file that are not cells were passed over: {said}{more}"


def _described(feature: Feature) -> str:
    held = geometry(feature)
    parts = held.get("coordinates")
    many = isinstance(parts, list) and str(held.get("type")) == "MultiPolygon"
    form = str(held.get("type") or "no geometry") + (f" of {len(parts)} parts" if many and parts else "")
    return f"{object_type(feature) or 'annotation'} ({form}, {class_name(feature)})"


# Cells from QuPath's measurement table (Measure > Show detection measurements, or Export measurements).
#
# Column names carry their unit: "Centroid X µm" or "Centroid X px"; the class is in "Class" or, since QuPath
# 0.5, "Classification".

QUPATH_TABLE_FORM = "QuPath measurement table"

_QUPATH_PLACES = (("centroid x px", "centroid y px"), ("centroid x um", "centroid y um"))
_CLASS = ("class", "classification")
_QUPATH_CELLS = {"", "cell", "detection"}
_IMAGE = "image"
_OF_IMAGE_FILE = re.compile(r"( - | #).+", re.DOTALL)
"""What QuPath sets behind the file's name where a file contains several images: "case.ndpi - Series 1"."""
_MICRO = ("\u00c2\u00b5", "\u00b5", "\u03bc", "\ufffd")
"""How "µ" may arrive: read in a wrong encoding, as micro sign, as Greek letter, or lost."""


def is_qupath_table(names: list[str]) -> bool:
    """Say whether these are the columns of a measurement table of objects with a place."""
    return any(set(pair) <= _plain(names).keys() for pair in _QUPATH_PLACES)


def cells_in_qupath_table(
    table: pa.Table, info: SlideInfo, image_names: tuple[str, ...], classes: CellClasses, file: object
) -> tuple[ClassifiedCells, list[str]]:
    """Return the cells of a table, and warnings about what was passed over.

    Parameters
    ----------
    table : pa.Table
        Columns of texts.
    info : SlideInfo
        Its µm/px turns centroids in µm into pixels, its bounds move them into the file's frame.
    image_names : tuple of str
        What the slide may be called in the column "Image" of a table of several images.
    classes : CellClasses
        Says which measurement fills which column.
    file : object
        Names the file in messages.

    Raises
    ------
    CellsFileError
        When there is no class column, a place is not a number, no row is of this slide, or none is a cell.
    """
    column_of = _plain(table.column_names)
    class_column = next((column_of[name] for name in _CLASS if name in column_of), None)
    if class_column is None:
        raise CellsFileError(
            f"{file}: no column Class or Classification", "export it along with the centroids"
        )
    _refuse_two_classes(table, [column_of[name] for name in _CLASS if name in column_of], file)
    of_slide = np.ones(table.num_rows, dtype=bool)
    if _IMAGE in column_of:
        of_slide = rows_of_slide(table.column(column_of[_IMAGE]), image_names, file)
    cells = of_slide & _are_cells(table, column_of)
    if not cells.any():
        raise CellsFileError(f"{file}: contains no cell", "export detection measurements from QuPath")
    table = table.filter(pa.array(cells))
    x_px, y_px = _places(table, column_of, info, file)
    code, names = texts(table.column(class_column))
    found = ClassifiedCells(
        x_px=x_px,
        y_px=y_px,
        class_code=code,
        class_names=tuple(name or UNCLASSIFIED for name in names),
        measured=_measured_in_table(table, classes, file),
    )
    return found, list(_rows_passed_over(cells, of_slide))


def _refuse_two_classes(table: pa.Table, columns: Sequence[str], file: object) -> None:
    """Refuse a table with the class in two columns that differ: QuPath writes one of them."""
    if len(columns) > 1 and not table.column(columns[0]).equals(table.column(columns[1])):
        raise CellsFileError(
            f"{file}: the columns {' and '.join(columns)} state different classes", "keep the right one"
        )


def _plain(names: list[str]) -> dict[str, str]:
    """Return the columns by name without case, brackets and the many spellings of µ."""
    return {_plain_name(name): name for name in names}


def _plain_name(name: str) -> str:
    for micro in _MICRO:
        name = name.replace(micro, "u")
    return " ".join(name.replace("(", " ").replace(")", " ").split()).casefold()


def rows_of_slide(images: pa.ChunkedArray, image_names: Sequence[str], file: object) -> NDArray[np.bool_]:
    """Say which rows of a table are of this slide; all, where no row names an image.

    Parameters
    ----------
    images : pa.ChunkedArray
        The image of each row.
    image_names : sequence of str
        What the slide may be called, the most certain name first.
    file : object
        Names the file in messages.

    Raises
    ------
    CellsFileError
        When no image is named like the slide, or several images of its file are.
    """
    code, names = texts(images)
    present = sorted({names[index] for index in np.unique(code).tolist()})
    if present in ([], [""]):
        return np.ones(len(code), dtype=bool)
    own = own_images(present, image_names)
    hint = "export the measurements of this slide's image alone, under the slide's file name"
    if not own:
        raise CellsFileError(f"{file}: {_none_of(present, image_names)}", hint)
    if len(own) > 1:
        raise CellsFileError(f"{file}: cells of {len(own)} images of this slide's file", hint)
    return np.isin(code, [index for index, name in enumerate(names) if name == own[0]])


def own_images(present: Sequence[str], image_names: Sequence[str]) -> list[str]:
    """Return the image that has one of the names exactly, else those that QuPath names after the file."""
    plain = {name: unicodedata.normalize("NFC", name.strip()) for name in present}
    wanted = [unicodedata.normalize("NFC", name) for name in image_names if name]
    for name in wanted:
        exact = [image for image, said in plain.items() if said == name]
        if exact:
            return exact
    stems = {PurePath(name).stem for name in wanted if PurePath(name).suffix}
    files = [name for name in wanted if name not in stems]  # "case 1 - B.svs" is no series of "case 1.svs"
    return [
        image
        for image, said in plain.items()
        if any(said.startswith(name) and _OF_IMAGE_FILE.fullmatch(said[len(name) :]) for name in files)
    ]


def _none_of(present: Sequence[str], image_names: Sequence[str]) -> str:
    number = "1 image, which is not" if len(present) == 1 else f"{len(present)} images, none of them"
    alike = {lookalike_key(name) for name in image_names} & {lookalike_key(name) for name in present}
    more = "; one differs in case, spacing or invisible characters alone" if alike else ""
    return f"cells of {number} named like the slide{more}"


def _are_cells(table: pa.Table, column_of: Mapping[str, str]) -> NDArray[np.bool_]:
    if "object type" not in column_of:
        return np.ones(table.num_rows, dtype=bool)
    code, names = texts(table.column(column_of["object type"]))
    return np.isin(code, [index for index, name in enumerate(names) if name.casefold() in _QUPATH_CELLS])


def _places(
    table: pa.Table, column_of: Mapping[str, str], info: SlideInfo, file: object
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    pair = next(pair for pair in _QUPATH_PLACES if set(pair) <= column_of.keys())
    x, y = (numbers(table.column(column_of[name]), column_of[name], file, table) for name in pair)
    to_px = 1.0 if pair[0].endswith("px") else 1.0 / info.mpp
    if not (np.isfinite(x) & np.isfinite(y)).all():
        raise CellsFileError(f"{file}: cells without a centroid", "export the measurements again")
    with np.errstate(over="ignore"):  # infinite: outside the slide
        return from_qupath_frame(x * to_px, y * to_px, info.bounds_px)


def _measured_in_table(table: pa.Table, classes: CellClasses, file: object) -> dict[str, NDArray[np.float64]]:
    wanted = {column: classes.measurement(column) for column in MEASURED}
    wanted |= {name: name for name in NOT_MEASURED}
    present = set(table.column_names)
    return {
        column: numbers(table.column(name), name, file, table)
        for column, name in wanted.items()
        if name in present
    }


def _rows_passed_over(cells: NDArray[np.bool_], of_slide: NDArray[np.bool_]) -> Iterator[str]:
    others, no_cells = int((~of_slide).sum()), int((of_slide & ~cells).sum())
    if others:
        yield rows_of_other_images(others)
    if no_cells:
        rows = "1 row that is not a cell was" if no_cells == 1 else f"{no_cells} rows that are not cells were"
        yield f"{rows} passed over"


def rows_of_other_images(number: int) -> str:
    """Say how many rows were passed over because they are of other images."""
    rows = "1 row of another image was" if number == 1 else f"{number} rows of other images were"
    return f"{rows} passed over"
