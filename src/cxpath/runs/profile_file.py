"""A patient's profile as a file: read from TOML or JSON, or begun from the commented template."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from cxpath.biomarkers.profile import HINT, BiomarkerProfile, profile_from
from cxpath.exchange.whole_file import whole_file
from cxpath.values.bundled import bundled
from cxpath.values.errors import MissingFileError, OutputError, ProfileError


def read_profile(path: Path) -> BiomarkerProfile:
    """Read a profile.

    Parameters
    ----------
    path : Path
        JSON where the name ends in `.json`, else TOML.

    Raises
    ------
    MissingFileError
        When there is no such file.
    ProfileError
        With the path of the field that is wrong.
    """
    return profile_from(_content(path), path)


def write_template(path: Path) -> None:
    """Write the commented template; an existing file is not replaced.

    Raises
    ------
    OutputError
        When the file is there already, or cannot be written.
    """
    if path.exists():
        raise OutputError(f"{path}: is there already", "choose another name")
    with whole_file(path) as partial:
        partial.write_text(template(), encoding="utf-8")


def template() -> str:
    """Return the template's text: every field, each with what it means, all of them unknown."""
    return (bundled("configs") / "profile" / "template.toml").read_text(encoding="utf-8")


def _content(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file", HINT)
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:  # both parsers' errors are ValueErrors
        raise ProfileError(f"{path}: not readable: {error}", HINT) from error
    if not isinstance(content, dict):
        raise ProfileError(f"{path}: holds no table of fields", HINT)
    return content
