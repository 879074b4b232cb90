"""Cells of other programs: tables, GeoJSON and QuPath measurements, recognised by content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from cxpath.data.cells import CellTable, CellTableFacts, Kind, Subkind, TissueRegion
from cxpath.data.slide_info import SlideInfo
from cxpath.errors import CellsFileError
from cxpath.io.atomic import first_character, read_content
from cxpath.io.cell_classes import (
    MEASURED,
    PROBABILITIES,
    REGION_CODE,
    SUBKIND_CODE,
    CellClasses,
    ClassifiedCells,
    fits,
    to_cell_table,
)
from cxpath.io.cells import METADATA_KEY, TableFileError, open_parquet, read_cells
from cxpath.io.geojson import (
    UNCLASSIFIED,
    Bounds,
    Feature,
    FeatureShapeError,
    class_name,
    from_qupath_frame,
    geometry,
    measurements,
    nucleus,
    object_type,
    parse_features,
    properties,
    shape_of,
)
from cxpath.io.tables import numbers, read_text_table, texts

# Cells from elsewhere, whatever the form: told by the content, checked, in level-0 pixels of the slide.


PARQUET = "Parquet"

_MOST_OUTSIDE = 0.01
"""Share of cells off the slide from which the file is taken for another slide's."""

_FORMS = "Parquet, CSV, QuPath GeoJSON and QuPath's measurement table are read"


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
        measurement table.
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
    _refuse_no_probabilities(cells, path)
    inside = _on_slide(cells, info)
    outside = int((~inside).sum())
    if outside > _MOST_OUTSIDE * len(cells):
        raise CellsFileError(
            f"{path}: {outside} of {len(cells)} cells lie outside the slide",
            "check that they are of this slide and that µm per pixel is right (--mpp)",
        )
    said = [f"{outside} cells outside the slide were dropped"] if outside else []
    kept = cells.take(inside) if outside else cells
    return GivenCells(
        kept, form, (*warnings, *said, *_another_file(kept, info), *_certain(kept), *_no_densities(kept))
    )


def _read(
    path: Path, info: SlideInfo, classes: CellClasses, threshold: float, image_names: tuple[str, ...]
) -> tuple[CellTable, str, list[str]]:
    facts = CellTableFacts(info.mpp, info.width_px, info.height_px, info.digest)
    if _is_parquet(path):
        return _from_parquet(path, facts), PARQUET, []
    content = read_content(path, CellsFileError, _FORMS)
    if first_character(content) in {"{", "["}:
        found, warnings = cells_in_geojson(content, info.bounds_px, classes, path)
        named = replace(facts, slide_digest=found.slide_digest or info.digest)
        return to_cell_table(found, named, classes, threshold, path), GEOJSON_FORM, warnings
    table = read_text_table(content, path)
    if is_qupath_table(table.column_names):
        found, warnings = cells_in_qupath_table(table, info, image_names, classes, path)
        return to_cell_table(found, facts, classes, threshold, path), QUPATH_TABLE_FORM, warnings
    return _from_columns(table, facts, path), COLUMNS_FORM, []


def _is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except OSError:
        return False  # reading the content says why


def _from_parquet(path: Path, facts: CellTableFacts) -> CellTable:
    try:
        file = open_parquet(path)
        if METADATA_KEY not in (file.schema_arrow.metadata or {}):
            return _from_columns(file.read(), facts, path)
    except TableFileError as error:
        raise CellsFileError(error.message, error.hint) from error
    except (pa.ArrowException, OSError) as error:
        raise CellsFileError(f"{path}: the Parquet file is damaged", "write it again") from error
    cells = read_cells(path)
    own, size = (cells.facts.width_px, cells.facts.height_px), (facts.width_px, facts.height_px)
    if own != size:
        raise CellsFileError(
            f"{path}: cells of a slide of {own[0]} x {own[1]} px, but this one has {size[0]} x {size[1]}",
            "pass the cells of this slide",
        )
    return replace(cells, facts=replace(cells.facts, mpp=facts.mpp))  # the slide's, or the user's --mpp


def _from_columns(table: pa.Table, facts: CellTableFacts, path: Path) -> CellTable:
    if not is_table_of_cells(table.column_names):
        raise CellsFileError(
            f"{path}: no table of cells: it has neither kind, x_px, y_px nor Class, Centroid X, Centroid Y",
            _FORMS,
        )
    return cells_in_columns(table, facts, path)


def _refuse_no_probabilities(cells: CellTable, path: Path) -> None:
    for name in ("stained", *PROBABILITIES):
        values = getattr(cells, name)
        if ((values < 0) | (values > 1)).any():
            raise CellsFileError(f"{path}: {name} holds values outside 0 to 1", "give a share, not per cent")


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
            "set positivity in QuPath, or say `stained` in the file or the class map (--cell-classes)",
        )


def _another_file(cells: CellTable, info: SlideInfo) -> Iterator[str]:
    """Warn, not refuse: a copy without its label has another digest and the same cells."""
    if cells.facts.slide_digest and cells.facts.slide_digest != info.digest:
        yield "the given cells were made from another file than this slide (its digest differs)"


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


# Cells from a table whose columns are named like those of `cells.parquet`: CSV, or Parquet without facts.
#
# `kind` and a place are required; everything else may be missing.


COLUMNS_FORM = "table of cells"

