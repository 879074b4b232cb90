"""A small table from CSV, TSV or XLSX as rows of text with the row numbers that a spreadsheet shows.

Does not know what a column means. A formula in a workbook is refused: its value is not in the file for sure.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from cxpath.exchange.text_table import decoded, separator_of
from cxpath.values.errors import MissingFileError, ReadsFileError

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
