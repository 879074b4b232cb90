"""`agreement.json`, and the documents of compared cells, of a calibration and of a reader study."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from cxpath.agreement import AgreementSettings, Interval as StatisticInterval, Statistic
from cxpath.documents.base import CodedText, Document, Part

# `agreement.json`, and the documents of compared cells and of a calibration: statistics with methods.

Ends = tuple[float | None, float | None]
"""Of an interval; null is infinite."""
Numbers = tuple[float | None, ...]

PLACES = (
    "analysis",
    "round",
    "scale",
    "cutoff",
    "reader",
    "reference",
    "compared",
    "reference_readers",
    "indeterminate",
    "grouping",
    "subgroup",
    "radius",
)
"""Where a statistic belongs: keys that are left out of the JSON where they do not apply."""


class OtherInterval(Part):
    """A further interval of a statistic."""

    interval: Ends
    method: str


class StatisticEntry(Part):
    """One number of a study; see `Statistic`."""

    analysis: str | None = None
    round: str | None = None
    """`1`, or `1 and 2` within readers."""
    scale: str | None = None
    cutoff: str | None = None
    reader: str | None = None
    reference: str | None = None
    compared: str | None = None
    reference_readers: str | None = None
    indeterminate: str | None = None
    grouping: str | None = None
    subgroup: str | None = None
    radius: str | None = None
    key: str
    label: str
    estimate: float | None
    """Null where the data do not define it; `note` says why."""
    interval: Ends | None
    interval_method: str | None
    other_intervals: tuple[OtherInterval, ...]
    n: int
    readers: int
    p_value: float | None
    method: str
    source: str
    note: str

    @classmethod
    def of_statistic(cls, one: Statistic) -> StatisticEntry:
        """Return the entry of a statistic; what is not defined is null."""
        first = one.intervals[0] if one.intervals else None
        return cls(
            **one.context,
            key=one.key,
            label=one.label,
            estimate=finite(one.value),
            interval=_ends(first) if first else None,
            interval_method=first.method if first else None,
            other_intervals=tuple(
                OtherInterval(interval=_ends(other), method=other.method) for other in one.intervals[1:]
            ),
            n=one.n,
            readers=one.readers,
            p_value=None if one.p_value is None else finite(one.p_value),
            method=one.method,
            source=one.source,
            note=one.note,
        )

    @property
    def place(self) -> str:
        """The cut-off, or else the scale, that it is of."""
        return self.cutoff or self.scale or ""

    @model_serializer(mode="wrap")
    def _without_places_that_do_not_apply(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        stated = handler(self)
        return {name: value for name, value in stated.items() if value is not None or name not in PLACES}


def _ends(one: StatisticInterval) -> Ends:
    return finite(one.low), finite(one.high)


def finite(value: float) -> float | None:
    """Return a number; null where it is not defined or infinite."""
    return float(value) if math.isfinite(value) else None


class SourceTable(Part):
    """A table of reads, by name and digest."""

    name: str
    digest: str


class ScoresEntry(Part):
    """The scores of one side of a comparison, by unit; null without a score."""

    name: str
    values: Numbers


class OnestEntry(Part):
    """The ONEST curve at one cut-off; see `OnestCurve`."""

    cutoff: str
    missing: str
    cases: int
    readers: tuple[int, ...]
    mean: Numbers
    low: Numbers
    high: Numbers
    order_low: Numbers
    order_high: Numbers


class PairwiseEntry(Part):
    """A measure between every two readers, the software last."""

    measure: str
    cutoff: str | None = None
    scale: str | None = None
    readers: tuple[str, ...]
    values: tuple[Numbers, ...]

    @property
    def place(self) -> str:
        """The cut-off, or else the scale, that it is of."""
        return self.cutoff or self.scale or ""


class RoundEntry(Part):
    """Who read what in one round, and who is compared with whom."""

    round: int
    arm: str = ""
    """Of a reader study: "unaided" or "aided"."""
    cases: int
    patients: int
    readers: tuple[str, ...]
    reads: int
    not_evaluable: int
    groupings: Mapping[str, tuple[str, ...]]
    why: str
    """How compared and reference were chosen."""
    compared: ScoresEntry | None
    reference: ScoresEntry | None
    units: tuple[tuple[str, str], ...]
    """Case and slide."""
    onest: tuple[OnestEntry, ...]
    pairwise: tuple[PairwiseEntry, ...]


class AgreementProvenance(Part):
    """Versions, and the digests of the models behind results of cxpath."""

    cxpath: str
    python: str
    numpy: str
    scipy: str
    model_digests: tuple[str, ...]


class AgreementDocument(Document):
    """A study of agreement."""

    HINT: ClassVar[str] = "run cxpath agree run again, or give a folder that it wrote"

    schema_name: Literal["cxpath/agreement/2"] = Field(default="cxpath/agreement/2", alias="schema")
    score: str
    software: str | None
    reference: str | None
    """Null: the readers' median."""
    consensus: str
    settings: AgreementSettings
    sources: tuple[SourceTable, ...]
    warnings: tuple[CodedText, ...]
    rounds: tuple[RoundEntry, ...] = Field(min_length=1)
    statistics: tuple[StatisticEntry, ...]
    provenance: AgreementProvenance


class ComparedImage(Part):
    """One image, and how many cells each side contains."""

    name: str
    reference: int
    compared: int
    reference_outside: int = 0
    """Marked cells outside the annotated area, which are left out."""
    compared_outside: int = 0
    """The same of the compared cells."""


class CxpathVersion(Part):
    """Which cxpath made it."""

    cxpath: str


class CellAgreementDocument(Document):
    """Cells that a person marked against cells of cxpath or of another person."""

    HINT: ClassVar[str] = "run cxpath agree cells again"

    schema_name: Literal["cxpath/cell-agreement/1"] = Field(default="cxpath/cell-agreement/1", alias="schema")
    radius_um: float
    images: tuple[ComparedImage, ...]
    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Rows are the reference's classes."""
    statistics: tuple[StatisticEntry, ...]
    provenance: CxpathVersion


class FittedMap(Part):
    """A rising map from the CPS to the reads, by nested cross-validation."""

    helps: bool
    """Whether it agrees better than the CPS by more than chance, and was written."""
    scores: tuple[float, ...]
    reads: tuple[float, ...]
    concordance: StatisticEntry
    concordance_without: StatisticEntry
    gain: StatisticEntry
    concordance_on_the_cases_it_was_fitted_to: float | None


class CalibrationDocument(Document):
    """The staining threshold that agrees best with a laboratory's reads."""

    HINT: ClassVar[str] = "run cxpath calibrate again"

    schema_name: Literal["cxpath/calibration/1"] = Field(default="cxpath/calibration/1", alias="schema")
    stained_threshold: float
    present_threshold: float
    cases: int
    concordance: StatisticEntry
    concordance_present: float | None
    concordance_on_the_cases_it_was_chosen_on: float | None
    agreement_at_1: float | None
    agreement_at_1_present: float | None
    thresholds_of_folds: tuple[float, ...]
    map: FittedMap | None
    consensus: str
    model_digest: str
    assay: str
    association_distance_um: float
    reads_digest: str
    cxpath: str


# Documents of a reader study: hashed tokens, where readers stand, the audit of an export, the report.

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
