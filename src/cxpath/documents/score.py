"""`score.json`, the result of one slide, `fields.json`, and the file of a case of several slides."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cxpath.documents.base import Bounds, CodedText, ColourEntry, Document, Estimate, Part, Percent, Share
from cxpath.documents.review import AuditedScore, DecidingScore, ReviewState, ScoreBasis
from cxpath.scores import OTHER_SCORES, CellCounts, ScoringSettings, SlideScore

# Fields of a slide: `fields/fields.json`, the gallery of a run, and the table of `cxpath fields`.


class FieldCounts(Part):
    """Cells of one field by what they count as."""

    tumour_positive: int
    tumour_negative: int
    immune_positive: int
    immune_negative: int
    immune_positive_not_associated: int
    other: int


PictureName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]
"""Of a file in the folder of the fields; a name that leads out of it is refused."""


class FieldEntry(Part):
    """One field of the gallery; lengths are of the slide, from its top left corner."""

    number: int
    bucket: str
    """`influence`, or the class of local CPS that it was drawn from."""
    plain: PictureName
    marked: PictureName
    """File names of the two pictures."""
    left_um: float
    top_um: float
    width_um: float
    height_um: float
    caption: str
    local_cps: float | None = Field(ge=0, le=100)
    counts: FieldCounts


class FieldsDocument(Document):
    """The gallery of a run."""

    HINT: ClassVar[str] = "score the slide again, or give a folder that cxpath score wrote"

    schema_name: Literal["cxpath/fields/1"] = Field(default="cxpath/fields/1", alias="schema")
    fields: tuple[FieldEntry, ...]


class FieldRow(Part):
    """Viable tumour cells of one field; pixels are level-0, lengths from the slide's top left corner."""

    field: int
    left_px: float
    top_px: float
    left_um: float
    top_um: float
    centre_x_um: float
    centre_y_um: float
    side_um: float
    viable_tumour_cells: int
    tumour_positive: int
    immune_positive: int
    share_of_tumour_cells: float
    local_cps: float
    influence: float | None
    """The CPS less the one without the field; null where the field contains all tumour."""


class FieldTable(Document):
    """The fields of a slide with viable tumour cells, those with most of them first."""

    HINT: ClassVar[str] = "list the fields again with cxpath fields"

    schema_name: Literal["cxpath/field-table/1"] = Field(default="cxpath/field-table/1", alias="schema")
    viable_tumour_cells: int
    fields: tuple[FieldRow, ...]


# `score.json`, the result of one slide, and the file of a case, which combines several.

PDL1 = "pdl1"

RESULT_LETTERS = 12
"""Of `scored_digest`, how many tell one result from another in a link."""

_FIRST_PRIVATE_PORT = 49_152


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
    local_cps: Percent | None


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
    local_cps: Percent


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
    cps: Percent | None
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
    cps: Percent | None
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
    """The CPS by a person's blind answers; `cps` stays the network's."""
    review: ReviewState | None = None
    """What a person decided, and what his edits amount to."""

    @property
    def scored_digest(self) -> str:
        """SHA-256 of what the run found: what a review adds to the document is left out."""
        own = self.model_dump(mode="json", by_alias=True, exclude={"audited", "review"})
        text = json.dumps(own, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def review_port(self) -> int:
        """Port on which a review of this result is looked for by the links of its report.

        One of the private ports (RFC 6335, section 6), the same for the same result.
        """
        return _FIRST_PRIVATE_PORT + int(self.scored_digest[:8], 16) % (65_536 - _FIRST_PRIVATE_PORT)

    @property
    def deciding(self) -> DecidingScore:
        """The CPS that cut-offs and therapy criteria use: audited, else edited, else the network's.

        A slide that is not evaluable stays so: answers about its cells do not make its stain, focus or
        tissue fit.
        """
        stated = tuple(reason.text for reason in self.not_evaluable_because)
        if not self.evaluable:
            return DecidingScore(ScoreBasis.NETWORK, None, stated)
        if self.audited is not None:
            return self.audited.deciding(self.adequacy.required)
        if self.review is not None and (edited := self.review.edited) is not None:
            return DecidingScore(ScoreBasis.EDITED, edited.estimate, edited.not_evaluable_because)
        return DecidingScore(ScoreBasis.NETWORK, self.cps)

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
    basis: ScoreBasis
    """Whose cells its CPS counts."""


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
