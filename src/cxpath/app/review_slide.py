"""The story of a review on disk: draw an audit, read its answers, apply edits, sign, verify."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cxpath.data.cells import CellTable, Kind
from cxpath.data.reasons import RESEARCH_USE
from cxpath.data.slide_info import SlideInfo
from cxpath.documents.folder import RUN_NAME, ScoredFolder, read_scored_folder
from cxpath.documents.review import AuditedEntry, EditedEntry, SignatureEntry
from cxpath.documents.run import RunDocument
from cxpath.errors import MissingFileError, OutputError
from cxpath.io.atomic import atomic_write, claimed, read_content
from cxpath.io.cell_classes import default_cell_classes, read_cell_classes
from cxpath.io.cells import write_cells
from cxpath.io.foreign_cells import read_given_cells
from cxpath.report.audit_page import CROP_UM, CellCrop, SquareCrop, audit_page
from cxpath.review.events import (
    Action,
    Decision,
    Event,
    Genesis,
    ReviewError,
    begin_decision,
    canonical_json,
    extended,
    stated_version,
)
from cxpath.review.sign import Meaning, Seal, Verified, seal_of, sign_decision, verify_record
from cxpath.review.state import (
    MISSED,
    Audit,
    ReviewState,
    answer_decision,
    draw_decision,
    edit_decision,
    replay,
    square_decision,
    undo_of,
)
from cxpath.scores.audit import (
    DEFAULT_QUESTIONS,
    AuditAnswer,
    AuditQuestion,
    CellAnswer,
    MissedSquare,
    audit_frame,
    draw_audit,
    draw_squares,
    estimate_audit,
)
from cxpath.scores.counts import countable_kind
from cxpath.scores.score import SlideScore, score_cells
from cxpath.scores.settings import Cutoff, threshold_of
from cxpath.slide.colour import Icc
from cxpath.slide.open import open_slide
from cxpath.slide.slide import Slide
from cxpath.version import __version__

RECORD = "events.ndjson"
AUDIT, EDITED, SIGNATURE = "audit.json", "edited.json", "signature.json"
SHEET, TABLE = "sheet.html", "answers.csv"
CXPATH = "cxpath"
"""Who begins a review and draws an audit."""

# The folder of a review, and its record.


@dataclass(frozen=True)
class ReviewFolder:
    """The review of one scored slide.

    Parameters
    ----------
    scored : ScoredFolder
    """

    scored: ScoredFolder

    @cached_property
    def genesis(self) -> Genesis:
        """What the record starts from, of the files as they are now."""
        digests = _reviewed_digests(self.scored)
        content = self._record_of(Genesis(*digests, __version__))
        return Genesis(*digests, stated_version(content) or __version__)

    @property
    def path(self) -> Path:
        """`review/<id>` in the results folder."""
        return self.scored.path / "review" / self.genesis.review_id

    def verified(self) -> Verified | None:
        """Read and check the record; None before its first event.

        Raises
        ------
        ReviewError
            Naming the first bad line.
        """
        content = self._record_of(self.genesis)
        seals = list(self._seals())
        if not content and not seals:
            self._refuse_foreign_record()
            return None
        return verify_record(content, self.genesis, seals)

    def append(self, decisions: Iterable[Decision]) -> Verified:
        """Append decisions to the record, which is checked before.

        Raises
        ------
        ReviewError, OutputError
            When the record is broken, another process wrote to it meanwhile, or nothing can be written.
        """
        self._make_folder()
        with claimed(self.path):  # not every file system can lock: the record is compared once more below
            earlier = self._record_of(self.genesis)
            before = self.verified()
            events = before.events if before else ()
            first = () if events else (begin_decision(self.genesis, CXPATH),)
            events = extended(self.genesis, events, [*first, *decisions])
            content = "".join(f"{event.line}\n" for event in events).encode()
            checked = verify_record(content, self.genesis)
            with atomic_write(self.path / RECORD) as partial:
                partial.write_bytes(content)
                if self._record_of(self.genesis) != earlier:
                    raise ReviewError(f"{self.path}: another process writes this review", "try again")
        return checked

    def _record_of(self, genesis: Genesis) -> bytes:
        path = self.scored.path / "review" / genesis.review_id / RECORD
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise ReviewError(f"{path}: cannot be read: {error.strerror or error}", "") from error

    def _seals(self) -> Iterator[tuple[str, Seal]]:
        """Yield what repeats the head of the record in other files."""
        documents = ((AUDIT, AuditedEntry), (EDITED, EditedEntry), (SIGNATURE, SignatureEntry))
        for name, document in documents:
            if (self.path / name).is_file():
                entry = document.read(self.path / name)
                yield name, Seal(entry.events, entry.head_hash)

    def _refuse_foreign_record(self) -> None:
        """Say that reviews are there, but of other cells or another score."""
        others = sorted(self.scored.path.glob(f"review/*/{RECORD}"))
        if others:
            raise ReviewError(
                f"{others[0]}: line 1 does not follow from this cells.parquet and score.json: "
                "they are not those of the review",
                "restore them from a backup, or move the review away to begin another",
            )

    def _make_folder(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{self.path}: cannot be written: {error.strerror or error}", "check the folder's permissions"
            ) from error


def open_review(folder: Path) -> ReviewFolder:
    """Return the review of a results folder.

    Raises
    ------
    MissingFileError, RunFolderError, ReviewError
        When it is no results folder of a whole slide scored for PD-L1.
    """
    scored = read_scored_folder(folder)
    if scored.score.sampling:
        raise ReviewError(
            f"{folder}: was scored in adaptive mode, from a sample of the slide", "score it with --mode whole"
        )
    if not (folder / "cells.parquet").is_file():
        raise MissingFileError(f"{folder / 'cells.parquet'}: no such file", "score the slide again")
    return ReviewFolder(scored)


def _reviewed_digests(scored: ScoredFolder) -> tuple[str, str, str]:
    """Return the digests of cells, score and model; what a review adds to the score is left out."""
    with (scored.path / "cells.parquet").open("rb") as file:
        cells = hashlib.file_digest(file, "sha256").hexdigest()
    own = scored.score.model_dump(mode="json", by_alias=True, exclude={"audited", "review"})
    model = scored.score.provenance.model_digest
    return cells, hashlib.sha256(canonical_json(own)).hexdigest(), model


# Drawing an audit and writing its contact sheet.


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
    icc = Icc.IGNORE if scored.colour and scored.colour.use == "ignored" else Icc.APPLY
    with open_slide(path, scored.mpp, name=review.scored.name, icc=icc) as opened:
        _require_same_slide(opened, review.scored)
        drawn, audit = _drawn(review, number, seed, squares)
        cells = review.scored.cells()
        questions = list(_cell_crops(opened, cells, audit))
        square_crops = list(_square_crops(opened, cells, audit))
    name = audit_name(drawn)
    page = audit_page(review.scored.name, name, questions, square_crops, RESEARCH_USE)
    with atomic_write(review.path / SHEET) as partial:
        partial.write_text(page, encoding="utf-8")
    with atomic_write(review.path / TABLE) as partial:
        partial.write_text(_empty_table(name, questions, square_crops), encoding="utf-8", newline="")
    return AuditFiles(review.path / SHEET, review.path / TABLE, len(questions), len(square_crops))


def audit_name(drawn: Event) -> str:
    """Return the name by which answers say which audit they are of; spreadsheets leave it a text."""
    return f"A-{drawn.hash[:10]}"


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
    frame = audit_frame(cells, review.scored.scoring)
    draw = draw_audit(frame, DEFAULT_QUESTIONS if number is None else number, chosen)
    audit = Audit(draw, draw_squares(cells, squares or 0, chosen))
    after = review.append([draw_decision(audit, len(draws) + 1, CXPATH)])
    return after.events[-1], audit


def _require_same_size(review: ReviewFolder, audit: Audit, number: int | None, squares: int | None) -> None:
    """Refuse to show an audit of another size than was asked for."""
    cells, drawn_squares = len(audit.draw.questions), len(audit.squares)
    if number in {None, cells} and squares in {None, drawn_squares}:
        return
    raise ReviewError(
        f"{review.scored.path}: an audit of {cells} cells and {drawn_squares} squares was drawn already",
        f"leave --cells and --squares out to show it, or pass a --seed other than {audit.draw.seed}",
    )


def _cell_crops(slide: Slide, cells: CellTable, audit: Audit) -> Iterator[CellCrop]:
    mpp = min(max(slide.info.mpp, 0.2), 0.5)
    side = round(CROP_UM / mpp)
    half_px = CROP_UM / 2 / slide.info.mpp
    for number, question in enumerate(audit.draw.questions, start=1):
        x_px, y_px = float(cells.x_px[question.row]), float(cells.y_px[question.row])
        rgb = slide.read(x_px - half_px, y_px - half_px, side, side, mpp)
        yield CellCrop(_cell_name(number), rgb, question.asks_stained)


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
        yield SquareCrop(_square_name(number), rgb, margin_px / whole_px, places[inside])


def _cell_name(number: int) -> str:
    return f"C{number:03d}"


def _square_name(number: int) -> str:
    return f"S{number}"


# The table of answers.


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


def _empty_table(audit: str, cells: Sequence[CellCrop], squares: Sequence[SquareCrop]) -> str:
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
        When it is not there, of another audit, incomplete, or holds an answer that is not known; the line is
        named.
    """
    rows = _answer_rows(path, audit_name(drawn))
    wanted = [_cell_name(number) for number in range(1, len(audit.draw.questions) + 1)]
    wanted_squares = [_square_name(number) for number in range(1, len(audit.squares) + 1)]
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


