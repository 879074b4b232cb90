"""The state of a batch on disk: one small file a slide, each replaced whole, and the locks.

Anything may be killed at any moment: an outcome is there or it is not, and the locks are the operating
system's, which drops them when their holder dies.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from cxpath.documents import Outcome, read_batch_document
from cxpath.errors import BatchError, CxpathError, MissingFileError
from cxpath.io import leftovers_of, output_error

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
            raise BatchError(f"{self.batch}: another cxpath batch run is at work here", hint) from error
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
            raise BatchError(f"{slide_id}: another worker has been scoring it for long", hint) from error
        except NotImplementedError:
            _log.warning("%s: this file system knows no locks", self.batch)
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
        return read_batch_document(Outcome, path)
    except MissingFileError:
        return None
    except CxpathError as error:
        _log.warning("%s: counts as not there", error.message)
        return None
