"""Cells from a table whose columns are named like those of `cells.parquet`: CSV, or Parquet without facts.

`kind` and a place are required; everything else may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cxpath.data import CellTable, CellTableFacts, Kind, Subkind, TissueRegion
from cxpath.errors import CellsFileError
from cxpath.io.cell_classes import (
    MEASURED,
    fits,
)
from cxpath.io.tables import numbers, texts

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