# The audited score.


def score_audit(folder: Path, answers: Path, reviewer: str) -> AuditedEntry:
    """Read answers, record them, and write the audited score as `review/<id>/audit.json`.

    Raises
    ------
    MissingFileError, ReviewError, AuditError
        When no audit was drawn, or the answers are incomplete or of another audit. Nothing is recorded then.
    """
    review, name = open_review(folder), _reader(reviewer)
    before = review.verified()
    drawn = [event for event in before.events if event.action is Action.DRAW] if before else []
    if before is None or not drawn or before.state.audit is None:
        raise ReviewError(f"{folder}: no audit was drawn", "run cxpath review audit DIR first")
    audit = before.state.audit
    table = read_answers(answers, drawn[-1], audit)
    frame = audit_frame(review.scored.cells(), review.scored.scoring)
    score = estimate_audit(frame, audit.draw, table.cells, table.squares, review.scored.scoring.level)
    after = before
    if decisions := list(_new_decisions(table, before.state, name)):
        after = review.append(decisions)
    seal = after.seal
    entry = AuditedEntry.of(
        score, reviewer=name, seed=audit.draw.seed, events=seal.events, head_hash=seal.head_hash
    )
    entry.write(review.path / AUDIT)
    return entry


def _new_decisions(table: AnswerTable, state: ReviewState, reader: str) -> Iterator[Decision]:
    """Yield what differs from what this reader said before."""
    for answer in table.cells:
        if state.answers.get((reader, answer.row)) != answer:
            yield answer_decision(answer, state, reader)
    for number, square in enumerate(table.squares):
        if state.squares.get((reader, number)) != square:
            yield square_decision(number, square, reader)


