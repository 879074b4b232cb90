"""Reading a TOML file into settings: one clear line for whatever is wrong with it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from cxpath.values.errors import ConfigurationError, MissingFileError
from cxpath.values.settings import Settings

AnySettings = TypeVar("AnySettings", bound=Settings)


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
        return model.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise MissingFileError(f"{path}: no such file", hint) from error
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not readable as TOML: {error}", hint) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise ConfigurationError(f"{path}: {where}: {first['msg']}", hint) from error
