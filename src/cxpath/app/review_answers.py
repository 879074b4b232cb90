"""The table of answers of an audit: written empty, read back whole or refused by line."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cxpath.io import read_content
from cxpath.report import CellCrop, SquareCrop
from cxpath.review import MISSED, Audit, Event, ReviewError
from cxpath.scores import AuditAnswer, AuditQuestion, CellAnswer, MissedSquare


def audit_name(drawn: Event) -> str:
    """Return the name by which answers say which audit they are of; spreadsheets leave it a text."""
    return f"A-{drawn.hash[:10]}"


def cell_name(number: int) -> str:
    """Return the name of the cell that is asked about in that place, from 1."""
    return f"C{number:03d}"


def square_name(number: int) -> str:
    """Return the name of a square, from 1."""
    return f"S{number}"


_COLUMNS = ("audit", "id", "class", "asks_stained", "stained", *(f"missed_{name}" for name in MISSED))
_YES_OR_NO = {
    "yes": True,
    "y": True,
    "true": True,
    "1": True,
    "no": False,
    "n": False,
    "false": False,
    "0": False,
}
_MOST_MISSED = 999


def empty_table(audit: str, cells: Sequence[CellCrop], squares: Sequence[SquareCrop]) -> str:
    """Return the table to fill in, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for cell in cells:
        writer.writerow([audit, cell.name, "", "yes" if cell.asks_stained else "no", "", "", "", ""])
    for square in squares:
        writer.writerow([audit, square.name, "", "", "", "", "", ""])
    return text.getvalue()


@dataclass(frozen=True)
class AnswerTable:
    """The answers of one reader, in the order of the audit."""

    cells: tuple[AuditAnswer, ...]
    squares: tuple[MissedSquare, ...]


def read_answers(path: Path, drawn: Event, audit: Audit) -> AnswerTable:
    """Read a table of answers.

    Raises
    ------
    MissingFileError, ReviewError
        When it is not there, of another audit, incomplete, or contains an answer that is not known; the line
        is named.
    """
    rows = _answer_rows(path, audit_name(drawn))
    wanted = [cell_name(number) for number in range(1, len(audit.draw.questions) + 1)]
    wanted_squares = [square_name(number) for number in range(1, len(audit.squares) + 1)]
    if foreign := [name for name in rows if name not in {*wanted, *wanted_squares}]:
        raise _refused(path, f"{foreign[0]} is not asked in this audit")
    if missing := [name for name in (*wanted, *wanted_squares) if name not in rows]:
        raise _refused(path, f"{missing[0]} is missing ({len(missing)} in all)")
    cells = [
        _cell_answer(path, name, rows[name], question)
        for name, question in zip(wanted, audit.draw.questions, strict=True)
    ]
    squares = [
        _square_answer(path, name, rows[name], square)
        for name, square in zip(wanted_squares, audit.squares, strict=True)
    ]
    return AnswerTable(tuple(cells), tuple(squares))


def _answer_rows(path: Path, audit: str) -> Mapping[str, Mapping[str, str]]:
    """Return the rows of a table by id; comma, semicolon and tab are understood."""
    content = read_content(path, ReviewError, "give the table that the contact sheet saved")
    text = content.decode("utf-8-sig", errors="replace")
    first = text.splitlines()[0]
    delimiter = max(",;\t", key=first.count)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        columns = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        if lacking := [name for name in _COLUMNS if name not in columns and name != "asks_stained"]:
            raise _refused(path, f"column {lacking[0]!r} is missing")
        reader.fieldnames = columns
        rows = [
            {name: (value or "").strip() for name, value in row.items() if isinstance(value, str | None)}
            for row in reader
        ]
    except csv.Error as error:
        raise _refused(path, f"not readable as a table: {error}") from error
    found: dict[str, Mapping[str, str]] = {}
    for row in rows:
        if not any(row.values()):
            continue
        name = row.get("id", "").upper()
        if row.get("audit") != audit:
            raise _refused(path, f"{name or 'a row'} belongs to audit {row.get('audit')!r}, not {audit!r}")
        if name in found:
            raise _refused(path, f"{name} is answered twice")
        found[name] = row
    return found


def _cell_answer(path: Path, name: str, row: Mapping[str, str], question: AuditQuestion) -> AuditAnswer:
    stated = row["class"].lower().replace("_", " ")
    if not stated:
        raise _refused(path, f"{name} has no class")
    if stated not in set(CellAnswer):
        known = ", ".join(CellAnswer)
        raise _refused(path, f"{name}: class {row['class']!r} is not known", f"known: {known}")
    answer = CellAnswer(stated)
    if answer not in {CellAnswer.TUMOUR, CellAnswer.IMMUNE}:
        return AuditAnswer(question.row, answer)
    stained = row["stained"].lower()
    if stained and stained not in _YES_OR_NO:
        raise _refused(path, f"{name}: stained is {row['stained']!r}, neither yes nor no")
    if not stained and question.asks_stained:
        raise _refused(path, f"{name} does not say whether it is stained")
    return AuditAnswer(question.row, answer, _YES_OR_NO[stained] if stained else None)


def _square_answer(path: Path, name: str, row: Mapping[str, str], square: MissedSquare) -> MissedSquare:
    counts: dict[str, int] = {}
    for column in MISSED:
        stated = row[f"missed_{column}"]
        if not (stated.isascii() and stated.isdigit() and int(stated[:6]) <= _MOST_MISSED):
            raise _refused(path, f"{name}: missed_{column} is {stated!r}, not a number of cells")
        counts[column] = int(stated)
    return replace(square, **counts)


def _refused(path: Path, why: str, hint: str = "answer every cell of this audit's sheet") -> ReviewError:
    return ReviewError(f"{path}: {why}", hint)