def _reader(given: str) -> str:
    name = " ".join(given.split())
    if not name or name == CXPATH or not name.isprintable():
        raise ReviewError("a review needs the reader's printed name", "pass --reviewer NAME")
    return name


# Edited cells.


_SAME_PLACE_PX = 0.51
"""QuPath's exports round positions to hundredths; a cell that was moved farther is another cell."""


@dataclass(frozen=True, eq=False)
class EditedCells:
    """A table that a person edited, beside the network's.

    Parameters
    ----------
    cells : CellTable
        As edited; cells of a person carry certain classes.
    by_person : bool array, (N,)
        Cells whose class or staining a person changed, or that he added.
    original : int array, (N,)
        Row in the network's table; -1 for added cells.
    removed : int array
        Rows of the network's table that are gone.
    """

    cells: CellTable
    by_person: NDArray[np.bool_]
    original: NDArray[np.int64]
    removed: NDArray[np.int64]


def compare_edited(edited: CellTable, network: CellTable, stained_threshold: float) -> EditedCells:
    """Find what a person changed: cells are matched by place, one to one."""
    original = _matched_rows(edited, network)
    known = original >= 0
    by_person = ~known
    before = network.take(original[known])
    now = edited.take(known)
    side = (before.stained >= stained_threshold) != (now.stained >= stained_threshold)
    by_person[known] = (countable_kind(before) != countable_kind(now)) | side
    removed = np.setdiff1d(np.arange(len(network)), original[known])
    return EditedCells(_certain(edited, by_person, stained_threshold), by_person, original, removed)


