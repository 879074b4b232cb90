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
    """Name of the slide in the batch."""

    status: Status
    """What became of the slide; `running` while a worker has it."""

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
    """What a worker is working on."""

    worker: str
    """The worker."""
    id: str
    """The slide."""
    seconds: NonNegativeFloat
    """For how long."""
    tiles_done: NonNegativeInt
    """Tiles done."""
    tiles: NonNegativeInt
    """Tiles in all."""


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
    """Name of the slide in the batch."""
    slide: str
    """Its file name, or pseudonym."""
    reason: str
    """Why it failed."""
    hint: str
    """What to do about that."""
    error: str
    """Class of the error."""


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
    """Whether the batch is running."""
    slides: NonNegativeInt
    """Slides of the worklist."""
    left: NonNegativeInt
    """Slides still to be scored."""
    scored: NonNegativeInt
    """Slides with a score."""
    not_evaluable: NonNegativeInt
    """Slides that are not evaluable."""
    failed: NonNegativeInt
    """Slides that failed."""
    failures: tuple[Failure, ...]
    """What failed so far."""
    engine: str | None
    """What runs the workers; null where nothing is known."""
    started: str | None
    """When the run began, ISO 8601."""
    written: str | None
    """When the progress was last written, ISO 8601."""
    slides_per_hour: float | None
    """Speed; null before the first slide."""
    seconds_left: float | None
    """Time left; null before the first slide."""
    in_hand: tuple[SlideInHand, ...]
    """What each worker is doing."""


class BatchOptions(BatchDocument):
    """Options that apply to all slides; a worklist may have overruled some of them."""

    assay: str
    """The stated assay."""
    tumour: str
    """The stated tumour site."""
    marker: str
    """The marker."""
    research: bool
    """Whether unsupported scores were asked for."""
    mpp: float | None
    """The stated µm/px; null where each file's own was used."""
    model: str
    """The model."""
    device: str
    """Where the network runs."""
    pseudonym: bool
    """Whether slides' names were replaced."""


