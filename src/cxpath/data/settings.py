"""Settings and their files, and what an installation offers: bundled data, extras, cores, processes."""

from __future__ import annotations

import math
import multiprocessing
import os
import pickle
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from cxpath.errors import ConfigurationError, CxpathError, MissingExtraError, MissingFileError

# Where the data files that travel with cxpath lie: inside the installed wheel, or in the checkout.


_PACKAGE = Path(__file__).resolve().parents[1]


def bundled(folder: str) -> Path:
    """Return the folder `configs` or `models` that belongs to this installation."""
    installed = _PACKAGE / "bundled" / folder
    return installed if installed.is_dir() else _PACKAGE.parents[1] / folder


# Ending with one's parent: a child that works on alone answers nobody, and keeps a core and memory.


def end_with_parent() -> None:
    """End this process once the one that began it through `multiprocessing` is gone, however that ended."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="watch-parent").start()


# The processor cores that this process may use, which a queue or container can make fewer than there are.


def usable_cores() -> frozenset[int]:
    """Return the numbers of the cores; all of the machine's where the system has no such limits (macOS)."""
    affinity = getattr(os, "sched_getaffinity", None)
    return frozenset(affinity(0) if affinity else range(os.cpu_count() or 1))


# The base of every settings model: frozen, and an unknown key is an error.


class Settings(BaseModel):
    """Parameters read from TOML: finite numbers; key names carry their units."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


LARGEST_INTEGER, LARGEST_NUMBER = 2**63 - 1, 1e100
"""Nothing that is counted or measured is larger; beyond, arithmetic ends in overflow somewhere."""


def number_too_large(stated: object) -> str:
    """Return where a file's content states a number that is too large to compute with; empty when nowhere."""
    waiting = [("", stated)]
    while waiting:
        place, part = waiting.pop()
        if isinstance(part, Mapping | list):
            named = part.items() if isinstance(part, Mapping) else enumerate(part)
            waiting += [(f"{place}.{name}" if place else str(name), one) for name, one in named]
        elif isinstance(part, int | float) and _is_too_large(part):
            return place or "file"
    return ""


def _is_too_large(number: float) -> bool:
    largest = LARGEST_INTEGER if isinstance(number, int) else LARGEST_NUMBER
    return largest < abs(number) < math.inf  # an infinite one is refused as such


# Reading a TOML file into settings: one clear line for whatever is wrong with it.


AnySettings = TypeVar("AnySettings", bound=Settings)


def parse_toml(text: str) -> dict[str, Any]:
    """Return the content of a TOML text.

    Raises
    ------
    ValueError
        When it is none, is nested too deeply or contains a number that is too large to compute with: the
        library itself lets a RecursionError pass.
    """
    try:
        stated = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError as error:
        raise ValueError("its tables or lists are nested too deeply") from error
    except ValueError as error:
        raise ValueError("a number of it has too many digits") from error
    if place := number_too_large(stated):
        raise ValueError(f"{place}: the number is too large")
    return stated


def refuse_pipe(path: Path) -> None:
    """Refuse a device or a pipe, from which reading may never end.

    Raises
    ------
    OSError
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError("is a device or pipe, not a file")


def read_settings(model: type[AnySettings], path: Path, hint: str) -> AnySettings:
    """Read a settings file.

    Parameters
    ----------
    model : type
        What the file must describe.
    path : Path
    hint : str
        Where a right one is to be seen.

    Raises
    ------
    MissingFileError
        When there is no such file.
    ConfigurationError
        When it is no TOML, or a key is unknown, missing or out of range.
    """
    try:
        refuse_pipe(path)
        return model.model_validate(parse_toml(path.read_text(encoding="utf-8-sig")))
    except FileNotFoundError as error:
        raise MissingFileError(f"{path}: no such file", hint) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise ConfigurationError(f"{path}: {where}: {first['msg']}", hint) from error
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: not readable as TOML: {error}", hint) from error


# Libraries that only some tasks need: imported when used, or one line that says what to install.


def import_extra(module: str, extra: str) -> Any:
    """Import a module of an extra.

    Parameters
    ----------
    module : str
        Such as "openpyxl.reader.excel".
    extra : str
        Name of the extra in brackets: "agree" of `cxpath[agree]`.

    Raises
    ------
    MissingExtraError
        When it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.split(".", maxsplit=1)[0]
        raise MissingExtraError(
            f"{package} is not installed, which this needs", f"pip install 'cxpath[{extra}]'"
        ) from error


# Processes that make synthetic tissue next to this one: how many there may be, and how they begin.
#
# They are spawned, not forked, because torch's threads do not survive a fork. A spawned process imports the
# main program anew, which needs a main program that can be imported.

_HINT = 'save the program as a file and call this below `if __name__ == "__main__":`, or ask for 1 worker'
_DIED_HINT = "often the system ended it because memory ran out: free some, or use fewer workers"


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
                raise WorkersError("a worker process ended unexpectedly", _DIED_HINT) from error
            raise WorkersError("no worker process could be started", _HINT) from error


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
