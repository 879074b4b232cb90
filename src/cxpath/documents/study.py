"""Documents of a reader study: hashed tokens, where readers stand, the audit of an export, the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from cxpath.agreement import AgreementSettings
from cxpath.documents.agreement import Ends, StatisticEntry
from cxpath.documents.base import Document, Part

Digest = str


class TokensDocument(Document):
    """`tokens.json`: for each reader the SHA-256 of the token; the tokens themselves are nowhere."""

    HINT: ClassVar[str] = "give the readers new tokens: cxpath study token"

    schema_name: Literal["cxpath/study-tokens/1"] = Field(default="cxpath/study-tokens/1", alias="schema")
    tokens: Mapping[str, Digest]


class HeadDocument(Document):
    """`readers/<id>/head.json`: number and hash of a record's last event; shows a tail that was cut off."""

    HINT: ClassVar[str] = "restore the reader's folder from a backup"

    schema_name: Literal["cxpath/study-head/1"] = Field(default="cxpath/study-head/1", alias="schema")
    events: int = Field(ge=1)
    head_hash: str = Field(pattern=r"^[0-9a-f]{64}$")


class RoundProgress(Part):
    """How many reads of one round a reader has made."""

    round: int
    arm: str
    read: int
    planned: int


class ReaderProgress(Part):
    """Where a reader stands; says nothing about any answer."""

    reader: str
    stage: str
    """reading, wash-out or done."""
    rounds: tuple[RoundProgress, ...]
    sessions: int
    last_utc: str | None
    opens_utc: str | None
    """When the next round opens, in the wash-out."""
    events: int
    head_hash: str | None


class StudyStatus(Document):
    """`cxpath study status --json`."""

    HINT: ClassVar[str] = "run cxpath study status again"

    schema_name: Literal["cxpath/study-status/1"] = Field(default="cxpath/study-status/1", alias="schema")
    study: str
    design: Digest
    reads: int
    planned: int
    readers: tuple[ReaderProgress, ...]


class RecordEntry(Part):
    """One reader's record in an export."""

    reader: str
    file: str
    events: int
    head_hash: str
    sha256: Digest


class ExportDocument(Document):
    """`export.json`: what was exported, and the heads of the records it came from."""

    HINT: ClassVar[str] = "run cxpath study export again"

    schema_name: Literal["cxpath/study-export/1"] = Field(default="cxpath/study-export/1", alias="schema")
    study: str
    design: Digest
    utc: str
    complete: bool
    """Whether every planned read was made."""
    reads: int
    planned: int
    records: tuple[RecordEntry, ...]
    files: Mapping[str, Digest]
    cxpath: str


class ArmEntry(Part):
    """The mean of all readers in one arm."""

    arm: str
    mean: float
    standard_error: float
    degrees: float | None
    interval: Ends


class ComponentsEntry(Part):
    """Variance components of the Obuchowski-Rockette model; see `Components`."""

    reader: float
    arm_reader: float
    error: float
    cov1: float
    cov2: float
    cov3: float
    cases: int


class ArmsTestEntry(Part):
    """A figure of merit in both arms, and the test of its difference."""

    figure: str
    cutoff: str
    cases: int
    left_out: int
    why: str
    """Why there is no test; empty where there is one."""
    difference: float | None = None
    standard_error: float | None = None
    interval: Ends | None = None
    f: float | None = None
    degrees: float | None = None
    """Null is infinite."""
    p_value: float | None = None
    arms: tuple[ArmEntry, ...] = ()
    components: ComponentsEntry | None = None


class ChecklistEntry(Part):
    """One item of a reporting guideline."""

    guideline: str
    item: str
    asks: str
    """In our words."""
    filled: str
    """What the study says; empty where the authors must write it."""


class StudyReportDocument(Document):
    """`study.json`: unaided and aided reading compared."""

    HINT: ClassVar[str] = "run cxpath study report again"

    schema_name: Literal["cxpath/study-report/1"] = Field(default="cxpath/study-report/1", alias="schema")
    study: str
    design: Digest
    score: str
    readers: tuple[str, ...]
    cases: int
    patients: int
    rounds: tuple[str, ...]
    """Their arms, in order."""
    reads: int
    planned: int
    not_evaluable: int
    reference: str
    settings: AgreementSettings
    statistics: tuple[StatisticEntry, ...]
    tests: tuple[ArmsTestEntry, ...]
    checklist: tuple[ChecklistEntry, ...]
    methods: tuple[str, ...]
    warnings: tuple[str, ...]
    cxpath: str
