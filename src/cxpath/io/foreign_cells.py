"""Cells of other programs: tables, GeoJSON and QuPath measurements, recognised by content."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from cxpath.data import COLUMNS, CellTable, CellTableFacts, Kind, SlideInfo, Subkind, TissueRegion
from cxpath.errors import CellsFileError
from cxpath.io.atomic import first_character, read_content
from cxpath.io.cell_classes import (
    MEASURED,
    NOT_MEASURED,
    PROBABILITIES,
    CellClasses,
    ClassifiedCells,
    fits,
    ignored_cells,
    to_cell_table,
)
from cxpath.io.cells import METADATA_KEY, TableFileError, open_parquet, read_cells, read_columns
from cxpath.io.dicom import DICOM_FORM, is_dicom, read_annotations
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
from cxpath.io.scverse import H5AD_FORM, is_hdf5, read_h5ad
from cxpath.io.tables import numbers, read_text_table, texts

# Cells from a table whose columns are named like those of `cells.parquet`: CSV, or Parquet without facts.
#
# `kind` and a place are required; everything else may be missing.


COLUMNS_FORM = "table of cells"

_PLACES = (("x_px", "y_px"), ("x_um", "y_um"))
_NO_PLAIN_NUMBER = r"[^0-9eE.,+\-\s]"
_WORDS = {"true": "1", "false": "0", "yes": "1", "no": "0", "positive": "1", "negative": "0"}
_SCALE_TOLERANCE = 0.05
_HINT = "see docs/how-to/cells-from-elsewhere.md for the columns"


def is_table_of_cells(names: list[str]) -> bool:
    """Say whether these columns hold places and kinds."""
    return "kind" in names and any(set(pair) <= set(names) for pair in _PLACES)


def cells_in_columns(table: pa.Table, facts: CellTableFacts, file: object) -> CellTable:
    """Return the cells of a table; columns that it does not know are ignored.

    Parameters
    ----------
    table : pa.Table
        Columns of texts or numbers. Places are level-0 pixels of the file (`x_px`, `y_px`), or micrometres
        from its top left corner (`x_um`, `y_um`).
    facts : CellTableFacts
        Of the slide.
    file : object
        Names the file in messages.

    Raises
    ------
    CellsFileError
        When a cell has no place or kind, a word is not known, or a subkind is not of its kind.
    """
    present = set(table.column_names)
    pair = next(pair for pair in _PLACES if set(pair) <= present)
    x, y = (numbers(table.column(name), name, file, table) for name in pair)
    if not (np.isfinite(x) & np.isfinite(y)).all():
        raise CellsFileError(f"{file}: cells without a place in {pair[0]}, {pair[1]}", _HINT)
    to_px = 1.0 if pair[0] == "x_px" else 1.0 / facts.mpp
    if all(set(pair) <= present for pair in _PLACES):
        _refuse_another_scale(x, numbers(table.column("x_um"), "x_um", file, table), facts, file)
    named: Mapping[str, type[IntEnum]] = {"kind": Kind, "subkind": Subkind, "region": TissueRegion}
    columns: dict[str, NDArray[Any]] = {
        name: _codes(table.column(name), name, words, file)
        for name, words in named.items()
        if name in present
    }
    columns |= {
        name: numbers(_as_numbers(table.column(name)), name, file, table)
        for name in MEASURED
        if name in present
    }
    _refuse_contradiction(columns, file)
    with np.errstate(over="ignore"):  # infinite: outside the slide
        x, y = x * to_px, y * to_px
    return CellTable.from_columns(facts, x_px=x, y_px=y, **columns)


def _refuse_another_scale(
    x_px: NDArray[np.float64], x_um: NDArray[np.float64], facts: CellTableFacts, file: object
) -> None:
    """Refuse a table whose places in µm and in pixels say another µm per pixel than the slide."""
    far = np.isfinite(x_um) & (np.abs(x_px) > 1)
    if not far.any():
        return
    stated = float(np.median(x_um[far] / x_px[far]))
    if not abs(stated - facts.mpp) <= _SCALE_TOLERANCE * facts.mpp:
        raise CellsFileError(
            f"{file}: x_um and x_px say {stated:.4g} µm per pixel, but the slide has {facts.mpp:.4g}",
            "check --mpp, or leave out x_um and y_um",
        )


def _codes(column: pa.ChunkedArray, name: str, members: type[IntEnum], file: object) -> NDArray[np.uint8]:
    codes = {member.name.lower(): int(member) for member in members}
    if "unknown" in codes:
        codes[""] = codes["unknown"]
    index, words = texts(column)
    present = {words[number] for number in np.unique(index).tolist()}
    strange = sorted(present - {word for word in present if word.casefold() in codes})
    if strange:
        said = ", ".join(repr(word) for word in strange[:5])
        raise CellsFileError(
            f"{file}: column {name} contains {said}", f"known: {', '.join(filter(None, codes))}"
        )
    return np.array([codes.get(word.casefold(), 0) for word in words], np.uint8)[index]


def _as_numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column with yes and no turned into 1 and 0."""
    if pa.types.is_boolean(column.type):
        return column.cast(pa.int8())
    if not pa.types.is_string(column.type):
        return column
    if not pc.any(pc.match_substring_regex(column, _NO_PLAIN_NUMBER), min_count=0).as_py():
        return column  # millions of numbers, most of them different: no detour over each
    index, words = texts(column)
    if not any(word.casefold() in _WORDS for word in words):
        return column
    plain = np.array([_WORDS.get(word.casefold(), word) for word in words], dtype=object)[index]
    return pa.chunked_array([pa.array(plain.tolist(), pa.string())])


