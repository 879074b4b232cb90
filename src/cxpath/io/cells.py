"""cxpath's own cells and tiles files: Parquet and GeoJSON."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, fields
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cxpath.data import (
    CELLS_SCHEMA,
    COLUMNS,
    EMBEDDING_COMPONENTS,
    CellTable,
    CellTableFacts,
    Kind,
    Subkind,
    TissueRegion,
)
from cxpath.errors import CellsFileError, CxpathError, MissingFileError
from cxpath.io.atomic import atomic_write, output_error, partial_path
from cxpath.io.cell_classes import LABELS, WHY_NOT, qupath_identities
from cxpath.io.geojson import Bounds, to_qupath_frame

# Cells for QuPath: a gzipped GeoJSON FeatureCollection of point detections, written as the cells come.
#
# QuPath reads classifications as a list of `names` and measurements as an object since 0.4. Ids must be
# UUIDs or they are ignored; here they follow from the slide and the row, so that two exports agree.


GEOJSON_SCHEMA = "cxpath/cells-geojson/1"

MEASUREMENTS = tuple(name for name, element in COLUMNS.items() if element is np.float32)

_COMPRESSION = 1
"""zlib's quickest: a sixth larger than 4, in half the time, while the network needs the processor."""

_CELLS_AT_A_TIME = 16_384
"""Written at once: the texts of more would take gigabytes where a file brings millions."""

_FLOAT = ".9g"
"""Every digit of a float32, so that cells read back are the cells that were written."""

_JSON: dict[str, Any] = {"separators": (",", ":"), "ensure_ascii": False, "allow_nan": False}


class CellsGeojsonWriter:
    """Write cells table by table; a context manager. Nothing is left if its block ends in an error.

    Parameters
    ----------
    path : Path
        The file, by habit `cells.geojson.gz`.
    facts : CellTableFacts
        Of the slide; its digest makes the ids.
    bounds_px : tuple of int
        The scanned part of the slide: positions are written in QuPath's frame, that is, relative to it.
    stained_threshold : float
        A cell is Positive when its `stained` is at least this; a cell without the value is neither.
    """

    def __init__(
        self, path: Path, facts: CellTableFacts, bounds_px: Bounds, *, stained_threshold: float
    ) -> None:
        self._path, self._partial, self._facts = path, partial_path(path), facts
        self._bounds_px, self._threshold = bounds_px, stained_threshold
        self.number = 0
        try:
            self._raw = self._partial.open("wb")
        except OSError as error:
            raise output_error(path, error) from error
        # No name and no time in the gzip header: the same cells give the same bytes.
        gzipped = gzip.GzipFile("", "wb", _COMPRESSION, fileobj=self._raw, mtime=0)
        self._text = io.TextIOWrapper(io.BufferedWriter(gzipped, 1 << 20), encoding="utf-8")
        head = json.dumps(_frame(facts, bounds_px, stained_threshold), **_JSON)
        self._text.write(f'{{"type":"FeatureCollection","cxpath":{head},"features":[')

    def append(self, cells: CellTable) -> None:
        """Add cells of the same slide."""
        for start in range(0, len(cells), _CELLS_AT_A_TIME):
            part = cells.take(slice(start, start + _CELLS_AT_A_TIME))
            features = _features(part, self.number, self._bounds_px, self._threshold)
            self._text.write(",\n" if self.number else "\n")
            self._text.write(",\n".join(features))
            self.number += len(part)

    def close(self) -> None:
        """End the collection and give the file its name."""
        try:
            self._text.write("\n]}\n")
            self._text.close()
            self._raw.close()
            self._partial.replace(self._path)
        except OSError as error:
            self.discard()
            raise output_error(self._path, error) from error

    def discard(self) -> None:
        """Leave nothing behind."""
        for stream in (self._text, self._raw):
            with suppress(OSError):  # a full disk must not hide the error that brought us here
                stream.close()
        self._partial.unlink(missing_ok=True)

    def __enter__(self) -> CellsGeojsonWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()


