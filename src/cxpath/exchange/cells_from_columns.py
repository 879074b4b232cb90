"""Cells from a table whose columns are named like those of `cells.parquet`: CSV, or Parquet without facts.

`kind` and a place are required; everything else may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cxpath.exchange.cell_classes import MEASURED, fits
from cxpath.exchange.text_table import numbers, texts
from cxpath.values.cell_table import CellTable, CellTableFacts, Kind, Subkind, TissueRegion
from cxpath.values.errors import CellsFileError

FORM = "table of cells"

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