def _refuse_contradiction(columns: Mapping[str, NDArray[Any]], file: object) -> None:
    if "subkind" not in columns:
        return
    for kind, subkind in np.unique(np.stack([columns["kind"], columns["subkind"]]), axis=1).T.tolist():
        if not fits(kind, subkind):
            message = f"{file}: {Subkind(subkind).name.lower()} cells of kind {Kind(kind).name.lower()}"
            raise CellsFileError(message, "immune means lymphocyte or macrophage; all others are other")


# Cells that QuPath exported as GeoJSON: detections, cells, or points that a person set.
#
# Reads the forms of all QuPath versions, and cxpath's own `cells.geojson.gz`.


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


# Cells from QuPath's measurement table (Measure > Show detection measurements, or Export measurements).
#
# Column names carry their unit: "Centroid X µm" or "Centroid X px"; the class is in "Class" or, since
# QuPath 0.5, "Classification".


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
        When there is no class column, a place is no number, no row is of this slide, or none is a cell.
    """
    column_of = _plain(table.column_names)
    class_column = next((column_of[name] for name in _CLASS if name in column_of), None)
    if class_column is None:
        raise CellsFileError(
            f"{file}: no column Class or Classification", "export it along with the centroids"
        )
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
        yield _rows_of_other_images(others)
    if no_cells:
        rows = "1 row that is no cell was" if no_cells == 1 else f"{no_cells} rows that are no cells were"
        yield f"{rows} passed over"


def _rows_of_other_images(number: int) -> str:
    rows = "1 row of another image was" if number == 1 else f"{number} rows of other images were"
    return f"{rows} passed over"


# Cells from elsewhere, whatever the form: recognised by the content, checked, in level-0 pixels of the slide.


PARQUET = "Parquet"

_MOST_OUTSIDE = 0.01
"""Share of cells off the slide from which the file is taken for another slide's."""

_SUM_TOLERANCE = 0.02
"""The three probabilities of a class may be rounded to two digits each."""

_POSSIBLE = {
    "dab_membrane_od": (-4.0, 20.0),
    "dab_cytoplasm_od": (-4.0, 20.0),
    "hematoxylin_od": (-4.0, 20.0),
    "membrane_completeness": (0.0, 1.0),
    "diameter_um": (0.0, 1000.0),
}
"""Between which a measured value can be at all. A density of 8-bit colours is 2.4 (or, by the natural
logarithm, 5.6) at most; separating stains stretches that, and lets it fall below 0."""

