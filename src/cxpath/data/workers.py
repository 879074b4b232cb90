"""Processes that make synthetic tissue next to this one: how many there may be, and how they begin.

They are spawned, not forked, because torch's threads do not survive a fork. A spawned process imports the
main program anew, which needs a main program that can be imported.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cxpath.data.settings import end_with_parent, usable_cores
from cxpath.errors import CxpathError

_HINT = 'save the program as a file and call this below `if __name__ == "__main__":`, or ask for 1 worker'
_DIED_HINT = "often the system ended it for want of memory: free some, or ask for fewer workers"


class WorkersError(CxpathError, RuntimeError):
    """Worker processes could not begin, or died."""


def default_workers() -> int:
    """Return one for each core that this process may use; 1, this process alone, where none can begin."""
    return len(usable_cores()) if _main_can_be_imported() else 1


@contextmanager
def worker_processes(
    number: int, begin: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()
) -> Iterator[ProcessPoolExecutor]:
    """Give a pool of processes for the time of a block.

    Parameters
    ----------
    number : int
    begin : callable, optional
        What each process does first.
    arguments : tuple
        Of `begin`; may be large.

    Raises
    ------
    WorkersError
        When the main program was read from standard input, or a process died.
    """
    if not _main_can_be_imported():
        raise WorkersError("a program from standard input cannot have worker processes", _HINT)
    # Not as arguments of the process: one that dies before it has read them would be waited for, for ever.
    with TemporaryDirectory(prefix="cxpath-") as folder:
        parcel = Path(folder) / "begin"
        parcel.write_bytes(pickle.dumps((begin, arguments)))
        try:
            with ProcessPoolExecutor(number, get_context("spawn"), _begin, (parcel,)) as pool:
                yield pool
        except BrokenProcessPool as error:
            if _begun(parcel).exists():
                raise WorkersError("a worker process died at its work", _DIED_HINT) from error
            raise WorkersError("no worker process could begin", _HINT) from error


def _begun(parcel: Path) -> Path:
    return parcel.with_name("begun")


def _begin(parcel: Path) -> None:
    end_with_parent()
    begin, arguments = pickle.loads(parcel.read_bytes())
    if begin is not None:
        begin(*arguments)
    _begun(parcel).touch()


def _main_can_be_imported() -> bool:
    """Say whether a spawned process finds what it takes for the main program, as `multiprocessing` does."""
    main = sys.modules["__main__"]
    if getattr(main, "__spec__", None) is not None:
        return True
    file = getattr(main, "__file__", None)
    return file is None or Path(file).is_file()
