"""Judging: a clause, a caution or a criterion against one profile, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cxpath.biomarkers.profile import BiomarkerProfile
from cxpath.therapy.caution import Caution, CautionState
from cxpath.therapy.clause import IN_WORDS, Clause
from cxpath.therapy.criterion import Approval, Criterion
from cxpath.therapy.facts import FACTS
from cxpath.therapy.found import Found, by_words, in_words
from cxpath.therapy.pdl1_fact import PDL1_FACTS, find_pdl1
from cxpath.therapy.verdict import Verdict, all_of


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

    def as_dict(self) -> dict[str, Any]:
        """Return the form written into `therapy.json`."""
        value = self.clause.value
        return {
            "fact": self.clause.fact,
            "op": self.clause.op,
            "value": list(value) if isinstance(value, tuple) else value,
            "assay": list(self.clause.assay),
            "edition": self.clause.edition,
            "condition": self.condition,
            "found": self.found.value,
            "found_in_words": self.found.words,
            "verdict": self.verdict.value,
            "settle": self.found.settle,
        }


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

    def as_dict(self) -> dict[str, Any]:
        """Return the form written into `therapy.json`."""
        return {
            "id": self.caution.id,
            "state": self.state.value,
            "fact": self.caution.when.fact,
            "about": self.about,
            "found": self.found.value,
            "found_in_words": self.found.words,
            "flag": self.caution.flag,
            "source": self.caution.source,
            "as_of": self.caution.as_of.isoformat(),
            "certainty": self.caution.certainty.value,
        }


@dataclass(frozen=True)
class CriterionResult:
    """A criterion judged."""

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
        return tuple(dict.fromkeys(one.found.settle for one in self.clauses if one.found.settle))

    @property
    def not_met_because(self) -> tuple[str, ...]:
        """The conditions that are not met, with what was found; or why nothing can be met."""
        if self.verdict is not Verdict.NOT_MET:
            return ()
        if not self.criterion.approval.can_be_met:
            return (self.criterion.reason,)
        failed = [one for one in self.clauses if one.verdict is Verdict.NOT_MET]
        return tuple(f"{one.condition}: found {one.found.words}" for one in failed)


def judge_criterion(
    profile: BiomarkerProfile, criterion: Criterion, cautions: Mapping[str, Sequence[CautionResult]]
) -> CriterionResult:
    """Judge one criterion.

    Parameters
    ----------
    profile : BiomarkerProfile
    criterion : Criterion
    cautions : mapping of str to sequence of CautionResult
        By kind of agents, judged already.
    """
    clauses = tuple(judge_clause(profile, clause) for clause in criterion.clauses)
    if criterion.approval is Approval.UNVERIFIED:
        verdict = Verdict.INDETERMINATE
    elif not criterion.approval.can_be_met:
        verdict = Verdict.NOT_MET
    else:
        verdict = all_of(one.verdict for one in clauses)
    flags = tuple(flag for kind in criterion.cautions for flag in cautions.get(kind, ()))
    return CriterionResult(criterion, verdict, clauses, flags)


def judge_clause(profile: BiomarkerProfile, clause: Clause) -> ClauseResult:
    """Judge one clause; an unknown fact makes it indeterminate."""
    found = find(profile, clause)
    if found.value is None:
        return ClauseResult(clause, found, Verdict.INDETERMINATE)
    number = found.compared if found.compared is not None else found.value
    return ClauseResult(clause, found, Verdict.MET if clause.holds(number) else Verdict.NOT_MET)


def judge_caution(profile: BiomarkerProfile, caution: Caution) -> CautionResult:
    """Judge one caution; an unknown fact is neither raised nor cleared."""
    states = {
        Verdict.MET: CautionState.RAISED,
        Verdict.NOT_MET: CautionState.NOT_RAISED,
        Verdict.INDETERMINATE: CautionState.UNKNOWN,
    }
    judged = judge_clause(profile, caution.when)
    return CautionResult(caution, judged.found, states[judged.verdict])


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
