"""Text tables and spreadsheets of other programs, read row by row and written safely."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from zipfile import ZipFile

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
from numpy.typing import NDArray

from cxpath.data import import_extra, refuse_pipe
from cxpath.errors import CellsFileError, CxpathError, MissingFileError, ReadsFileError
from cxpath.io.atomic import atomic_write

if TYPE_CHECKING:
    from openpyxl.workbook import Workbook

# A table as text (CSV, TSV) from any program: separator, encoding and decimal comma are found out.
#
# Does not know what a column means.


_SEPARATORS = ("\t", ";", ",")
_SEPARATOR_LINE = re.compile(r'^"?sep=(?P<separator>\\t|[\t;,|:])"?[ \t;,]*$', re.IGNORECASE)
"""What Excel writes and reads as a first line that states the separator."""
_SEPARATOR_KEY = b"separator"
_LINE_END = re.compile(r"\r\n|\r|\n")
_MOST_HEADER_LINES = 100
"""A header whose quotes are still open after so many lines is read as a single line."""
_AGAIN = "save the table again as tab-separated text in UTF-8"
_NO_GROUPS = "write numbers without thousands separators and save the table again"


def read_text_table(content: bytes, file: object) -> tuple[pa.Table, list[str]]:
    """Return all named columns as texts, and warnings about rows that had to be completed.

    An empty entry is an empty text. Rows without any entry are left out, and so are columns without a name.

    Parameters
    ----------
    content : bytes
        UTF-8, UTF-16 with byte order mark, or else Windows-1252; lines end in LF, CR LF or CR. The separator
        is stated by a first line `sep=;`, or else the one of tab, semicolon and comma that the header
        contains most of.
    file : object
        Names the file in messages.

    Raises
    ------
    CellsFileError
        When a row is longer than the header, the last line breaks off, or a column name occurs twice.
    """
    # No name for the whole text: it would be kept next to its copy below the header.
    names, body, separator = _header(
        *without_separator_line(_decoded_table(content, file, CellsFileError)), file
    )
    columns = [name or f"\0{place}" for place, name in enumerate(names)]
    try:
        table, warnings = _quick(body, columns, separator), list[str]()
    except pa.ArrowException:  # rows of unequal length, or quotes that do not match
        table, warnings = _completed(body, columns, separator, file)
    named = [column for column in columns if not column.startswith("\0")]
    table = _without_empty_rows(table).select(named)
    return table.replace_schema_metadata({_SEPARATOR_KEY: separator.encode()}), warnings


def without_separator_line(text: str) -> tuple[str, str]:
    """Return a table's text without a first line `sep=X`, and its separator."""
    text = text.lstrip("\r\n ")
    first = _first_line(text)
    stated = _SEPARATOR_LINE.match(first)
    if stated is None:
        return text, separator_of(text)
    rest = text[len(first) :].lstrip("\r\n")
    return rest, "\t" if stated["separator"] == "\\t" else stated["separator"]


def separator_of(text: str) -> str:
    """Return the one of tab, semicolon and comma that the first row contains most of outside quotes."""
    first = _first_row(text.lstrip("\r\n "))
    unquoted = re.sub(r'"[^"]*"', "", first)
    return max(_SEPARATORS, key=unquoted.count)


def _first_row(text: str) -> str:
    """Return the lines up to the first that closes its quotes; the first line alone, where none does."""
    for end in islice(_LINE_END.finditer(text), _MOST_HEADER_LINES):
        if text.count('"', 0, end.start()) % 2 == 0:
            return text[: end.start()]
    return _first_line(text)


def _first_line(text: str) -> str:
    end = _LINE_END.search(text)
    return text[: end.start()] if end else text


def _header(text: str, separator: str, file: object) -> tuple[list[str], str, str]:
    """Return the column names, the text below them with lines that end in LF, and the separator."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = _Lines(text)
    try:
        names = [name.strip() for name in next(csv.reader(lines, delimiter=separator), [])]
    except (csv.Error, TypeError) as error:
        raise CellsFileError(f"{file}: not readable as a table: {error}", _AGAIN) from error
    named = [name for name in names if name]
    if len(set(named)) < len(named):
        twice = next(name for name in named if named.count(name) > 1)
        raise CellsFileError(f"{file}: a column name occurs twice: {twice!r}", _AGAIN)
    return names, text[lines.read :], separator


class _Lines:
    """The lines of a text, and how many letters of it were read; `io.StringIO` would need four bytes each."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.read = 0

    def __iter__(self) -> Iterator[str]:
        while self.read < len(self._text):
            start, end = self.read, self._text.find("\n", self.read)
            self.read = len(self._text) if end < 0 else end + 1
            yield self._text[start : self.read]


