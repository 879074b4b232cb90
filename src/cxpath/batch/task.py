"""A slide's task in a batch, its state on disk, and when an earlier result still counts."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import re
import shutil
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout
from pydantic import BaseModel

from cxpath import __version__
from cxpath.app import ScoreRequest
from cxpath.data import refuse_pipe
from cxpath.documents import COMMIT_MARK, Outcome
from cxpath.errors import BatchError, CxpathError, MissingFileError
from cxpath.io import leftovers_of, output_error
from cxpath.slide import files_of, forms_of_path, hide_names, open_slide, printable, pseudonym_key

# The state of a batch on disk: one small file a slide, each replaced whole, and the locks.
#
# Anything may be killed at any moment: an outcome is there or it is not, and the locks are the operating
# system's, which drops them when their holder dies.

STATE_NAME = "batch-state"
LOCK_PATIENCE_S = 1800.0
"""How long to wait for a slide that a worker left over from an earlier run still scores."""

_LONGEST_STEM = 200
"""Bytes; with its ending and that of a half-written file it must stay below the 255 of file systems."""

_log = logging.getLogger(__name__)


class StateFolder:
    """`batch-state/` of a batch's folder.

    Parameters
    ----------
    batch : Path
        The batch's folder.
    """

    def __init__(self, batch: Path) -> None:
        self.batch = batch.absolute()
        self.folder = self.batch / STATE_NAME
        self.outcomes = self.folder / "outcomes"
        self.locks = self.folder / "locks"
        self.progress = self.folder / "progress.json"

    def create(self) -> None:
        """Make the folders; raises `OutputError` where they cannot be."""
        try:
            self.outcomes.mkdir(parents=True, exist_ok=True)
            self.locks.mkdir(exist_ok=True)
        except OSError as error:
            raise output_error(self.batch, error) from error

    def read(self, slide_id: str) -> Outcome | None:
        """Return what is known of a slide; a damaged file counts as nothing known."""
        return _read(self._path(slide_id))

    def read_all(self) -> list[Outcome]:
        """Return all outcomes, by id."""
        found = (_read(path) for path in sorted(self.outcomes.glob("*.json")))
        return [outcome for outcome in found if outcome]

    def write(self, outcome: Outcome) -> None:
        """Keep an outcome, replacing the earlier one whole; raises `OutputError`."""
        outcome.write(self._path(outcome.id))

    def knows(self, slide_id: str) -> bool:
        """Say whether this batch has begun a slide; its record may be damaged."""
        return self._path(slide_id).exists()

    @contextmanager
    def run_lock(self) -> Iterator[None]:
        """Hold the batch's folder; raises `BatchError` when another run holds it."""
        lock = FileLock(self.folder / "run.lock")
        try:
            lock.acquire(timeout=1.0)  # `is_running` holds it for a moment
        except Timeout as error:
            hint = "wait for it (cxpath batch status shows it), or choose another --out"
            raise BatchError(f"{self.batch}: another cxpath batch run is using this folder", hint) from error
        except (OSError, NotImplementedError) as error:
            _log.warning("%s: cannot be locked: %s; do not start a second run here", self.batch, error)
        try:
            yield
        finally:
            lock.release()

    def is_running(self) -> bool:
        """Say whether a run holds the folder now."""
        if not (self.folder / "run.lock").exists():
            return False
        lock = FileLock(self.folder / "run.lock")
        try:
            with lock.acquire(timeout=0):
                return False
        except Timeout:
            return True
        except (OSError, NotImplementedError):
            return False

    @contextmanager
    def slide_lock(self, slide_id: str, patience_s: float | None = None) -> Iterator[None]:
        """Hold one slide, waiting for a worker of an earlier run that still scores it.

        Raises
        ------
        BatchError
            When it is not free after `patience_s`, half an hour by default.
        """
        lock = FileLock(self.locks / f"{file_stem(slide_id)}.lock")
        try:
            lock.acquire(timeout=LOCK_PATIENCE_S if patience_s is None else patience_s)
        except Timeout as error:
            hint = "end the workers of earlier runs, then run the same command again"
            raise BatchError(f"{slide_id}: another worker is still scoring it", hint) from error
        except NotImplementedError:
            _log.warning("%s: this file system supports no locks", self.batch)
        try:
            yield
        finally:
            lock.release()

    def clear_leftovers(self, folder: Path) -> None:
        """Remove what a killed worker left half-written of a results folder; call with its lock held."""
        for partial in leftovers_of(folder):
            shutil.rmtree(partial, ignore_errors=True)

    def _path(self, slide_id: str) -> Path:
        return self.outcomes / f"{file_stem(slide_id)}.json"


