"""Audit a scored slide: draw the cells, write the contact sheet, read the answers, score them.

The table of answers is written empty, and read back whole or refused by line.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cxpath.app.review_folder import (
    CXPATH,
    SHEET,
    TABLE,
    ReviewFolder,
    open_review,
    printed_name,
)
from cxpath.app.review_outcome import publish_review
from cxpath.data import RESEARCH_USE, CellTable
from cxpath.documents import AuditedEntry, ScoredFolder
from cxpath.errors import MissingFileError
from cxpath.io import atomic_write, read_content
from cxpath.report import CROP_UM, CellCrop, SquareCrop
from cxpath.report.review_pages import audit_page
from cxpath.review import (
    MISSED,
    Action,
    Audit,
    Decision,
    Event,
    ReviewError,
    ReviewState,
    answer_decision,
    draw_decision,
    frame_of_audit,
    frame_to_draw,
    square_decision,
)
from cxpath.scores import (
    DEFAULT_QUESTIONS,
    AuditAnswer,
    AuditQuestion,
    CellAnswer,
    MissedSquare,
    draw_audit,
    draw_squares,
    estimate_audit,
)
from cxpath.slide import Slide, icc_as_recorded, open_slide


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


@dataclass(frozen=True)
class AuditFiles:
    """What an audit leaves to be answered."""

    sheet: Path
    table: Path
    cells: int
    squares: int


def write_audit(
    folder: Path,
    slide: Path | None = None,
    *,
    number: int | None = None,
    seed: int | None = None,
    squares: int | None = None,
) -> AuditFiles:
    """Draw an audit, record it, and write its contact sheet and its table of answers.

    Parameters
    ----------
    folder : Path
        A results folder.
    slide : Path, optional
        The slide; needed where `run.json` does not say where it lies.
    number : int, optional
        Cells to ask about, 100 when left out.
    seed : int, optional
        Another seed draws another audit; left out, an audit that is there already is shown again.
    squares : int, optional
        Squares in which missed cells are counted, none when left out.

    Raises
    ------
    AuditError, ReviewError, MissingFileError
        When the slide is not there or another one, or cannot be audited.
    """
    review = open_review(folder)
    path = _slide_path(slide)
    scored = review.scored.score.slide
    icc = icc_as_recorded(scored.colour.use if scored.colour else None)
    with open_slide(path, scored.mpp, name=review.scored.name, icc=icc) as opened:
        _require_same_slide(opened, review.scored)
        drawn, audit = _drawn(review, number, seed, squares)
        cells = review.scored.cells()
        questions = list(_cell_crops(opened, cells, audit))
        square_crops = list(_square_crops(opened, cells, audit))
    publish_review(folder)  # another draw ends an earlier audit
    name = audit_name(drawn)
    page = audit_page(review.scored.name, name, questions, square_crops, RESEARCH_USE)
    with atomic_write(review.path / SHEET) as partial:
        partial.write_text(page, encoding="utf-8")
    with atomic_write(review.path / TABLE) as partial:
        partial.write_text(empty_table(name, questions, square_crops), encoding="utf-8", newline="")
    return AuditFiles(review.path / SHEET, review.path / TABLE, len(questions), len(square_crops))


def _slide_path(given: Path | None) -> Path:
    """Return the slide's path; a results folder never says where the slide is."""
    if given is None:
        raise ReviewError("the slide is needed for its pictures of cells", "pass --slide FILE")
    if not given.exists():
        raise MissingFileError(f"{given}: no such file", "pass --slide FILE")
    return given


def _require_same_slide(slide: Slide, scored: ScoredFolder) -> None:
    if slide.info.digest != scored.score.slide.digest:
        raise ReviewError(
            f"{scored.path}: was scored from another slide than this", "pass the slide it is of"
        )


def _drawn(
    review: ReviewFolder, number: int | None, seed: int | None, squares: int | None
) -> tuple[Event, Audit]:
    """Return the audit that is there already, or draw and record one."""
    before = review.verified()
    events = before.events if before else ()
    draws = [event for event in events if event.action is Action.DRAW]
    audit = before.state.audit if before else None
    if draws and audit and seed in {None, audit.draw.seed}:
        _require_same_size(review, audit, number, squares)
        return draws[-1], audit
    cells = review.scored.cells()
    chosen = 1 if seed is None else seed
    state = before.state if before else ReviewState()
    questions = DEFAULT_QUESTIONS if number is None else number
    frame = frame_to_draw(cells, review.scored.scoring, state, questions)
    draw = draw_audit(frame, questions, chosen)
    drawn_squares = draw_squares(cells, squares or 0, chosen, frame.inside)
    audit = Audit(draw, drawn_squares, state.region_values)
    after = review.append([draw_decision(audit, len(draws) + 1, CXPATH)])
    return after.events[-1], audit


