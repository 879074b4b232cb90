"""The documents that a batch leaves: outcomes, worklist, progress, status and `batch.json`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, Literal, NamedTuple, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    NonNegativeFloat,
    NonNegativeInt,
)

from cxpath.documents.base import File


class BatchDocument(File):
    """A JSON file of a batch, or a part of one."""

    HINT: ClassVar[str] = "run the same cxpath batch run again"

    def updated(self, **changes: Any) -> Self:
        """Return the document with some fields replaced; they are checked like all others."""
        return type(self).model_validate({**self.model_dump(by_alias=True), **changes})

    def as_dict(self) -> dict[str, JsonValue]:
        """Return the document as its file has it."""
        return self.model_dump(mode="json", by_alias=True)


class Status(StrEnum):
    """What became of a slide. *Failed* means tried and not scored; what was not tried has no outcome."""

    RUNNING = "running"
    SCORED = "scored"
    NOT_EVALUABLE = "not evaluable"
    FAILED = "failed"


FINAL = frozenset({Status.SCORED, Status.NOT_EVALUABLE})
"""A slide of these is not scored again while it, the model, the settings and the version stay the same."""


class Outcome(BatchDocument):
    """What became of one slide of a batch."""

    schema_name: Literal["cxpath/outcome/1"] = Field(default="cxpath/outcome/1", alias="schema")

    id: str
    """The slide's name in the batch."""

    status: Status

    slide: str = ""
    """Its file name, or pseudonym."""

    reason: str = ""
    """Why it failed; empty otherwise."""

    hint: str = ""
    """What to do about that."""

    error: str = ""
    """Class of the error, such as "MissingFileError"."""

    attempts: NonNegativeInt = 0
    """How often it was tried in the run that ended it; more than 1 after input or output errors."""

    crashes: NonNegativeInt = 0
    """How many processes ended while they scored it."""

    interrupted: bool = False
    """Whether a running slide was ended in good order (Ctrl-C, SIGTERM), which is no crash of its own."""

    seconds: NonNegativeFloat = 0.0
    """Of the last attempt, by a clock that does not jump."""

    started: str = ""
    """ISO 8601, UTC, by the worker's clock."""

    finished: str = ""
    """ISO 8601, UTC, by the worker's clock."""

    worker: str = ""
    """Who scored it, without the name of the computer."""

    slide_stamp: str = ""
    """Hash of what the file system says of the slide's files; keyed with a pseudonym."""

    slide_digest: str = ""
    """SHA-256 of the slide; empty when it could not be read."""

    request_digest: str = ""
    """SHA-256 of everything else that decides the result."""

    @property
    def is_final(self) -> bool:
        """Whether there is a result, good or not evaluable."""
        return self.status in FINAL


class WorklistEntry(BatchDocument):
    """What the cohort table needs of one slide of the worklist; no path, which may tell a patient's name."""

    id: str
    slide: str
    assay: str
    tumour: str
    marker: str
    facts: Mapping[str, str]


class SavedWorklist(BatchDocument):
    """`batch-state/worklist.json`: tables can be made again from a batch's folder alone."""

    schema_name: Literal["cxpath/worklist/1"] = Field(default="cxpath/worklist/1", alias="schema")
    slides: tuple[WorklistEntry, ...]


class SlideInHand(BatchDocument):
    """What a worker has in hand."""

    worker: str
    id: str
    seconds: NonNegativeFloat
    tiles_done: NonNegativeInt
    tiles: NonNegativeInt


class BatchProgress(BatchDocument):
    """`batch-state/progress.json`, and the `progress` of an event: how far a batch is."""

    schema_name: Literal["cxpath/batch-progress/1"] = Field(default="cxpath/batch-progress/1", alias="schema")
    slides: NonNegativeInt
    done: NonNegativeInt
    kept: NonNegativeInt
    scored: NonNegativeInt
    not_evaluable: NonNegativeInt
    failed: NonNegativeInt
    worker_deaths: NonNegativeInt
    slides_per_hour: float | None
    seconds_left: float | None
    seconds: NonNegativeFloat
    in_hand: tuple[SlideInHand, ...]
    engine: str = ""
    started: str = ""
    written: str = ""


class Failure(BatchDocument):
    """A slide that was tried and not scored."""

    id: str
    slide: str
    reason: str
    hint: str
    error: str


def failures_of(outcomes: tuple[Outcome, ...]) -> tuple[Failure, ...]:
    """Return the failures among outcomes."""
    return tuple(
        Failure(id=one.id, slide=one.slide, reason=one.reason, hint=one.hint, error=one.error)
        for one in outcomes
        if one.status is Status.FAILED
    )


class BatchStatus(BatchDocument):
    """What `cxpath batch status` prints: the outcomes on disk, and what a running batch has in hand."""

    schema_name: Literal["cxpath/batch-status/1"] = Field(default="cxpath/batch-status/1", alias="schema")
    running: bool
    slides: NonNegativeInt
    left: NonNegativeInt
    scored: NonNegativeInt
    not_evaluable: NonNegativeInt
    failed: NonNegativeInt
    failures: tuple[Failure, ...]
    engine: str | None
    started: str | None
    written: str | None
    slides_per_hour: float | None
    seconds_left: float | None
    in_hand: tuple[SlideInHand, ...]


