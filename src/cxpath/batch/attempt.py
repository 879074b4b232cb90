"""One attempt at one slide of a batch: score it, record the outcome, never stop the batch."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

from filelock import FileLock

from cxpath.app.request import ScoreRequest
from cxpath.batch.state import StateFolder
from cxpath.batch.task import (
    Outcome,
    SlideTask,
    Status,
    files_beside,
    is_same_content,
    is_untouched,
    slide_stamp,
)
from cxpath.documents.folder import COMMIT_MARK
from cxpath.documents.score import ScoreDocument
from cxpath.errors import BatchError, CxpathError, MissingFileError, OutputError
from cxpath.io.atomic import output_error

# A local copy of a slide that lies on a slow share: read once in one go, removed when room is needed.


_DONE = ".whole"
_LOCK = ".lock"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SlideCache:
    """A folder of copies, shared by the workers of one machine.

    Parameters
    ----------
    folder : Path
    limit_bytes : int
        Copies that are not in use go, oldest first, until a new one fits.
    """

    folder: Path
    limit_bytes: int

    @contextmanager
    def local_copy(self, slide: Path) -> Iterator[Path]:
        """Give the path of a copy while a block runs; the slide itself when no copy of it can be made.

        Raises
        ------
        MissingFileError
            When there is no such slide.
        OutputError
            When the cache's folder cannot be made.
        """
        files = _files(slide)
        size = sum(file.stat().st_size for file in files)
        if size > self.limit_bytes:
            yield slide
            return
        entry = self.folder / _key(slide)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(self.folder, error) from error
        with FileLock(f"{entry}{_LOCK}"):  # held while in use, so that nobody removes it
            yield entry / slide.name if self._holds(slide, files, entry, size) else slide

    def _holds(self, slide: Path, files: tuple[Path, ...], entry: Path, size: int) -> bool:
        """Make the copy unless it is there; a cache that cannot take it only costs time."""
        try:
            if not (entry / _DONE).exists():
                self._copy(slide, files, entry, size)
            (entry / _DONE).touch()
        except OSError as error:
            shutil.rmtree(entry, ignore_errors=True)
            _log.warning("%s: no copy could be made in %s: %s", slide.name, self.folder, error)
            return False
        return True

    def _copy(self, slide: Path, files: tuple[Path, ...], entry: Path, size: int) -> None:
        shutil.rmtree(entry, ignore_errors=True)
        with FileLock(self.folder / _LOCK):
            self._free_space(size, entry)
            entry.mkdir(parents=True, exist_ok=True)
        for file in files:
            target = entry / file.relative_to(slide.parent)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)

    def _free_space(self, size: int, mine: Path) -> None:
        entries = sorted(
            (path for path in self.folder.iterdir() if path.is_dir() and path != mine), key=_last_used
        )
        held = {entry: _size(entry) for entry in entries}
        for entry in entries:
            if sum(held.values()) + size <= self.limit_bytes:
                return
            lock = FileLock(f"{entry}{_LOCK}")
            try:
                with lock.acquire(timeout=0):
                    shutil.rmtree(entry, ignore_errors=True)
                    held[entry] = 0
            except TimeoutError:
                continue  # in use


def _files(slide: Path) -> tuple[Path, ...]:
    try:
        files = files_beside(slide)
        for file in files:
            file.stat()
    except FileNotFoundError as error:
        raise MissingFileError(f"{slide}: no such file", "check the path") from error
    except OSError as error:
        raise CxpathError(f"{slide}: cannot be read: {error.strerror}", "check the share") from error
    return files


def _key(slide: Path) -> str:
    """Return a name that changes when the slide does."""
    return hashlib.sha256(f"{slide.absolute()}\0{slide_stamp(slide)}".encode()).hexdigest()[:24]


def _last_used(entry: Path) -> float:
    mark = entry / _DONE
    return mark.stat().st_mtime if mark.exists() else 0.0


def _size(entry: Path) -> int:
    return sum(file.stat().st_size for file in entry.rglob("*") if file.is_file())


# One attempt at one slide, wherever it runs: keep, score, try again, and write down what came of it.


Progress = Callable[[int, int], None]
"""Called with the number of tiles done and the number in all."""

Scorer = Callable[[ScoreRequest, Progress | None], object]
"""Scores a slide and leaves its results folder, as `score_slide` does."""

MOST_CRASHES = 3
"""A slide during which so many worker processes ended is set aside."""

CRASHED = "WorkerDied"
"""`Outcome.error` of such a slide."""

_PASSING_NAMES = (
    "EIO ESTALE ETIMEDOUT EAGAIN EBUSY EINTR ENETDOWN ENETUNREACH ENETRESET ECONNRESET ECONNABORTED "
    "EHOSTDOWN EHOSTUNREACH ENOTCONN EREMOTEIO ENOLINK EPIPE"
)
_PASSING = frozenset(getattr(errno, name) for name in _PASSING_NAMES.split(" ") if hasattr(errno, name))
"""Errors of disks and networks that may be gone on the next try."""

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""Errors that every further slide would meet."""


