"""Text tables and spreadsheets of other programs, read row by row and written safely."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
from numpy.typing import NDArray

from cxpath.errors import CellsFileError, MissingFileError, ReadsFileError
from cxpath.io.atomic import atomic_write

# A table as text (CSV, TSV) from any program: separator, encoding and decimal comma are found out.
#
# Does not know what a column means.


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


# A small table from CSV, TSV or XLSX as rows of text with the row numbers that a spreadsheet shows.
#
# Does not know what a column means. A formula in a workbook is refused: its value is not in the file for
# sure.


WORKBOOK = {".xlsx", ".xlsm"}


def plain_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return the rows that are not empty, each with its number; of a workbook, those of its first sheet.

    Parameters
    ----------
    path : Path
        `.xlsx`, or text in UTF-8 (with or without BOM), UTF-16 or Windows-1252, separated by tab, semicolon
        or comma.

    Raises
    ------
    MissingFileError, ReadsFileError
    """
    try:
        rows = list(_of_workbook(path) if path.suffix.casefold() in WORKBOOK else _of_text(path))
    except FileNotFoundError as error:
        raise MissingFileError(f"{path}: no such file", "give a table of manual reads") from error
    except (OSError, csv.Error, BadZipFile, KeyError) as error:
        raise ReadsFileError(
            f"{path}: not readable as a table: {error}", "save it as CSV in UTF-8"
        ) from error
    return [(number, row) for number, row in rows if any(row)]


def _of_text(path: Path) -> Iterator[tuple[int, list[str]]]:
    text = decoded(path.read_bytes())
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator_of(text))
    for row in reader:
        yield reader.line_num, [entry.strip() for entry in row]


def _of_workbook(path: Path) -> Iterator[tuple[int, list[str]]]:
    from openpyxl import load_workbook  # noqa: PLC0415  # heavy, and most tables are CSV
    from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415

    try:
        book = load_workbook(path, read_only=True)
    except (InvalidFileException, ValueError) as error:
        raise ReadsFileError(f"{path}: is no XLSX workbook", "save it again as XLSX or CSV") from error
    try:
        for number, row in enumerate(book.worksheets[0].iter_rows(values_only=True), start=1):
            yield number, [_text(entry, path, number) for entry in row]
    finally:
        book.close()


def _text(entry: Any, path: Path, row: int) -> str:
    """Return a cell as it would stand in a CSV file."""
    if entry is None:
        return ""
    if isinstance(entry, datetime | date):
        return entry.isoformat()[:10]
    if isinstance(entry, float) and entry.is_integer():
        return str(int(entry))
    text = str(entry).strip()
    if text.startswith("="):
        raise ReadsFileError(f"{path}: row {row}: holds a formula", "paste values instead of formulas")
    return text


# Tables for spreadsheets that no entry can turn into a program: CSV and XLSX, written whole.
#
# A text that begins like a formula gets an apostrophe in front, which spreadsheets hide
# (https://owasp.org/www-community/attacks/CSV_Injection). Numbers stay numbers, negative ones too.


Entry = str | int | float | None
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe_entry(entry: Entry) -> Entry:
    """Return an entry that a spreadsheet takes for what it is."""
    if not isinstance(entry, str) or not entry.lstrip(" ").startswith(_DANGEROUS):
        return entry
    try:
        float(entry)
    except ValueError:
        return f"'{entry}"
    return entry


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[Entry]]) -> None:
    """Write a table: XLSX where the name says so, else CSV in UTF-8 with BOM, which spreadsheets expect.

    Raises
    ------
    OutputError
        When the operating system refuses.
    """
    safe = [[safe_entry(entry) for entry in row] for row in (header, *rows)]
    with atomic_write(path) as partial:
        if path.suffix.casefold() in WORKBOOK:
            _write_workbook(partial, safe)
        else:
            with partial.open("w", newline="", encoding="utf-8-sig") as file:
                csv.writer(file, lineterminator="\n").writerows(safe)


def _write_workbook(path: Path, rows: Sequence[Sequence[Entry]]) -> None:
    from openpyxl import Workbook  # noqa: PLC0415  # heavy, and most tables are CSV

    book = Workbook(write_only=True)
    sheet = book.create_sheet("reads")
    for row in rows:
        sheet.append(list(row))
    with path.open("wb") as file:
        book.save(file)