def _quick(body: str, columns: list[str], separator: str) -> pa.Table:
    if body.count('"') % 2:
        raise pa.ArrowInvalid("quotes that do not match")  # Arrow would read on to the end of the file
    if not body.strip("\n"):
        return pa.table({name: pa.array([], pa.string()) for name in columns})
    return pcsv.read_csv(
        pa.BufferReader(body.encode()),
        read_options=pcsv.ReadOptions(column_names=columns),
        parse_options=pcsv.ParseOptions(delimiter=separator, newlines_in_values=True),
        convert_options=pcsv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
        ),
    )


def _completed(body: str, columns: list[str], separator: str, file: object) -> tuple[pa.Table, list[str]]:
    """Read row by row: fill rows that end early, as QuPath writes them, and refuse longer ones."""
    rows: list[list[str]] = []
    short: list[int] = []
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=separator, strict=True)
    try:
        for number, row in enumerate(filter(None, reader), start=2):
            rows.append(_fitted(row, len(columns), f"{file}: not readable as a table: row {number}"))
            if len(row) < len(columns):
                short.append(number)
    except csv.Error as error:
        raise CellsFileError(f"{file}: not readable as a table: {error}", _AGAIN) from error
    if short == [len(rows) + 1] and not body.endswith("\n"):
        raise CellsFileError(f"{file}: the table breaks off in its last line", _AGAIN)
    arrays = [pa.array(entries, pa.string()) for entries in zip(*rows, strict=True)]
    said = f"rows that end before the last column: {len(short)}; what is missing was taken as empty"
    return pa.table(arrays, names=columns), [said] if short else []


def _fitted(row: list[str], length: int, where: str) -> list[str]:
    if any(entry.strip() for entry in row[length:]):
        message = f"{where} has {len(row)} entries under {length} columns"
        raise CellsFileError(message, "put entries that contain the separator in quotes")
    return [*row[:length], *[""] * (length - len(row))]


def _without_empty_rows(table: pa.Table) -> pa.Table:
    """Leave out rows of separators alone, which spreadsheets keep where something was deleted."""
    empty = None
    for column in table.columns:
        blank = pc.equal(pc.utf8_trim_whitespace(column), "")
        empty = blank if empty is None else pc.and_(empty, blank)
        if not pc.any(empty).as_py():
            return table
    return table if empty is None else table.filter(pc.invert(empty))


def _decoded_table(content: bytes, file: object, complaint: type[CxpathError]) -> str:
    """Return the text of a table; zero characters in it would hide inside names and numbers."""
    text = decoded(content)
    if "\0" in text:
        raise complaint(
            f"{file}: contains zero bytes: damaged, or UTF-16 without its byte order mark", _AGAIN
        )
    return text


