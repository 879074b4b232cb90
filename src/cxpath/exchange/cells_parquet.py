"""CellTable as Parquet: enumerations as readable strings, facts as JSON in the schema, NaN as null.

Cells may be appended table by table, so a slide's worth never has to be in memory at once.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, fields
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cxpath.exchange.tiles_parquet import (
    METADATA_KEY,
    TableFileError,
    open_parquet,
    read_columns,
    schema_facts,
)
from cxpath.exchange.whole_file import output_error, partial_path
from cxpath.values.cell_table import COLUMNS, SCHEMA, CellTable, CellTableFacts, Kind, Subkind, TissueRegion
from cxpath.values.errors import CellsFileError

ENUMERATIONS: dict[str, type[IntEnum]] = {"kind": Kind, "subkind": Subkind, "region": TissueRegion}
REQUIRED_VALUES = ("x_px", "y_px", "kind")
"""Columns in which no row may be empty."""

ROW_GROUP = 131_072
"""Rows gathered before a row group is written; small groups make slow, large files."""

_HINT = "see docs/reference/outputs.md for the columns of cells.parquet"


class CellsWriter:
    """Write the cells of one slide, table by table; a context manager.

    The file appears under its name on leaving the block without an error; otherwise nothing is left.

    Parameters
    ----------
    path : Path
        The Parquet file; its folder must exist.
    facts : CellTableFacts
        Facts that every appended table must share.
    """

    def __init__(self, path: Path, facts: CellTableFacts) -> None:
        self._path, self._partial, self._facts = path, partial_path(path), facts
        self._waiting: list[CellTable] = []
        self._rows_waiting = 0
        self.number = 0
        try:
            self._writer = pq.ParquetWriter(
                self._partial, _schema(facts), compression="zstd", use_dictionary=list(ENUMERATIONS)
            )
        except OSError as error:
            raise output_error(path, error) from error

    def append(self, cells: CellTable) -> None:
        """Add cells; raises ValueError when they belong to another slide."""
        if cells.facts != self._facts:
            raise ValueError("appended cells carry other facts than the file")
        self._waiting.append(cells)
        self._rows_waiting += len(cells)
        self.number += len(cells)
        if self._rows_waiting >= ROW_GROUP:
            self._flush()

    def close(self) -> None:
        """Write what is waiting and give the file its name."""
        try:
            self._flush()
            self._writer.close()
            self._partial.replace(self._path)
        except OSError as error:
            self.discard()
            raise output_error(self._path, error) from error

    def discard(self) -> None:
        """Leave nothing behind."""
        with suppress(OSError):  # a full disk must not hide the error that brought us here
            self._writer.close()
        self._partial.unlink(missing_ok=True)

    def _flush(self) -> None:
        if self._rows_waiting:
            cells = CellTable.concatenate(self._waiting)
            arrays = [_to_arrow(name, array) for name, array in cells.columns().items()]
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._writer.schema), ROW_GROUP)
        self._waiting, self._rows_waiting = [], 0

    def __enter__(self) -> CellsWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()


def write_cells(cells: CellTable, path: Path) -> None:
    """Write a whole table at once."""
    with CellsWriter(path, cells.facts) as writer:
        writer.append(cells)


def read_cells(path: Path | str) -> CellTable:
    """Read cells that cxpath wrote, or that somebody else wrote in the same form.

    Every column of `COLUMNS` must be there; float columns, `subkind`, `region` and `tile` may hold nulls
    (unknown). Further columns are ignored. Texts may be plain or dictionary-encoded.

    Raises
    ------
    MissingFileError
        When there is no such file.
    CellsFileError
        When it is no Parquet file, carries no facts, another schema version, lacks a column or holds a
        value that the column does not allow.
    """
    path = Path(path)
    try:
        file = open_parquet(path)
        facts = _facts(schema_facts(file.schema_arrow, path), path)
        missing = [name for name in COLUMNS if name not in file.schema_arrow.names]
        if missing:
            raise CellsFileError(f"{path}: columns missing: {', '.join(missing)}", _HINT)
        table = read_columns(file, path, list(COLUMNS))
    except TableFileError as error:
        raise CellsFileError(error.message, error.hint) from error
    return CellTable(facts, **{name: _to_numpy(name, table.column(name), path) for name in COLUMNS})


def _schema(facts: CellTableFacts) -> pa.Schema:
    as_json = json.dumps(asdict(facts), sort_keys=True, ensure_ascii=False).encode()
    columns = [pa.field(name, _arrow_type(name), nullable=name not in REQUIRED_VALUES) for name in COLUMNS]
    return pa.schema(columns, metadata={METADATA_KEY: as_json})


def _arrow_type(name: str) -> pa.DataType:
    if name in ENUMERATIONS:
        return pa.dictionary(pa.int8(), pa.string())
    return pa.from_numpy_dtype(np.dtype(COLUMNS[name]))


def _to_arrow(name: str, array: NDArray[Any]) -> pa.Array:
    if name in ENUMERATIONS:
        names = [member.name.lower() for member in ENUMERATIONS[name]]
        return pa.DictionaryArray.from_arrays(pa.array(array.astype(np.int8)), pa.array(names))
    return pa.array(array, from_pandas=array.dtype.kind == "f")


def _to_numpy(name: str, column: pa.ChunkedArray, path: Path) -> NDArray[Any]:
    if name in REQUIRED_VALUES and column.null_count:
        raise CellsFileError(f"{path}: column {name} has {column.null_count} empty rows", _HINT)
    try:
        if name in ENUMERATIONS:
            return _codes(name, column, path)
        column = column.fill_null(-1) if name == "tile" else column
        array = np.asarray(column.to_numpy(), dtype=COLUMNS[name])
    except CellsFileError:
        raise
    except (pa.ArrowException, ValueError, TypeError, OverflowError, IndexError) as error:
        raise CellsFileError(f"{path}: column {name} holds {column.type}, not numbers", _HINT) from error
    if name in REQUIRED_VALUES and not np.isfinite(array).all():
        raise CellsFileError(f"{path}: column {name} holds values that are no positions", _HINT)
    return array


def _codes(name: str, column: pa.ChunkedArray, path: Path) -> NDArray[np.uint8]:
    codes = {member.name.lower(): int(member) for member in ENUMERATIONS[name]}
    parts = [_chunk_codes(chunk, codes, name, path) for chunk in column.chunks]
    return np.concatenate(parts) if parts else np.empty(0, np.uint8)


def _chunk_codes(chunk: pa.Array, codes: dict[str, int], name: str, path: Path) -> NDArray[np.uint8]:
    encoded = chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
    indices = np.asarray(encoded.indices.fill_null(-1)).astype(np.int64)
    words = encoded.dictionary.to_pylist()
    unknown = sorted({str(words[index]) for index in np.unique(indices) if index >= 0} - set(codes))
    if unknown:
        known = ", ".join(codes)
        raise CellsFileError(f"{path}: column {name} holds {', '.join(unknown[:5])}", f"known: {known}")
    lookup = np.array([*(codes.get(str(word), 0) for word in words), 0], dtype=np.uint8)
    return lookup[indices]


def _facts(stated: dict[str, Any], path: Path) -> CellTableFacts:
    if stated.get("schema") != SCHEMA:
        raise CellsFileError(f"{path}: schema is {stated.get('schema')!r}, not {SCHEMA!r}", _HINT)
    known = {field.name for field in fields(CellTableFacts)}
    try:
        given = {name: value for name, value in stated.items() if name in known}
        vectors = tuple(_three(vector) for vector in given.pop("stain_vectors", ()))
        white = _three(given.pop("white_point", (255.0, 255.0, 255.0)))
        resolved = 0 < float(given["mpp"]) < float("inf")
        facts = CellTableFacts(stain_vectors=vectors, white_point=white, **given)
    except (KeyError, TypeError, ValueError) as error:
        raise CellsFileError(f"{path}: the facts in the Parquet metadata are incomplete", _HINT) from error
    if not resolved:
        raise CellsFileError(f"{path}: mpp is {facts.mpp}, not a number of µm per pixel", _HINT)
    return facts


def _three(numbers: Any) -> tuple[float, float, float]:
    first, second, third = (float(number) for number in numbers)
    return first, second, third
