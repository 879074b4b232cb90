"""`score.json`, the result of one slide, `fields.json`, and the file of a case of several slides."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cxpath.documents.base import (
    Bounds,
    CodedText,
    ColourEntry,
    Document,
    Estimate,
    MicrometresPerPixel,
    Part,
    Percent,
    PixelSide,
    Share,
)
from cxpath.documents.review import AuditedScore, DecidingScore, ReviewState, ScoreBasis
from cxpath.scores import OTHER_SCORES, CellCounts, ScoringSettings, SlideScore

# Fields of a slide: `fields/fields.json`, the gallery of a run, and the table of `cxpath fields`.


class FieldCounts(Part):
    """Cells of one field by what they count as."""

    tumour_positive: int
    """Viable tumour cells with membrane staining."""
    tumour_negative: int
    """Viable tumour cells without it."""
    immune_positive: int
    """Stained lymphocytes and macrophages that are counted."""
    immune_negative: int
    """Unstained lymphocytes and macrophages."""
    immune_positive_not_associated: int
    """Stained lymphocytes and macrophages too far from tumour."""
    other: int
    """All other cells."""


PictureName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]
"""Of a file in the folder of the fields; a name that leads out of it is refused."""


class FieldEntry(Part):
    """One field of the gallery; lengths are of the slide, from its top left corner."""

    number: int
    """Place on the lattice of fields, counted row by row from 0 at the slide's top left; the same on the map,
    in the review and in the table of fields."""
    bucket: str
    """`influence`, or the range of local CPS that the field was sampled from."""
    plain: PictureName
    """File name of the field as scanned."""
    marked: PictureName
    """File name of the same with its cells marked."""
    left_um: float
    """Left edge in µm from the slide's left edge."""
    top_um: float
    """Top edge in µm from the slide's top edge."""
    width_um: float
    """Width, µm."""
    height_um: float
    """Height, µm."""
    caption: str
    """By how much the field moves the CPS, or that it was sampled at random."""
    local_cps: float | None = Field(ge=0, le=100)
    """CPS of the field's own cells; null without tumour cells."""
    counts: FieldCounts
    """Cells of the field."""


class FieldsDocument(Document):
    """The gallery of a run."""

    HINT: ClassVar[str] = "score the slide again, or give a folder that cxpath score wrote"

    schema_name: Literal["cxpath/fields/1"] = Field(default="cxpath/fields/1", alias="schema")
    fields: tuple[FieldEntry, ...]
    """The fields, in the order of the gallery."""


class FieldRow(Part):
    """Viable tumour cells of one field; pixels are level-0, lengths from the slide's top left corner."""

    field: int
    """Number of the field, the same as in the report and the review."""
    left_px: float
    """Left edge, level-0 pixels."""
    top_px: float
    """Top edge, level-0 pixels."""
    left_um: float
    """Left edge in µm from the slide's left edge."""
    top_um: float
    """Top edge in µm from the slide's top edge."""
    centre_x_um: float
    """Centre, µm from the slide's left edge."""
    centre_y_um: float
    """Centre, µm from the slide's top edge."""
    side_um: float
    """Side of the field, µm (`scoring.field_um`)."""
    viable_tumour_cells: int
    """The field's part of the denominator."""
    tumour_positive: int
    """Its stained tumour cells."""
    immune_positive: int
    """Its stained immune cells that are counted."""
    share_of_tumour_cells: float
    """Its share of the slide's viable tumour cells."""
    local_cps: float
    """CPS of the field's own cells."""
    influence: float | None
    """The CPS less the CPS without the field; null where the field contains all tumour."""


class FieldTable(Document):
    """The fields of a slide with viable tumour cells, those with most of them first."""

    HINT: ClassVar[str] = "list the fields again with cxpath fields"

    schema_name: Literal["cxpath/field-table/1"] = Field(default="cxpath/field-table/1", alias="schema")
    viable_tumour_cells: int
    """Viable tumour cells of the slide."""
    fields: tuple[FieldRow, ...]
    """One entry for each field with viable tumour cells."""


# `score.json`, the result of one slide, and the file of a case, which combines several.

PDL1 = "pdl1"

RESULT_LETTERS = 12
"""Of `scored_digest`, how many tell one result from another in a link."""

_FIRST_PRIVATE_PORT = 49_152


