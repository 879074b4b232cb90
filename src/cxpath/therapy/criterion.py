"""A criterion: one indication, guideline or refuted belief, with its source, date and certainty."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Literal

from pydantic import Field, model_validator

from cxpath.therapy.certainty import Certainty
from cxpath.therapy.clause import Clause
from cxpath.values.settings import Settings

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
