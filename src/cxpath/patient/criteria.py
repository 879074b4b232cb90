"""Therapy criteria as data: clauses, cautions, agents, certainty and verdicts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Literal

from pydantic import Field, model_validator

from cxpath.data import Settings

# How surely a fact is known: the marks of the clinical brief, in words.


class Certainty(StrEnum):
    """From read to not verified."""

    VERIFIED = "verified in a public page"
    SECONDARY = "seen on a secondary page only"
    HIGH = "from memory, high confidence"
    MEDIUM = "from memory, medium confidence"
    LOW = "from memory, low confidence"
    NOT_VERIFIED = "not verified"


# What a criterion or a caution rests on: a full reference, and how much of the document itself was read.


class SourceKind(StrEnum):
    """What kind of document it is."""

    LABEL = "label"
    """The product information of a drug: what a regulator approved."""
    GUIDELINE = "guideline"
    TRIAL = "trial"
    KNOWLEDGE_BASE = "knowledge_base"
    """A database of labels, for what is not among them."""
    NOTICE = "notice"
    """A regulator's or a company's notice of a decision."""


class Reading(StrEnum):
    """How much of the wording that matters was read."""

    FULL = "in full"
    QUOTED = "quoted in full"
    """The whole indication was read, as quoted by a regulator, the company or a database."""
    PART = "in part"
    NOT = "not read"

    @property
    def is_complete(self) -> bool:
        """Whether the whole wording was read."""
        return self in {Reading.FULL, Reading.QUOTED}


class Source(Settings):
    """One `[[source]]` of `configs/therapy/sources.toml`."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    kind: SourceKind
    title: str
    """The document and its section."""
    revision: str = ""
    """Revision month of a label, version of a guideline; "not stated" where what was read has none."""
    registry: str = Field(default="", pattern=r"^(NCT\d{8}|)$")
    doi: str = ""
    pmid: str = ""
    pmcid: str = ""
    journal: str = ""
    address: str = Field(pattern=r"^https?://")
    """Of what was read."""
    accessed: date
    read: Reading
    note: str = ""
    """Who could not be reached, and what is missing."""

    @property
    def is_identified(self) -> bool:
        """Whether a trial or paper can be looked up by a number."""
        return bool(self.registry or self.doi or self.pmid or self.pmcid)

    @property
    def citation(self) -> str:
        """The full reference in one line."""
        parts = [
            self.title,
            f"revision {self.revision}" if self.revision else "",
            self.journal,
            self.registry,
        ]
        parts += [f"doi {self.doi}" if self.doi else "", f"PMID {self.pmid}" if self.pmid else "", self.pmcid]
        read = f"{self.address} (accessed {self.accessed}, {self.read.value})"
        return "; ".join(part for part in [*parts, read] if part)


# One condition of a criterion or a caution: a fact, an operator, a value.


Scalar = bool | int | float | str
Operator = Literal[">=", ">", "<", "is", "in", "not_in"]

IN_WORDS = {">=": "≥", ">": ">", "<": "<", "is": "is", "in": "one of", "not_in": "none of"}


class Clause(Settings):
    """A condition; `assay` and `edition` say by which test or staging system the fact must be known."""

    fact: str
    """A key of `facts.FACTS`."""
    op: Operator
    value: Scalar | tuple[str, ...]
    assay: tuple[str, ...] = ()
    """Assays, or scoring systems, whose result counts; empty: any."""
    edition: str | None = None
    words: str = Field(default="")
    """The condition in words, where the fact's own are not enough."""

    @model_validator(mode="after")
    def _value_fits_operator(self) -> Clause:
        is_list = isinstance(self.value, tuple)
        if is_list != (self.op in {"in", "not_in"}):
            raise ValueError(f"operator {self.op} {'takes one value' if is_list else 'takes a list'}")
        is_number = isinstance(self.value, int | float) and not isinstance(self.value, bool)
        if self.op in {">=", ">", "<"} and not is_number:
            raise ValueError(f"operator {self.op} takes a number")
        return self

    def is_met_by(self, found: Scalar) -> bool:
        """Say whether a known fact fulfils the condition."""
        if isinstance(self.value, tuple):
            return (str(found) in self.value) == (self.op == "in")
        if self.op == "is":
            return found == self.value
        number, limit = float(found), float(self.value)
        return {">=": number >= limit, ">": number > limit, "<": number < limit}[self.op]