class ScoredSlide(Part):
    """Which slide was scored."""

    name: str
    """File name with suffix, or its pseudonym with `--pseudonym`."""
    digest: str
    """SHA-256 of the slide file."""
    width_px: PixelSide
    """Width in level-0 pixels."""
    height_px: PixelSide
    """Height in level-0 pixels."""
    mpp: MicrometresPerPixel
    """Micrometres per level-0 pixel (µm/px)."""
    mpp_source: str
    """Where that came from: `user`, `openslide.mpp-x`, `tiff.XResolution`, `ome.PhysicalSizeX` and so on."""
    colour: ColourEntry | None = None
    """The slide's ICC profile and what was done with it; null without one."""


class Adequacy(Part):
    """Whether enough viable tumour cells were found."""

    viable_tumour_cells: int | None
    """Viable tumour cells in the scored tissue; null where no cells were looked for."""
    required: int
    """How many are needed (`scoring.minimum_tumour_cells`)."""


class Counts(Part):
    """Cells by what they count as; see `CellCounts`."""

    tumour_positive: int = Field(ge=0)
    """Viable tumour cells with membrane staining (T⁺)."""
    tumour_negative: int = Field(ge=0)
    """Viable tumour cells without it (T⁻)."""
    immune_positive: int = Field(ge=0)
    """Stained lymphocytes and macrophages near the tumour, which are counted (I⁺)."""
    immune_negative: int = Field(ge=0)
    """Unstained lymphocytes and macrophages; they enter no formula."""
    immune_positive_not_associated: int = Field(ge=0)
    """Stained lymphocytes and macrophages too far from tumour to be counted."""
    other: int = Field(ge=0)
    """All other cells, stained or not."""
    lymphocyte: int | None
    """Lymphocytes among `immune_positive`; null where a counted cell is of unknown kind, as in cells from
    elsewhere."""
    macrophage: int | None
    """Macrophages among `immune_positive`; null as for `lymphocyte`."""

    def as_counts(self) -> CellCounts:
        """Return the counts to compute with."""
        return CellCounts(**self.model_dump())


class Influence(Part):
    """A field without which the CPS would change; see `InfluentialField`."""

    left_px: float
    """Left edge of the field, level-0 pixels."""
    top_px: float
    """Top edge, level-0 pixels."""
    left_um: float
    """Left edge in µm from the slide's left edge."""
    top_um: float
    """Top edge in µm from the slide's top edge."""
    side_um: float
    """Side of the field, µm."""
    influence: float | None
    """The CPS (not capped) less the CPS without this field; null where the field contains all tumour
    cells."""
    tumour_cells: int
    """Viable tumour cells of the field."""
    positive_cells: int
    """Its cells that enter the numerator."""
    local_cps: Percent | None
    """CPS of the field's own cells; null without tumour cells."""


class Bucket(Part):
    """Fields of one class of local CPS; see `FieldBucket`."""

    name: str
    """The range of local CPS."""
    fields: int
    """Number of fields in it."""
    share_of_tumour_cells: float
    """Their share of the slide's viable tumour cells."""
    share_of_positive_cells: float | None
    """Their share of the slide's positive cells; null without positive cells."""


class Hottest(Part):
    """The field of the highest local CPS."""

    left_um: float
    """Left edge in µm from the slide's left edge."""
    top_um: float
    """Top edge in µm from the slide's top edge."""
    tumour_cells: int
    """Viable tumour cells of the field."""
    local_cps: Percent
    """CPS of the field's own cells."""


class Unevenness(Part):
    """How unevenly positive cells lie over fields; see `Heterogeneity`."""

    fields: int
    """Fields with viable tumour cells."""
    gini: float | None
    """Gini coefficient of positive cells over tumour cells: 0 is even, near 1 means all of them in one small
    field; null without positive cells."""
    coefficient_of_variation: float | None
    """Coefficient of variation of the local ratio; null without positive cells."""
    share_of_hottest_tenth: float | None
    """Share of the positive cells in the hottest tenth of the tumour."""
    positive_share_of_hottest: tuple[float, ...]
    """The same for the hottest twentieth, two twentieths and so on: 20 numbers, or none without positive
    cells."""
    buckets: tuple[Bucket, ...]
    """Fields by local CPS."""
    fewest_tumour_cells: int
    """Fields with fewer viable tumour cells are not considered for `hottest`."""
    hottest: Hottest | None
    """The field with the highest local CPS; null where no field has enough tumour cells."""


