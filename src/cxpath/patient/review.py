"""Compare a profile with criteria: met, not met or indeterminate; and check files of criteria beforehand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from cxpath.data import Settings
from cxpath.patient.criteria import (
    APPROVALS,
    IN_WORDS,
    Advice,
    Approval,
    Caution,
    CautionState,
    Clause,
    Criteria,
    Criterion,
    Found,
    Source,
    SourceKind,
    Verdict,
    all_of,
    by_words,
    in_words,
)
from cxpath.patient.facts import FACTS, PDL1_FACTS, find_pdl1
from cxpath.patient.profile import BiomarkerProfile

# Evaluating: a clause, a caution or a criterion against one profile, each with its reason.


@dataclass(frozen=True)
class ClauseResult:
    """A clause with what was found."""

    clause: Clause
    found: Found
    verdict: Verdict

    @property
    def condition(self) -> str:
        """The condition in words."""
        return self.clause.words or condition_in_words(self.clause)


@dataclass(frozen=True)
class CautionResult:
    """A caution with the patient's fact."""

    caution: Caution
    found: Found
    state: CautionState

    @property
    def about(self) -> str:
        """The fact in words."""
        return label_of(self.caution.when)


@dataclass(frozen=True)
class CriterionResult:
    """A criterion evaluated."""

    criterion: Criterion
    verdict: Verdict
    clauses: tuple[ClauseResult, ...]
    cautions: tuple[CautionResult, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """What would settle an indeterminate verdict; empty where facts cannot change it."""
        if self.verdict is not Verdict.INDETERMINATE:
            return ()
        if self.criterion.approval is Approval.UNVERIFIED:
            return (self.criterion.reason,)
        facts = (one.found.settle for one in self.clauses if one.found.settle)
        return tuple(dict.fromkeys([*facts, *self.criterion.open_points]))

    @property
    def not_met_because(self) -> tuple[str, ...]:
        """The conditions that are not met, with what was found; or why nothing can be met."""
        if self.verdict is not Verdict.NOT_MET:
            return ()
        if not self.criterion.approval.can_be_met:
            return (self.criterion.reason,)
        failed = [one for one in self.clauses if one.verdict is Verdict.NOT_MET]
        return tuple(f"{one.condition}: found {one.found.words}" for one in failed)


def evaluate_criterion(
    profile: BiomarkerProfile, criterion: Criterion, cautions: Mapping[str, Sequence[CautionResult]]
) -> CriterionResult:
    """Evaluate one criterion.

    Parameters
    ----------
    profile : BiomarkerProfile
    criterion : Criterion
    cautions : mapping of str to sequence of CautionResult
        By kind of agents, evaluated already.
    """
    clauses = tuple(evaluate_clause(profile, clause) for clause in criterion.clauses)
    if criterion.approval is Approval.UNVERIFIED:
        verdict = Verdict.INDETERMINATE
    elif not criterion.approval.can_be_met:
        verdict = Verdict.NOT_MET
    else:
        verdict = all_of(one.verdict for one in clauses)
        if verdict is Verdict.MET and not criterion.verified:
            verdict = Verdict.INDETERMINATE
    flags = tuple(flag for kind in criterion.cautions for flag in cautions.get(kind, ()))
    return CriterionResult(criterion, verdict, clauses, flags)


def evaluate_clause(profile: BiomarkerProfile, clause: Clause) -> ClauseResult:
    """Evaluate one clause; an unknown fact makes it indeterminate."""
    found = find(profile, clause)
    if found.value is None:
        return ClauseResult(clause, found, Verdict.INDETERMINATE)
    number = found.compared if found.compared is not None else found.value
    return ClauseResult(clause, found, Verdict.MET if clause.is_met_by(number) else Verdict.NOT_MET)


def evaluate_caution(profile: BiomarkerProfile, caution: Caution) -> CautionResult:
    """Evaluate one caution; an unknown fact is neither raised nor cleared."""
    states = {
        Verdict.MET: CautionState.RAISED,
        Verdict.NOT_MET: CautionState.NOT_RAISED,
        Verdict.INDETERMINATE: CautionState.UNKNOWN,
    }
    evaluated = evaluate_clause(profile, caution.when)
    return CautionResult(caution, evaluated.found, states[evaluated.verdict])


def find(profile: BiomarkerProfile, clause: Clause) -> Found:
    """Look a clause's fact up in the profile."""
    if clause.fact in PDL1_FACTS:
        return find_pdl1(profile, clause)
    return FACTS[clause.fact].read(profile, clause)


def is_known_fact(name: str) -> bool:
    """Say whether there is a fact of that name."""
    return name in FACTS or name in PDL1_FACTS


def label_of(clause: Clause) -> str:
    """Return a fact's words."""
    return PDL1_FACTS.get(clause.fact) or FACTS[clause.fact].label


def condition_in_words(clause: Clause) -> str:
    """Return "CPS ≥ 1 by 22C3"."""
    label = label_of(clause)
    by = f" by {' or '.join(map(by_words, clause.assay))}" if clause.assay else ""
    by += f" by {clause.edition}" if clause.edition else ""
    if isinstance(clause.value, bool):
        return f"{label}{by}" if clause.value else f"no {label}{by}"
    shown = clause.value if isinstance(clause.value, tuple) else (clause.value,)
    values = ", ".join(in_words(value) for value in shown)
    return f"{label} {IN_WORDS[clause.op]} {values}{by}"


# TherapyReview: every criterion evaluated for one profile, in the order of the files; never a ranking.


WORDING = (
    "Criteria met here are met in the cited source, given the stated facts; each needs confirmation "
    "by a pathologist with an approved assay and by the board. Nothing here is ranked or recommended."
)


@dataclass(frozen=True)
class TherapyReview:
    """What the criteria say about one patient."""

    profile: BiomarkerProfile
    jurisdictions: tuple[str, ...]
    results: tuple[CriterionResult, ...]
    advice: tuple[Advice, ...]

    def of(self, verdict: Verdict) -> tuple[CriterionResult, ...]:
        """Return the criteria with that verdict."""
        return tuple(one for one in self.results if one.verdict is verdict)

    def by_id(self, name: str) -> CriterionResult:
        """Return one criterion's result.

        Raises
        ------
        KeyError
            When there is none of that id.
        """
        for one in self.results:
            if one.criterion.id == name:
                return one
        raise KeyError(name)

    def advice_for(self, result: CriterionResult) -> tuple[Advice, ...]:
        """Return what goes with a criterion's agents, whoever the patient is."""
        return tuple(one for one in self.advice if one.agents in result.criterion.cautions)

    @property
    def settling(self) -> dict[str, tuple[str, ...]]:
        """What test or fact would help to settle which criteria, by what would."""
        wanted: dict[str, list[str]] = defaultdict(list)
        for one in self.results:
            if one.criterion.approval.can_be_met:
                for settle in one.missing:
                    wanted[settle].append(one.criterion.id)
        return {settle: tuple(ids) for settle, ids in wanted.items()}


def review_therapy(
    profile: BiomarkerProfile, criteria: Criteria, jurisdictions: tuple[str, ...]
) -> TherapyReview:
    """Evaluate every criterion of the jurisdictions, and those that apply anywhere.

    Parameters
    ----------
    profile : BiomarkerProfile
    criteria : Criteria
    jurisdictions : tuple of str
        Of us, eu, jp, cn.
    """
    flags: dict[str, list[CautionResult]] = defaultdict(list)
    for caution in criteria.cautions:
        flags[caution.agents].append(evaluate_caution(profile, caution))
    kept = criteria.of(jurisdictions)
    results = tuple(evaluate_criterion(profile, one, flags) for one in kept.criteria)
    return TherapyReview(profile, jurisdictions, results, kept.advice)


# Checking files of criteria before anybody relies on them: sources, dates, certainty, age, names.

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
            if "id" not in entry:
                continue
            name = str(entry["id"])
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
        yield Severity.ERROR, "has no condition: every patient would meet it"
    for kind in criterion.cautions:
        if kind not in kinds:
            yield Severity.ERROR, f"cautions: there is none for {kind!r}"
    for clause in criterion.clauses:
        yield from _clause(clause)


def _clause(clause: Clause) -> Iterator[tuple[Severity, str]]:
    if not is_known_fact(clause.fact):
        yield Severity.ERROR, f"there is no fact {clause.fact!r}"
