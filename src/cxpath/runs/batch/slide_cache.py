"""A local copy of a slide that lies on a slow share: read once in one go, removed when room is needed."""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from cxpath.exchange.whole_file import output_error
from cxpath.runs.batch.same_result import files_beside, slide_stamp
from cxpath.values.errors import CxpathError, MissingFileError

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
            self._make_room(size, entry)
            entry.mkdir(parents=True, exist_ok=True)
        for file in files:
            target = entry / file.relative_to(slide.parent)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)

    def _make_room(self, size: int, mine: Path) -> None:
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
