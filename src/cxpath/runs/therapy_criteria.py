"""Reading the files of therapy criteria, those that travel with cxpath or a lab's own."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from cxpath.therapy.criteria import Criteria, CriteriaFile
from cxpath.therapy.lint import Finding, Severity, lint
from cxpath.values.bundled import bundled
from cxpath.values.errors import CriteriaError, MissingFileError

ORDER = ("us", "eu", "jp", "cn", "negative")
_HINT = "`cxpath therapy lint` lists everything that is wrong"


def criteria_folder() -> Path:
    """Return the folder of the files that travel with cxpath."""
    return bundled("configs") / "therapy"


def read_criteria(folder: Path | None = None) -> Criteria:
    """Read all files of a folder.

    Parameters
    ----------
    folder : Path, optional
        The files that travel with cxpath by default.

    Raises
    ------
    CriteriaError
        When a file cannot be read, or does not pass `lint`.
    MissingFileError
        When the folder holds none.
    """
    documents = read_documents([folder or criteria_folder()])
    errors = [one for one in lint(documents, date.today()) if one.severity is Severity.ERROR]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise CriteriaError(f"{errors[0].file}: {errors[0].entry}: {errors[0].what}{more}", _HINT)
    files = [CriteriaFile.model_validate(document) for document in documents.values()]
    return Criteria(
        tuple(one for file in files for one in file.criterion),
        tuple(one for file in files for one in file.caution),
        tuple(one for file in files for one in file.advice),
    )


def lint_files(paths: Sequence[Path], today: date) -> list[Finding]:
    """Check files or folders of criteria; those that travel with cxpath where none is named."""
    return lint(read_documents(paths or [criteria_folder()]), today)


def read_documents(paths: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Return the content of TOML files by path: jurisdictions in their usual order, then the rest by name.

    Raises
    ------
    CriteriaError, MissingFileError
        When there is nothing to read, or a file is no TOML.
    """
    files = [file for path in paths for file in _files(path)]
    return {str(file): _read(file) for file in files}


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = sorted(path.glob("*.toml"), key=_place) if path.is_dir() else []
    if not found:
        raise MissingFileError(f"{path}: no such file, and no folder with criteria (*.toml)")
    return found


def _place(file: Path) -> tuple[int, str]:
    return (ORDER.index(file.stem) if file.stem in ORDER else len(ORDER), file.name)


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CriteriaError(f"{file}: not readable as TOML: {error}", "correct the file") from error