def cited_in_words(cited: Iterable[Source]) -> str:
    """Return references in one line; what is cited nowhere is remembered only, and says so."""
    return " | ".join(source.citation for source in cited) or "no source was read"


class Cited(Settings):
    """What every entry says about where it comes from, when it was read and how sure it is."""

    sources: tuple[str, ...] = ()
    """Ids of `[[source]]`; empty for what is remembered only."""
    as_of: date
    certainty: Certainty
    cited: tuple[Source, ...] = ()
    """The sources themselves, filled in on reading."""

    @property
    def source(self) -> str:
        """The references in words."""
        return cited_in_words(self.cited)


# A caution: a flag with the patient's fact next to it, for the board. Never an exclusion by software.


class CautionState(StrEnum):
    """Whether a caution applies to this patient."""

    RAISED = "raised"
    NOT_RAISED = "not_raised"
    UNKNOWN = "unknown"

    @property
    def words(self) -> str:
        """The state as it is printed."""
        return self.value.replace("_", " ")


class Caution(Cited):
    """One `[[caution]]` of `configs/therapy/cautions.toml`."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    agents: str
    """The kind of agents, as criteria name it under `cautions`."""
    when: Clause
    flag: str


class Advice(Cited):
    """What goes with an agent whoever the patient is; one `[[advice]]`."""

    agents: str
    text: str


# A criterion: one indication, guideline or refuted belief, with its source, date and certainty.


Jurisdiction = Literal["us", "eu", "jp", "cn"]
JURISDICTIONS: tuple[Jurisdiction, ...] = ("us", "eu", "jp", "cn")


class Approval(StrEnum):
    """What stands behind a criterion."""

    REGULAR = "regular"
    ACCELERATED = "accelerated"
    APPROVED = "approved"
    """Approved, of a kind that the source does not state."""
    GUIDELINE = "guideline"
    NONE = "none"
    """Not approved for cervical cancer in this jurisdiction."""
    NEGATIVE = "negative"
    """Tried and found not to help, or a belief that is wrong."""
    UNVERIFIED = "unverified"
    """Whether it covers cervical cancer could not be found out."""

    @property
    def can_be_met(self) -> bool:
        """Whether there is an indication that a patient could meet."""
        return self not in {Approval.NONE, Approval.NEGATIVE, Approval.UNVERIFIED}


APPROVALS = frozenset({Approval.REGULAR, Approval.ACCELERATED, Approval.APPROVED})


class Criterion(Cited):
    """One `[[criterion]]` of `configs/therapy/*.toml`."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    row: str
    """Which row of the clinical brief it is, such as "2.1 row 2"."""
    agent: str
    regimen: str
    population: str
    jurisdiction: Jurisdiction | Literal["any"]
    approval: Approval
    approved_on: str = Field(default="", pattern=r"^(\d{4}(-\d{2}){0,2}|unknown|)$")
    """As exactly as the source says; "unknown" where it does not."""
    trial: str = ""
    certainty_note: str = ""
    """What of it is less certain, such as a date."""
    setting: tuple[str, ...] = ()
    histology_excluded: tuple[str, ...] = ()
    stage_edition: str = ""
    stage: tuple[str, ...] = ()
    biomarker: tuple[Clause, ...] = ()
    """Empty: no biomarker is asked for."""
    requires: tuple[Clause, ...] = ()
    cautions: tuple[str, ...] = ()
    """Kinds of agents whose cautions apply."""
    reason: str = ""
    """Why it cannot be met, for those that cannot."""
    beyond_clauses: tuple[str, ...] = ()
    """What the label asks for and no clause can: a person decides, and the criterion is never met."""
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _says_why_not(self) -> Criterion:
        if not self.approval.can_be_met and not self.reason:
            raise ValueError("a criterion that cannot be met must give its reason")
        if self.stage and not self.stage_edition:
            raise ValueError("stage needs stage_edition: a stage means nothing without it")
        return self

    @property
    def open_points(self) -> tuple[str, ...]:
        """Why the criterion can at most be indeterminate, as what would settle it."""
        documents = [one for one in self.cited if one.kind in {SourceKind.LABEL, SourceKind.GUIDELINE}]
        unread = [one.title for one in documents if not one.read.is_complete]
        if not documents:
            return ("the label or guideline itself: none is cited", *self.beyond_clauses)
        return (
            *(f"the full wording of {title}: it could not be read" for title in unread),
            *self.beyond_clauses,
        )

    @property
    def verified(self) -> bool:
        """Whether the whole wording of its label or guideline was read."""
        return bool(self.cited) and not self.open_points

    @cached_property
    def clauses(self) -> tuple[Clause, ...]:
        """All conditions, in the order of reading."""
        own = []
        if self.setting:
            own.append(Clause(fact="clinical.setting", op="in", value=self.setting))
        if self.stage:
            own.append(Clause(fact="clinical.stage", op="in", value=self.stage, edition=self.stage_edition))
        if self.histology_excluded:
            own.append(
                Clause(
                    fact="clinical.histology",
                    op="not_in",
                    value=self.histology_excluded,
                    words=f"histology none of {', '.join(map(in_words, self.histology_excluded))}"
                    " (excluded from the trial)",
                )
            )
        return (*own, *self.requires, *self.biomarker)