def _matched_rows(edited: CellTable, network: CellTable) -> NDArray[np.int64]:
    """Return for each edited cell the row of the network's table at the same place, or -1."""
    rows = np.full(len(edited), -1, dtype=np.int64)
    if not len(edited) or not len(network):
        return rows
    tree = cKDTree(np.column_stack([network.x_px, network.y_px]))
    distance, nearest = tree.query(np.column_stack([edited.x_px, edited.y_px]), k=1)
    taken: set[int] = set()
    for row in np.argsort(distance, kind="stable"):
        if distance[row] > _SAME_PLACE_PX:
            break
        if int(nearest[row]) not in taken:
            taken.add(int(nearest[row]))
            rows[row] = nearest[row]
    return rows


def _certain(cells: CellTable, chosen: NDArray[np.bool_], threshold: float) -> CellTable:
    """Return the cells with certain class and staining where a person said so."""
    columns = {name: getattr(cells, name).copy() for name in ("p_tumour", "p_immune", "p_other", "stained")}
    for kind, name in zip(Kind, ("p_tumour", "p_immune", "p_other"), strict=True):
        columns[name][chosen] = cells.kind[chosen] == kind
    columns["stained"][chosen] = cells.stained[chosen] >= threshold
    return replace(cells, **columns)


def apply_edits(folder: Path, edited: Path, reviewer: str) -> tuple[EditedEntry, SlideScore]:
    """Score an edited table of cells, record what was changed, and write `review/<id>/edited.json`.

    Cells that a person changed or added carry no term for the network's errors; the others do.

    Raises
    ------
    MissingFileError, CellsFileError, ReviewError
        When the table cannot be read, is of another slide, or changes nothing.
    """
    review, name = open_review(folder), _reader(reviewer)
    scored, before = review.scored, review.verified()
    scoring, network = scored.scoring, scored.cells()
    threshold = threshold_of(scoring)
    info = _slide_info(scored)
    classes = read_cell_classes(default_cell_classes())
    given = read_given_cells(edited, info, classes, threshold, (info.name, info.stem))
    found = compare_edited(replace(given.cells, facts=network.facts), network, threshold)
    decisions = list(
        _edit_decisions(found, network, threshold, before.state if before else ReviewState(), name)
    )
    if not decisions:
        raise ReviewError(f"{edited}: changes no cell of {folder}", "give the edited table")
    score = score_cells(found.cells, scoring, _cutoffs(scored), by_person=found.by_person)
    after = review.append(decisions)
    write_cells(found.cells, review.path / "edited_cells.parquet")
    entry = _edited_entry(score, found, name, after.seal, given.warnings)
    entry.write(review.path / EDITED)
    return entry, score


def _slide_info(scored: ScoredFolder) -> SlideInfo:
    stated = RunDocument.read(scored.path / RUN_NAME).slide
    return SlideInfo(**{name: getattr(stated, name) for name in SlideInfo.__dataclass_fields__})


def _cutoffs(scored: ScoredFolder) -> list[Cutoff]:
    stated = scored.score.cps.cutoffs if scored.score.cps else {}
    return [Cutoff(float(value), cutoff.basis) for value, cutoff in stated.items()]


def _edit_decisions(
    found: EditedCells, network: CellTable, threshold: float, state: ReviewState, reader: str
) -> Iterator[Decision]:
    """Yield an edit for every cell that differs from what held before, in the order of rows."""
    now: dict[int, Mapping[str, Any]] = {}
    added = len(network)
    by_person: list[int] = np.flatnonzero(found.by_person).tolist()
    for row in by_person:
        value = _cell_value(found.cells, row, threshold)
        if found.original[row] >= 0:
            now[int(found.original[row])] = value
        else:
            place = {"x_px": float(found.cells.x_px[row]), "y_px": float(found.cells.y_px[row])}
            now[added] = {**value, **place}
            added += 1
    now |= {row: {"removed": True} for row in found.removed.tolist()}
    for row in sorted({*now, *state.edits}):
        calls = _cell_value(network, row, threshold) if row < len(network) else {"removed": True}
        old, new = state.edits.get(row, calls), now.get(row, calls)
        if old != new:
            yield edit_decision(row, old, new, reader)


def _cell_value(cells: CellTable, row: int, threshold: float) -> dict[str, Any]:
    kind = Kind(int(cells.kind[row])).name.lower()
    return {"class": kind, "stained": bool(cells.stained[row] >= threshold)}


