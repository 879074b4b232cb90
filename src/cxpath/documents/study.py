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
    """Number of the round."""
    arm: str
    """`unaided` or `aided`."""
    read: int
    """Reads made."""
    planned: int
    """Reads planned."""


class ReaderProgress(Part):
    """Where a reader stands; says nothing about any answer."""

    reader: str
    """The reader's pseudonym."""
    stage: str
    """`reading`, `wash-out` or `done`."""
    rounds: tuple[RoundProgress, ...]
    """Progress of each round."""
    sessions: int
    """How often the reader began to read."""
    last_utc: str | None
    """When the reader was last seen, ISO 8601; null before the first time."""
    opens_utc: str | None
    """When the next round opens, in the wash-out."""
    events: int
    """Events of the reader's record."""
    head_hash: str | None
    """Hash of the last of them; null without events."""


class StudyStatus(Document):
    """`cxpath study status --json`."""

    HINT: ClassVar[str] = "run cxpath study status again"

    schema_name: Literal["cxpath/study-status/1"] = Field(default="cxpath/study-status/1", alias="schema")
    study: str
    """Name of the study."""
    design: Digest
    """SHA-256 of the design."""
    reads: int
    """Reads made."""
    planned: int
    """Reads planned."""
    readers: tuple[ReaderProgress, ...]
    """Where each reader is."""


class RecordEntry(Part):
    """One reader's record in an export."""

    reader: str
    """The reader's pseudonym."""
    file: str
    """File name of the record."""
    events: int
    """Events of the record."""
    head_hash: str
    """Hash of the last of them."""
    sha256: Digest
    """SHA-256 of the file."""


class ExportDocument(Document):
    """`export.json`: what was exported, and the heads of the records it came from."""

    HINT: ClassVar[str] = "run cxpath study export again"

    schema_name: Literal["cxpath/study-export/1"] = Field(default="cxpath/study-export/1", alias="schema")
    study: str
    """Name of the study."""
    design: Digest
    """SHA-256 of the design."""
    utc: str
    """When it was exported, ISO 8601."""
    complete: bool
    """Whether every planned read was made."""
    reads: int
    """Reads made."""
    planned: int
    """Reads planned."""
    records: tuple[RecordEntry, ...]
    """The readers' records."""
    files: Mapping[str, Digest]
    """SHA-256 of each exported file, by its name."""
    cxpath: str
    """Version of cxpath."""


class ArmEntry(Part):
    """The mean of all readers in one arm."""

    arm: str
    """`unaided` or `aided`."""
    mean: float
    """Mean of all readers."""
    standard_error: float
    """Its standard error."""
    degrees: float | None
    """Degrees of freedom; null is infinite."""
    interval: Ends
    """Its interval."""


class ComponentsEntry(Part):
    """Variance components of the Obuchowski-Rockette model; see `Components`."""

    reader: float
    """Variance of readers."""
    arm_reader: float
    """Variance of readers' own differences between arms; it may be below 0."""
    error: float
    """Variance of one reader's figure over cases."""
    cov1: float
    """Error covariance of one reader in two arms."""
    cov2: float
    """Error covariance of two readers in one arm."""
    cov3: float
    """Error covariance of two readers in two arms."""
    cases: int
    """Number of cases that error and covariances refer to."""


class ArmsTestEntry(Part):
    """A figure of merit in both arms, and the test of its difference."""

    figure: str
    """The figure of merit."""
    cutoff: str
    """The cut-off that it is for."""
    cases: int
    """Cases of the test."""
    left_out: int
    """Cases that were left out."""
    why: str
    """Why there is no test; empty where there is one."""
    difference: float | None = None
    """Aided less unaided."""
    standard_error: float | None = None
    """Its standard error."""
    interval: Ends | None = None
    """Its interval."""
    f: float | None = None
    """The F statistic."""
    degrees: float | None = None
    """Null is infinite."""
    p_value: float | None = None
    """Its p value."""
    arms: tuple[ArmEntry, ...] = ()
    """The mean of all readers in each arm."""
    components: ComponentsEntry | None = None
    """Variance components of the Obuchowski-Rockette model."""


class ChecklistEntry(Part):
    """One item of a reporting guideline."""

    guideline: str
    """The reporting guideline."""
    item: str
    """Number of the item."""
    asks: str
    """What the item asks for, in our words."""
    filled: str
    """What the study says; empty where the authors must write it."""


class StudyReportDocument(Document):
    """`study.json`: unaided and aided reading compared."""

    HINT: ClassVar[str] = "run cxpath study report again"

    schema_name: Literal["cxpath/study-report/1"] = Field(default="cxpath/study-report/1", alias="schema")
    study: str
    """Name of the study."""
    design: Digest
    """SHA-256 of the design."""
    score: str
    """The score that was read."""
    readers: tuple[str, ...]
    """Pseudonyms of the readers."""
    cases: int
    """Number of cases."""
    patients: int
    """Number of patients."""
    rounds: tuple[str, ...]
    """The arm of each round, in order."""
    reads: int
    """Reads made."""
    planned: int
    """Reads planned."""
    not_evaluable: int
    """Reads that gave no score."""
    reference: str
    """What reads are compared with."""
    settings: AgreementSettings
    """Cut-offs, level, replicates and seed."""
    statistics: tuple[StatisticEntry, ...]
    """Every statistic."""
    tests: tuple[ArmsTestEntry, ...]
    """Tests of unaided against aided reading."""
    checklist: tuple[ChecklistEntry, ...]
    """Items of reporting guidelines, with what the study says."""
    methods: tuple[str, ...]
    """Sentences for a methods section."""
    warnings: tuple[str, ...]
    """What a reader must know before using the figures."""
    cxpath: str
    """Version of cxpath."""
