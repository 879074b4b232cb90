"""Compare a profile with criteria: met, not met or indeterminate, and what would settle it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cxpath.patient.criteria import (
    IN_WORDS,
    Advice,
    Approval,
    Caution,
    CautionState,
    Clause,
    Criteria,
    Criterion,
    Found,
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
    "Criteria met here are met in the cited source as far as the stated facts go; each needs confirmation "
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
