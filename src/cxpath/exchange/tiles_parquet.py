"""Plain tables of named columns as Parquet, used for the table of tiles. Does not know what a tile is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cxpath.exchange.whole_file import whole_file
from cxpath.values.errors import CxpathError, MissingFileError

METADATA_KEY = b"cxpath"


class TableFileError(CxpathError, ValueError):
    """A file that should hold a table of columns is no Parquet file, or not one of cxpath's."""


def write_table(columns: Mapping[str, NDArray[Any]], path: Path, metadata: Mapping[str, Any]) -> None:
    """Write columns of equal length.

    Parameters
    ----------
    columns : mapping of str to array
        Numbers, truth values or strings. NaN becomes null.
    path : Path
        Replaced as a whole.
    metadata : mapping
        Facts that can be written as JSON; they stand in the schema under the key `cxpath`.

    Raises
    ------
    ValueError
        When the columns differ in length.
    OutputError
        When the file cannot be written.
    """
    lengths = {name: len(array) for name, array in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"columns differ in length: {lengths}")
    table = pa.table({name: _to_arrow(array) for name, array in columns.items()})
    table = table.replace_schema_metadata({METADATA_KEY: json.dumps(dict(metadata), sort_keys=True).encode()})
    with whole_file(path) as partial:
        pq.write_table(table, partial, compression="zstd")


def read_table(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read a table that `write_table` wrote.

    Returns
    -------
    columns : dict of str to array
        Null is NaN in float columns and the empty string in text columns.
    metadata : dict

    Raises
    ------
    MissingFileError, TableFileError
        When there is no such file, or it is not such a table.
    """
    table = read_columns(open_parquet(path), path)
    metadata = schema_facts(table.schema, path)
    try:
        return {name: _to_numpy(table.column(name)) for name in table.column_names}, metadata
    except (pa.ArrowException, ValueError) as error:
        raise TableFileError(f"{path}: a column of it is damaged", "write it again") from error


def open_parquet(path: Path) -> pq.ParquetFile:
    """Open a Parquet file, or say in one line why not."""
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file")
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise TableFileError(f"{path}: not a Parquet file", "give a file that cxpath wrote") from error


def read_columns(file: pq.ParquetFile, path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read some columns, or all, or say in one line why not."""
    try:
        return file.read(columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise TableFileError(
            f"{path}: the Parquet file breaks off or is damaged", "write it again"
        ) from error


def schema_facts(schema: pa.Schema, path: Path) -> dict[str, Any]:
    """Return the JSON facts in the schema's metadata."""
    raw = (schema.metadata or {}).get(METADATA_KEY)
    try:
        facts = json.loads(raw) if raw is not None else None
    except ValueError:
        facts = None
    if not isinstance(facts, dict):
        raise TableFileError(
            f"{path}: no readable `cxpath` entry in the Parquet metadata",
            "it states the schema, the slide and its µm per pixel; see docs/reference/outputs.md",
        )
    return facts


def _to_arrow(array: NDArray[Any]) -> pa.Array:
    if array.dtype.kind == "f":
        return pa.array(array, from_pandas=True)
    if array.dtype.kind in "UO":
        return pa.array(array.tolist(), type=pa.string())
    return pa.array(array)


def _to_numpy(column: pa.ChunkedArray) -> NDArray[Any]:
    if pa.types.is_string(column.type):
        return np.array([value or "" for value in column.to_pylist()], dtype=object)
    return np.asarray(column.to_numpy())
