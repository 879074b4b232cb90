"""`score.json`, the result of one slide, and the file of a case, which combines several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cxpath.documents.base import CodedText, ColourEntry, Document, Part
from cxpath.scores import (
    OTHER_SCORES,
    REVIEW,
    CellCounts,
    CutoffVerdict,
    Decision,
    ScoreEstimate,
    ScoringSettings,
    SlideScore,
)

PDL1 = "pdl1"

Share = Annotated[float, Field(ge=0, le=1)]
Bounds = tuple[float, float]
CutoffName = Annotated[str, Field(pattern=r"^\d+(\.\d+)?$")]
"""A cut-off as it is written: "1", "10", "2.5"."""


class ScoredSlide(Part):
    """Which slide was scored."""

    name: str
    """File name with suffix, or its pseudonym."""
    digest: str
    width_px: int
    height_px: int
    mpp: float = Field(gt=0)
    mpp_source: str
    colour: ColourEntry | None = None
    """The slide's ICC profile and what was done with it; null without one."""


class Adequacy(Part):
    """Whether enough viable tumour cells were found."""

    viable_tumour_cells: int | None
    required: int


class Counts(Part):
    """Cells by what they count as; see `CellCounts`."""

    tumour_positive: int = Field(ge=0)
    tumour_negative: int = Field(ge=0)
    immune_positive: int = Field(ge=0)
    immune_negative: int = Field(ge=0)
    immune_positive_not_associated: int = Field(ge=0)
    other: int = Field(ge=0)
    lymphocyte: int | None
    """Lymphocytes among `immune_positive`; null where that is not known."""
    macrophage: int | None

    def as_counts(self) -> CellCounts:
        """Return the counts to compute with."""
        return CellCounts(**self.model_dump())


class CutoffEntry(Part):
    """What is known of a score and one cut-off."""

    basis: str
    decision: Decision
    met: bool | None
    """True or false where the cut-off is decided, null where it is uncertain."""
    probability: Share
    """That the tumour's score is at least the cut-off."""
    borderline: bool
    """The other side than the counted score's is likely enough to ask for a pathologist."""
    review: str | None
    """What a borderline cut-off asks for; else null."""

    @classmethod
    def of_verdict(cls, verdict: CutoffVerdict) -> CutoffEntry:
        """Return the entry of a verdict."""
        return cls(
            basis=verdict.cutoff.basis,
            decision=verdict.decision,
            met=verdict.met,
            probability=verdict.probability,
            borderline=verdict.borderline,
            review=REVIEW if verdict.borderline else None,
        )


class Estimate(Part):
    """A score with its intervals and cut-offs; see `ScoreEstimate`."""

    value: float
    interval_slide: Bounds
    interval_tissue: Bounds
    level: Share
    method: str
    reported: str
    cutoffs: Mapping[CutoffName, CutoffEntry] = {}
    """By the cut-off's value; empty where the assay states none."""

    @classmethod
    def of_score(cls, score: ScoreEstimate) -> Estimate:
        """Return the entry of a score."""
        decided = {f"{one.cutoff.value:g}": CutoffEntry.of_verdict(one) for one in score.cutoffs}
        return cls(
            value=score.value,
            interval_slide=score.interval_slide,
            interval_tissue=score.interval_tissue,
            level=score.level,
            method=score.method,
            reported=score.reported,
            cutoffs=decided,
        )

    @property
    def decided(self) -> tuple[tuple[float, CutoffEntry], ...]:
        """The cut-offs in rising order."""
        return tuple(sorted((float(name), entry) for name, entry in self.cutoffs.items()))

    @property
    def uncertain(self) -> tuple[float, ...]:
        """The cut-offs that are uncertain, in rising order."""
        return tuple(cutoff for cutoff, entry in self.decided if entry.decision is Decision.UNCERTAIN)

    @property
    def borderline(self) -> tuple[float, ...]:
        """The cut-offs that ask for a pathologist, in rising order."""
        return tuple(cutoff for cutoff, entry in self.decided if entry.borderline)


class Influence(Part):
    """A field without which the CPS would change; see `InfluentialField`."""

    left_px: float
    top_px: float
    left_um: float
    top_um: float
    side_um: float
    influence: float | None
    tumour_cells: int
    positive_cells: int
    local_cps: float | None


class Bucket(Part):
    """Fields of one class of local CPS; see `FieldBucket`."""

    name: str
    fields: int
    share_of_tumour_cells: float
    share_of_positive_cells: float | None


class Hottest(Part):
    """The field of the highest local CPS."""

    left_um: float
    top_um: float
    tumour_cells: int
    local_cps: float


class Unevenness(Part):
    """How unevenly positive cells lie over fields; see `Heterogeneity`."""

    fields: int
    gini: float | None
    coefficient_of_variation: float | None
    share_of_hottest_tenth: float | None
    positive_share_of_hottest: tuple[float, ...]
    buckets: tuple[Bucket, ...]
    fewest_tumour_cells: int
    hottest: Hottest | None


class OtherChoice(Part):
    """The CPS under one changed choice; see `SensitivityCase`."""

    choice: str
    setting: float
    unit: str
    cps: float | None
    flips: tuple[float, ...]
    because: str


class Stratum(Part):
    """Tiles of one stratum of a sample, and how many of them were drawn."""

    tiles: int
    drawn: int


class Sampling(Part):
    """What `--mode adaptive` read of the slide, and what that says of all of it."""

    method: str
    share_read: Share
    tiles_drawn: int
    tiles_with_tissue: int
    context_tiles: int
    looks: int
    stopped_because: str
    cps: float | None
    interval: Bounds | None
    level: Share
    strata: tuple[Stratum, ...]