def decoded(content: bytes) -> str:
    """Return text that may be in UTF-8, in UTF-16 with byte order mark, or else in Windows-1252."""
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def numbers(
    column: pa.ChunkedArray, name: str, file: object, table: pa.Table | None = None
) -> NDArray[np.float64]:
    """Return a column as numbers: NaN for nothing, decimal commas understood.

    Parameters
    ----------
    column : pa.ChunkedArray
    name : str
        Of the column, for messages.
    file : object
        Names the file in messages.
    table : pa.Table, optional
        The whole table: its other columns say whether 1,020 is a little over one or over a thousand.

    Raises
    ------
    CellsFileError
        Naming the first entry that is not a number, or one that could be either of two numbers.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(pa.string())
    if not _is_text(column.type):
        try:
            return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
        except pa.ArrowException as error:
            raise CellsFileError(f"{file}: column {name} contains {column.type}, not numbers") from error
    plain = pc.utf8_trim_whitespace(column)
    _refuse_grouped_digits(plain, name, file, table)
    plain = pc.replace_substring(plain, ",", ".")
    plain = pc.if_else(pc.equal(plain, ""), pa.scalar(None, pa.string()), plain)
    try:
        return np.asarray(plain.cast(pa.float64()).to_numpy(), dtype=np.float64)
    except pa.ArrowException as error:
        row, entry = _first_that_is_none(plain.to_pylist())
        raise CellsFileError(
            f"{file}: row {row}: {entry!r} in column {name!r} is not a number", "correct it or leave it empty"
        ) from error


def _refuse_grouped_digits(entries: pa.ChunkedArray, name: str, file: object, table: pa.Table | None) -> None:
    """Refuse a column in which a comma or point may separate thousands: 1,020 for one thousand and twenty.

    It may if every entry with the mark has three digits behind it and every entry without is below 1000.
    Columns are separated by semicolons where the comma is decimal: there a comma is trusted. A point is
    trusted where no plain number is given next to it, unless semicolons or decimal commas tell of a country
    that writes thousands so. Nothing is refused when another column shows that the mark is decimal.
    """
    for mark in (",", "."):
        marked = entries.filter(pc.match_substring(entries, mark))
        if not len(marked) or not _all_match(marked, rf"^[+-]?[1-9]\d{{0,2}}(\{mark}\d{{3}})+$"):
            continue
        bare = entries.filter(pc.match_substring_regex(entries, r"^[+-]?\d+$"))
        if not _all_match(bare, r"^[+-]?\d{1,3}$") or _is_decimal(mark, table):
            continue
        if mark == "," and _has_semicolons(table):
            continue
        if mark == "." and not len(bare) and not (_has_semicolons(table) or _is_decimal(",", table)):
            continue
        first = str(marked[0].as_py())
        either = f"{first.replace(mark, '')} or {first.replace(',', '.')}"
        raise CellsFileError(f"{file}: {first} in column {name!r} may mean {either}", _NO_GROUPS)


def _all_match(entries: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(entries, pattern), min_count=0).as_py())


def _is_decimal(mark: str, table: pa.Table | None) -> bool:
    """Say whether some entry of the table can only be a number with this decimal mark, such as 0,5."""
    decimal = rf"^[+-]?(0?|\d{{4,}})\{mark}\d+$|^[+-]?\d+\{mark}(\d{{1,2}}|\d{{4,}})$"
    columns = [] if table is None else [one for one in table.columns if _is_text(one.type)]
    return any(pc.any(pc.match_substring_regex(one, decimal), min_count=0).as_py() for one in columns)


def _has_semicolons(table: pa.Table | None) -> bool:
    return table is not None and (table.schema.metadata or {}).get(_SEPARATOR_KEY) == b";"


def _first_that_is_none(entries: list[Any]) -> tuple[int, str]:
    for row, entry in enumerate(entries, start=2):
        try:
            float(entry or "nan")
        except ValueError:
            return row, entry
        if not (entry or "").isascii():  # digits of other scripts, which Python reads and Arrow does not
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

_ZIP, _OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_MOST_ROWS = 50_000
_LAST_ROW = 1_048_576
"""The last row that a worksheet can have."""
_MOST_ENTRIES = 5_000_000
_MOST_BYTES = 32 << 20
"""Of an unpacked part of a workbook: several times what fifty thousand reads need."""
_SMALL_BYTES, _LARGEST_RATIO = 4 << 20, 150
"""A larger part that unpacks to more than so many times its size is not a table that a person filled in."""

_HIDDEN = re.compile(rb"<(?:\w+:)?(row|col)\b([^>]*\bhidden=[\"'](?:1|true)[\"'][^>]*)>")
_ROW, _COLUMN = re.compile(rb"\br=[\"'](\d{1,7})[\"']"), re.compile(rb"\bmin=[\"'](\d{1,5})[\"']")
_UNSCALED = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')
"""What a number format may contain without an effect on the number: quoted and escaped text, colours."""
_THOUSANDTHS = re.compile(r"[0#?],+(?![0#?,])")
"""A comma behind the last digit of a number format divides by a thousand."""
_CONDITION, _SIGNS = re.compile(r"\[[^\]]*\]"), re.compile("[<>≤≥‰]")
"""Of a number format: "[<1]0.0" is a condition, '"<"0' shows <1 for a cell that contains 1."""
_PADDED = re.compile("00+")
"""A number format that fills up with zeros, as for the numbers of cases."""
_DIGITS = re.compile("[0#?@]|general|standard", re.IGNORECASE)
"""What a section of a number format needs to show a number."""
_PLAIN_ROWS_AGAIN = "save it as CSV in UTF-8"


@dataclass(frozen=True)
class PlainTable:
    """The rows of a table that are not empty, each with its number, and what was not read of the file."""

    rows: tuple[tuple[int, list[str]], ...]
    warnings: tuple[str, ...] = ()


def plain_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return the rows that are not empty, each with its number; see `plain_table`."""
    return list(plain_table(path).rows)