_IMAGE_COLUMNS = {"image", "slide"}
_FILE_COLUMNS = {
    *("file", "filename", "file_name", "file name", "path", "filepath", "wsi"),
    *(
        "image_name",
        "image name",
        "imagename",
        "slide_name",
        "slide name",
        "slide_id",
        "slide id",
        "image_id",
    ),
}
"""What other programs call the image: a number or a code, too, so that one name alone proves nothing."""

_FORMS = "Parquet, CSV, QuPath GeoJSON and measurement table, AnnData and DICOM annotations are read"


@dataclass(frozen=True, eq=False)
class GivenCells:
    """Cells that a user brought.

    Parameters
    ----------
    cells : CellTable
    form : str
        The form of the file.
    warnings : tuple of str
        What a reader of the score must know about them; names no file.
    """

    cells: CellTable
    form: str
    warnings: tuple[str, ...] = ()


def read_given_cells(
    path: Path,
    info: SlideInfo,
    classes: CellClasses,
    stained_threshold: float,
    image_names: tuple[str, ...] = (),
) -> GivenCells:
    """Read the cells of a slide.

    Parameters
    ----------
    path : Path
        `cells.parquet` or the same columns as Parquet or CSV; QuPath's GeoJSON, plain or gzipped; QuPath's
        measurement table; the AnnData and DICOM annotations of `cxpath export`.
    info : SlideInfo
        Of the slide: its size, µm/px, bounds and digest.
    classes : CellClasses
        What QuPath's class names mean.
    stained_threshold : float
        From which a measured `stained` counts as positive.
    image_names : tuple of str
        What the slide may be called in a table of several images.

    Raises
    ------
    MissingFileError, CellsFileError
        When there is no such file; when it has none of these forms, is of another slide, or a class,
        column or value is not known.
    """
    cells, form, warnings = _read(path, info, classes, stained_threshold, image_names)
    _refuse_impossible(cells, path)
    inside = _on_slide(cells, info)
    outside = int((~inside).sum())
    if outside > _MOST_OUTSIDE * len(cells):
        raise CellsFileError(
            f"{path}: {outside} of {len(cells)} cells lie outside the slide",
            "check that they are of this slide and that µm per pixel is right (--mpp)",
        )
    dropped = "1 cell outside the slide was" if outside == 1 else f"{outside} cells outside the slide were"
    said = [f"{dropped} dropped"] if outside else []
    kept = cells.take(inside) if outside else cells
    return GivenCells(
        kept,
        form,
        (
            *warnings,
            *said,
            *_another_file(kept, info),
            *_twice(kept),
            *_uncertain_classes(kept),
            *_certain(kept),
            *_no_densities(kept),
        ),
    )


def _read(
    path: Path, info: SlideInfo, classes: CellClasses, threshold: float, image_names: tuple[str, ...]
) -> tuple[CellTable, str, list[str]]:
    facts = CellTableFacts(info.mpp, info.width_px, info.height_px, info.digest)
    if _is_parquet(path):
        cells, warnings = _from_parquet(path, facts, image_names)
        return cells, PARQUET, warnings
    if is_hdf5(path):
        return _of_this_slide(read_h5ad(path), facts, path), H5AD_FORM, []
    if is_dicom(path):
        return _of_this_slide(read_annotations(path), facts, path), DICOM_FORM, []
    content = read_content(path, CellsFileError, _FORMS)
    if content.startswith(b"PK\x03\x04"):
        raise CellsFileError(f"{path}: is a workbook or an archive", f"save the table as CSV; {_FORMS}")
    if first_character(content) in {"{", "["}:
        found, warnings = cells_in_geojson(content, info.bounds_px, classes, path)
        named = replace(facts, slide_digest=found.slide_digest or info.digest)
        cells = to_cell_table(found, named, classes, threshold, path)
        return cells, GEOJSON_FORM, [*warnings, *ignored_cells(found, classes)]
    table, filled = read_text_table(content, path)
    if is_qupath_table(table.column_names):
        found, warnings = cells_in_qupath_table(table, info, image_names, classes, path)
        cells = to_cell_table(found, facts, classes, threshold, path)
        said = [*filled, *warnings, *ignored_cells(found, classes)]
        return cells, QUPATH_TABLE_FORM, said
    cells, warnings = _from_columns(table, facts, image_names, path)
    return cells, COLUMNS_FORM, [*filled, *warnings]