class OtherChoice(Part):
    """The CPS under one changed choice; see `SensitivityCase`."""

    choice: str
    """What was changed: `staining threshold`, `membrane completeness` or `association distance`."""
    setting: float
    """Its changed value."""
    unit: str
    """The unit of that value."""
    cps: Percent | None
    """The CPS with this choice; null where `because` says why."""
    flips: tuple[float, ...]
    """Cut-offs that the score would then meet instead of miss, or the reverse."""
    because: str
    """Why there is no CPS; empty otherwise."""


class Stratum(Part):
    """Tiles of one stratum of a sample, and how many of them were drawn."""

    tiles: int
    """Tiles with tissue in the stratum."""
    drawn: int
    """Tiles of it that were read."""


class Sampling(Part):
    """What `--mode adaptive` read of the slide, and what that says of all of it."""

    method: str
    """How tiles were sampled."""
    share_read: Share
    """Share of the tiles with tissue that was read."""
    tiles_drawn: int
    """Tiles that were read as part of the sample."""
    tiles_with_tissue: int
    """Tiles with tissue on the whole slide."""
    context_tiles: int
    """Further tiles that were read for their surroundings; their cells are not counted."""
    looks: int
    """How often the interval was computed before reading stopped."""
    stopped_because: str
    """Why reading stopped."""
    cps: Percent | None
    """The CPS estimated for the whole slide."""
    interval: Bounds | None
    """Interval in which reading all tissue would put the CPS; its coverage is `level`."""
    level: Share
    """Coverage that the interval aims at."""
    strata: tuple[Stratum, ...]
    """The strata, palest first."""


class LaboratoryScale(Part):
    """The CPS on the laboratory's own scale; see `LaboratoryValue`."""

    value: float
    """The CPS on the laboratory's own scale. It is no CPS and decides no cut-off."""
    beyond_its_cases: bool
    """Whether the CPS lies outside those that the map was fitted to."""
    basis: str
    """What the value is, in words."""
    cases: int
    """How many cases the map was fitted to."""
    concordance: float
    """Concordance of the mapped CPS with the readers, on cases that the map had not seen."""
    concordance_unmapped: float
    """Concordance of the CPS itself, on the same cases."""
    reads_digest: str
    """SHA-256 of the table of reads."""


class TissueEntry(Part):
    """Areas in square millimetres; see `TissueAreas`."""

    scored_mm2: float
    """Tissue that entered the score, mm²."""
    excluded_mm2: Mapping[str, float]
    """Tissue left out, mm², by reason: `outside the drawn regions`, `control`, `pen`, `edge`, `dark`,
    `bubble`, `fold`, `blur`. Only reasons that occurred are listed."""
    annotated_mm2: Mapping[str, float]
    """Tissue inside the drawn regions, mm², by their meaning: `include`, `tumour bed`, `exclude`, `necrosis`,
    `benign or CIN`, `artefact`, `control tissue`. Overlaps of one meaning count once; empty without
    `--regions`."""
    tumour_bed_mm2: float | None
    """Scored tissue inside the drawn tumour bed, mm²; null when none was drawn."""


class Control(Part):
    """A control on the slide; see `ControlCheck`."""

    kind: Literal["positive", "negative"]
    """Whether it is a positive or a negative control."""
    source: str
    """How it was found: `drawn as …` or `rule …`."""
    area_mm2: float
    """Its tissue, mm²."""
    mean_dab_od: float | None
    """Mean DAB optical density; null where there is too little tissue."""
    median_dab_od: float | None
    """Median DAB optical density; null where there is too little tissue."""
    limit_dab_od: float | None
    """What the mean was compared with; null where no limit is set."""
    verdict: Literal["passed", "failed", "not set", "not found"]
    """Whether the control passed."""


class ScoreProvenance(Part):
    """What made the score."""

    cxpath: str
    """Version of cxpath."""
    model: str
    """Name of the model."""
    model_digest: str
    """SHA-256 of its weights."""
    configuration_digest: str
    """SHA-256 of the effective configuration."""