class BatchManifest(BatchDocument):
    """`batch.json`: how a batch was run, enough to run it again, and its result."""

    schema_name: Literal["cxpath/batch/1"] = Field(default="cxpath/batch/1", alias="schema")
    research_use: str
    """The research-use sentence."""
    cxpath: str
    """Version of cxpath."""
    python: str
    """Version of Python."""
    started: str
    """When the last run began, ISO 8601, UTC."""
    finished: str
    """When it ended."""
    seconds: NonNegativeFloat
    """How long it took."""
    engine: str
    """What ran the workers."""
    options: BatchOptions
    """Options for all slides whose row does not say otherwise."""
    configuration: Mapping[str, JsonValue]
    """Settings of all slides."""
    configuration_digest: str
    """SHA-256 of the configuration."""
    slides: NonNegativeInt
    """Slides of the worklist."""
    kept: NonNegativeInt
    """Slides done before this run."""
    scored: NonNegativeInt
    """Slides with a score."""
    not_evaluable: NonNegativeInt
    """Slides that are not evaluable."""
    failed: NonNegativeInt
    """Slides that failed."""
    worker_deaths: NonNegativeInt
    """Worker processes that ended unexpectedly."""
    failures: tuple[Failure, ...]
    """Slides that failed."""
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

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    id: str
    """Name in the batch, and of the results folder."""
    slide: str
    """File name, or pseudonym."""
    case: str | None = None
    """The case, from the worklist."""
    block: str | None = None
    """The block, from the worklist."""
    batch: str | None = None
    """Staining or scanning batch, from the worklist."""
    scanner: str | None = None
    """From the worklist, otherwise from the file: the scanner's model, or its vendor."""
    status: Status
    """Outcome of the slide: `scored`, `not evaluable` or `failed`."""
    reason: str | None = None
    """Why it failed, or why its result cannot be read."""
    hint: str | None = None
    """What to do about that."""
    error: str | None = None
    """Class of the error."""
    not_evaluable_because: str | None = None
    """Every reason why it is not evaluable, joined by `; `."""
    assay: str | None = None
    """The stated assay."""
    tumour: str | None = None
    """The stated tumour site."""
    marker: str | None = None
    """The marker."""
    cps: float | None = None
    """The CPS that decides, not rounded."""
    cps_basis: str | None = None
    """Whose cells it counts: `network`, `edited` or `audited`."""
    cps_network: float | None = None
    """The network's own CPS, not rounded."""
    cps_reported: str | None = None
    """Printed form of the CPS that decides."""
    cps_low: float | None = None
    """Lower end of its interval for the tumour."""
    cps_high: float | None = None
    """Upper end of its interval for the tumour."""
    cps_slide_low: float | None = None
    """Lower end of its interval for this slide."""
    cps_slide_high: float | None = None
    """Upper end of its interval for this slide."""
    cps_at_least_1: bool | None = None
    """Whether the cut-off 1 is met; empty where it is uncertain."""
    cps_at_least_10: bool | None = None
    """Whether the cut-off 10 is met; empty where it is uncertain."""
    reviewer: str | None = None
    """Who audited or edited the slide."""
    signed_by: str | None = None
    """Who signed the review, where the signature is valid."""
    signed_utc: str | None = None
    """When it was signed, ISO 8601, UTC."""
    borderline: bool | None = None
    """Whether it is near a cut-off, which asks for a pathologist."""
    uncertain_cutoffs: str | None = None
    """Cut-offs that are neither met nor not met, joined by `; `."""
    tps: float | None = None
    """TPS of the network's cells, per cent; an audit gives none."""
    tps_low: float | None = None
    """Lower end of its interval for the tumour."""
    tps_high: float | None = None
    """Upper end of its interval for the tumour."""
    h_score: float | None = None
    """H-score of the network's cells, 0 to 300."""
    viable_tumour_cells: int | None = None
    """Viable tumour cells."""
    tumour_positive: int | None = None
    """Viable tumour cells with membrane staining."""
    tumour_negative: int | None = None
    """Viable tumour cells without it."""
    immune_positive: int | None = None
    """Stained immune cells that are counted."""
    scored_mm2: float | None = None
    """Tissue that entered the score, mm²."""
    excluded_mm2: float | None = None
    """Tissue left out, mm²."""
    in_focus_percent: float | None = None
    """Share of the tissue that was not left out as blurred, per cent."""
    tumour_cells_per_mm2: float | None = None
    """Viable tumour cells in each mm² of scored tissue."""
    white_red: float | None = None
    """Red of the background, 0 to 255."""
    white_green: float | None = None
    """Green of the background, 0 to 255."""
    white_blue: float | None = None
    """Blue of the background, 0 to 255."""
    hematoxylin_red: float | None = None
    """Red part of the haematoxylin vector."""
    hematoxylin_green: float | None = None
    """Green part of the haematoxylin vector."""
    hematoxylin_blue: float | None = None
    """Blue part of the haematoxylin vector."""
    dab_red: float | None = None
    """Red part of the DAB vector."""
    dab_green: float | None = None
    """Green part of the DAB vector."""
    dab_blue: float | None = None
    """Blue part of the DAB vector."""
    mpp: float | None = None
    """Micrometres per pixel."""
    mpp_source: str | None = None
    """Where the µm/px came from."""
    notice: str | None = None
    """What the model was trained on and never validated on, from its card."""
    warnings: str | None = None
    """All other warnings, joined by `; `."""
    attempts: int | None = None
    """How often the slide was tried."""
    seconds: float | None = None
    """Seconds of the last attempt."""
    worker: str | None = None
    """Which worker scored it, without the name of computer or process."""
    started: str | None = None
    """When it began, ISO 8601, UTC, by the worker's clock."""
    finished: str | None = None
    """When it ended, ISO 8601, UTC, by the worker's clock."""
    slide_digest: str | None = None
    """SHA-256 of the slide."""
    model: str | None = None
    """Name of the model."""
    model_digest: str | None = None
    """SHA-256 of its weights."""
    configuration_digest: str | None = None
    """SHA-256 of the configuration."""
    cxpath: str | None = None
    """Version of cxpath."""
    notes: Mapping[str, str] = {}
    """Columns of the worklist whose name begins with `note`; they come after the others."""

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