_PLACES = (("x_px", "y_px"), ("x_um", "y_um"))
_WORDS = {"true": "1", "false": "0", "yes": "1", "no": "0", "positive": "1", "negative": "0"}
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
    x, y = (numbers(table.column(name), name, file) for name in pair)
    if not (np.isfinite(x) & np.isfinite(y)).all():
        raise CellsFileError(f"{file}: cells without a place in {pair[0]}, {pair[1]}", _HINT)
    to_px = 1.0 if pair[0] == "x_px" else 1.0 / facts.mpp
    named: Mapping[str, type[IntEnum]] = {"kind": Kind, "subkind": Subkind, "region": TissueRegion}
    columns: dict[str, NDArray[Any]] = {
        name: _codes(table.column(name), name, words, file)
        for name, words in named.items()
        if name in present
    }
    columns |= {
        name: numbers(_as_numbers(table.column(name)), name, file) for name in MEASURED if name in present
    }
    _refuse_contradiction(columns, file)
    return CellTable.from_columns(facts, x_px=x * to_px, y_px=y * to_px, **columns)


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
            f"{file}: column {name} holds {said}", f"known: {', '.join(filter(None, codes))}"
        )
    return np.array([codes.get(word.casefold(), 0) for word in words], np.uint8)[index]


def _as_numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column with yes and no turned into 1 and 0."""
    if pa.types.is_boolean(column.type):
        return column.cast(pa.int8())
    if not pa.types.is_string(column.type):
        return column
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


# Cells from QuPath's measurement table (Measure > Show detection measurements, or Export measurements).
#
# Column names carry their unit: "Centroid X µm" or "Centroid X px"; the class stands in "Class" or, since
# QuPath 0.5, "Classification".


QUPATH_TABLE_FORM = "QuPath measurement table"

_QUPATH_PLACES = (("centroid x px", "centroid y px"), ("centroid x um", "centroid y um"))
_CLASS = ("class", "classification")
_QUPATH_CELLS = {"", "cell", "detection"}
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
        When there is no class column, a place is no number, the table holds other images alone, or no cell.
    """
    column_of = _plain(table.column_names)
    class_column = next((column_of[name] for name in _CLASS if name in column_of), None)
    if class_column is None:
        raise CellsFileError(
            f"{file}: no column Class or Classification", "export it along with the centroids"
        )
    of_slide = _rows_of_slide(table, column_of, image_names, file)
    cells = of_slide & _are_cells(table, column_of)
    if not cells.any():
        raise CellsFileError(f"{file}: holds no cell", "export detection measurements from QuPath")
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


def _rows_of_slide(
    table: pa.Table, column_of: Mapping[str, str], image_names: tuple[str, ...], file: object
) -> NDArray[np.bool_]:
    """Say which rows are of this slide: all, unless the table names several images."""
    everything = np.ones(table.num_rows, dtype=bool)
    if "image" not in column_of:
        return everything
    code, names = texts(table.column(column_of["image"]))
    present = sorted({names[index] for index in np.unique(code).tolist()})
    if len(present) <= 1:
        return everything
    own = [name for name in present if _is_named(name, image_names)]
    if not own:
        message = f"{file}: cells of {len(present)} images, none of them named like the slide"
        raise CellsFileError(message, "export the measurements of this slide's image")
    return np.isin(code, [index for index, name in enumerate(names) if name in own])


def _is_named(image: str, image_names: tuple[str, ...]) -> bool:
    """Say whether QuPath's name, such as "case.svs" or "case.ndpi - Series 1", is the slide's."""
    return any(
        image.casefold() == name.casefold() or image.casefold().startswith(f"{name.casefold()} ")
        for name in image_names
        if name
    )


def _are_cells(table: pa.Table, column_of: Mapping[str, str]) -> NDArray[np.bool_]:
    if "object type" not in column_of:
        return np.ones(table.num_rows, dtype=bool)
    code, names = texts(table.column(column_of["object type"]))
    return np.isin(code, [index for index, name in enumerate(names) if name.casefold() in _QUPATH_CELLS])


def _places(
    table: pa.Table, column_of: Mapping[str, str], info: SlideInfo, file: object
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    pair = next(pair for pair in _QUPATH_PLACES if set(pair) <= column_of.keys())
    x, y = (numbers(table.column(column_of[name]), column_of[name], file) for name in pair)
    to_px = 1.0 if pair[0].endswith("px") else 1.0 / info.mpp
    if not (np.isfinite(x) & np.isfinite(y)).all():
        raise CellsFileError(f"{file}: cells without a centroid", "export the measurements again")
    return from_qupath_frame(x * to_px, y * to_px, info.bounds_px)


def _measured_in_table(table: pa.Table, classes: CellClasses, file: object) -> dict[str, NDArray[np.float64]]:
    wanted = {column: classes.measurement(column) for column in MEASURED}
    wanted |= {SUBKIND_CODE: SUBKIND_CODE, REGION_CODE: REGION_CODE}
    present = set(table.column_names)
    return {
        column: numbers(table.column(name), name, file) for column, name in wanted.items() if name in present
    }


def _rows_passed_over(cells: NDArray[np.bool_], of_slide: NDArray[np.bool_]) -> Iterator[str]:
    others, no_cells = int((~of_slide).sum()), int((of_slide & ~cells).sum())
    if others:
        yield f"{others} rows of other images were passed over"
    if no_cells:
        yield f"{no_cells} rows that are no cells were passed over"
