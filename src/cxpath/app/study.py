"""A reader study on disk: its design, one append-only record a reader, where readers stand, the export."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock

from cxpath import __version__
from cxpath.data import NOT_EVALUABLE, Read, exactly, read_settings
from cxpath.documents import (
    ExportDocument,
    HeadDocument,
    ReaderProgress,
    RecordEntry,
    RoundProgress,
    StudyStatus,
    TokensDocument,
)
from cxpath.errors import MissingFileError, OutputError
from cxpath.io import TIDY_COLUMNS, folder_for, output_error, write_rows
from cxpath.review import (
    Decision,
    Event,
    ReaderState,
    ReviewError,
    StudyDesign,
    StudyGenesis,
    SubmittedRead,
    begin_study,
    extended,
    new_token,
    of_round,
    opens_at,
    positions_of,
    read_events,
    reads_planned,
    replay_reader,
    software_shown,
    stage_of,
    token_hash,
    utc_seconds,
)

STUDY, TOKENS, READERS, RECORD, HEAD = "study.toml", "tokens.json", "readers", "events.ndjson", "head.json"
READS, ANSWERS, SOFTWARE_READS, EXPORT, AUDIT = (
    "reads.csv", "answers.csv", "software.csv", "export.json", "audit",
)  # fmt: skip
SOFTWARE_NAME = "software"
_HINT = "cxpath study init writes a study.toml with every key explained"
_BACKUP = "restore the reader's folder from a backup"


# One reader's record: events are appended, flushed to the disk, and only then acknowledged.


class ReaderRecord:
    """The record of one reader.

    Parameters
    ----------
    folder : Path
        `readers/<id>` of the study.
    design : StudyDesign
    reader : str
    """

    def __init__(self, folder: Path, design: StudyDesign, reader: str) -> None:
        self.folder = folder
        self.design = design
        self.reader = reader
        self._lock = RLock()
        self._read: tuple[tuple[Event, ...], ReaderState] | None = None
        self._size = 0

    @property
    def genesis(self) -> StudyGenesis:
        """What the record starts from."""
        return StudyGenesis(self.design.digest, self.reader)

    @property
    def path(self) -> Path:
        """Where the events are."""
        return self.folder / RECORD

    @property
    def events(self) -> tuple[Event, ...]:
        """The events, each checked.

        Raises
        ------
        ReviewError
            Naming the first bad line, or saying that the tail was cut off.
        """
        return self._followed()[0]

    @property
    def state(self) -> ReaderState:
        """Where the reader stands."""
        return self._followed()[1]

    def _followed(self) -> tuple[tuple[Event, ...], ReaderState]:
        with self._lock:
            if self._read is None:
                self._read = self._checked()
            return self._read

    def append(self, decisions: Sequence[Decision], now: datetime) -> ReaderState:
        """Append decisions and return the state after them; they are on the disk then.

        Raises
        ------
        ReviewError, OutputError
            When a decision does not fit, or nothing can be written.
        """
        with self._lock:
            before, stood = self._followed()
            first = () if before else (begin_study(self.genesis, __version__),)
            after = extended(self.genesis, before, [*first, *decisions], now)
            added = after[len(before) :]
            state = replay_reader(added, self.design, self.reader, stood)
            self._write("".join(f"{event.line}\n" for event in added).encode())
            self._read = after, state
            HeadDocument(events=len(after), head_hash=after[-1].hash).write(self.folder / HEAD)
            return state

    def decide(self, make: Callable[[ReaderState], Decision | None], now: datetime) -> ReaderState:
        """Append the decision that `make` finds for the state, and return the state after it."""
        with self._lock:
            decision = make(self.state)
            return self.state if decision is None else self.append([decision], now)

    def _write(self, content: bytes) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                if file.tell() != self._size:
                    raise ReviewError(f"{self.path}: another process writes this record", "end it first")
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                self._size = file.tell()
        except OSError as error:
            raise output_error(self.path, error) from error

    def _checked(self) -> tuple[tuple[Event, ...], ReaderState]:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            content = b""
        except OSError as error:
            raise ReviewError(f"{self.path}: cannot be read: {error.strerror or error}", "") from error
        whole = self._without_torn_line(content)
        self._size = len(whole)
        try:
            events = read_events(whole, self.genesis)
            state = replay_reader(events, self.design, self.reader)
        except ReviewError as error:
            raise ReviewError(f"{self.folder}: {error.message}", error.hint or _BACKUP) from error
        self._require_head(events)
        return events, state

    def _without_torn_line(self, content: bytes) -> bytes:
        """Return whole lines; a half-written one of a killed process, never acknowledged, is put aside."""
        if not content or content.endswith(b"\n"):
            return content
        whole = content[: content.rfind(b"\n") + 1]
        try:
            (self.folder / "torn-line.txt").write_bytes(content[len(whole) :])
            os.truncate(self.path, len(whole))
        except OSError as error:
            raise output_error(self.path, error) from error
        return whole

    def _require_head(self, events: Sequence[Event]) -> None:
        """Refuse a record that ends before the head that was noted next to it."""
        path = self.folder / HEAD
        if not path.is_file():
            return
        head = HeadDocument.read(path)
        if len(events) < head.events:
            raise ReviewError(
                f"{self.path}: line {len(events) + 1} is missing: {HEAD} states {head.events} events", _BACKUP
            )
        if events[head.events - 1].hash != head.head_hash:
            raise ReviewError(f"{self.path}: line {head.events} is not the one that {HEAD} states", _BACKUP)


@dataclass(frozen=True)
class StudyFolder:
    """A study.

    Parameters
    ----------
    path : Path
    design : StudyDesign
    """

    path: Path
    design: StudyDesign

    def record(self, reader: str) -> ReaderRecord:
        """Return the record of a reader."""
        return ReaderRecord(self.path / READERS / reader, self.design, reader)

    def slide_path(self, slide: str) -> Path:
        """Return where the file of a slide is."""
        return self.path / self.design.slide(slide).file

    def tokens(self) -> Mapping[str, str]:
        """Return the hash of each reader's token.

        Raises
        ------
        MissingFileError, DocumentError, ReviewError
            When the tokens cannot be read, or a reader has none.
        """
        tokens = TokensDocument.read(self.path / TOKENS).tokens
        without = [reader.id for reader in self.design.readers if reader.id not in tokens]
        if without:
            raise ReviewError(
                f"reader {without[0]} has no token", f"cxpath study token {self.path} {without[0]}"
            )
        return {reader.id: tokens[reader.id] for reader in self.design.readers}


def read_study(path: Path) -> StudyFolder:
    """Return the study of a folder.

    Raises
    ------
    MissingFileError, ConfigurationError
        When there is no `study.toml`, or something in it is wrong.
    """
    return StudyFolder(path, read_settings(StudyDesign, path / STUDY, _HINT))


def renew_token(study: StudyFolder, reader: str) -> str:
    """Give a reader a new token, which makes the old one void, and return it.

    Raises
    ------
    ReviewError
        When there is no such reader.
    """
    if reader not in {one.id for one in study.design.readers}:
        raise ReviewError(f"{study.path}: no reader {reader!r}", "name a reader of study.toml")
    path = study.path / TOKENS
    kept = dict(TokensDocument.read(path).tokens) if path.is_file() else {}
    token = new_token()
    TokensDocument(tokens={**kept, reader: token_hash(token)}).write(path)
    return token


def require_slides(study: StudyFolder) -> None:
    """Refuse a study one of whose slides is not there.

    Raises
    ------
    MissingFileError
    """
    for slide in study.design.slides:
        path = study.slide_path(slide.id)
        if not path.is_file():
            raise MissingFileError(f"{path}: no such file (slide {slide.id})", "correct file in study.toml")


# Where readers stand, for the organiser: no answer and no score is in it.


def study_status(study: StudyFolder, now: datetime | None = None) -> StudyStatus:
    """Return where each reader stands.

    Raises
    ------
    ReviewError
        When a record is broken.
    """
    moment = now or datetime.now(UTC)
    readers = tuple(_progress(study, reader.id, moment) for reader in study.design.readers)
    return StudyStatus(
        study=study.design.name,
        design=study.design.digest,
        reads=sum(one.read for reader in readers for one in reader.rounds),
        planned=reads_planned(study.design),
        readers=readers,
    )


def _progress(study: StudyFolder, reader: str, now: datetime) -> ReaderProgress:
    record = study.record(reader)
    events, state = record.events, record.state
    opening = opens_at(state, study.design)
    waiting = opening is not None and now < opening
    return ReaderProgress(
        reader=reader,
        stage=stage_of(state, study.design, now).value,
        rounds=tuple(_round_progress(study.design, state, number) for number in _rounds(study.design)),
        sessions=state.sessions,
        last_utc=state.last_utc or None,
        opens_utc=utc_seconds(opening) if opening is not None and waiting else None,
        events=len(events),
        head_hash=events[-1].hash if events else None,
    )


def _round_progress(design: StudyDesign, state: ReaderState, number: int) -> RoundProgress:
    own = of_round(state.assignments, number)
    arm = design.arm_of(number).value
    return RoundProgress(round=number, arm=arm, read=positions_of(state, own), planned=len(own))


def _rounds(design: StudyDesign) -> range:
    return range(1, len(design.rounds) + 1)


# The export: the table that `cxpath agree run` reads, every answer, and the audit log.


@dataclass(frozen=True)
class StudyRead:
    """One submitted read, unblinded.

    Parameters
    ----------
    reader, case, slide, patient : str
    round, position : int
    arm, code : str
    shown : str
        What the software said, where it was shown; else empty.
    read : SubmittedRead
    """

    reader: str
    case: str
    slide: str
    patient: str
    round: int
    position: int
    arm: str
    code: str
    shown: str
    read: SubmittedRead


def submitted_reads(study: StudyFolder) -> Iterator[StudyRead]:
    """Yield every submitted read, practice left out, by reader and in the reader's order."""
    design = study.design
    for reader in design.readers:
        state = study.record(reader.id).state
        for one in state.assignments:
            if one.practice or one.position not in state.submitted:
                continue
            slide = design.slide(one.slide)
            shown = software_shown(design, one)
            yield StudyRead(
                reader=reader.id,
                case=slide.case or slide.id,
                slide=slide.id,
                patient=slide.patient,
                round=one.round,
                position=one.position,
                arm=one.arm.value,
                code=one.code,
                shown="" if shown is None else _number(shown),
                read=state.submitted[one.position],
            )