class LaboratoryScale(Part):
    """The CPS on the laboratory's own scale; see `LaboratoryValue`."""

    value: float
    beyond_its_cases: bool
    basis: str
    cases: int
    concordance: float
    concordance_unmapped: float
    reads_digest: str


class TissueEntry(Part):
    """Areas in square millimetres; see `TissueAreas`."""

    scored_mm2: float
    excluded_mm2: Mapping[str, float]
    annotated_mm2: Mapping[str, float]
    tumour_bed_mm2: float | None


class Control(Part):
    """A control on the slide; see `ControlCheck`."""

    kind: Literal["positive", "negative"]
    source: str
    area_mm2: float
    mean_dab_od: float | None
    median_dab_od: float | None
    limit_dab_od: float | None
    verdict: Literal["passed", "failed", "not set", "not found"]


class ScoreProvenance(Part):
    """What made the score."""

    cxpath: str
    model: str
    model_digest: str
    configuration_digest: str


class AuditedScore(Part):
    """The CPS that blind answers about a random sample of cells give."""

    cps: float
    interval: Bounds
    level: Share
    n: int
    answers: Mapping[str, int]
    """By stratum."""
    reviewer: str
    seed: int
    head_hash: str


class Signature(Part):
    """Who signed a review, when (UTC, ISO 8601), and what the signature means."""

    name: str
    utc: str
    meaning: str


class ReviewState(Part):
    """What a person changed: the end of the chain of events, and who signed it."""

    edits: int
    events: int
    head_hash: str
    signature: Signature | None


class SlideScores(Part):
    """What one slide's cells amount to, or why they amount to nothing; see `SlideScore`."""

    evaluable: bool
    not_evaluable_because: tuple[CodedText, ...]
    adequacy: Adequacy
    counts: Counts | None
    immune_share: Share | None
    """Immune cells in the numerator of the CPS; null where no cell is positive."""
    cps: Estimate | None
    tps: Estimate | None
    ic_area: float | None
    ic_cells: float | None
    tap: float | None
    h_score: float | None
    h_score_grades: Mapping[str, float] | None
    null_because: Mapping[str, str]
    influence: tuple[Influence, ...]
    heterogeneity: Unevenness | None
    sensitivity: tuple[OtherChoice, ...]

    @classmethod
    def of_score(cls, score: SlideScore) -> SlideScores:
        """Return the entries of a scored slide."""
        counts = score.counts
        return cls(
            evaluable=score.evaluable,
            not_evaluable_because=tuple(map(CodedText.of, score.not_evaluable_because)),
            adequacy=Adequacy(
                viable_tumour_cells=counts.tumour if counts else None, required=score.required_tumour_cells
            ),
            counts=Counts.of(counts) if counts else None,
            immune_share=counts.immune_share if counts else None,
            cps=Estimate.of_score(score.cps) if score.cps else None,
            tps=Estimate.of_score(score.tps) if score.tps else None,
            **{key: score.others.get(key) for key in OTHER_SCORES},
            h_score_grades=score.h_score_grades,
            null_because=score.null_because,
            influence=tuple(map(Influence.of, score.influence)),
            heterogeneity=Unevenness.of(score.heterogeneity) if score.heterogeneity else None,
            sensitivity=tuple(map(OtherChoice.of, score.sensitivity)),
        )


class ScoreDocument(SlideScores, Document):
    """The result of one slide."""

    HINT: ClassVar[str] = "score the slide again, or give a folder that cxpath score wrote"

    schema_name: Literal["cxpath/score/2"] = Field(default="cxpath/score/2", alias="schema")
    notice: str | None
    """What the model was trained on and never validated on, from its card; null for cells from a file."""
    slide: ScoredSlide
    assay: str
    tumour: str
    marker: str
    warnings: tuple[CodedText, ...]
    sampling: Sampling | None
    laboratory_map: LaboratoryScale | None
    scoring: ScoringSettings
    tissue: TissueEntry
    controls: tuple[Control, ...]
    provenance: ScoreProvenance
    audited: AuditedScore | None = None
    review: ReviewState | None = None

    def reasons(self) -> str:
        """Return why the slide is not evaluable, on one line; empty for an evaluable one."""
        return "; ".join(reason.text for reason in self.not_evaluable_because)


class CaseSlideEntry(Part):
    """What one slide brings to the case; see `SlidePart`."""

    name: str
    counts: Counts
    cps: float
    share_of_tumour_cells: Share
    share_of_positive_cells: Share | None
    stands_for_case: bool


class LeftOut(Part):
    """A slide that is not evaluable, and why."""

    slide: str
    because: tuple[CodedText, ...]


class CaseDocument(Document):
    """One score for several slides of a patient."""

    HINT: ClassVar[str] = "combine the slides again with cxpath cases"

    schema_name: Literal["cxpath/case/2"] = Field(default="cxpath/case/2", alias="schema")
    notice: str | None
    rule: str
    rule_in_words: str
    assay: str
    tumour: str
    model_digest: str
    digest: str
    """SHA-256 over the digests of all its slides: binds a confirmation to exactly these."""
    evaluable: bool
    not_evaluable_because: tuple[CodedText, ...]
    slides: tuple[CaseSlideEntry, ...]
    left_out: tuple[LeftOut, ...]
    counts: Counts | None
    cps: Estimate | None
    tps: Estimate | None