def _frame(facts: CellTableFacts, bounds_px: Bounds, threshold: float) -> dict[str, Any]:
    return {
        "schema": GEOJSON_SCHEMA,
        "frame": "qupath",
        "frame_origin_px": list(bounds_px[:2]),
        "mpp": facts.mpp,
        "slide_digest": facts.slide_digest,
        "model_digest": facts.model_digest,
        "stained_threshold": threshold,
        "research_use": "For Research Use Only. Not for use in diagnostic procedures.",
    }


def _features(cells: CellTable, first: int, bounds_px: Bounds, threshold: float) -> list[str]:
    """Return each cell as JSON; what is unknown of it is left out.

    Cells of which the same is known share a format string, which is several times as fast as one text for
    each of their values.
    """
    x_px, y_px = to_qupath_frame(cells.x_px, cells.y_px, bounds_px)
    stained_code = np.where(np.isfinite(cells.stained), 1 + (cells.stained >= threshold), 0)
    label = LABELS[cells.kind, stained_code]
    why_not = WHY_NOT[cells.region]
    identity = qupath_identities(cells.facts.slide_digest, first, len(cells)).astype("U36")
    known = np.stack([np.isfinite(getattr(cells, name)) for name in MEASUREMENTS], axis=1)
    features = np.empty(len(cells), object)
    for names, rows in _same_known(known):
        columns = [getattr(cells, name)[rows] for name in names]
        values = (identity[rows], x_px[rows], y_px[rows], label[rows], why_not[rows], *columns)
        codes = (cells.subkind[rows], cells.region[rows], cells.tile[rows])
        template = _template(names)
        lists = (array.tolist() for array in (*values, *codes))
        features[rows] = [template % row for row in zip(*lists, strict=True)]
    return cast(list[str], features.tolist())


def _same_known(known: NDArray[np.bool_]) -> Iterator[tuple[list[str], NDArray[np.int64]]]:
    """Yield the measurements that are known, and the rows of the cells of which those are."""
    pattern = known @ (1 << np.arange(known.shape[1]))
    for one in np.unique(pattern).tolist():
        names = [name for place, name in enumerate(MEASUREMENTS) if one >> place & 1]
        yield names, np.flatnonzero(pattern == one)


def _template(names: Sequence[str]) -> str:
    members = [f'"{name}":%{_FLOAT}' for name in names]
    members += [f'"{name}":%d' for name in ("subkind_code", "region_code", "tile")]
    return (
        '{"type":"Feature","id":"%s","geometry":{"type":"Point","coordinates":[%r,%r]},'
        '"properties":{"objectType":"detection","classification":%s,%s'
        f'"measurements":{{{",".join(members)}}}}}}}'
    )


# Plain tables of named columns as Parquet, used for the table of tiles. Does not know what a tile is.


METADATA_KEY = b"cxpath"

_DAMAGED = (pa.ArrowException, OSError, ValueError, KeyError)
"""What pyarrow raises over damaged files; a column's name that is no UTF-8 is a ValueError."""
_MOST_ROWS = 20_000_000
"""Several times the cells of the largest slides: a small file can claim any number."""


class TableFileError(CxpathError, ValueError):
    """A file that should contain a table of columns is no Parquet file, or not one of cxpath's."""


def write_table(columns: Mapping[str, NDArray[Any]], path: Path, metadata: Mapping[str, Any]) -> None:
    """Write columns of equal length.

    Parameters
    ----------
    columns : mapping of str to array
        Numbers, truth values or strings. NaN becomes null.
    path : Path
        Replaced as a whole.
    metadata : mapping
        Facts that can be written as JSON; they are stored in the schema under the key `cxpath`.

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
    with atomic_write(path) as partial:
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
    except _DAMAGED as error:
        raise TableFileError(f"{path}: a column of it is damaged", "write it again") from error


def open_parquet(path: Path) -> pq.ParquetFile:
    """Open a Parquet file, or say in one line why not."""
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file")
    try:
        file = pq.ParquetFile(path)
        names, rows = file.schema_arrow.names, file.metadata.num_rows
    except _DAMAGED as error:
        raise TableFileError(f"{path}: not a Parquet file", "give a file that cxpath wrote") from error
    if rows > _MOST_ROWS:
        raise TableFileError(f"{path}: has {rows} rows, too many for one slide", "give one slide's cells")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TableFileError(f"{path}: column {twice[0]!r} is there twice", "write every column once")
    return file


def read_columns(file: pq.ParquetFile, path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read some columns, or all, or say in one line why not."""
    try:
        return file.read(columns=columns)
    except _DAMAGED as error:
        raise TableFileError(
            f"{path}: the Parquet file breaks off or is damaged", "write it again"
        ) from error