def _require_same_size(review: ReviewFolder, audit: Audit, number: int | None, squares: int | None) -> None:
    """Refuse to show an audit of another size than was asked for."""
    cells, drawn_squares = len(audit.draw.questions), len(audit.squares)
    if number in {None, cells} and squares in {None, drawn_squares}:
        return
    raise ReviewError(
        f"{review.scored.path}: an audit of {cells} cells and {drawn_squares} squares was sampled already",
        f"leave --cells and --squares out to show it, or pass a --seed other than {audit.draw.seed}",
    )


def _cell_crops(slide: Slide, cells: CellTable, audit: Audit) -> Iterator[CellCrop]:
    mpp = min(max(slide.info.mpp, 0.2), 0.5)
    side = round(CROP_UM / mpp)
    half_px = CROP_UM / 2 / slide.info.mpp
    for number, question in enumerate(audit.draw.questions, start=1):
        x_px, y_px = float(cells.x_px[question.row]), float(cells.y_px[question.row])
        rgb = slide.read(x_px - half_px, y_px - half_px, side, side, mpp)
        yield CellCrop(cell_name(number), rgb, question.asks_stained)


def _square_crops(slide: Slide, cells: CellTable, audit: Audit) -> Iterator[SquareCrop]:
    mpp = min(max(slide.info.mpp, 0.2), 0.5)
    for number, square in enumerate(audit.squares, start=1):
        margin_px = square.side_px * 0.15
        whole_px = square.side_px + 2 * margin_px
        left_px, top_px = square.left_px - margin_px, square.top_px - margin_px
        side = round(whole_px * slide.info.mpp / mpp)
        places = np.stack([cells.x_px - left_px, cells.y_px - top_px], axis=1) / whole_px
        inside = ((places >= 0) & (places < 1)).all(axis=1)
        rgb = slide.read(left_px, top_px, side, side, mpp)
        yield SquareCrop(square_name(number), rgb, margin_px / whole_px, places[inside])


def score_audit(folder: Path, answers: Path, reviewer: str) -> AuditedEntry:
    """Read answers, record them, and write the audited score: `review/<id>/audit.json`, `score.json`, report.

    Parameters
    ----------
    folder : Path
        A results folder of cxpath score.
    answers : Path
        The table of the contact sheet, filled in.
    reviewer : str
        The reader's printed name.

    Returns
    -------
    AuditedEntry

    Raises
    ------
    MissingFileError, ReviewError, AuditError
        When there is no audit, or the answers are incomplete or of another audit. Nothing is recorded then.
    """
    review, name = open_review(folder), printed_name(reviewer)
    before = review.verified()
    drawn = [event for event in before.events if event.action is Action.DRAW] if before else []
    if before is None or not drawn or before.state.audit is None:
        raise ReviewError(f"{folder}: there is no audit", "run cxpath review audit DIR first")
    audit = before.state.audit
    table = read_answers(answers, drawn[-1], audit)
    frame = frame_of_audit(review.scored.cells(), review.scored.scoring, before.state)
    estimate_audit(frame, audit.draw, table.cells, table.squares)  # answers that give no score stay out
    if decisions := list(_new_decisions(table, before.state, name)):
        review.append(decisions)
    outcome = publish_review(folder)
    if outcome is None or outcome.audited is None:
        raise ReviewError(
            f"{folder}: the answers were recorded, but another process changed them", "try again"
        )
    return outcome.audited


def _new_decisions(table: AnswerTable, state: ReviewState, reader: str) -> Iterator[Decision]:
    """Yield what differs from what this reader said before."""
    for answer in table.cells:
        if state.answers.get((reader, answer.row)) != answer:
            yield answer_decision(answer, state, reader)
    for number, square in enumerate(table.squares):
        if state.squares.get((reader, number)) != square:
            yield square_decision(number, square, reader)
