"""`agreement.json`, and the documents of compared cells and of a calibration: statistics with methods."""

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
    """Its lower and upper end."""
    method: str
    """How it was computed."""


class StatisticEntry(Part):
    """One number of a study; see `Statistic`."""

    analysis: str | None = None
    """`between readers`, `each reader`, `comparison`, `software against readers`, `within readers` or
    `subgroup`."""
    round: str | None = None
    """`1`, `2` and so on, or `1 and 2` within readers."""
    scale: str | None = None
    """The scale of the scores, where it is a statistic of scores."""
    cutoff: str | None = None
    """The cut-off, where it is a statistic of the two sides of a cut-off."""
    reader: str | None = None
    """The reader, where it is of one reader."""
    reference: str | None = None
    """The reader, or consensus, that is compared with."""
    compared: str | None = None
    """The reader, or software, that is compared."""
    reference_readers: str | None = None
    """The readers whose consensus is the reference."""
    indeterminate: str | None = None
    """How indeterminate reads were treated."""
    grouping: str | None = None
    """What cases were grouped by, in a subgroup."""
    subgroup: str | None = None
    """Which group of it."""
    radius: str | None = None
    """Within which distance cells were matched."""
    key: str
    """Its stable name, for programs."""
    label: str
    """The same as a paper prints it."""
    estimate: float | None
    """Null where the data do not define it; `note` says why."""
    interval: Ends | None
    """The interval to quote; null without one."""
    interval_method: str | None
    """How that was computed."""
    other_intervals: tuple[OtherInterval, ...]
    """Further intervals, such as the F-based interval of an ICC."""
    n: int
    """Cases that it rests on."""
    readers: int
    """Readers that it rests on."""
    p_value: float | None
    """Of McNemar's test and of the CUSUM test; otherwise null."""
    method: str
    """How it was computed."""
    source: str
    """The publication of the method."""
    note: str
    """What a reader of the number must know."""

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
    """File name of the table."""
    digest: str
    """SHA-256 of the table."""


class ScoresEntry(Part):
    """The scores of one side of a comparison, by unit; null without a score."""

    name: str
    """Name of the reader, the software or the consensus."""
    values: Numbers
    """One score for each unit; null without a score."""


class OnestEntry(Part):
    """The ONEST curve at one cut-off; see `OnestCurve`."""

    cutoff: str
    """The cut-off."""
    missing: str
    """How missing reads were treated."""
    cases: int
    """Cases that it rests on."""
    readers: tuple[int, ...]
    """Numbers of readers, from 2 to all."""
    mean: Numbers
    """Mean agreement over sets of so many readers."""
    low: Numbers
    """Lower end of its interval over cases."""
    high: Numbers
    """Upper end of its interval over cases."""
    order_low: Numbers
    """Lower end of the range of 95 % of random orders of readers."""
    order_high: Numbers
    """Upper end of that range."""


class PairwiseEntry(Part):
    """A measure between every two readers, the software last."""

    measure: str
    """What was measured."""
    cutoff: str | None = None
    """The cut-off, where it is a measure of the two sides of a cut-off."""
    scale: str | None = None
    """The scale, where it is a measure of scores."""
    readers: tuple[str, ...]
    """The readers, the software last."""
    values: tuple[Numbers, ...]
    """A row for each reader, a value for each other reader."""

    @property
    def place(self) -> str:
        """The cut-off, or else the scale, that it is of."""
        return self.cutoff or self.scale or ""


class RoundEntry(Part):
    """Who read what in one round, and who is compared with whom."""

    round: int
    """Its number."""
    arm: str = ""
    """In a reader study `unaided` or `aided`; otherwise empty."""
    cases: int
    """Number of cases."""
    patients: int
    """Number of patients."""
    readers: tuple[str, ...]
    """Names of the readers."""
    reads: int
    """Number of reads."""
    not_evaluable: int
    """Reads that gave no score."""
    groupings: Mapping[str, tuple[str, ...]]
    """Groups of cases, by what they were grouped by."""
    why: str
    """How the compared and the reference were chosen."""
    compared: ScoresEntry | None
    """Scores of the compared; null without one."""
    reference: ScoresEntry | None
    """Scores of the reference; null without one."""
    units: tuple[tuple[str, str], ...]
    """Case and slide of each unit."""
    onest: tuple[OnestEntry, ...]
    """ONEST curves: agreement of all readers by their number."""
    pairwise: tuple[PairwiseEntry, ...]
    """Measures between every two readers."""


