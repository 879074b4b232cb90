"""Checking files of criteria before anybody relies on them: sources, dates, certainty, age, names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from cxpath.data.settings import Settings
from cxpath.patient.criteria import APPROVALS, Advice, Caution, Clause, Criterion
from cxpath.patient.review import is_known_fact

STALE_AFTER = timedelta(days=365)
REQUIRED = ("source", "as_of", "certainty")
_MODELS: Mapping[str, type[Settings]] = {"criterion": Criterion, "caution": Caution, "advice": Advice}


class Severity(StrEnum):
    """An error fails the check; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and where."""

    severity: Severity
    file: str
    entry: str
    what: str

    def as_dict(self) -> dict[str, str]:
        """Return the form that `--json` prints."""
        return {
            "severity": self.severity.value,
            "file": self.file,
            "entry": self.entry,
            "what": self.what,
        }


def lint(documents: Mapping[str, Mapping[str, Any]], today: date) -> list[Finding]:
    """Check raw files of criteria.

    Parameters
    ----------
    documents : mapping of str to mapping
        The content of each TOML file, by name.
    today : date

    Returns
    -------
    list of Finding
        Empty when all is well.
    """
    found = _ids_twice(documents)
    kinds = {entry.get("agents") for document in documents.values() for entry in _list(document, "caution")}
    for file, document in documents.items():
        for table in document:
            if table not in _MODELS:
                found.append(Finding(Severity.ERROR, file, table, "no such table"))
        for table in _MODELS:
            for number, entry in enumerate(_list(document, table), start=1):
                name = str(entry.get("id") or f"{table} {number}")
                found += [Finding(s, file, name, what) for s, what in _entry(table, entry, today, kinds)]
    return found


def _list(document: Mapping[str, Any], table: str) -> Sequence[Mapping[str, Any]]:
    entries = document.get(table, ())
    return entries if isinstance(entries, list) else ()


def _ids_twice(documents: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    found, seen = [], dict[str, str]()
    for file, document in documents.items():
        for entry in (*_list(document, "criterion"), *_list(document, "caution")):
            name = str(entry.get("id"))
            if name in seen:
                found.append(Finding(Severity.ERROR, file, name, f"id stands twice, first in {seen[name]}"))
            seen.setdefault(name, file)
    return found


def _entry(
    table: str, entry: Mapping[str, Any], today: date, kinds: set[Any]
) -> Iterator[tuple[Severity, str]]:
    lacking = [key for key in REQUIRED if not str(entry.get(key, "")).strip()]
    if lacking:
        yield from ((Severity.ERROR, f"has no {key}") for key in lacking)
        return
    try:
        parsed = _MODELS[table].model_validate(entry)
    except ValidationError as error:
        for one in error.errors():
            yield Severity.ERROR, f"{'.'.join(map(str, one['loc'])) or table}: {one['msg']}"
        return
    if isinstance(parsed, Criterion | Caution | Advice):
        if parsed.as_of > today:
            yield Severity.WARNING, f"as_of {parsed.as_of} lies in the future"
        if today - parsed.as_of > STALE_AFTER:
            yield Severity.WARNING, f"as_of {parsed.as_of} is older than a year: verify it again"
    if isinstance(parsed, Criterion):
        yield from _criterion(parsed, kinds)
    if isinstance(parsed, Caution):
        yield from _clause(parsed.when)


def _criterion(criterion: Criterion, kinds: set[Any]) -> Iterator[tuple[Severity, str]]:
    if criterion.approval in APPROVALS and not criterion.approved_on:
        yield Severity.ERROR, 'has no approved_on (say "unknown" where the source does not state it)'
    if criterion.approval.can_be_met and not criterion.clauses:
        yield Severity.ERROR, "has no condition: everybody would meet it"
    for kind in criterion.cautions:
        if kind not in kinds:
            yield Severity.ERROR, f"cautions: there is none for {kind!r}"
    for clause in criterion.clauses:
        yield from _clause(clause)


def _clause(clause: Clause) -> Iterator[tuple[Severity, str]]:
    if not is_known_fact(clause.fact):
        yield Severity.ERROR, f"there is no fact {clause.fact!r}"
