"""A table as text (CSV, TSV) from any program: separator, encoding and decimal comma are found out.

Does not know what a column means.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
from numpy.typing import NDArray

from cxpath.values.errors import CellsFileError

_SEPARATORS = ("\t", ";", ",")
_AGAIN = "save the table again as tab-separated text in UTF-8"


def read_text_table(content: bytes, file: object) -> pa.Table:
    """Return all columns as texts; an empty entry is an empty text.

    Parameters
    ----------
    content : bytes
        UTF-8, UTF-16 with byte order mark, or else Windows-1252. The separator is the one of tab, semicolon
        and comma that the first line holds most of.
    file : object
        Names the file in messages.

    Raises
    ------
    CellsFileError
        When rows differ in length, or a column name stands twice.
    """
    text = decoded(content)
    header = text.lstrip().partition("\n")[0]
    separator = separator_of(text)
    names = [name.strip().strip('"') for name in header.rstrip("\r").split(separator)]
    if len(set(names)) < len(names):
        raise CellsFileError(f"{file}: a column name stands twice", _AGAIN)
    try:
        return pcsv.read_csv(
            io.BytesIO(text.lstrip().encode()),
            read_options=pcsv.ReadOptions(skip_rows=1, column_names=names),
            parse_options=pcsv.ParseOptions(delimiter=separator, newlines_in_values=True),
            convert_options=pcsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowException as error:
        first_line = str(error).splitlines()[0]
        raise CellsFileError(f"{file}: not readable as a table: {first_line}", _AGAIN) from error


def separator_of(text: str) -> str:
    """Return the one of tab, semicolon and comma that the first line holds most of."""
    return max(_SEPARATORS, key=text.lstrip().partition("\n")[0].count)


def decoded(content: bytes) -> str:
    """Return text that may be in UTF-8, in UTF-16 with byte order mark, or else in Windows-1252."""
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def numbers(column: pa.ChunkedArray, name: str, file: object) -> NDArray[np.float64]:
    """Return a column as numbers: NaN for nothing, decimal commas understood.

    Raises
    ------
    CellsFileError
        Naming the first entry that is no number.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(pa.string())
    if not _is_text(column.type):
        try:
            return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
        except pa.ArrowException as error:
            raise CellsFileError(f"{file}: column {name} holds {column.type}, not numbers") from error
    plain = pc.replace_substring(pc.utf8_trim_whitespace(column), ",", ".")
    plain = pc.if_else(pc.equal(plain, ""), pa.scalar(None, pa.string()), plain)
    try:
        return np.asarray(plain.cast(pa.float64()).to_numpy(), dtype=np.float64)
    except pa.ArrowException as error:
        row, entry = _first_that_is_none(plain.to_pylist())
        raise CellsFileError(
            f"{file}: row {row}: {entry!r} in column {name!r} is no number", "correct it, or leave it empty"
        ) from error


def _first_that_is_none(entries: list[Any]) -> tuple[int, str]:
    for row, entry in enumerate(entries, start=2):
        try:
            float(entry or "nan")
        except ValueError:
            return row, entry
    return 1, ""


def texts(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return a column of repeated texts as codes and the texts they stand for; nothing is an empty text."""
    plain = pc.utf8_trim_whitespace(column.cast(pa.string()).combine_chunks())
    chunk = plain.dictionary_encode()
    words = [str(word or "") for word in chunk.dictionary.to_pylist()]
    codes = np.asarray(chunk.indices.fill_null(len(words)).to_numpy(zero_copy_only=False), dtype=np.int64)
    return codes, (*words, "")


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