def _is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except OSError:
        return False  # reading the content says why


def _from_parquet(
    path: Path, facts: CellTableFacts, image_names: tuple[str, ...]
) -> tuple[CellTable, list[str]]:
    try:
        file = open_parquet(path)
        if METADATA_KEY not in (file.schema_arrow.metadata or {}):
            return _from_columns(read_columns(file, path), facts, image_names, path)
    except TableFileError as error:
        raise CellsFileError(error.message, error.hint) from error
    except (pa.ArrowException, OSError) as error:
        raise CellsFileError(f"{path}: the Parquet file is damaged", "write it again") from error
    return _of_this_slide(read_cells(path), facts, path), []


def _of_this_slide(cells: CellTable, facts: CellTableFacts, path: Path) -> CellTable:
    """Return cells of cxpath's own file at the µm per pixel of the slide, or of the user's --mpp."""
    own, size = (cells.facts.width_px, cells.facts.height_px), (facts.width_px, facts.height_px)
    if own != size:
        raise CellsFileError(
            f"{path}: cells of a slide of {own[0]} x {own[1]} px, but this one has {size[0]} x {size[1]}",
            "pass the cells of this slide",
        )
    return replace(cells, facts=replace(cells.facts, mpp=facts.mpp))


def _from_columns(
    table: pa.Table, facts: CellTableFacts, image_names: tuple[str, ...], path: Path
) -> tuple[CellTable, list[str]]:
    if not is_table_of_cells(table.column_names):
        raise CellsFileError(
            f"{path}: no table of cells: it has neither kind, x_px, y_px nor Class, Centroid X, Centroid Y",
            _FORMS,
        )
    _refuse_misspelt(table.column_names, path)
    images = _images_of_rows(table)
    warnings = []
    if images is not None:
        own = rows_of_slide(images, image_names, path)
        table = table.filter(pa.array(own))
        others = int((~own).sum())
        warnings = [_rows_of_other_images(others)] if others else []
    return cells_in_columns(table, facts, path), warnings


def _images_of_rows(table: pa.Table) -> pa.ChunkedArray | None:
    """Return which image each row is of; None where no column says so."""
    names = {lookalike_key(name): name for name in reversed(table.column_names)}
    stated = next((names[name] for name in names if name in _IMAGE_COLUMNS), None)
    if stated is not None:
        return table.column(stated)
    for name in sorted(_FILE_COLUMNS & names.keys()):
        column = table.column(names[name])
        if pa.types.is_string(column.type) and len(pc.unique(column)) > 1:
            return pc.replace_substring_regex(column, r".*[/\\]", "")  # folders are passed over
    return None


def _refuse_misspelt(names: list[str], path: Path) -> None:
    """Refuse a column that differs from a known one in case or invisible characters: it would not be read."""
    for name in names:
        known = lookalike_key(name)
        if known in COLUMNS and name != known:
            raise CellsFileError(
                f"{path}: column {name!r} is spelled like {known!r}, but not alike", "rename it"
            )


