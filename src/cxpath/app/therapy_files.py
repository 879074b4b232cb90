"""The files of a therapy review: a patient's profile, and the criteria, cxpath's or a lab's own."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from cxpath.data import bundled, parse_toml
from cxpath.errors import (
    ConfigurationError,
    CriteriaError,
    MissingFileError,
    OutputError,
    ProfileError,
)
from cxpath.io import atomic_write, contains_half_characters
from cxpath.patient import (
    HINT,
    JURISDICTIONS,
    BiomarkerProfile,
    Criteria,
    CriteriaFile,
    Finding,
    Severity,
    Source,
    condition_in_words,
    profile_from,
)
from cxpath.patient.lint import lint

# A patient's profile, read from TOML or JSON, or begun from the commented template.


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
    profile = profile_from(_content(path), path)
    for number, score in enumerate(profile.pdl1):
        if score.confirmed_on is not None and score.confirmed_on > date.today():
            raise ProfileError(
                f"{path}: pdl1.{number}.confirmed_on: {score.confirmed_on} lies in the future",
                "state the day on which the score was confirmed",
            )
    return profile


def write_template(path: Path, jurisdictions: Sequence[str] = ()) -> None:
    """Write the commented template; an existing file is not replaced.

    Parameters
    ----------
    path : Path
    jurisdictions : sequence of str
        Stated in it, where there are any.

    Raises
    ------
    OutputError
        When the file is there already, or cannot be written.
    """
    if path.exists():
        raise OutputError(f"{path}: is there already", "choose another name")
    with atomic_write(path) as partial:
        partial.write_text(_for(known_jurisdictions(jurisdictions)), encoding="utf-8")


def _for(jurisdictions: Sequence[str]) -> str:
    """Return the template with its line of jurisdictions stated."""
    if not jurisdictions:
        return template()
    stated = f"jurisdictions = {json.dumps(list(jurisdictions))}"
    return "\n".join(
        stated if line.startswith("# jurisdictions = ") else line for line in template().splitlines()
    )


def template() -> str:
    """Return the template's text: every field, each with what it means, all of them unknown."""
    return (bundled("configs") / "profile" / "template.toml").read_text(encoding="utf-8")


def _content(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file", HINT)
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = json.loads(text) if path.suffix.lower() == ".json" else parse_toml(text)
    except (OSError, ValueError, RecursionError) as error:  # JSON, too, may be nested too deeply
        raise ProfileError(f"{path}: not readable: {error}", HINT) from error
    if contains_half_characters(text.encode()):
        raise ProfileError(f"{path}: a text of it contains half a character (such as \\ud800)", HINT)
    if not isinstance(content, dict):
        raise ProfileError(f"{path}: contains no table of fields", HINT)
    return content


# Therapy criteria.

ORDER = ("us", "eu", "jp", "cn", "negative")
_CRITERIA_HINT = "`cxpath therapy lint` lists everything that is wrong"


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
        When the folder contains none.
    """
    documents = read_documents([folder or criteria_folder()])
    shipped = read_sources()
    errors = [one for one in lint(documents, date.today(), shipped) if one.severity is Severity.ERROR]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise CriteriaError(f"{errors[0].file}: {errors[0].entry}: {errors[0].what}{more}", _CRITERIA_HINT)
    read = [CriteriaFile.model_validate(document) for document in documents.values()]
    sources = {one.id: one for one in (*shipped, *(one for file in read for one in file.source))}
    files = [file.citing(sources) for file in read]
    return Criteria(
        tuple(one for file in files for one in file.criterion),
        tuple(one for file in files for one in file.caution),
        tuple(one for file in files for one in file.advice),
    )


def read_sources() -> tuple[Source, ...]:
    """Return the sources that travel with cxpath; a lab's own criteria may cite them, too."""
    return CriteriaFile.model_validate(_read(criteria_folder() / "sources.toml")).source


def explain_criterion(name: str, folder: Path | None = None) -> tuple[dict[str, Any], list[str]]:
    """Return a criterion with its conditions, cautions and sources: as data, and in lines.

    Raises
    ------
    ConfigurationError
        When there is none of that id.
    """
    criteria = read_criteria(folder)
    found = next((one for one in criteria.criteria if one.id == name), None)
    if found is None:
        close = difflib.get_close_matches(name, [one.id for one in criteria.criteria], n=3)
        raise ConfigurationError(
            f"there is no criterion {name!r}",
            f"did you mean {' or '.join(close)}?" if close else _CRITERIA_HINT,
        )
    cautions = [one for one in criteria.cautions if one.agents in found.cautions]
    lines = [
        f"{found.id}: {found.regimen}",
        f"for      {found.population}",
        f"status   {found.jurisdiction.upper()}, {found.approval.value}, {found.approved_on or 'no date'}",
        f"trial    {found.trial or 'none'}",
        *(f"asks     {condition_in_words(clause)}" for clause in found.clauses),
        *(f"open     {point}" for point in found.open_points if found.approval.can_be_met),
        *([f"reason   {found.reason}"] if found.reason else []),
        *(f"note     {note}" for note in found.notes),
        *(f"caution  {one.flag} ({one.agents.replace('_', ' ')})" for one in cautions),
        *(f"source   {source.citation}" for source in found.cited),
        f"as of    {found.as_of}; {found.certainty.value}",
    ]
    return found.model_dump(mode="json"), lines


def lint_files(paths: Sequence[Path], today: date) -> list[Finding]:
    """Check files or folders of criteria; those that travel with cxpath where none is named."""
    return lint(read_documents(paths or [criteria_folder()]), today, read_sources())


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
        content = parse_toml(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CriteriaError(f"{file}: not readable as TOML: {error}", "correct the file") from error
    for name, entries in content.items():
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise CriteriaError(f"{file}: {name} is no list of tables", f"begin each entry with [[{name}]]")
    return content


def known_jurisdictions(names: Sequence[str]) -> tuple[str, ...]:
    """Return the jurisdictions, each once; "all" stands for every one.

    Raises
    ------
    ConfigurationError
        When one is unknown.
    """
    if "all" in names:
        return JURISDICTIONS
    for place in names:
        if place not in JURISDICTIONS:
            raise ConfigurationError(
                f"jurisdiction {place!r} is not known", f"known jurisdictions: {', '.join(JURISDICTIONS)}"
            )
    return tuple(dict.fromkeys(names))
