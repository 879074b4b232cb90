"""A slide's task in a batch, its outcome, and when an earlier result still counts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from cxpath.app.request import ScoreRequest
from cxpath.documents.folder import COMMIT_MARK
from cxpath.slide.errors import printable
from cxpath.slide.identity import files_of
from cxpath.slide.open import open_slide
from cxpath.version import __version__

# Outcome: what became of one slide of a batch, as it is kept on disk.
#
# *Failed* means tried and not scored, with the reason. A slide that was not tried yet has no outcome.


SCHEMA = "cxpath/outcome/1"


class Status(StrEnum):
    """What became of a slide."""

    RUNNING = "running"
    SCORED = "scored"
    NOT_EVALUABLE = "not evaluable"
    FAILED = "failed"


FINAL = frozenset({Status.SCORED, Status.NOT_EVALUABLE})
"""A slide of these is not scored again while it, the model, the settings and the version stay the same."""


@dataclass(frozen=True)
class Outcome:
    """What became of one slide.

    Parameters
    ----------
    id : str
        The slide's name in the batch.
    status : Status
    slide : str
        Its file name, or pseudonym.
    reason, hint : str
        Why it failed and what to do about it; empty otherwise.
    error : str
        Class of the error, such as "MissingFileError".
    attempts : int
        How often it was tried in the run that ended it; more than 1 after input or output errors.
    crashes : int
        How many worker processes ended while they scored it.
    seconds : float
        Of the last attempt, by a clock that does not jump.
    started, finished : str
        ISO 8601, UTC, by the worker's clock.
    worker : str
        Who scored it.
    slide_stamp : str
        Hash of the size and modification time of the slide's files.
    slide_digest : str
        SHA-256 of the slide; empty when it could not be read.
    request_digest : str
        SHA-256 of everything else that decides the result.
    """

    id: str
    status: Status
    slide: str = ""
    reason: str = ""
    hint: str = ""
    error: str = ""
    attempts: int = 0
    crashes: int = 0
    seconds: float = 0.0
    started: str = ""
    finished: str = ""
    worker: str = ""
    slide_stamp: str = ""
    slide_digest: str = ""
    request_digest: str = ""

    @property
    def is_final(self) -> bool:
        """Whether there is a result, good or not evaluable."""
        return self.status in FINAL

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as it is kept."""
        return {"schema": SCHEMA, **asdict(self)}


def outcome_from(document: Mapping[str, Any]) -> Outcome:
    """Return the outcome that `as_dict` gave; raises `ValueError` for anything else."""
    if document.get("schema") != SCHEMA:
        raise ValueError(f"schema is {document.get('schema')!r}, not {SCHEMA!r}")
    known = {field.name: document[field.name] for field in fields(Outcome) if field.name in document}
    return Outcome(**known | {"status": Status(known["status"])})


# SlideTask: one slide of a batch, how to score it, and what the lab says of it.


@dataclass(frozen=True)
class SlideTask:
    """One slide of a batch.

    Parameters
    ----------
    id : str
        Its name in the batch, and that of its results folder.
    request : ScoreRequest
        How to score it; `out` is its results folder.
    facts : mapping of str to str
        Columns of the worklist that do not change the score: `case`, `block`, `scanner`, `batch`, `note…`.
    request_digest : str
        SHA-256 of all that decides the result beside the slide; empty: never the same as before.
    """

    id: str
    request: ScoreRequest
    facts: Mapping[str, str] = field(default_factory=dict)
    request_digest: str = ""

    @property
    def folder(self) -> Path:
        """Where its results go."""
        return self.request.folder

    @property
    def shown_name(self) -> str:
        """The slide's file name, or its pseudonym."""
        return printable(self.request.shown_name or self.request.slide.name)


# What every engine does: take tasks, give events as they come. One worker or a cluster, the same.


@dataclass(frozen=True)
class Started:
    """A worker took a slide in hand."""

    id: str
    worker: str


@dataclass(frozen=True)
class Moved:
    """A worker has done some tiles of its slide."""

    worker: str
    done: int
    total: int


@dataclass(frozen=True)
class Finished:
    """What came of a slide; it is on disk already. *Running* means that it will be tried again."""

    outcome: Outcome


Event = Started | Moved | Finished


class Engine(Protocol):
    """Scores slides somewhere."""

    @property
    def name(self) -> str:
        """What it is, such as "2 local workers"."""

    def run(self, tasks: Sequence[SlideTask]) -> Iterator[Event]:
        """Attempt every task; yields what happens.

        Raises
        ------
        OutputError
            When results can no longer be kept.
        BatchError
            When the engine itself fails: no worker starts, the cluster is gone.
        """


# Whether a slide needs scoring: resume by content, not by names or dates alone.


_VENDORS = {".mrxs": "mirax", ".dcm": "dicom", ".vms": "hamamatsu", ".vmu": "hamamatsu"}


def request_digest(request: ScoreRequest, model_digest: str) -> str:
    """Return the SHA-256 of all that decides a result beside the slide: model, settings, options, version.

    Files that the request names count by their content; the device does not count. Empty when one of them
    cannot be read: scoring will say so.
    """
    try:
        files = [_file_digest(path) for path in (request.roi, request.cells, request.cell_classes)]
    except OSError:
        return ""
    parts = {
        "version": __version__,
        "model": model_digest,
        "configuration": request.configuration.digest(),
        "mpp": request.mpp,
        "assay": request.assay.lower(),
        "tumour": request.tumour,
        "research": request.research,
        "marker": request.marker,
        "name": request.shown_name or request.slide.name,
        "files": files,
        "ignore_classes": sorted(request.ignore_classes),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def files_beside(path: Path) -> tuple[Path, ...]:
    """Return the files that belong to a slide, told by its suffix alone: nothing is opened but DICOM."""
    return files_of(path, _VENDORS.get(path.suffix.lower(), ""))


def slide_stamp(path: Path) -> str:
    """Return a hash of size and modification time of the slide's files; empty when they cannot be seen."""
    try:
        states = [(file.name, file.stat()) for file in files_beside(path)]
    except OSError:
        return ""
    facts = "".join(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n" for name, state in states)
    return hashlib.sha256(facts.encode(errors="surrogateescape")).hexdigest()


def is_untouched(task: SlideTask, outcome: Outcome | None) -> bool:
    """Say whether there is a result and nothing that decides it changed, by a look that opens no slide."""
    return (
        outcome is not None
        and _stands(task, outcome)
        and outcome.slide_stamp != ""
        and outcome.slide_stamp == slide_stamp(task.request.slide)
    )


def is_same_content(task: SlideTask, outcome: Outcome | None) -> bool:
    """Say the same of a slide whose file was copied or touched: reads it whole to compare its digest."""
    if outcome is None or not _stands(task, outcome):
        return False
    request = task.request
    try:
        with open_slide(request.slide, request.mpp, name=request.shown_name) as slide:
            return slide.info.digest == outcome.slide_digest
    except Exception:  # noqa: BLE001  # whatever it is, scoring it will say so
        return False


def _stands(task: SlideTask, outcome: Outcome) -> bool:
    same_request = task.request_digest != "" and outcome.request_digest == task.request_digest
    return same_request and outcome.is_final and (task.folder / COMMIT_MARK).is_file()


def _file_digest(path: Path | None) -> str | None:
    if path is None:
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
