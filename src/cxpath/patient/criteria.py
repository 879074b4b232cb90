"""Therapy criteria as data: clauses, cautions, agents, certainty and verdicts."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Literal

from pydantic import Field, model_validator

from cxpath.data.settings import Settings

# How surely a fact is known: the marks of the clinical brief, in words.


class Certainty(StrEnum):
    """From read to not verified."""

    VERIFIED = "verified in a public page"
    SECONDARY = "seen on a secondary page only"
    HIGH = "from memory, high confidence"
    MEDIUM = "from memory, medium confidence"
    LOW = "from memory, low confidence"
    NOT_VERIFIED = "not verified"


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

    def holds(self, found: Scalar) -> bool:
        """Say whether a known fact fulfils the condition."""
        if isinstance(self.value, tuple):
            return (str(found) in self.value) == (self.op == "in")
        if self.op == "is":
            return found == self.value
        number, limit = float(found), float(self.value)
        return {">=": number >= limit, ">": number > limit, "<": number < limit}[self.op]


# A caution: a flag with the patient's fact beside it, for the board. Never an exclusion by software.


class CautionState(StrEnum):
    """Whether a caution applies to this patient."""

    RAISED = "raised"
    NOT_RAISED = "not_raised"
    UNKNOWN = "unknown"

    @property
    def words(self) -> str:
        """The state as it is printed."""
        return self.value.replace("_", " ")


class Caution(Settings):
    """One `[[caution]]` of `configs/therapy/cautions.toml`."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    agents: str
    """The kind of agents, as criteria name it under `cautions`."""
    when: Clause
    flag: str
    source: str
    as_of: date
    certainty: Certainty


class Advice(Settings):
    """What goes with an agent whoever the patient is; one `[[advice]]`."""

    agents: str
    text: str
    source: str
    as_of: date
    certainty: Certainty


# A criterion: one indication, guideline or refuted belief, with its source, date and certainty.


Jurisdiction = Literal["us", "eu", "jp", "cn", "any"]
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


class Criterion(Settings):
    """One `[[criterion]]` of `configs/therapy/*.toml`."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    row: str
    """Which row of the clinical brief it is, such as "2.1 row 2"."""
    agent: str
    regimen: str
    population: str
    jurisdiction: Jurisdiction
    approval: Approval
    approved_on: str = Field(default="", pattern=r"^(\d{4}(-\d{2}){0,2}|unknown|)$")
    """As exactly as the source says; "unknown" where it does not."""
    trial: str = ""
    source: str
    as_of: date
    certainty: Certainty
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
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _says_why_not(self) -> Criterion:
        if not self.approval.can_be_met and not self.reason:
            raise ValueError("a criterion that cannot be met must give its reason")
        if self.stage and not self.stage_edition:
            raise ValueError("stage needs stage_edition: a stage means nothing without it")
        return self

    @cached_property
    def clauses(self) -> tuple[Clause, ...]:
        """All conditions, in the order of reading."""
        own = []
        if self.setting:
            own.append(Clause(fact="clinical.setting", op="in", value=self.setting))
        if self.stage:
            own.append(Clause(fact="clinical.stage", op="in", value=self.stage, edition=self.stage_edition))
        if self.histology_excluded:
            own.append(Clause(fact="clinical.histology", op="not_in", value=self.histology_excluded))
        return (*own, *self.requires, *self.biomarker)


# All criteria and cautions together, as read from the files.


class CriteriaFile(Settings):
    """The content of one file of `configs/therapy`."""

    criterion: tuple[Criterion, ...] = ()
    caution: tuple[Caution, ...] = ()
    advice: tuple[Advice, ...] = ()


@dataclass(frozen=True)
class Criteria:
    """What a profile is judged by."""

    criteria: tuple[Criterion, ...] = ()
    cautions: tuple[Caution, ...] = ()
    advice: tuple[Advice, ...] = ()

    def of(self, jurisdictions: Collection[str]) -> Criteria:
        """Return the criteria of these jurisdictions, and those that hold anywhere."""
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
        What is known, as shown beside the condition; for an unknown fact why it is unknown.
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
    return f"{name} criteria" if is_system else name.upper()


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
