"""Cells from QuPath's measurement table (Measure > Show detection measurements, or Export measurements).

Column names carry their unit: "Centroid X µm" or "Centroid X px"; the class stands in "Class" or, since
QuPath 0.5, "Classification".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cxpath.exchange.cell_classes import MEASURED, CellClasses
from cxpath.exchange.class_names import UNCLASSIFIED
from cxpath.exchange.classified_cells import REGION_CODE, SUBKIND_CODE, ClassifiedCells
from cxpath.exchange.qupath_frame import from_qupath_frame
from cxpath.exchange.text_table import numbers, texts
from cxpath.values.errors import CellsFileError
from cxpath.values.slide_info import SlideInfo

FORM = "QuPath measurement table"

_PLACES = (("centroid x px", "centroid y px"), ("centroid x um", "centroid y um"))
_CLASS = ("class", "classification")
_CELLS = {"", "cell", "detection"}
_MICRO = ("\u00c2\u00b5", "\u00b5", "\u03bc", "\ufffd")
"""How "µ" may arrive: read in a wrong encoding, as micro sign, as Greek letter, or lost."""


def is_qupath_table(names: list[str]) -> bool:
    """Say whether these are the columns of a measurement table of objects with a place."""
    return any(set(pair) <= _plain(names).keys() for pair in _PLACES)


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
        measured=_measured(table, classes, file),
    )
    return found, list(_passed_over(cells, of_slide))


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
    return np.isin(code, [index for index, name in enumerate(names) if name.casefold() in _CELLS])


def _places(
    table: pa.Table, column_of: Mapping[str, str], info: SlideInfo, file: object
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    pair = next(pair for pair in _PLACES if set(pair) <= column_of.keys())
    x, y = (numbers(table.column(column_of[name]), column_of[name], file) for name in pair)
    to_px = 1.0 if pair[0].endswith("px") else 1.0 / info.mpp
    if not (np.isfinite(x) & np.isfinite(y)).all():
        raise CellsFileError(f"{file}: cells without a centroid", "export the measurements again")
    return from_qupath_frame(x * to_px, y * to_px, info.bounds_px)


def _measured(table: pa.Table, classes: CellClasses, file: object) -> dict[str, NDArray[np.float64]]:
    wanted = {column: classes.measurement(column) for column in MEASURED}
    wanted |= {SUBKIND_CODE: SUBKIND_CODE, REGION_CODE: REGION_CODE}
    present = set(table.column_names)
    return {
        column: numbers(table.column(name), name, file) for column, name in wanted.items() if name in present
    }


def _passed_over(cells: NDArray[np.bool_], of_slide: NDArray[np.bool_]) -> Iterator[str]:
    others, no_cells = int((~of_slide).sum()), int((of_slide & ~cells).sum())
    if others:
        yield f"{others} rows of other images were passed over"
    if no_cells:
        yield f"{no_cells} rows that are no cells were passed over"