@dataclass(frozen=True)
class Patience:
    """How often to try again after an error of disk or network, and how long to wait before.

    Parameters
    ----------
    retries : int
        Further attempts after the first.
    first_wait_s : float
        Before the first of them; doubled each time.
    """

    retries: int = 3
    first_wait_s: float = 2.0

    def waits_s(self) -> Iterator[float]:
        """Yield the waits between attempts, in seconds."""
        yield from (self.first_wait_s * 2**number for number in range(self.retries))


@dataclass(frozen=True)
class Attempt:
    """What a worker needs to score slides of a batch; goes to it as a whole.

    Parameters
    ----------
    batch : Path
        The batch's folder.
    scorer : callable
    patience : Patience
    cache : SlideCache, optional
        Copies slides of a slow share to a local disk first.
    """

    batch: Path
    scorer: Scorer
    patience: Patience = field(default_factory=Patience)
    cache: SlideCache | None = None

    def settle(self, task: SlideTask, worker: str, progress: Progress | None = None) -> Outcome:
        """Score a slide unless its result stands; return what came of it, which is then on disk.

        Raises
        ------
        OutputError
            When the disk is full or cannot be written: no further slide could be kept either.
        """
        state = StateFolder(self.batch)
        try:
            with state.slide_lock(task.id):
                return self._settle_held(state, task, worker, progress)
        except BatchError as error:  # somebody else has been at it for long; the other slides go on
            outcome = failed(_begun(task, worker, None), error)
            state.write(outcome)
            return outcome

    def _settle_held(
        self, state: StateFolder, task: SlideTask, worker: str, progress: Progress | None
    ) -> Outcome:
        earlier = state.read(task.id)
        if earlier and is_untouched(task, earlier):
            return earlier
        if earlier and is_same_content(task, earlier):
            kept = replace(earlier, slide_stamp=slide_stamp(task.request.slide))
            state.write(kept)
            return kept
        state.clear_leftovers(task.folder)
        begun = _begun(task, worker, earlier)
        state.write(begun)  # from here on, what stands in the folder counts as half-written
        outcome = self._try(task, begun, progress)
        state.write(outcome)
        return outcome

    def _try(self, task: SlideTask, begun: Outcome, progress: Progress | None) -> Outcome:
        waits, before = self.patience.waits_s(), monotonic()
        while True:
            begun = replace(begun, attempts=begun.attempts + 1)
            try:
                self._score(task, progress)
                return _read_result(task, _ended(begun, before))
            except Exception as error:  # noqa: BLE001  # whatever a slide does, the next one must be tried
                _refuse_full_disk(error)
                wait_s = next(waits, None) if _may_pass(error) else None
                if wait_s is None:
                    return _without_paths(failed(_ended(begun, before), error), task)
                _log.info("%s: %s; trying again in %g s", task.shown_name, error, wait_s)
                sleep(wait_s)

    def _score(self, task: SlideTask, progress: Progress | None) -> None:
        request = replace(task.request, overwrite=True)
        if self.cache is None:
            self.scorer(request, progress)
            return
        with self.cache.local_copy(request.slide) as copy:
            self.scorer(replace(request, slide=copy), progress)


