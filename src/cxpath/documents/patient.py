"""`therapy.json` and `tmb.json`: criteria evaluated for one patient, and the mutational burden of samples."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from typing import ClassVar, Literal

from pydantic import Field, JsonValue, field_serializer, field_validator

from cxpath.documents.base import Document, Part
from cxpath.patient import (
    LEVEL,
    WORDING,
    Approval,
    BiomarkerProfile,
    Burden,
    CautionResult,
    CautionState,
    Certainty,
    ClauseResult,
    CriterionResult,
    Scalar,
    TherapyReview,
    Verdict,
    profile_from,
)
from cxpath.version import __version__

# `therapy.json`: criteria evaluated for one patient, with every condition, what was found and the source.


class ClauseEntry(Part):
    """A condition with what was found."""

    fact: str
    op: str
    value: Scalar | tuple[str, ...]
    assay: tuple[str, ...]
    edition: str | None
    condition: str
    found: Scalar | None
    """Null: unknown."""
    found_in_words: str
    verdict: Verdict
    settle: str

    @classmethod
    def of_result(cls, result: ClauseResult) -> ClauseEntry:
        """Return the entry of an evaluated condition."""
        return cls(
            fact=result.clause.fact,
            op=result.clause.op,
            value=result.clause.value,
            assay=result.clause.assay,
            edition=result.clause.edition,
            condition=result.condition,
            found=result.found.value,
            found_in_words=result.found.words,
            verdict=result.verdict,
            settle=result.found.settle,
        )


class CautionEntry(Part):
    """A caution with the patient's fact."""

    id: str
    state: CautionState
    fact: str
    about: str
    found: Scalar | None
    found_in_words: str
    flag: str
    source: str
    as_of: date
    certainty: Certainty

    @classmethod
    def of_result(cls, result: CautionResult) -> CautionEntry:
        """Return the entry of an evaluated caution."""
        return cls(
            id=result.caution.id,
            state=result.state,
            fact=result.caution.when.fact,
            about=result.about,
            found=result.found.value,
            found_in_words=result.found.words,
            flag=result.caution.flag,
            source=result.caution.source,
            as_of=result.caution.as_of,
            certainty=result.caution.certainty,
        )


class CriterionEntry(Part):
    """A criterion, evaluated."""

    id: str
    agent: str
    regimen: str
    population: str
    jurisdiction: str
    approval: Approval
    approved_on: str
    trial: str
    verdict: Verdict
    clauses: tuple[ClauseEntry, ...]
    not_met_because: tuple[str, ...]
    missing: tuple[str, ...]
    """What would settle it."""
    cautions: tuple[CautionEntry, ...]
    advice: tuple[str, ...]
    notes: tuple[str, ...]
    source: str
    verified: bool
    """Whether the whole wording of its label or guideline was read; what was not is never met."""
    as_of: date
    certainty: Certainty
    certainty_note: str

    @classmethod
    def of_result(cls, result: CriterionResult, review: TherapyReview) -> CriterionEntry:
        """Return the entry of an evaluated criterion."""
        criterion = result.criterion
        return cls(
            id=criterion.id,
            agent=criterion.agent,
            regimen=criterion.regimen,
            population=criterion.population,
            jurisdiction=criterion.jurisdiction,
            approval=criterion.approval,
            approved_on=criterion.approved_on,
            trial=criterion.trial,
            verdict=result.verdict,
            clauses=tuple(map(ClauseEntry.of_result, result.clauses)),
            not_met_because=result.not_met_because,
            missing=result.missing,
            cautions=tuple(map(CautionEntry.of_result, result.cautions)),
            advice=tuple(one.text for one in review.advice_for(result)),
            notes=criterion.notes,
            source=criterion.source,
            verified=criterion.verified,
            as_of=criterion.as_of,
            certainty=criterion.certainty,
            certainty_note=criterion.certainty_note,
        )