def schema_facts(schema: pa.Schema, path: Path) -> dict[str, Any]:
    """Return the JSON facts in the schema's metadata."""
    raw = (schema.metadata or {}).get(METADATA_KEY)
    try:
        facts = json.loads(raw) if raw is not None else None
    except (ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict):
        raise TableFileError(
            f"{path}: no readable `cxpath` entry in the Parquet metadata",
            "it states the schema, the slide and its µm per pixel; see docs/reference/outputs.md",
        )
    return facts


# Arrow's arrays from buffers and back: `pa.array` and `to_numpy` import pandas, a third of a second of a run.


def _to_arrow(array: NDArray[Any]) -> pa.Array:
    """Return numbers or words as Arrow's; a number that is nan is null."""
    if array.dtype.kind in "UO":
        return _words_to_arrow(array.tolist())
    if array.dtype.kind == "b":
        return pa.Array.from_buffers(pa.bool_(), len(array), [None, _bits(array)])
    missing = np.isnan(array) if array.dtype.kind == "f" else np.zeros(0, bool)
    nulls = int(np.count_nonzero(missing))
    buffers = [_bits(~missing) if nulls else None, pa.py_buffer(np.ascontiguousarray(array))]
    return pa.Array.from_buffers(pa.from_numpy_dtype(array.dtype), len(array), buffers, nulls)


def _words_to_arrow(words: Sequence[str]) -> pa.Array:
    encoded = [word.encode() for word in words]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(encoded), buffers, 0)


def _bits(flags: NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(flags, bitorder="little"))


def _to_numpy(column: pa.ChunkedArray) -> NDArray[Any]:
    if pa.types.is_string(column.type):
        return np.array([value or "" for value in column.to_pylist()], dtype=object)
    if not pa.types.is_floating(column.type) and (column.null_count or not pa.types.is_integer(column.type)):
        return np.asarray(column.to_numpy())
    parts = [_numbers(chunk) for chunk in column.chunks]
    return np.concatenate(parts) if parts else np.zeros(0, column.type.to_pandas_dtype())


def _numbers(chunk: pa.Array) -> NDArray[Any]:
    """Return the numbers of a chunk, nan for null."""
    valid, content = chunk.buffers()
    own = slice(chunk.offset, chunk.offset + len(chunk))
    numbers = np.frombuffer(content, chunk.type.to_pandas_dtype())[own].copy()
    if chunk.null_count:
        numbers[np.unpackbits(np.frombuffer(valid, np.uint8), bitorder="little")[own] == 0] = np.nan
    return numbers


# CellTable as Parquet: enumerations as readable strings, facts as JSON in the schema, NaN as null.
#
# Cells may be appended table by table, so a slide's worth never has to be in memory at once.


ENUMERATIONS: dict[str, type[IntEnum]] = {"kind": Kind, "subkind": Subkind, "region": TissueRegion}
REQUIRED_VALUES = ("x_px", "y_px", "kind")
"""Columns in which no row may be empty."""

EMBEDDING = "embedding"
"""Column of lists of 16 bytes; there only where the network gave them, empty for a cell without."""

_EMBEDDING_TYPE = pa.list_(pa.uint8(), EMBEDDING_COMPONENTS)