class SlideScores(Part):
    """What one slide's cells amount to, or why they amount to nothing; see `SlideScore`."""

    evaluable: bool
    """Whether a score was made."""
    not_evaluable_because: tuple[CodedText, ...]
    """Every reason why not; empty for an evaluable slide."""
    adequacy: Adequacy
    """Whether enough viable tumour cells were found."""
    counts: Counts | None
    """Cells by what they count as; null where no cells were looked for."""
    immune_share: Share | None
    """Share of immune cells in the numerator, I⁺ / (T⁺ + I⁺); null where no cell is positive."""
    cps: Estimate | None
    """The combined positive score; null when not evaluable, and for another marker than PD-L1."""
    tps: Estimate | None
    """The tumour proportion score; null as for `cps`."""
    ic_area: float | None
    """IC by area, per cent. Computed where the assay supports it, or with `--research`; so are the next
    three."""
    ic_cells: float | None
    """IC by cells, per cent."""
    tap: float | None
    """Tumour area positivity, per cent."""
    h_score: float | None
    """H-score, 0 to 300; null unless `scoring.intensity_thresholds_od` is set."""
    h_score_grades: Mapping[str, float] | None
    """With `--marker`: the percentage of tumour cells graded `0`, `1+`, `2+` and `3+` by the laboratory's
    thresholds."""
    null_because: Mapping[str, str]
    """Why each of those scores is null, by its name."""
    influence: tuple[Influence, ...]
    """The fields without which the CPS would change most, the most influential first."""
    heterogeneity: Unevenness | None
    """How unevenly positive cells are spread over fields; null where there is no score."""
    sensitivity: tuple[OtherChoice, ...]
    """The CPS under other choices."""

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
    """What the model was trained on and never validated on, in one sentence from its card; null where
    `--cells` supplied the cells."""
    slide: ScoredSlide
    """Which slide was scored."""
    assay: str
    """The stated assay, or `unknown`."""
    tumour: str
    """The stated tumour site."""
    marker: str
    """The marker: `pdl1`, `her2`, `egfr` or `vegf`."""
    warnings: tuple[CodedText, ...]
    """What a reader must know before using the score; the notice comes first."""
    sampling: Sampling | None
    """What `--mode adaptive` read; null for a slide read whole. Counts are then estimates for the whole
    slide, both intervals include the sampling error, and `influence`, `heterogeneity`, `sensitivity` and
    scores other than CPS and TPS are empty or null."""
    laboratory_map: LaboratoryScale | None
    """The CPS on the laboratory's own scale; null unless `scoring.laboratory_map` is set."""
    scoring: ScoringSettings
    """The effective settings of scoring, with the values that the model card filled in."""
    tissue: TissueEntry
    """Areas of tissue."""
    controls: tuple[Control, ...]
    """Each control on the slide; empty without controls."""
    provenance: ScoreProvenance
    """What made the score."""
    audited: AuditedScore | None = None
    """The CPS by a person's blind answers about a random sample of cells; null until one person has answered
    all of it. `cps` stays the network's."""
    review: ReviewState | None = None
    """What a person decided; null until a review is begun."""

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
    """Name of the slide."""
    counts: Counts
    """Its cells."""
    cps: float
    """Its CPS."""
    share_of_tumour_cells: Share
    """Its share of the tumour cells of all evaluable slides."""
    share_of_positive_cells: Share | None
    """Its share of their positive cells; null without any."""
    stands_for_case: bool
    """Whether it enters the score of the case."""
    basis: ScoreBasis
    """Whose cells its CPS counts: the network's, edited or audited."""


class LeftOut(Part):
    """A slide that is not evaluable, and why."""

    slide: str
    """Name of the slide."""
    because: tuple[CodedText, ...]
    """Why it is not evaluable."""


class CaseDocument(Document):
    """One score for several slides of a patient."""

    HINT: ClassVar[str] = "combine the slides again with cxpath cases"

    schema_name: Literal["cxpath/case/2"] = Field(default="cxpath/case/2", alias="schema")
    notice: str | None
    """What the model was trained on and never validated on."""
    rule: str
    """How slides are combined: `pooled` or `highest`."""
    rule_in_words: str
    """The same in words."""
    assay: str
    """The assay of all its slides."""
    tumour: str
    """Their tumour site."""
    model_digest: str
    """SHA-256 of the model's weights."""
    digest: str
    """SHA-256 over the digests of all its slides; it binds a confirmation to exactly these."""
    evaluable: bool
    """Whether the case has a score."""
    not_evaluable_because: tuple[CodedText, ...]
    """Every reason why not."""
    slides: tuple[CaseSlideEntry, ...]
    """The evaluable slides."""
    left_out: tuple[LeftOut, ...]
    """The slides that are not evaluable."""
    counts: Counts | None
    """Cells of the case."""
    cps: Estimate | None
    """CPS of the case."""
    tps: Estimate | None
    """TPS of the case."""
