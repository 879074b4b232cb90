"""A review on disk: its record, read and appended to under a lock, and the scores that follow from it.

The audited score of a reader and that of the edited cells follow from the record and the files of the run
alone, so that they can be made again at any time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from cxpath import __version__
from cxpath.data import CellTable
from cxpath.documents import (
    COMMIT_MARK,
    AnsweredBy,
    AuditedEntry,
    EditedEntry,
    Estimate,
    ScoredFolder,
    ScoreDocument,
    SignatureEntry,
    read_scored_folder,
)
from cxpath.errors import MissingFileError, OutputError
from cxpath.io import append_durably, claimed_in_time
from cxpath.review import (
    Action,
    Decision,
    Event,
    Genesis,
    ReviewedCells,
    ReviewError,
    ReviewState,
    Seal,
    Verified,
    audit_queue,
    begin_decision,
    extended,
    frame_of_audit,
    reviewed_cells,
    stated_version,
    verify_record,
)
from cxpath.scores import (
    Cutoff,
    SlideScore,
    audited_estimate,
    countable_kind,
    estimate_audit,
    score_cells,
    threshold_of,
)

RECORD = "events.ndjson"
AUDIT, EDITED, SIGNATURE = "audit.json", "edited.json", "signature.json"
SHEET, TABLE = "sheet.html", "answers.csv"
CXPATH = "cxpath"
"""Who begins a review and draws an audit."""


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
        if not content:
            self._refuse_foreign_record()
        if not content and not seals:
            return None
        return verify_record(content, self.genesis, seals)

    def append(self, decisions: Iterable[Decision]) -> Verified:
        """Append decisions to the record, which is checked before; they are on the disk when this returns.

        Raises
        ------
        ReviewError, OutputError
            When the record is broken, another process wrote to it meanwhile, or nothing can be written.
        """
        self._make_folder()
        with claimed_in_time(self.path):  # not every file system can lock: the record is compared once more
            earlier = self._record_of(self.genesis)
            before = self.verified()
            known = before.events if before else ()
            first = () if known else (begin_decision(self.genesis, CXPATH),)
            events = extended(self.genesis, known, [*first, *decisions])
            added = "".join(f"{event.line}\n" for event in events[len(known) :]).encode()
            checked = verify_record(earlier + added, self.genesis)
            if self._record_of(self.genesis) != earlier:
                raise ReviewError(f"{self.path}: another process writes this review", "try again")
            append_durably(self.path / RECORD, added)
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
        if stated := self.scored.score.review:
            yield COMMIT_MARK, Seal(stated.events, stated.head_hash)
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
        When it is not a results folder of a whole slide scored for PD-L1.
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
    return cells, scored.score.scored_digest, scored.score.provenance.model_digest


def printed_name(given: str) -> str:
    """Return a reader's name as it is recorded.

    Raises
    ------
    ReviewError
        When it is empty, unprintable, or that of cxpath itself.
    """
    name = " ".join(given.split())
    if not name or name == CXPATH or not name.isprintable():
        raise ReviewError("a review needs the reader's printed name", "pass --reviewer NAME")
    return name


def require_current_review(document: ScoreDocument, path: Path) -> None:
    """Refuse a `score.json` that does not say what the record of its review says by now.

    Parameters
    ----------
    document : ScoreDocument
    path : Path
        Where it was read; without a review next to it nothing is known to be wrong.

    Raises
    ------
    ReviewError
        When decisions were recorded after it was written: they may have voided score and signature.
    """
    records = sorted(path.parent.glob(f"review/*/{RECORD}"))
    stated = document.review.head_hash if document.review else None
    if records and not any(_head_of(record) == stated for record in records):
        raise ReviewError(
            f"{path}: its review continued after it was written", f"run cxpath report {path.parent}"
        )


def _head_of(record: Path) -> str | None:
    """Return the hash that the last line of a record states."""
    try:
        last = record.read_bytes().rstrip().rsplit(b"\n", 1)[-1]
        stated = json.loads(last)["hash"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return stated if isinstance(stated, str) else None


# The audited score.


def auditor(found: Verified) -> str | None:
    """Return the reader whose answers are the audited score: of those who answered all, the latest."""
    state = found.state
    complete = {actor for actor, _ in state.answers if has_answered_all(state, actor)}
    last = {actor: event.n for actor in complete for event in _answers_of(found, actor)}
    return max(last, key=lambda actor: last[actor]) if last else None


def has_answered_all(state: ReviewState, actor: str) -> bool:
    """Say whether a reader answered every cell and every square of the audit that was drawn last."""
    if state.audit is None or not audit_queue(state, actor).done:
        return False
    return len(state.squares_of(actor)) == len(state.audit.squares)


def _answers_of(found: Verified, actor: str) -> Iterator[Event]:
    for event in found.events:
        if event.actor == actor and event.action in {Action.ANSWER, Action.SQUARE}:
            yield event


def audited_entry(review: ReviewFolder, found: Verified, actor: str) -> AuditedEntry:
    """Return the audited score by one reader's answers.

    Raises
    ------
    ReviewError, AuditError
        When he has not answered all, or the answers leave no tumour cell.
    """
    state, scored = found.state, review.scored
    if state.audit is None or not has_answered_all(state, actor):
        raise ReviewError(f"{scored.path}: {actor} has not answered the whole audit", "answer every cell")
    frame = frame_of_audit(scored.cells(), scored.scoring, state)
    answers, squares = state.answers_of(actor), state.squares_of(actor)
    score = estimate_audit(frame, state.audit.draw, answers, squares, scored.scoring.level)
    estimate = audited_estimate(score, scored.fields().counts, scored.scoring, cutoffs_of(scored))
    utc = list(_answers_of(found, actor))[-1].utc
    answered = AnsweredBy(actor, utc, state.audit.draw.seed, found.seal.events, found.seal.head_hash)
    return AuditedEntry.of_score(score, estimate, answered)


def cutoffs_of(scored: ScoredFolder) -> list[Cutoff]:
    """Return the cut-offs that the network's score was compared with."""
    stated = scored.score.cps.cutoffs if scored.score.cps else {}
    return [Cutoff(float(value), cutoff.basis) for value, cutoff in stated.items()]