# All criteria and cautions together, as read from the files.


class CriteriaFile(Settings):
    """The content of one file of `configs/therapy`."""

    criterion: tuple[Criterion, ...] = ()
    caution: tuple[Caution, ...] = ()
    advice: tuple[Advice, ...] = ()
    source: tuple[Source, ...] = ()

    def citing(self, sources: Mapping[str, Source]) -> CriteriaFile:
        """Return the same with each entry's sources filled in; they must exist (see `lint`)."""

        def cited(ids: Iterable[str]) -> dict[str, tuple[Source, ...]]:
            return {"cited": tuple(sources[name] for name in ids)}

        return CriteriaFile(
            criterion=tuple(one.model_copy(update=cited(one.sources)) for one in self.criterion),
            caution=tuple(one.model_copy(update=cited(one.sources)) for one in self.caution),
            advice=tuple(one.model_copy(update=cited(one.sources)) for one in self.advice),
            source=self.source,
        )


@dataclass(frozen=True)
class Criteria:
    """What a profile is evaluated against."""

    criteria: tuple[Criterion, ...] = ()
    cautions: tuple[Caution, ...] = ()
    advice: tuple[Advice, ...] = ()

    def of(self, jurisdictions: Collection[str]) -> Criteria:
        """Return the criteria of these jurisdictions, and those that apply anywhere."""
        kept = [one for one in self.criteria if one.jurisdiction in {*jurisdictions, "any"}]
        return Criteria(tuple(kept), self.cautions, self.advice)


# What the profile says about a fact: its value with words, or why it is unknown and what would settle it.


@dataclass(frozen=True)
class Found:
    """A fact looked up.

    Parameters
    ----------
    value : bool, int, float, str or None
        None where it is unknown.
    words : str
        What is known, as shown next to the condition; for an unknown fact why it is unknown.
    settle : str
        What would make it known; empty for a known fact.
    compared : float or None
        The number to compare where the value itself is a text, such as "<1".
    """

    value: Scalar | None
    words: str
    settle: str = ""
    compared: float | None = None


def unknown(why: str, settle: str) -> Found:
    """Return an unknown fact."""
    return Found(None, why, settle)


def by_words(name: str) -> str:
    """Return an assay, or a scoring system, as a reader says it: "22C3", "gastric criteria"."""
    is_system = name.isalpha() and not any(letter.isupper() for letter in name)
    return f"{name} criteria" if is_system else assay_in_words(name)


def assay_in_words(name: str) -> str:
    """Return an assay as its maker or laboratory writes it: "22C3", "F1CDx", "F1CDx-like"."""
    return name.upper().replace("F1CDX", "F1CDx").replace("_LIKE", "-like")


def in_words(value: Scalar) -> str:
    """Return a value as a reader says it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value).replace("_", " ")


# Three values: what is not known is neither met nor not met.


class Verdict(StrEnum):
    """Of a clause and of a criterion."""

    MET = "met"
    NOT_MET = "not_met"
    INDETERMINATE = "indeterminate"

    @property
    def words(self) -> str:
        """The verdict as it is printed."""
        return self.value.replace("_", " ")


def all_of(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the three-valued *and*: one not met decides, then one indeterminate (Kleene)."""
    known = frozenset(verdicts)
    if Verdict.NOT_MET in known:
        return Verdict.NOT_MET
    return Verdict.INDETERMINATE if Verdict.INDETERMINATE in known else Verdict.MET
