"""`evaluation.json`: everything that was measured of one model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from cxpath.documents.base import Document, Part
from cxpath.network import ReliabilityCurve

EVALUATION_NAME = "evaluation.json"

Unit = Literal["images", "blocks", "slides", "fields", "patients", "none"]


class Target(Part):
    """What a figure must reach; exactly one of the two."""

    at_least: float | None = None
    """The least value that meets it; null for the other kind of target."""
    at_most: float | None = None
    """The largest value that meets it; null for the other kind of target."""

    @model_validator(mode="after")
    def _one_bound(self) -> Target:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("a target is either at_least or at_most")
        return self

    def met_by(self, value: float) -> bool:
        """Say whether a value reaches the target."""
        if self.at_least is not None:
            return value >= self.at_least
        return self.at_most is not None and value <= self.at_most

    def __str__(self) -> str:
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"


class Figure(Part):
    """One line of an evaluation."""

    set_name: str
    """Which body of images: "bcdata", "synthetic", ..."""
    name: str
    """Name of the figure."""
    label: str
    """The figure in words."""
    value: float | None
    """None when nothing of the kind was there to measure."""
    low: float | None
    """Lower end of its interval; null without one."""
    high: float | None
    """Upper end of its interval; null without one."""
    level: float
    """Coverage of the interval."""
    n: int
    """How many things were counted, as `n_of` says."""
    n_of: str
    """What was counted."""
    unit: Unit
    """What the bootstrap resamples; `none` when there is no interval."""
    units: int
    """How many of these there are."""
    method: str
    """How it was computed."""
    mpp: float | None
    """Micrometres per pixel of the pictures; None when they differ."""
    mpp_source: str
    """ "assumed", "file" or "synthetic"."""
    target: Target | None
    """What it must reach; null without a target."""
    met: bool | None
    """None without a target, or without a value."""


class EvaluatedModel(Part):
    """Which model was measured, and on what it ran."""

    name: str
    """Name of the model."""
    version: str
    """Its version."""
    digest: str
    """SHA-256 of the weights."""
    centre_threshold: float
    """Its threshold for a centre."""
    stained_threshold: float
    """Its staining threshold."""
    cxpath: str
    """Version of cxpath."""
    device: str
    """What the network ran on."""
    precision: str
    """Number format of its convolutions."""


class SetSummary(Part):
    """One body of images."""

    name: str
    """Name of the set."""
    title: str
    """The same for people."""
    mpp: float | None
    """None when pictures differ."""
    mpp_source: str
    """Where the µm/px came from."""
    items: int
    """Images or slides measured."""


class Ingredient(Part):
    """One thing that the synthetic test set must contain enough of."""

    arm: str
    """The part of the test set."""
    label: str
    """What it must contain."""
    value: float
    """How much of that it contains."""
    required: float
    """How much is required."""
    met: bool
    """Whether that is enough."""


class Skipped(Part):
    """What was not measured, and why."""

    item: str
    """What was not measured."""
    reason: str
    """Why."""


class SyntheticScore(Part):
    """True and predicted CPS of one synthetic slide."""

    name: str
    """Name of the slide."""
    arm: str
    """The part of the test set."""
    stratum: str
    """Range of the true CPS."""
    true_cps: float
    """The true CPS."""
    predicted_cps: float
    """The CPS by the network's cells."""


class EvaluatedReliability(Part):
    """How reliable one probability is on one body of images."""

    set_name: str
    """Which body of images."""
    of_what: Literal["kind", "stained"] = Field(alias="of")
    """Probability of the predicted kind; of being PD-L1 positive by that kind's rule."""
    curve: ReliabilityCurve
    """Stated probabilities and observed shares, as in a model card."""


class CurvePoint(Part):
    """Figures of a labelled set, were its pictures of this resolution; None where nothing was counted."""

    mpp: float
    """The µm/px."""
    f1: float | None
    """F1 score of detection."""
    detections_per_label: float | None
    """Detections for each labelled nucleus."""
    brown_classified_positive: float | None
    """Share of brown nuclei that are called positive."""
    tumour_classified_tumour: float | None
    """Share of the tumour's nuclei that are called tumour; null where labels do not say which these are."""