# The score of the edited cells.


def edited_entry(
    review: ReviewFolder, found: Verified, warnings: tuple[str, ...] = ()
) -> tuple[EditedEntry, SlideScore, CellTable]:
    """Return the score of the cells as a person left them; what he decided carries no error of the network.

    Parameters
    ----------
    review : ReviewFolder
    found : Verified
    warnings : tuple of str
        About the table that the edits were read from.

    Returns
    -------
    EditedEntry, SlideScore, CellTable
        The table is the one that was scored.
    """
    scored, state = review.scored, found.state
    scoring = scored.scoring
    network, threshold = scored.cells(), threshold_of(scoring)
    cells = reviewed_cells(network, state, threshold, scoring.field_um)
    table, by_person = cells.to_score()
    score = score_cells(table, scoring, cutoffs_of(scored), by_person=by_person)
    known, held = cells.network_cells, cells.edited & ~cells.removed
    entry = EditedEntry(
        events=found.seal.events,
        head_hash=found.seal.head_hash,
        estimate=Estimate.of_score(score.cps) if score.cps else None,
        tps=score.tps.value if score.tps else None,
        not_evaluable_because=tuple(reason.text for reason in score.not_evaluable_because),
        counts=vars(score.counts) if score.counts else {},
        changed=_changed(network, cells, threshold),
        added=int(held[known:].sum()),
        removed=int(cells.removed[:known].sum()),
        accepted_fields=len(state.fields),
        regions=len(state.regions),
        reviewer=_last_editor(found),
        warnings=(*warnings, *(warning.text for warning in score.warnings)),
    )
    return entry, score, table


def _changed(network: CellTable, cells: ReviewedCells, threshold: float) -> int:
    """Return how many of the network's cells count otherwise by now; one that was put back does not."""
    now = cells.table.take(np.arange(len(network)))
    other = countable_kind(now) != countable_kind(network)
    other |= (now.stained >= threshold) != (network.stained >= threshold)
    return int((other & ~cells.removed[: len(network)]).sum())


_SCORING = frozenset({Action.EDIT, Action.ACCEPT, Action.REGION, Action.UNDO})


def _last_editor(found: Verified) -> str:
    return next((event.actor for event in reversed(found.events) if event.action in _SCORING), "")
