"""The base of all settings, settings files, and where bundled files are."""

from __future__ import annotations

import multiprocessing
import os
import threading
import tomllib
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from cxpath.errors import ConfigurationError, MissingFileError

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

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


# Reading a TOML file into settings: one clear line for whatever is wrong with it.


AnySettings = TypeVar("AnySettings", bound=Settings)


def parse_toml(text: str) -> dict[str, Any]:
    """Return the content of a TOML text.

    Raises
    ------
    ValueError
        When it is none, is nested too deeply or contains a number of too many digits: the library itself lets
        a RecursionError pass.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError as error:
        raise ValueError("its tables or lists are nested too deeply") from error
    except ValueError as error:
        raise ValueError("a number of it has too many digits") from error


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
        return model.model_validate(parse_toml(path.read_text(encoding="utf-8-sig")))
    except FileNotFoundError as error:
        raise MissingFileError(f"{path}: no such file", hint) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise ConfigurationError(f"{path}: {where}: {first['msg']}", hint) from error
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: not readable as TOML: {error}", hint) from error