class BatchOptions(BatchDocument):
    """Options that apply to all slides; a worklist may have overruled some of them."""

    assay: str
    tumour: str
    marker: str
    research: bool
    mpp: float | None
    model: str
    device: str
    pseudonym: bool


class BatchManifest(BatchDocument):
    """`batch.json`: how a batch was run, enough to run it again, and what came of it."""

    schema_name: Literal["cxpath/batch/1"] = Field(default="cxpath/batch/1", alias="schema")
    research_use: str
    cxpath: str
    python: str
    started: str
    finished: str
    seconds: NonNegativeFloat
    engine: str
    options: BatchOptions
    configuration: Mapping[str, JsonValue]
    configuration_digest: str
    slides: NonNegativeInt
    kept: NonNegativeInt
    scored: NonNegativeInt
    not_evaluable: NonNegativeInt
    failed: NonNegativeInt
    worker_deaths: NonNegativeInt
    failures: tuple[Failure, ...]
    same_content: tuple[tuple[str, ...], ...]
    """Ids of slides whose files are the same under different names: one too many in a study."""


# The cohort table, `cohort.csv` and `cohort.parquet`.

ColumnKind = Literal["text", "number", "whole", "yes/no"]
ColumnEntry = str | float | bool | None


class Column(NamedTuple):
    """A column of the cohort table: its name and what it contains."""

    name: str
    kind: ColumnKind


class CohortRow(BaseModel):
    """One slide in the cohort table: the columns in their order, empty where there is nothing to say."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    id: str
    """Name in the batch, and of the results folder."""
    slide: str
    """File name, or pseudonym."""
    case: str | None = None
    block: str | None = None
    batch: str | None = None
    """Staining or scanning batch; these three are from the worklist."""
    scanner: str | None = None
    """From the worklist, else from the file: its model, else its vendor."""
    status: Status
    reason: str | None = None
    """Why it failed, or why its result cannot be read."""
    hint: str | None = None
    error: str | None = None
    """Class of the error."""
    not_evaluable_because: str | None = None
    """All reasons, joined by `; `."""
    assay: str | None = None
    tumour: str | None = None
    marker: str | None = None
    cps: float | None = None
    """CPS that decides, not rounded."""
    cps_basis: str | None = None
    """Whose cells it counts: `network`, `edited` or `audited`."""
    cps_network: float | None = None
    """The network's own CPS, not rounded."""
    cps_reported: str | None = None
    """Printed form of the one that decides."""
    cps_low: float | None = None
    """Ends of the interval for the tumour."""
    cps_high: float | None = None
    cps_slide_low: float | None = None
    """Ends of the interval for this slide."""
    cps_slide_high: float | None = None
    cps_at_least_1: bool | None = None
    """Cut-off met; empty where it is uncertain."""
    cps_at_least_10: bool | None = None
    reviewer: str | None = None
    """Who audited or edited the slide."""
    signed_by: str | None = None
    signed_utc: str | None = None
    borderline: bool | None = None
    """Near a cut-off: pathologist review."""
    uncertain_cutoffs: str | None = None
    """Those neither met nor not met, joined by `; `."""
    tps: float | None = None
    tps_low: float | None = None
    tps_high: float | None = None
    h_score: float | None = None
    viable_tumour_cells: int | None = None
    tumour_positive: int | None = None
    tumour_negative: int | None = None
    immune_positive: int | None = None
    """Counted ones."""
    scored_mm2: float | None = None
    excluded_mm2: float | None = None
    in_focus_percent: float | None = None
    """Share of tissue not left out as blurred."""
    tumour_cells_per_mm2: float | None = None
    """Viable ones, of scored tissue."""
    white_red: float | None = None
    """Background, 0 to 255."""
    white_green: float | None = None
    white_blue: float | None = None
    hematoxylin_red: float | None = None
    """Parts of the stain vectors."""
    hematoxylin_green: float | None = None
    hematoxylin_blue: float | None = None
    dab_red: float | None = None
    dab_green: float | None = None
    dab_blue: float | None = None
    mpp: float | None = None
    mpp_source: str | None = None
    notice: str | None = None
    """What the model was trained and not validated on, from its card."""
    warnings: str | None = None
    """All others, joined by `; `."""
    attempts: int | None = None
    seconds: float | None = None
    """Of the last attempt."""
    worker: str | None = None
    started: str | None = None
    """ISO 8601, UTC, by the worker's clock."""
    finished: str | None = None
    slide_digest: str | None = None
    model: str | None = None
    model_digest: str | None = None
    configuration_digest: str | None = None
    cxpath: str | None = None
    """Version."""
    notes: Mapping[str, str] = {}
    """Columns `note…` of the worklist; they come after the others."""

    @classmethod
    def columns(cls) -> tuple[Column, ...]:
        """Return the columns that every table has, in its order."""
        fields = cls.model_fields.items()
        return tuple(Column(name, _kind_of(field.annotation)) for name, field in fields if name != "notes")

    def entries(self) -> dict[str, ColumnEntry]:
        """Return the contents of those columns."""
        return self.model_dump(mode="json", exclude={"notes"})


def _kind_of(annotation: object) -> ColumnKind:
    kinds: dict[object, ColumnKind] = {float: "number", int: "whole", bool: "yes/no"}
    return next((kinds[one] for one in get_args(annotation) if one in kinds), "text")