def reads_of(study: StudyFolder) -> list[Read]:
    """Return the submitted reads as `agree` takes them; the same as reading the exported table."""
    return [
        Read(
            case=one.case,
            slide=one.slide,
            patient=one.patient,
            reader=one.reader,
            round=one.round,
            arm=one.arm,
            score=study.design.score,
            value=NOT_EVALUABLE if one.read.answer.score is None else exactly(one.read.answer.score),
            date=one.read.utc[:10],
            assay=study.design.assay,
        )
        for one in submitted_reads(study)
    ]


def export_study(
    study: StudyFolder, out: Path, *, overwrite: bool = False, now: datetime | None = None
) -> ExportDocument:
    """Write `reads.csv`, `answers.csv`, `software.csv`, the records, and `export.json` with their heads.

    Raises
    ------
    OutputError
        When an export is there already, or nothing can be written.
    ReviewError
        When a record is broken, or nothing was read yet.
    """
    if (out / EXPORT).exists() and not overwrite:
        raise OutputError(f"{out}: contains an export already", "pass --overwrite or choose another --out")
    reads = list(submitted_reads(study))
    if not reads:
        raise ReviewError(
            f"{study.path}: no slide was read yet", "cxpath study status shows where readers are"
        )
    folder_for(out)
    write_rows(out / READS, TIDY_COLUMNS, [_tidy_row(one, study.design) for one in reads])
    write_rows(
        out / ANSWERS, _answer_columns(study.design), [_answer_row(one, study.design) for one in reads]
    )
    write_rows(out / SOFTWARE_READS, TIDY_COLUMNS, list(_software_rows(study.design)))
    records = tuple(_copied_records(study, out))
    planned = reads_planned(study.design)
    document = ExportDocument(
        study=study.design.name,
        design=study.design.digest,
        utc=utc_seconds(now or datetime.now(UTC)),
        complete=len(reads) == planned,
        reads=len(reads),
        planned=planned,
        records=records,
        files={name: _sha256(out / name) for name in (READS, ANSWERS, SOFTWARE_READS)},
        cxpath=__version__,
    )
    document.write(out / EXPORT)
    return document