def _edited_entry(
    score: SlideScore, found: EditedCells, reader: str, seal: Seal, warnings: tuple[str, ...]
) -> EditedEntry:
    added = int((found.original < 0).sum())
    return EditedEntry(
        events=seal.events,
        head_hash=seal.head_hash,
        cps=score.cps.value if score.cps else None,
        interval_slide=score.cps.interval_slide if score.cps else None,
        interval_tissue=score.cps.interval_tissue if score.cps else None,
        tps=score.tps.value if score.tps else None,
        not_evaluable_because=score.not_evaluable_because,
        counts=vars(score.counts) if score.counts else {},
        changed=int(found.by_person.sum()) - added,
        added=added,
        removed=len(found.removed),
        reviewer=reader,
        warnings=(*warnings, *score.warnings),
    )


# Signing and verifying.


def sign_review(folder: Path, reviewer: str, meaning: Meaning) -> SignatureEntry:
    """Sign what was decided so far, and write `review/<id>/signature.json`.

    Raises
    ------
    ReviewError
        When the record is broken or there is nothing to sign.
    """
    review, name = open_review(folder), _reader(reviewer)
    before = review.verified()
    if before is None:
        raise ReviewError(f"{folder}: there is no review to sign", "run cxpath review audit DIR first")
    after = review.append([sign_decision(before.events, name, meaning)])
    seal = seal_of(after.events)
    entry = SignatureEntry(
        events=seal.events,
        head_hash=seal.head_hash,
        name=name,
        utc=after.events[-1].utc,
        meaning=meaning.value,
    )
    entry.write(review.path / SIGNATURE)
    return entry


def undo_event(folder: Path, number: int, reviewer: str) -> Event:
    """Take back an answer, a square, an edit or an undo by a new event, which is returned.

    The files of scores stay as they are until the answers or the edited table are given again.

    Raises
    ------
    ReviewError
        When there is no such event, or a later decision rests on it.
    """
    review, name = open_review(folder), _reader(reviewer)
    before = review.verified()
    if before is None:
        raise ReviewError(f"{folder}: there is no review", "run cxpath review audit DIR first")
    return review.append([undo_of(before.events, number, name)]).events[-1]


@dataclass(frozen=True)
class ReviewOutcome:
    """What a verified review amounts to now, for the score and the report of its slide.

    Parameters
    ----------
    audited : AuditedEntry or None
        None where an answer was changed or another audit was drawn since.
    edited : EditedEntry or None
        None where an edit was made or taken back since.
    signature : SignatureEntry or None
        None where nothing is signed, or a later decision voided it.
    """

    audited: AuditedEntry | None = None
    edited: EditedEntry | None = None
    signature: SignatureEntry | None = None


def review_outcome(folder: Path) -> ReviewOutcome | None:
    """Return what holds of a results folder's review; None before a review was begun.

    Raises
    ------
    ReviewError, RunFolderError
        When the record or a file of the review is broken.
    """
    review = open_review(folder)
    found = review.verified()
    if found is None:
        return None
    state = found.state

    def kept(name: str) -> Path | None:
        path = review.path / name
        return path if path.is_file() else None

    audited = AuditedEntry.read(path) if (path := kept(AUDIT)) else None
    edited = EditedEntry.read(path) if (path := kept(EDITED)) else None
    signature = SignatureEntry.read(path) if (path := kept(SIGNATURE)) else None
    if audited and not _same_answers(replay(found.events[: audited.events]), state, audited.reviewer):
        audited = None
    if edited and replay(found.events[: edited.events]).edits != state.edits:
        edited = None
    return ReviewOutcome(audited, edited, signature if state.signature else None)


def _same_answers(then: ReviewState, now: ReviewState, reader: str) -> bool:
    answers = then.answers_of(reader) == now.answers_of(reader)
    return answers and then.audit == now.audit and then.squares_of(reader) == now.squares_of(reader)


def verify_review(folder: Path) -> tuple[Path, Verified]:
    """Return the record's path and what it holds.

    Raises
    ------
    ReviewError
        Naming the first bad line; or when there is no review.
    """
    review = open_review(folder)
    found = review.verified()
    if found is None:
        raise ReviewError(f"{folder}: there is no review to verify", "run cxpath review audit DIR first")
    return review.path / RECORD, found