def failed(outcome: Outcome, error: Exception) -> Outcome:
    """Return the outcome with the reason and the hint of an error, on one line each."""
    foreseen = isinstance(error, CxpathError)
    message = error.message if isinstance(error, CxpathError) else str(error)
    reason = " ".join(message.split()) or type(error).__name__
    return replace(
        outcome,
        status=Status.FAILED,
        reason=reason if foreseen else f"{type(error).__name__}: {reason}",
        hint=error.hint if isinstance(error, CxpathError) else _hint_for(error),
        error=type(error).__name__,
    )


def _without_paths(outcome: Outcome, task: SlideTask) -> Outcome:
    """Name the slide and its folder as results may name them: the way to them often tells a person's name."""
    reason = outcome.reason.replace(str(task.folder), task.id)
    return replace(outcome, reason=reason.replace(str(task.request.slide), task.shown_name))


def died(state: StateFolder, task: SlideTask, worker: str, how: str) -> Outcome:
    """Write down that a worker process ended while it scored a slide; failed when it did too often.

    Parameters
    ----------
    state : StateFolder
    task : SlideTask
    worker : str
    how : str
        Such as "signal SIGSEGV".
    """
    begun = _begun(task, worker, state.read(task.id))
    outcome = replace(begun, crashes=begun.crashes + 1)
    if outcome.crashes >= MOST_CRASHES:
        outcome = replace(
            outcome,
            status=Status.FAILED,
            reason=f"{outcome.crashes} worker processes ended while they scored it, the last by {how}",
            hint="set aside; it may need more memory: try it alone with cxpath score",
            error=CRASHED,
            finished=_now(),
        )
        with state.slide_lock(task.id):
            state.clear_leftovers(task.folder)
    state.write(outcome)
    return outcome


def worker_name() -> str:
    """Return a name of this process that tells it from those on other machines."""
    return f"{platform.node()}:{os.getpid()}"


def _begun(task: SlideTask, worker: str, earlier: Outcome | None) -> Outcome:
    crashes = earlier.crashes if earlier and earlier.status is Status.RUNNING else 0
    return Outcome(
        id=task.id,
        status=Status.RUNNING,
        slide=task.shown_name,
        crashes=crashes,
        started=_now(),
        worker=worker,
        slide_stamp=slide_stamp(task.request.slide),
    )


def _ended(begun: Outcome, before: float) -> Outcome:
    return replace(begun, finished=_now(), seconds=round(monotonic() - before, 3))


def _read_result(task: SlideTask, outcome: Outcome) -> Outcome:
    """Take the verdict from the file that the scorer left: the files are the truth."""
    score = ScoreDocument.read(task.folder / COMMIT_MARK)
    return replace(
        outcome,
        status=Status.SCORED if score.evaluable else Status.NOT_EVALUABLE,
        slide_digest=score.slide.digest,
        request_digest=task.request_digest,
        crashes=0,
    )


def _may_pass(error: BaseException) -> bool:
    return any(isinstance(one, OSError) and one.errno in _PASSING for one in _causes(error))


def _refuse_full_disk(error: BaseException) -> None:
    for one in _causes(error):
        if isinstance(one, OSError) and one.errno in _NO_ROOM:
            raise OutputError(
                f"the results cannot be written: {one.strerror}",
                "free some space, then run the same command again: what is done is kept",
            ) from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _hint_for(error: Exception) -> str:
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return "use fewer --workers, or a smaller network.batch_size"
    return "a fault of cxpath or of this file: try it alone with cxpath score, and report it"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
