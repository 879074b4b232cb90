"""Tables for spreadsheets that no entry can turn into a program: CSV and XLSX, written whole.

A text that begins like a formula gets an apostrophe in front, which spreadsheets hide
(https://owasp.org/www-community/attacks/CSV_Injection). Numbers stay numbers, negative ones too.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from cxpath.exchange.plain_rows import WORKBOOK
from cxpath.exchange.whole_file import whole_file

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
    with whole_file(path) as partial:
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
