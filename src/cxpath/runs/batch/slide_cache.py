"""A local copy of a slide that lies on a slow share: read once in one go, removed when room is needed."""

from __future__ import annotations

import hashlib
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
        """Give the path of a copy while a block runs; the slide itself when it is too large for the cache.

        Raises
        ------
        MissingFileError
            When there is no such slide.
        OutputError
            When the copy cannot be written.
        """
        files = _files(slide)
        size = sum(file.stat().st_size for file in files)
        if size > self.limit_bytes:
            yield slide
            return
        entry = self.folder / _key(slide)
        self._make(self.folder)
        with FileLock(f"{entry}{_LOCK}"):  # held while in use, so that nobody removes it
            if not (entry / _DONE).exists():
                self._copy(slide, files, entry, size)
            (entry / _DONE).touch()
            yield entry / slide.name

    def _copy(self, slide: Path, files: tuple[Path, ...], entry: Path, size: int) -> None:
        shutil.rmtree(entry, ignore_errors=True)
        with FileLock(self.folder / _LOCK):
            self._make_room(size, entry)
            self._make(entry)
        try:
            for file in files:
                target = entry / file.relative_to(slide.parent)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
        except OSError as error:
            shutil.rmtree(entry, ignore_errors=True)
            raise output_error(entry, error) from error

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

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(folder, error) from error


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