def _tidy_row(one: StudyRead, design: StudyDesign) -> list[str]:
    score = one.read.answer.score
    entries = {
        "case": one.case,
        "slide": one.slide,
        "patient": one.patient,
        "reader": one.reader,
        "round": str(one.round),
        "arm": one.arm,
        "score": design.score,
        "value": "NE" if score is None else _number(score),
        "date": one.read.utc[:10],
        "assay": design.assay,
    }
    return [entries.get(column, "") for column in TIDY_COLUMNS]


def _number(value: float | str) -> str:
    """Return a number so that reading it back gives the same."""
    return value if isinstance(value, str) else repr(int(value) if value == int(value) else value)


def _answer_columns(design: StudyDesign) -> list[str]:
    sides = [f"reaches {cutoff:g}" for cutoff in design.cutoffs] if design.questions.sides else []
    return [
        "reader", "round", "arm", "position", "case", "slide", "patient", "blinded name", "software shown",
        "adequate", design.score, *sides, "confidence", "comment", "seconds", "utc",
    ]  # fmt: skip


def _answer_row(one: StudyRead, design: StudyDesign) -> list[str | int | float | None]:
    answer = one.read.answer
    words = {True: "yes", False: "no"}
    names = [f"{cutoff:g}" for cutoff in design.cutoffs] if design.questions.sides else []
    return [
        one.reader, one.round, one.arm, one.position, one.case, one.slide, one.patient, one.code, one.shown,
        words[answer.adequate], "" if answer.score is None else _number(answer.score),
        *(words[answer.sides[name]] if name in answer.sides else "" for name in names),
        answer.confidence if answer.confidence is not None else "", answer.comment,
        round(one.read.seconds, 1), one.read.utc,
    ]  # fmt: skip


def _software_rows(design: StudyDesign) -> Iterator[list[str]]:
    """Yield the software's scores as a table of reads, for `cxpath agree run --software software`."""
    for slide in design.slides:
        if slide.software is None or slide.practice:
            continue
        value = "NE" if isinstance(slide.software, str) else _number(slide.software)
        entries = {"case": slide.case or slide.id, "slide": slide.id, "patient": slide.patient}
        entries |= {"reader": SOFTWARE_NAME, "round": "1", "score": design.score, "value": value}
        yield [entries.get(column, "") for column in TIDY_COLUMNS]


def _copied_records(study: StudyFolder, out: Path) -> Iterator[RecordEntry]:
    folder = folder_for(out / AUDIT)
    for reader in study.design.readers:
        record = study.record(reader.id)
        events = record.events
        if not events:
            continue
        target = folder / f"{reader.id}.ndjson"
        try:
            shutil.copyfile(record.path, target)
        except OSError as error:
            raise output_error(target, error) from error
        yield RecordEntry(
            reader=reader.id,
            file=f"{AUDIT}/{target.name}",
            events=len(events),
            head_hash=events[-1].hash,
            sha256=_sha256(target),
        )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