def plain_table(path: Path) -> PlainTable:
    """Read a table; of a workbook, its first visible worksheet.

    Parameters
    ----------
    path : Path
        `.xlsx`, or text in UTF-8 (with or without BOM), UTF-16 or Windows-1252, separated by tab, semicolon
        or comma, or as a first line `sep=X` says.

    Raises
    ------
    MissingFileError
        When there is no such file.
    ReadsFileError
        When it is damaged, contains a formula, or is larger than a table that people fill in.
    """
    try:
        refuse_pipe(path)
        content = path.read_bytes()
        if content.startswith(_OLD_EXCEL):
            raise ReadsFileError(f"{path}: is an old or encrypted Excel file", "save it as XLSX or CSV")
        if content.startswith(_ZIP) or path.suffix.casefold() in WORKBOOK:
            return _of_workbook(path, content)
        return PlainTable(tuple(_filled(path, _of_text(_decoded_table(content, path, ReadsFileError)))))
    except FileNotFoundError as error:
        raise MissingFileError(f"{path}: no such file", "give a table of manual reads") from error
    except (OSError, csv.Error) as error:
        raise ReadsFileError(f"{path}: not readable as a table: {error}", _PLAIN_ROWS_AGAIN) from error


def _filled(path: Path, rows: Iterable[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    """Yield rows that contain something, without blanks at their ends, as long as they are not too many."""
    kept = entries = 0
    for number, row in rows:
        if not any(row):
            continue
        while not row[-1]:
            row.pop()
        kept, entries = kept + 1, entries + len(row)
        if kept > _MOST_ROWS or entries > _MOST_ENTRIES:
            raise ReadsFileError(f"{path}: row {number}: the table is too large", "keep the rows needed")
        yield number, row


def _of_text(text: str) -> Iterator[tuple[int, list[str]]]:
    rest, separator = without_separator_line(text)
    above = len(text[: len(text) - len(rest)].splitlines())
    reader = csv.reader(io.StringIO(rest, newline=""), delimiter=separator, strict=True)
    for row in reader:
        yield above + reader.line_num, [entry.strip() for entry in row]


def _of_workbook(path: Path, content: bytes) -> PlainTable:
    try:
        _refuse_large_parts(path, content)
        return _first_sheet(path, content)
    except CxpathError:
        raise
    except Exception as error:  # openpyxl, zip, zlib and XML each raise what they like
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ReadsFileError(
            f"{path}: is no XLSX workbook, or a damaged one: {reason}", _PLAIN_ROWS_AGAIN
        ) from error


def _refuse_large_parts(path: Path, content: bytes) -> None:
    with ZipFile(io.BytesIO(content)) as archive:
        parts = archive.infolist()
    for part in parts:
        dense = part.file_size > _SMALL_BYTES and part.file_size > _LARGEST_RATIO * part.compress_size
        if dense or part.file_size > _MOST_BYTES:
            message = f"{path}: {part.filename} unpacks to {part.file_size / 2**20:.0f} MiB"
            raise ReadsFileError(message, "copy the filled rows to a new workbook, or save it as CSV")


def _first_sheet(path: Path, content: bytes) -> PlainTable:
    book = _open_workbook(content)
    try:
        visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        if not visible:
            raise ReadsFileError(f"{path}: has no visible worksheet", "put the table on a visible sheet")
        rows = tuple(_filled(path, _sheet_rows(visible[0], path)))
        others = [sheet.title for sheet in book.worksheets if sheet is not visible[0]]
        said = f"{path.name}: only the sheet {visible[0].title!r} was read, not {_listed(others)}"
        hidden = [f"{path.name}: {what}" for what in _hidden(visible[0], rows)]
        return PlainTable(rows, (*((said,) if others else ()), *hidden))
    finally:
        book.close()


def _hidden(sheet: Any, rows: Sequence[tuple[int, list[str]]]) -> Iterator[str]:
    """Say which rows and columns of the table nobody sees in the sheet, as behind a filter."""
    with sheet._get_source() as source:  # the only way to them without loading everything
        elements = _HIDDEN.findall(source.read())
    numbers = {
        int(place[1]) for kind, element in elements if kind == b"row" and (place := _ROW.search(element))
    }
    filled = [number for number, _ in rows if number in numbers]
    if filled:
        yield f"hidden rows of the sheet were read, too: {len(filled)}, such as row {filled[0]}"
    width = max((len(row) for _, row in rows), default=0)
    first = [
        int(place[1]) for kind, element in elements if kind == b"col" and (place := _COLUMN.search(element))
    ]
    if any(column <= width for column in first):
        yield "hidden columns of the sheet were read, too"


def _listed(names: list[str]) -> str:
    rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(map(repr, names[:3])) + rest


def _open_workbook(content: bytes) -> Workbook:
    """Open a workbook without its chart sheets, which openpyxl cannot read without loading everything."""
    excel = import_extra("openpyxl.reader.excel", "agree")

    class Reader(excel.ExcelReader):  # type: ignore[misc, name-defined]
        def read_chartsheet(self, sheet: Any, rel: Any) -> None:
            """Pass over a chart."""

    reader = Reader(io.BytesIO(content), read_only=True, keep_links=False)
    reader.read()
    return cast("Workbook", reader.wb)


def _sheet_rows(sheet: Any, path: Path) -> Iterator[tuple[int, list[str]]]:
    sheet.reset_dimensions()  # what a program noted as the extent may be out of date
    cells_read = 0
    for number, row in enumerate(sheet.iter_rows(), start=1):
        cells_read += len(row)
        if number > _LAST_ROW or cells_read > _MOST_ENTRIES:
            raise ReadsFileError(f"{path}: row {number}: the sheet is too large", "keep the rows needed")
        yield number, [_text(cell, path, number) for cell in row]


def _text(cell: Any, path: Path, row: int) -> str:
    """Return a cell as a CSV file would have it."""
    entry = cell.value
    if entry is None:
        return ""
    if getattr(cell, "has_style", False) and cell.font.strike:
        message = f"{path}: row {row}: the entry {str(entry)[:20]!r} is struck out"
        raise ReadsFileError(message, "delete it, or remove the strike-through")
    if isinstance(entry, datetime | date):
        return entry.isoformat()[:10]
    if isinstance(entry, int | float) and not isinstance(entry, bool):
        number_format = str(cell.number_format or "")
        if _SIGNS.search(_CONDITION.sub("", number_format)):
            message = f"{path}: row {row}: the sheet shows a sign that the number {entry:g} does not contain"
            raise ReadsFileError(message, f"type it into the cell (its number format is {number_format})")
        if _hides(float(entry), number_format):
            message = f"{path}: row {row}: the sheet does not show the number {entry:g} that a cell contains"
            raise ReadsFileError(message, f"give it a plain number format (it is {number_format})")
        if _THOUSANDTHS.search(_UNSCALED.sub("", number_format)):
            message = f"{path}: row {row}: the sheet shows thousandths of the number {entry:g}"
            raise ReadsFileError(message, f"give it a plain number format (it is {number_format})")
        return _number(float(entry), number_format)
    text = str(entry).strip()
    if text.startswith("=") or not isinstance(entry, str | bool | time | timedelta):
        raise ReadsFileError(f"{path}: row {row}: contains a formula", "paste values instead of formulas")
    return text


def _hides(value: float, number_format: str) -> bool:
    """Say whether the section of a format that is for this number shows nothing of it, or another word."""
    sections = _UNSCALED.sub("", number_format).split(";")
    numeric = sections[:-1] if len(sections) > 1 and "@" in sections[-1] else sections
    section = 1 if value < 0 and len(numeric) > 1 else 2 if value == 0 and len(numeric) > 2 else 0
    mattering = numeric if _CONDITION.search(number_format) else numeric[section : section + 1]
    return bool(number_format) and not all(_DIGITS.search(one) for one in mattering)


def _number(value: float, number_format: str) -> str:
    """Return a number as the sheet shows it: a cell that shows 5 % contains 0.05, one that shows 007 7."""
    if "%" in _UNSCALED.sub("", number_format):
        return f"{value * 100:.12g}%"
    if _PADDED.fullmatch(number_format) and value.is_integer() and value >= 0:
        return str(int(value)).zfill(len(number_format))
    return str(int(value)) if value.is_integer() else str(value)


# Tables for spreadsheets that no entry can turn into a program: CSV and XLSX, written whole.
#
# Every field of a CSV is quoted: a spreadsheet that takes semicolons for separators would otherwise split a
# text at one and run what follows. A text that begins like a formula gets an apostrophe in front, which
# spreadsheets hide (https://owasp.org/www-community/attacks/CSV_Injection). Numbers stay numbers, negative
# ones too.


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
                csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(safe)


def _printable(entry: Entry) -> Entry:
    """Return an entry without the control characters that XML cannot contain."""
    if not isinstance(entry, str):
        return entry
    return "".join(letter for letter in entry if letter in "\t\n\r" or letter >= " ")


def _write_workbook(path: Path, rows: Sequence[Sequence[Entry]]) -> None:
    book = import_extra("openpyxl", "agree").Workbook(write_only=True)
    sheet = book.create_sheet("reads")
    for row in rows:
        sheet.append([_printable(entry) for entry in row])
    with path.open("wb") as file:
        book.save(file)