class AgreementProvenance(Part):
    """Versions, and the digests of the models behind results of cxpath."""

    cxpath: str
    """Version of cxpath."""
    python: str
    """Version of Python."""
    numpy: str
    """Version of NumPy."""
    scipy: str
    """Version of SciPy."""
    model_digests: tuple[str, ...]
    """SHA-256 of the models behind cxpath's results."""


class AgreementDocument(Document):
    """A study of agreement."""

    HINT: ClassVar[str] = "run cxpath agree run again, or give a folder that it wrote"

    schema_name: Literal["cxpath/agreement/2"] = Field(default="cxpath/agreement/2", alias="schema")
    score: str
    """Which score was studied."""
    software: str | None
    """The reader named as software; null without one."""
    reference: str | None
    """The reader named as reference; null for the readers' median."""
    consensus: str
    """The rule of the consensus."""
    settings: AgreementSettings
    """Cut-offs, level, replicates, seed and margins of the study."""
    sources: tuple[SourceTable, ...]
    """The tables of reads."""
    warnings: tuple[CodedText, ...]
    """What a reader must know before using the figures."""
    rounds: tuple[RoundEntry, ...] = Field(min_length=1)
    """Who read what in each round, and who is compared with whom."""
    statistics: tuple[StatisticEntry, ...]
    """Every statistic."""
    provenance: AgreementProvenance
    """What made the study."""


class ComparedImage(Part):
    """One image, and how many cells each side contains."""

    name: str
    """Name of the image."""
    reference: int
    """Cells of the reference."""
    compared: int
    """Cells that are compared with them."""
    reference_outside: int = 0
    """Marked cells outside the annotated area, which are left out."""
    compared_outside: int = 0
    """The same of the compared cells."""


class CxpathVersion(Part):
    """Which cxpath made it."""

    cxpath: str
    """Version of cxpath."""


class CellAgreementDocument(Document):
    """Cells that a person marked against cells of cxpath or of another person."""

    HINT: ClassVar[str] = "run cxpath agree cells again"

    schema_name: Literal["cxpath/cell-agreement/1"] = Field(default="cxpath/cell-agreement/1", alias="schema")
    radius_um: float
    """Cells nearer than this are matched, µm."""
    images: tuple[ComparedImage, ...]
    """The images."""
    classes: tuple[str, ...]
    """The classes, in the order of the table."""
    confusion: tuple[tuple[int, ...], ...]
    """Matched cells: a row for each class of the reference, a column for each class of the compared."""
    statistics: tuple[StatisticEntry, ...]
    """Every statistic."""
    provenance: CxpathVersion
    """What made it."""


class FittedMap(Part):
    """A rising map from the CPS to the reads, by nested cross-validation."""

    helps: bool
    """Whether it agrees better than the CPS by more than chance, and was written."""
    scores: tuple[float, ...]
    """CPS of the points of the map."""
    reads: tuple[float, ...]
    """What the readers say there."""
    concordance: StatisticEntry
    """Of the mapped CPS with the readers, by nested cross-validation."""
    concordance_without: StatisticEntry
    """Of the CPS itself with the readers, on the same cases."""
    gain: StatisticEntry
    """The difference of the two."""
    concordance_on_the_cases_it_was_fitted_to: float | None
    """Too good to quote."""


class CalibrationDocument(Document):
    """The staining threshold that agrees best with a laboratory's reads."""

    HINT: ClassVar[str] = "run cxpath calibrate again"

    schema_name: Literal["cxpath/calibration/1"] = Field(default="cxpath/calibration/1", alias="schema")
    stained_threshold: float
    """The chosen staining threshold."""
    present_threshold: float
    """The threshold before."""
    cases: int
    """Number of cases."""
    concordance: StatisticEntry
    """Lin's concordance of the chosen threshold with the readers, by nested cross-validation: the figure to
    quote."""
    concordance_present: float | None
    """The same of the threshold before."""
    concordance_on_the_cases_it_was_chosen_on: float | None
    """Too good to quote."""
    agreement_at_1: float | None
    """Share of cases on the readers' side of CPS 1, by nested cross-validation."""
    agreement_at_1_present: float | None
    """The same of the threshold before."""
    thresholds_of_folds: tuple[float, ...]
    """The threshold that each fold chose."""
    map: FittedMap | None
    """The laboratory's own scale; null without `--map`."""
    consensus: str
    """The rule of the readers' consensus."""
    model_digest: str
    """SHA-256 of the model's weights."""
    assay: str
    """The assay of all results."""
    association_distance_um: float
    """The association distance of all results, µm."""
    reads_digest: str
    """SHA-256 of the table of reads."""
    cxpath: str
    """Version of cxpath."""