class TherapyProvenance(Part):
    """What the review was made with, and when."""

    cxpath: str
    reviewed_on: date
    criteria_digest: str


class TherapyDocument(Document):
    """A review of therapy criteria; in the order of the files, never a ranking."""

    HINT: ClassVar[str] = "review the profile again with cxpath therapy review"

    schema_name: Literal["cxpath/therapy/1"] = Field(default="cxpath/therapy/1", alias="schema")
    case: str | None
    jurisdictions: tuple[str, ...]
    wording: str
    """What "met" means."""
    conflicts: tuple[str, ...]
    criteria: tuple[CriterionEntry, ...]
    settling: Mapping[str, tuple[str, ...]]
    """What would settle which criteria."""
    profile: BiomarkerProfile
    provenance: TherapyProvenance

    @classmethod
    def of_review(cls, review: TherapyReview, on: date) -> TherapyDocument:
        """Return the document of a review made on a day."""
        return cls(
            case=review.profile.case,
            jurisdictions=review.jurisdictions,
            wording=WORDING,
            conflicts=review.profile.conflicts,
            criteria=tuple(CriterionEntry.of_result(one, review) for one in review.results),
            settling=review.settling,
            profile=review.profile,
            provenance=TherapyProvenance(
                cxpath=__version__, reviewed_on=on, criteria_digest=_criteria_digest(review)
            ),
        )

    @field_validator("profile", mode="before")
    @classmethod
    def _as_a_profile_is_read(cls, stated: object) -> object:
        """Read it as the profile's own file is read: its fields understand more than one form."""
        return profile_from(stated) if isinstance(stated, Mapping) else stated

    @field_serializer("profile")
    def _what_is_known(self, profile: BiomarkerProfile) -> dict[str, JsonValue]:
        return profile.model_dump(mode="json", by_alias=True, exclude_none=True)


def _criteria_digest(review: TherapyReview) -> str:
    content = [one.criterion.model_dump(mode="json") for one in review.results]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


# `tmb.json`: the mutational burden of one sample, or of every sample of a file.


class FunnelEntry(Part):
    """What one filter left of the variants; see `FunnelStep`."""

    step: str
    left: int
    removed: int
    unknown: int
    applied: bool
    why_not: str


class SampleBurden(Part):
    """The burden of one sample; see `Burden`."""

    sample: str
    preset: str
    method: str
    value: float
    interval: tuple[float, float]
    level: float
    variants: int
    megabases: float
    funnel: tuple[FunnelEntry, ...]
    not_applied: tuple[str, ...]
    not_reproduced: tuple[str, ...]
    warnings: tuple[str, ...]
    source: str
    as_of: str
    certainty: str

    @classmethod
    def of_burden(cls, burden: Burden) -> SampleBurden:
        """Return the entry of a burden."""
        preset = burden.preset
        return cls(
            sample=burden.sample,
            preset=preset.name,
            method=preset.title,
            value=burden.value,
            interval=burden.interval,
            level=LEVEL,
            variants=burden.variants,
            megabases=burden.megabases,
            funnel=tuple(map(FunnelEntry.of, burden.funnel)),
            not_applied=tuple(step.step for step in burden.funnel if not step.applied),
            not_reproduced=preset.not_reproduced,
            warnings=burden.warnings,
            source=preset.source,
            as_of=preset.as_of,
            certainty=preset.certainty,
        )


class TmbDocument(SampleBurden, Document):
    """The burden of one sample."""

    HINT: ClassVar[str] = "run cxpath tmb again"

    schema_name: Literal["cxpath/tmb/1"] = Field(default="cxpath/tmb/1", alias="schema")
    cxpath: str


class TmbTable(Document):
    """The burdens of several samples."""

    HINT: ClassVar[str] = "run cxpath tmb again"

    schema_name: Literal["cxpath/tmb/1"] = Field(default="cxpath/tmb/1", alias="schema")
    cxpath: str
    samples: tuple[SampleBurden, ...]
