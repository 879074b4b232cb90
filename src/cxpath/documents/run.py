"""Reading a run's folder back: its result, its circumstances, its table of tiles, its gallery."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxpath.errors import CxpathError, MissingFileError
from cxpath.io.cells import read_table

SCORE_SCHEMA = "cxpath/score/1"
RUN_SCHEMA = "cxpath/run/1"
_HINT = "score the slide again, or give a folder that cxpath score wrote"


class RunFolderError(CxpathError, ValueError):
    """A run's folder holds a file that cannot be read or has another schema."""


@dataclass(frozen=True)
class RunFolder:
    """What a run left.

    Parameters
    ----------
    path : Path
        The folder.
    score, run : mapping
        `score.json` and `run.json`.
    tiles : mapping of str to array, or None
        Columns of `tiles.parquet`.
    fields : tuple of mapping
        Entries of `fields/fields.json`; empty without a gallery.
    """

    path: Path
    score: Mapping[str, Any]
    run: Mapping[str, Any]
    tiles: Mapping[str, NDArray[np.generic]] | None
    fields: tuple[Mapping[str, Any], ...]

    def picture(self, name: str) -> Path | None:
        """Return the path of a picture, or None when the run left none of that name."""
        path = self.path / name
        return path if path.is_file() else None


def read_run_folder(path: Path) -> RunFolder:
    """Read a run's folder.

    Raises
    ------
    MissingFileError
        When there is no such folder, or no `score.json` or `run.json` in it.
    RunFolderError
        When a file is not what its name says.
    """
    if not path.is_dir():
        raise MissingFileError(f"{path}: no such folder", _HINT)
    score = read_json(path / "score.json", SCORE_SCHEMA)
    run = read_json(path / "run.json", RUN_SCHEMA)
    tiles_path, fields_path = path / "tiles.parquet", path / "fields" / "fields.json"
    tiles = read_table(tiles_path)[0] if tiles_path.is_file() else None
    fields = read_json(fields_path, "cxpath/fields/1")["fields"] if fields_path.is_file() else ()
    return RunFolder(path, score, run, tiles, tuple(fields))


def read_json(path: Path, schema: str, hint: str = _HINT) -> dict[str, Any]:
    """Return a document of that schema; `hint` says what to do when there is none.

    Raises
    ------
    MissingFileError, RunFolderError
        When there is no such file, or it is none of that schema.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file", hint)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path}: not readable JSON", hint) from error
    found = document.get("schema") if isinstance(document, dict) else None
    if found != schema:
        raise RunFolderError(f"{path}: schema is {found!r}, not {schema!r}", hint)
    return dict(document)
