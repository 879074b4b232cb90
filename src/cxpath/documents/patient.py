"""`therapy.json` and `tmb.json`: criteria evaluated for one patient, and the mutational burden of samples."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from typing import ClassVar, Literal

from pydantic import Field, JsonValue, field_serializer, field_validator

from cxpath import __version__
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

# `therapy.json`: criteria evaluated for one patient, with every condition, what was found and the source.


class ClauseEntry(Part):
    """A condition with what was found."""

    fact: str
    """The fact that it is about."""
    op: str
    """The operator: `>=`, `>`, `<`, `is`, `in` or `not_in`."""
    value: Scalar | tuple[str, ...]
    """What the fact is compared with."""
    assay: tuple[str, ...]
    """Assays or scoring systems whose result counts; empty for any."""
    edition: str | None
    """Edition of the staging system; null for any."""
    condition: str
    """The condition in words."""
    found: Scalar | None
    """What the profile says; null is unknown."""
    found_in_words: str
    """The same in words."""
    verdict: Verdict
    """`met`, `not_met` or `indeterminate`."""
    settle: str
    """What would settle an indeterminate condition."""

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
    """Id of the caution."""
    state: CautionState
    """`raised`, `not_raised` or `unknown`."""
    fact: str
    """The fact that raises it."""
    about: str
    """What it is about."""
    found: Scalar | None
    """What the profile says; null is unknown."""
    found_in_words: str
    """The same in words."""
    flag: str
    """What is shown where it is raised."""
    source: str
    """Its source."""
    as_of: date
    """When the source was read."""
    certainty: Certainty
    """How certain the entry is."""

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
    """Id of the criterion."""
    agent: str
    """The agent."""
    regimen: str
    """The regimen."""
    population: str
    """Whom the criterion applies to, in words."""
    jurisdiction: str
    """`us`, `eu`, `jp`, `cn` or `any`."""
    approval: Approval
    """`regular`, `accelerated`, `approved`, `guideline`, `none`, `negative` or `unverified`."""
    approved_on: str
    """Date of the approval; empty without one."""
    trial: str
    """The trial behind it."""
    verdict: Verdict
    """`met`, `not_met` or `indeterminate`."""
    clauses: tuple[ClauseEntry, ...]
    """Its conditions, each with what was found."""
    not_met_because: tuple[str, ...]
    """Conditions that are not met."""
    missing: tuple[str, ...]
    """What would settle it."""
    cautions: tuple[CautionEntry, ...]
    """Its cautions, each with what was found."""
    advice: tuple[str, ...]
    """What to know before acting on the verdict."""
    notes: tuple[str, ...]
    """Notes of the file."""
    source: str
    """Its source."""
    verified: bool
    """Whether the whole wording of its label or guideline was read; what was not is never met."""
    as_of: date
    """When the source was read."""
    certainty: Certainty
    """How certain the entry is."""
    certainty_note: str
    """Why it is no more certain."""

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
    """Version of cxpath."""
    reviewed_on: date
    """Day of the review."""
    criteria_digest: str
    """SHA-256 of the criteria."""


class TherapyDocument(Document):
    """A review of therapy criteria; in the order of the files, never a ranking."""

    HINT: ClassVar[str] = "review the profile again with cxpath therapy review"

    schema_name: Literal["cxpath/therapy/1"] = Field(default="cxpath/therapy/1", alias="schema")
    case: str | None
    """The profile's pseudonym; null without one."""
    jurisdictions: tuple[str, ...]
    """Which jurisdictions were reviewed. Criteria of `any` are always included."""
    wording: str
    """What "met" means."""
    conflicts: tuple[str, ...]
    """What in the profile contradicts itself."""
    criteria: tuple[CriterionEntry, ...]
    """Every criterion, in the order of the files; this is no ranking."""
    settling: Mapping[str, tuple[str, ...]]
    """For each fact that is unknown, the criteria that it would settle."""
    profile: BiomarkerProfile
    """What was known; unknown fields are left out."""
    provenance: TherapyProvenance
    """What made the review."""

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
    """The filter."""
    left: int
    """Variants left after it."""
    removed: int
    """Variants that it removed."""
    unknown: int
    """Variants kept because the file says nothing about them."""
    applied: bool
    """Whether it was applied."""
    why_not: str
    """Why it was not applied."""


class SampleBurden(Part):
    """The burden of one sample; see `Burden`."""

    sample: str
    """Name of the sample."""
    preset: str
    """Name of the preset."""
    method: str
    """The method in words, always "-like"."""
    value: float
    """Counted variants per megabase."""
    interval: tuple[float, float]
    """Exact Poisson interval of it."""
    level: float
    """Coverage of the interval."""
    variants: int
    """Counted variants."""
    megabases: float
    """Megabases they are divided by."""
    funnel: tuple[FunnelEntry, ...]
    """Every filter in order."""
    not_applied: tuple[str, ...]
    """Filters whose field the file lacks."""
    not_reproduced: tuple[str, ...]
    """What the published method does and this does not."""
    warnings: tuple[str, ...]
    """What a reader must know before using the number."""
    source: str
    """Source of the preset."""
    as_of: str
    """When the source was read."""
    certainty: str
    """How certain the preset is."""

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
    """Version of cxpath."""


class TmbTable(Document):
    """The burdens of several samples."""

    HINT: ClassVar[str] = "run cxpath tmb again"

    schema_name: Literal["cxpath/tmb/1"] = Field(default="cxpath/tmb/1", alias="schema")
    cxpath: str
    """Version of cxpath."""
    samples: tuple[SampleBurden, ...]
    """One entry for each sample."""
