"""Reading `configs/evaluation/*.toml`; unknown keys are errors."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from cxpath.values.bundled import bundled
from cxpath.values.errors import ConfigurationError, MissingFileError
from cxpath.values.settings import Settings

AnySettings = TypeVar("AnySettings", bound=Settings)


def evaluation_settings(model: type[AnySettings], path: Path) -> AnySettings:
    """Read one settings file.

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
        raise MissingFileError(f"{path}: no such file", "see configs/evaluation/") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not readable as TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{path}: {where}: {first['msg']}", "see configs/evaluation/") from error


def bundled_settings(name: str) -> Path:
    """Return the path of a settings file that travels with cxpath."""
    return bundled("configs") / "evaluation" / f"{name}.toml"
