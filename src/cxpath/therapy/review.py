"""TherapyReview: every criterion judged for one profile, in the order of the files; never a ranking."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from cxpath.biomarkers.profile import BiomarkerProfile
from cxpath.therapy.caution import Advice
from cxpath.therapy.criteria import Criteria
from cxpath.therapy.judge import CautionResult, CriterionResult, judge_caution, judge_criterion
from cxpath.therapy.verdict import Verdict

SCHEMA = "cxpath/therapy/1"
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

    def as_dict(self) -> dict[str, Any]:
        """Return the content of `therapy.json`, but for the research-use sentence."""
        return {
            "schema": SCHEMA,
            "case": self.profile.case,
            "jurisdictions": list(self.jurisdictions),
            "wording": WORDING,
            "conflicts": list(self.profile.conflicts),
            "criteria": [self._criterion(one) for one in self.results],
            "settling": {settle: list(ids) for settle, ids in self.settling.items()},
        }

    def _criterion(self, result: CriterionResult) -> dict[str, Any]:
        criterion = result.criterion
        return {
            "id": criterion.id,
            "agent": criterion.agent,
            "regimen": criterion.regimen,
            "population": criterion.population,
            "jurisdiction": criterion.jurisdiction,
            "approval": criterion.approval.value,
            "approved_on": criterion.approved_on,
            "trial": criterion.trial,
            "verdict": result.verdict.value,
            "clauses": [clause.as_dict() for clause in result.clauses],
            "not_met_because": list(result.not_met_because),
            "missing": list(result.missing),
            "cautions": [caution.as_dict() for caution in result.cautions],
            "advice": [one.text for one in self.advice_for(result)],
            "notes": list(criterion.notes),
            "source": criterion.source,
            "as_of": criterion.as_of.isoformat(),
            "certainty": criterion.certainty.value,
            "certainty_note": criterion.certainty_note,
        }


def review_therapy(
    profile: BiomarkerProfile, criteria: Criteria, jurisdictions: tuple[str, ...]
) -> TherapyReview:
    """Judge every criterion of the jurisdictions, and those that hold anywhere.

    Parameters
    ----------
    profile : BiomarkerProfile
    criteria : Criteria
    jurisdictions : tuple of str
        Of us, eu, jp, cn.
    """
    flags: dict[str, list[CautionResult]] = defaultdict(list)
    for caution in criteria.cautions:
        flags[caution.agents].append(judge_caution(profile, caution))
    kept = criteria.of(jurisdictions)
    results = tuple(judge_criterion(profile, one, flags) for one in kept.criteria)
    return TherapyReview(profile, jurisdictions, results, kept.advice)