def _refuse_impossible(cells: CellTable, path: Path) -> None:
    """Refuse values that no cell can have; NaN is unknown, and possible."""
    for name in ("stained", *PROBABILITIES):
        values = getattr(cells, name)
        if ((values < 0) | (values > 1)).any():
            raise CellsFileError(
                f"{path}: {name} contains values outside 0 to 1", "give a share, not per cent"
            )
    for name, (low, high) in _POSSIBLE.items():
        values = getattr(cells, name)
        wrong = (values < low) | (values > high)
        if wrong.any():
            number, first = int(wrong.sum()), values[wrong][0]
            message = f"{path}: impossible {name} in {number} of {len(cells)} cells, such as {first:g}"
            raise CellsFileError(message, f"correct it, or leave it empty; possible: {low:g} to {high:g}")
    total = sum(getattr(cells, name).astype(np.float64) for name in PROBABILITIES)
    wrong = np.abs(total - 1) > _SUM_TOLERANCE
    if wrong.any():
        raise CellsFileError(
            f"{path}: {', '.join(PROBABILITIES)} add up to {total[wrong][0]:g}, not 1, in {wrong.sum()} of "
            f"{len(cells)} cells",
            "give all three of them, or none",
        )


def _on_slide(cells: CellTable, info: SlideInfo) -> NDArray[np.bool_]:
    return (
        (cells.x_px >= 0) & (cells.x_px < info.width_px) & (cells.y_px >= 0) & (cells.y_px < info.height_px)
    )


def refuse_unknown_staining(cells: CellTable, path: Path) -> None:
    """Refuse tumour and immune cells of which nobody said whether they are stained.

    Counting them as negative would lower the score without a word.

    Raises
    ------
    CellsFileError
        With their number.
    """
    unknown = np.isnan(cells.stained)
    numbers = {
        kind.name.lower(): int((unknown & (cells.kind == kind)).sum()) for kind in (Kind.TUMOUR, Kind.IMMUNE)
    }
    said = " and ".join(f"{number} {name} cells" for name, number in numbers.items() if number)
    if said:
        raise CellsFileError(
            f"{path}: {said} without staining (Positive or Negative)",
            "set positivity in QuPath, or say `stained` in the file or the class map (--class-map)",
        )


def _another_file(cells: CellTable, info: SlideInfo) -> Iterator[str]:
    """Warn, not refuse: a copy without its label has another digest and the same cells."""
    if cells.facts.slide_digest and cells.facts.slide_digest != info.digest:
        yield "the given cells were made from another file than this slide (its digest differs)"


def _twice(cells: CellTable) -> Iterator[str]:
    places = len(np.unique(cells.x_px + 1j * cells.y_px))
    if places < len(cells):
        yield (
            f"cells exactly where another cell of the file lies: {len(cells) - places}; each was counted, so "
            "check that no part of the slide is in the file twice"
        )


def _uncertain_classes(cells: CellTable) -> Iterator[str]:
    """Warn of probabilities that are missing for some cells, or that speak for another class."""
    given = np.stack([getattr(cells, name) for name in PROBABILITIES])
    unknown = np.isnan(given).any(axis=0)
    if unknown.any() and not unknown.all():
        yield f"cells without {', '.join(PROBABILITIES)}: {unknown.sum()} of {len(cells)}"
    own = np.take_along_axis(given, cells.kind[None, :].astype(np.int64), axis=0)[0]
    other = ~unknown & (own < np.where(unknown, 0, given).max(axis=0) - _SUM_TOLERANCE)
    if other.any():
        yield f"cells whose probabilities speak for another class than the file's: {other.sum()}"


def _certain(cells: CellTable) -> Iterator[str]:
    """Warn when every call is a plain yes or no, since the slide interval then knows no doubt."""
    counted = cells.stained[(cells.kind != Kind.OTHER) & np.isfinite(cells.stained)]
    if len(counted) and np.isin(counted, (0.0, 1.0)).all():
        yield (
            "staining of the given cells is a plain yes or no: the slide interval cannot know how sure "
            "each call was"
        )


def _no_densities(cells: CellTable) -> Iterator[str]:
    if len(cells) and np.isnan(cells.dab_membrane_od).all():
        yield "the given cells carry no optical densities: there is no H-score"