_LARGEST_PX = 2.0**31
"""No slide is as large; also what is not finite is not below it."""

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
    embedding : bool
        Whether the file has that column; what is appended may lack it.
    """

    def __init__(self, path: Path, facts: CellTableFacts, *, embedding: bool = False) -> None:
        self._path, self._partial, self._facts, self._embedding = path, partial_path(path), facts, embedding
        self._waiting: list[CellTable] = []
        self._rows_waiting = 0
        self.number = 0
        try:
            self._writer = pq.ParquetWriter(
                self._partial,
                _schema(facts, embedding=embedding),
                compression="zstd",
                use_dictionary=[*ENUMERATIONS, f"{EMBEDDING}.list.element"],
            )
        except OSError as error:
            raise output_error(path, error) from error

    def append(self, cells: CellTable) -> None:
        """Add cells; raises ValueError when they belong to another slide."""
        if cells.facts != self._facts:
            raise ValueError("appended cells carry other facts than the file")
        if cells.embedding is not None and not self._embedding:
            raise ValueError("appended cells carry an embedding, for which the file has no column")
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
            arrays = [_cells_to_arrow(name, array) for name, array in cells.columns().items()]
            if self._embedding:
                arrays.append(_embedding_to_arrow(cells))
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


def write_cells(cells: CellTable, path: str | Path) -> None:
    """Write a whole table at once."""
    with CellsWriter(Path(path), cells.facts, embedding=cells.embedding is not None) as writer:
        writer.append(cells)


def read_cells(path: Path | str) -> CellTable:
    """Read cells that cxpath wrote, or that somebody else wrote in the same form.

    Every column of `COLUMNS` must be there; float columns, `subkind`, `region` and `tile` may contain nulls
    (unknown). `embedding` is read where it is there; further columns are ignored. Texts may be plain or
    dictionary-encoded.

    Raises
    ------
    MissingFileError
        When there is no such file.
    CellsFileError
        When it is no Parquet file, carries no facts, another schema version, lacks a column or contains a
        value that the column does not allow.
    """
    path = Path(path)
    try:
        file = open_parquet(path)
        facts = _facts(schema_facts(file.schema_arrow, path), path)
        missing = [name for name in COLUMNS if name not in file.schema_arrow.names]
        if missing:
            raise CellsFileError(f"{path}: columns missing: {', '.join(missing)}", _HINT)
        embedded = [EMBEDDING] if EMBEDDING in file.schema_arrow.names else []
        table = read_columns(file, path, [*COLUMNS, *embedded])
    except TableFileError as error:
        raise CellsFileError(error.message, error.hint) from error
    columns = {name: _cells_to_numpy(name, table.column(name), path) for name in COLUMNS}
    embedding = _embedding_to_numpy(table.column(EMBEDDING), path) if embedded else None
    return CellTable(facts, **columns, embedding=embedding)


def _schema(facts: CellTableFacts, *, embedding: bool) -> pa.Schema:
    as_json = json.dumps(asdict(facts), sort_keys=True, ensure_ascii=False).encode()
    columns = [pa.field(name, _arrow_type(name), nullable=name not in REQUIRED_VALUES) for name in COLUMNS]
    if embedding:
        columns.append(pa.field(EMBEDDING, _EMBEDDING_TYPE))
    return pa.schema(columns, metadata={METADATA_KEY: as_json})


def _arrow_type(name: str) -> pa.DataType:
    if name in ENUMERATIONS:
        return pa.dictionary(pa.int8(), pa.string())
    return pa.from_numpy_dtype(np.dtype(COLUMNS[name]))


def _cells_to_arrow(name: str, array: NDArray[Any]) -> pa.Array:
    if name in ENUMERATIONS:
        names = [member.name.lower() for member in ENUMERATIONS[name]]
        return pa.DictionaryArray.from_arrays(_to_arrow(array.astype(np.int8)), _words_to_arrow(names))
    return _to_arrow(array)


def _embedding_to_arrow(cells: CellTable) -> pa.Array:
    """Return lists of bytes, null for a cell without."""
    if cells.embedding is None:
        return pa.nulls(len(cells), _EMBEDDING_TYPE)
    values = _to_arrow(cells.embedding.ravel())
    return pa.FixedSizeListArray.from_arrays(values, type=_EMBEDDING_TYPE, mask=_to_arrow(~cells.embedded))


def _embedding_to_numpy(column: pa.ChunkedArray, path: Path) -> NDArray[np.uint8]:
    """Return the bytes, (N, 16), zeros where a row is empty."""
    try:
        parts = [_chunk_embedding(chunk) for chunk in column.cast(_EMBEDDING_TYPE).chunks]
    except (pa.ArrowException, ValueError) as error:
        found = f"column {EMBEDDING} contains {column.type}, not lists of {EMBEDDING_COMPONENTS} bytes"
        raise CellsFileError(f"{path}: {found}", _HINT) from error
    return np.concatenate([np.empty((0, EMBEDDING_COMPONENTS), np.uint8), *parts])


def _chunk_embedding(chunk: pa.FixedSizeListArray) -> NDArray[np.uint8]:
    if chunk.flatten().null_count:
        raise ValueError("a byte of an embedding is empty")
    found = np.zeros((len(chunk), EMBEDDING_COMPONENTS), np.uint8)
    found[np.asarray(chunk.is_valid())] = np.asarray(chunk.flatten()).reshape(-1, EMBEDDING_COMPONENTS)
    return found


def _cells_to_numpy(name: str, column: pa.ChunkedArray, path: Path) -> NDArray[Any]:
    if name in REQUIRED_VALUES and column.null_count:
        raise CellsFileError(f"{path}: empty entries in column {name}: {column.null_count}", _HINT)
    try:
        if name in ENUMERATIONS:
            return _codes(name, column, path)
        if name == "tile":
            column = column.fill_null(-1).cast(pa.int32())  # refuses what numpy would cut off
        with np.errstate(over="ignore"):  # infinite in the column's type; whoever scores it is warned
            array = np.asarray(column.to_numpy(), dtype=COLUMNS[name])
    except CellsFileError:
        raise
    except (pa.ArrowException, ValueError, TypeError, OverflowError, IndexError) as error:
        raise CellsFileError(f"{path}: column {name} contains {column.type}, not numbers", _HINT) from error
    if name in REQUIRED_VALUES and not (np.abs(array) < _LARGEST_PX).all():
        raise CellsFileError(f"{path}: column {name} contains values that are not positions", _HINT)
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
        raise CellsFileError(f"{path}: column {name} contains {', '.join(unknown[:5])}", f"known: {known}")
    lookup = np.array([*(codes.get(str(word), 0) for word in words), 0], dtype=np.uint8)
    return lookup[indices]


_SMALLEST_MPP, _LARGEST_MPP = 0.01, 100.0
"""No slide in which cells are seen lies beyond."""


def _facts(stated: dict[str, Any], path: Path) -> CellTableFacts:
    if stated.get("schema") != CELLS_SCHEMA:
        raise CellsFileError(f"{path}: schema is {stated.get('schema')!r}, not {CELLS_SCHEMA!r}", _HINT)
    known = {field.name for field in fields(CellTableFacts)}
    try:
        given = {name: value for name, value in stated.items() if name in known}
        vectors = tuple(_three(vector) for vector in given.pop("stain_vectors", ()))
        white = _three(given.pop("white_point", (255.0, 255.0, 255.0)))
        given["mpp"] = float(given["mpp"])
        given |= {name: _size(given[name]) for name in ("width_px", "height_px")}
        resolved = _SMALLEST_MPP <= given["mpp"] <= _LARGEST_MPP
        facts = CellTableFacts(stain_vectors=vectors, white_point=white, **given)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise CellsFileError(f"{path}: the facts in the Parquet metadata are incomplete", _HINT) from error
    if not resolved:
        raise CellsFileError(f"{path}: mpp is {facts.mpp}, not the µm per pixel of a slide", _HINT)
    return facts


def _size(stated: Any) -> int:
    if not isinstance(stated, int) or not 0 <= stated < 1 << 31:
        raise ValueError("no size of a slide")
    return stated


def _three(numbers: Any) -> tuple[float, float, float]:
    first, second, third = (float(number) for number in numbers)
    return first, second, third