def file_stem(slide_id: str) -> str:
    """Return the name of a slide's state files: a very long id is cut, and distinguished by its hash."""
    encoded = os.fsencode(slide_id)
    if len(encoded) <= _LONGEST_STEM:
        return slide_id
    digest = hashlib.sha256(encoded).hexdigest()[:16]
    return encoded[: _LONGEST_STEM - 17].decode(errors="ignore") + f"~{digest}"


def _read(path: Path) -> Outcome | None:
    try:
        return Outcome.read(path)
    except MissingFileError:
        return None
    except CxpathError as error:
        _log.warning("%s: is ignored", error.message)
        return None


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
        SHA-256 of all that decides the result besides the slide; empty: never the same as before.
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

    @property
    def named(self) -> str:
        """The slide as messages on the terminal name it: its path, unless a pseudonym hides that."""
        return self.shown_name if self.request.pseudonym else str(self.request.slide)

    def without_paths(self, text: str) -> str:
        """Return a message as results may contain it: the way to a file often tells a person's name.

        Files are called what they are to the slide. With a pseudonym the folders they lie in and their names
        alone go, too.
        """
        request = self.request
        shown = {
            request.slide: self.shown_name,
            request.out: self.id,
            **dict(zip((request.regions, request.cells, request.class_map), _OTHER_FILES, strict=True)),
        }
        files = {path: name for path, name in shown.items() if path is not None}
        for path, name in files.items():
            for form in forms_of_path(path):
                text = text.replace(form, name)
        if request.pseudonym:
            text = hide_names(text, files)
            if any(name in text for name in _OTHER_FILES):
                text = _QUOTED.sub("'…'", text)  # a class or an entry of these files may name a person
        return text.encode(errors="backslashreplace").decode()


_OTHER_FILES = ("the regions file", "the cells file", "the class map")
_QUOTED = re.compile(r"""(?<!\w)('[^']*'|"[^"]*")(?!\w)""")
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

    def run(self, tasks: Sequence[SlideTask]) -> Generator[Event, None, None]:
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


COUNTED_OTHERWISE = {
    "slide": "by its own digest, and by the name that results show",
    "model": "by the digest of its weights",
}
"""Fields of a `ScoreRequest` that enter its digest by something else than their value."""

NOT_IDENTITY = {
    "out": "the place of a result",
    "overwrite": "what happens to an earlier result",
    "device": "where it is computed",
}
"""Fields that do not change a result; every other field does, also those that are added later."""


def request_digest(request: ScoreRequest, model_digest: str) -> str:
    """Return the SHA-256 of all that decides a result besides the slide: model, settings, options, version.

    Files that the request names count by their content. Empty when one of them cannot be read: scoring will
    say so.
    """
    left_out = COUNTED_OTHERWISE.keys() | NOT_IDENTITY.keys()
    names = [one.name for one in fields(request) if one.name not in left_out]
    try:
        parts = {name: _identity_of(getattr(request, name)) for name in names}
    except OSError:
        return ""
    parts["assay"] = request.assay.lower()
    parts |= {"version": __version__, "model": model_digest}
    parts["name"] = request.shown_name or request.slide.name
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _identity_of(value: object) -> object:
    """Return what stands for one option in a digest: content for a file, all keys for settings."""
    if isinstance(value, Path):
        refuse_pipe(value)
        with value.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def accompanying_files(path: Path) -> tuple[Path, ...]:
    """Return the files that belong to a slide, by its suffix alone: nothing is opened but DICOM."""
    return files_of(path, _VENDORS.get(path.suffix.lower(), ""))


def slide_stamp(request: ScoreRequest) -> str:
    """Return a hash of what the file system says of the slide's files; empty when they cannot be seen.

    Size and time of writing alone would not do: `cp -p`, `rsync -t` and a restored backup keep both. With a
    pseudonym the hash is keyed, or names could be found again by trying them with the size and the time.
    """
    try:
        states = [(file.name, file.stat()) for file in accompanying_files(request.slide)]
    except OSError:
        return ""
    facts = "".join(
        f"{name}\0{state.st_size}\0{state.st_mtime_ns}\0{state.st_ctime_ns}\0{state.st_ino}\n"
        for name, state in states
    ).encode(errors="surrogateescape")
    key = pseudonym_key() if request.pseudonym else b""
    return hmac.new(key, facts, hashlib.sha256).hexdigest()


def is_untouched(task: SlideTask, outcome: Outcome | None) -> bool:
    """Say whether there is a result and nothing that decides it changed, by a look that opens no slide."""
    return (
        outcome is not None
        and _stands(task, outcome)
        and outcome.slide_stamp != ""
        and outcome.slide_stamp == slide_stamp(task.request)
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