class ResolutionCurve(Part):
    """A labelled set whose µm/px nobody stated, evaluated at several."""

    set_name: str
    """Which body of images."""
    assumed_mpp: float
    """The µm/px at which its figures with a target are measured."""
    images: int
    """Number of images."""
    labels: int
    """Number of labelled nuclei."""
    points: tuple[CurvePoint, ...]
    """Figures in the order of µm/px."""


class ContactPicture(Part):
    """Where one picture of the contact sheet lies, relative to the evaluation's folder."""

    set_name: str
    """Which body of images."""
    title: str
    """Title of the picture."""
    picture: str
    """File name of the picture."""
    cells: str
    """JSON of `PicturedCells`."""
    mpp: float
    """Micrometres per pixel of the picture."""


class PicturedCells(Part):
    """Each predicted cell of a picture, by column."""

    x_px: tuple[float, ...]
    y_px: tuple[float, ...]
    kind: tuple[int, ...]
    positive: tuple[bool, ...]


class CountedItem(Part):
    """What was counted of one picture or slide, as it is kept between runs of an evaluation."""

    name: str
    picture: ContactPicture | None = None
    """For the contact sheet; None where it is not shown."""


class CountedLabels(CountedItem):
    """Counts of a labelled picture."""

    blocks: tuple[tuple[int, ...], ...]
    """One row a block; columns as `cxpath.evaluation.labelled.COLUMNS`."""


class CountedScan(CountedItem):
    """Counts of one scan of a field."""

    shape: tuple[int, int]
    """Rows and columns of blocks."""
    blocks: tuple[tuple[int, ...], ...]
    """One row a block; a column each of `cxpath.metrics.CLASSES`."""


class CountedField(CountedItem):
    """Counts of a PD-L1 field, by block; with a mask also the overlap of both regions."""

    positive: tuple[int, ...]
    immune: tuple[int, ...]
    crop: tuple[int, int] | None = None
    """Row and column at which the mask was registered."""
    areas: tuple[tuple[int, int, int], ...] | None = None
    """Pixels of both, of the mask and of the called region."""


class CountedSlide(CountedItem):
    """Counts of a slide of known truth."""

    arm: str
    table: tuple[tuple[int, ...], ...]
    """(6, 6), as `cxpath.metrics.tally` returns it."""
    reliability: tuple[tuple[float, float, float], ...]
    """Per bin of the stained probability the cells, their summed probability and how many are positive."""


class CountedSynthetic(CountedSlide):
    """Counts of a synthetic slide, and what the slide is."""

    stratum: str
    mpp: float
    jpeg_quality: int
    """0: without compression."""
    counterstain: float
    dab: float
    """Strength of either stain, 1 as usual."""
    kind_reliability: tuple[tuple[float, float, float], ...]
    """As `reliability`, of the called kind's probability and how many are of it."""
    fields: tuple[tuple[str, ...], ...]
    """The hard negatives of each field."""


class CountedMosaic(CountedSlide):
    """Counts of a slide put together from restained tiles."""

    painting: str


class CountedTile(CountedItem):
    """Counts of one restained tile, flat."""

    counts: tuple[float, ...]


class Evaluation(Document):
    """The whole document."""

    HINT: ClassVar[str] = "run cxpath model evaluate again, or give a folder that it wrote"

    schema_name: Literal["cxpath/evaluation/1"] = Field(default="cxpath/evaluation/1", alias="schema")
    model: EvaluatedModel
    """Which model was measured, and on what it ran."""
    limit: int | None
    """Only so many items of each set were asked for; None: all."""
    sets: tuple[SetSummary, ...]
    """The bodies of images."""
    figures: tuple[Figure, ...]
    """Every figure."""
    curves: tuple[ResolutionCurve, ...] = ()
    """Of the sets whose µm/px are assumed."""
    composition: tuple[Ingredient, ...] = ()
    """What the synthetic test set contained, against what it must contain."""
    hard_negative_shares: Mapping[str, float] = Field(default_factory=dict)
    """Share of synthetic fields that contain each hard negative."""
    slides: tuple[SyntheticScore, ...] = ()
    """True and predicted CPS of each synthetic slide."""
    reliability: tuple[EvaluatedReliability, ...] = ()
    """How reliable the probabilities are."""
    pictures: tuple[ContactPicture, ...] = ()
    """The contact sheet."""
    skipped: tuple[Skipped, ...] = ()
    """What was not measured."""
