"""Cells from QuPath's measurement table (Measure > Show detection measurements, or Export measurements).

Column names carry their unit: "Centroid X µm" or "Centroid X px"; the class is in "Class" or, since QuPath
0.5, "Classification".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

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
    from_qupath_frame,
    lookalike_key,
)
from cxpath.io.tables import numbers, texts

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
        yield rows_of_other_images(others)
    if no_cells:
        rows = "1 row that is no cell was" if no_cells == 1 else f"{no_cells} rows that are no cells were"
        yield f"{rows} passed over"


def rows_of_other_images(number: int) -> str:
    """Say how many rows were passed over because they are of other images."""
    rows = "1 row of another image was" if number == 1 else f"{number} rows of other images were"
    return f"{rows} passed over"
