"""Reading the assay files that travel with cxpath."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from pydantic import ValidationError

from cxpath.scores.assay import Assay
from cxpath.values.bundled import bundled
from cxpath.values.errors import AssayError

UNKNOWN = "unknown"


def list_assays() -> list[str]:
    """Return the names of all known assays."""
    return sorted(path.stem for path in _folder().glob("*.toml"))


def read_assay(name: str) -> Assay:
    """Read an assay by name, whatever its case, dashes and spaces: "22C3", "28-8" and "288" are found.

    Raises
    ------
    AssayError
        When there is no such assay, with the names there are.
    """
    wanted = _plain(name)
    for known in list_assays():
        if _plain(known) == wanted:
            return _read(_folder() / f"{known}.toml")
    raise AssayError(f"assay {name!r} is not known", f"known assays: {', '.join(list_assays())}")


def _folder() -> Path:
    return bundled("configs") / "assays"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _read(path: Path) -> Assay:
    try:
        return Assay.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise AssayError(f"{path}: {str(error).splitlines()[0]}", "restore the assay file") from error
