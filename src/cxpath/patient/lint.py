"""Checking files of criteria before anybody relies on them: sources, dates, certainty, age, names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from cxpath.data import Settings
from cxpath.patient.criteria import (
    APPROVALS,
    Advice,
    Approval,
    Caution,
    Clause,
    Criterion,
    Source,
    SourceKind,
)
from cxpath.patient.review import is_known_fact

STALE_AFTER = timedelta(days=365)
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "criterion": ("sources", "as_of", "certainty"),
    "caution": ("as_of", "certainty"),
    "advice": ("as_of", "certainty"),
    "source": ("address", "accessed", "read"),
}
UNVERIFIED_REQUIRED = ("as_of", "certainty")
"""Of a criterion of which nothing could be read: it says so, and is never met."""
_MODELS: Mapping[str, type[Settings]] = {
    "criterion": Criterion,
    "caution": Caution,
    "advice": Advice,
    "source": Source,
}


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


def lint(
    documents: Mapping[str, Mapping[str, Any]], today: date, shipped: Iterable[Source] = ()
) -> list[Finding]:
    """Check raw files of criteria.

    Parameters
    ----------
    documents : mapping of str to mapping
        The content of each TOML file, by name.
    today : date
    shipped : iterable of Source
        Sources that may be cited besides those of the files.

    Returns
    -------
    list of Finding
        Empty when all is well.
    """
    found = _ids_twice(documents)
    known = {one.id: one for one in (*shipped, *_sources(documents))}
    kinds = {
        str(entry.get("agents")) for document in documents.values() for entry in _list(document, "caution")
    }
    for file, document in documents.items():
        for table in document:
            if table not in _MODELS:
                found.append(Finding(Severity.ERROR, file, table, "no such table"))
        for table in _MODELS:
            for number, entry in enumerate(_list(document, table), start=1):
                name = str(entry.get("id") or f"{table} {number}")
                found += [
                    Finding(s, file, name, what) for s, what in _entry(table, entry, today, kinds, known)
                ]
    return found


def _list(document: Mapping[str, Any], table: str) -> Sequence[Mapping[str, Any]]:
    entries = document.get(table, ())
    return entries if isinstance(entries, list) else ()


def _sources(documents: Mapping[str, Mapping[str, Any]]) -> Iterator[Source]:
    """Yield the sources that are well formed; the others are found faulty entry by entry."""
    for document in documents.values():
        for entry in _list(document, "source"):
            try:
                yield Source.model_validate(entry)
            except ValidationError:
                continue


def _ids_twice(documents: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    found, seen = [], dict[str, str]()
    for file, document in documents.items():
        for entry in (
            entry for table in ("criterion", "caution", "source") for entry in _list(document, table)
        ):
            name = str(entry.get("id"))
            if name in seen:
                found.append(Finding(Severity.ERROR, file, name, f"id occurs twice, first in {seen[name]}"))
            seen.setdefault(name, file)
    return found


def _entry(
    table: str, entry: Mapping[str, Any], today: date, kinds: set[Any], known: Mapping[str, Source]
) -> Iterator[tuple[Severity, str]]:
    required = UNVERIFIED_REQUIRED if entry.get("approval") == Approval.UNVERIFIED else REQUIRED[table]
    lacking = [key for key in required if not entry.get(key) or not str(entry[key]).strip()]
    if "cited" in entry:
        yield Severity.ERROR, "cited: extra inputs are not permitted"
    if lacking:
        yield from ((Severity.ERROR, f"has no {key}") for key in lacking)
        return
    try:
        parsed = _MODELS[table].model_validate(entry)
    except ValidationError as error:
        for one in error.errors():
            yield Severity.ERROR, f"{'.'.join(map(str, one['loc'])) or table}: {one['msg']}"
        return
    if isinstance(parsed, Source):
        yield from _age("accessed", parsed.accessed, today)
        yield from _source(parsed)
    if isinstance(parsed, Criterion | Caution | Advice):
        yield from _age("as_of", parsed.as_of, today)
        unknown = [name for name in parsed.sources if name not in known]
        yield from ((Severity.ERROR, f"sources: there is no [[source]] {name!r}") for name in unknown)
    if isinstance(parsed, Criterion):
        yield from _criterion(parsed, kinds)
        yield from _references(parsed, [known[name] for name in parsed.sources if name in known])
    if isinstance(parsed, Caution):
        yield from _clause(parsed.when)


def _age(name: str, day: date, today: date) -> Iterator[tuple[Severity, str]]:
    if day > today:
        yield Severity.WARNING, f"{name} {day} lies in the future"
    if today - day > STALE_AFTER:
        yield Severity.WARNING, f"{name} {day} is older than a year: verify it again"


def _source(source: Source) -> Iterator[tuple[Severity, str]]:
    if source.kind in {SourceKind.LABEL, SourceKind.GUIDELINE} and not source.revision:
        yield (
            Severity.ERROR,
            'has no revision month or version (say "not stated" where what was read has none)',
        )
    if source.kind is SourceKind.TRIAL and not source.is_identified:
        yield Severity.ERROR, "a trial needs its registry number, DOI or PMID"
    if not source.read.is_complete and not source.note:
        yield Severity.ERROR, "was not read in full: a note must say what is missing"


def _references(criterion: Criterion, cited: Sequence[Source]) -> Iterator[tuple[Severity, str]]:
    """Check that what can be met cites its label or guideline, and a trial or paper that can be looked up."""
    if not criterion.approval.can_be_met:
        return
    kinds = {source.kind for source in cited}
    if kinds.isdisjoint({SourceKind.LABEL, SourceKind.GUIDELINE}):
        yield Severity.ERROR, "cites no product label or guideline"
    rests_on_trial = criterion.approval is not Approval.GUIDELINE or criterion.trial
    if rests_on_trial and not any(source.is_identified for source in cited):
        yield Severity.ERROR, "cites no registry number, DOI or PMID"


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
