"""What a person's review adds to `score.json`, and the documents in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Literal, Self

from pydantic import Field

from cxpath.documents.base import Bounds, CutoffEntry, CutoffName, Document, Estimate, File, Part, Share
from cxpath.scores import (
    Adaptation,
    AuditedScore as AuditEstimate,
    LogOddsMap,
    Regression,
    ScoreEstimate,
    printed_form,
)

# What a person's review adds to `score.json`: the audited score, the edited one, the signature.
#
# Each is given next to the network's score, and none replaces it.


class ScoreBasis(StrEnum):
    """Whose cells a score counts."""

    NETWORK = "network"
    EDITED = "edited"
    AUDITED = "audited"

    @property
    def words(self) -> str:
        """The basis in words."""
        return _WORDS[self]


_WORDS = {
    ScoreBasis.NETWORK: "the network's own",
    ScoreBasis.EDITED: "after a person's edits",
    ScoreBasis.AUDITED: "audited by a person",
}


@dataclass(frozen=True)
class DecidingScore:
    """The score that decides, and whose it is.

    Parameters
    ----------
    basis : ScoreBasis
    estimate : Estimate or None
        None on a slide that is not evaluable: never 0.
    not_evaluable_because : tuple of str
    """

    basis: ScoreBasis
    estimate: Estimate | None
    not_evaluable_because: tuple[str, ...] = ()


class StratumEntry(Part):
    """Answers of one stratum of the audit."""

    name: str
    """Class and how far the staining probability is from the threshold, such as "tumour stained"."""
    cells: int = Field(ge=0)
    """Cells of the slide in the stratum."""
    answered: int = Field(ge=0)
    """Cells with an answer other than "cannot tell"."""
    cannot_tell: int = Field(ge=0)
    """Cells answered "cannot tell"."""
    in_numerator: int = Field(ge=0)
    """Answered cells that enter the numerator of the CPS."""
    in_denominator: int = Field(ge=0)
    """Answered cells that are viable tumour cells."""


class AuditedScore(Part):
    """The CPS that blind answers about a random sample of cells give."""

    cps: float = Field(ge=0, le=100)
    """The audited CPS, not rounded."""
    interval: Bounds
    """Interval for this slide's own CPS."""
    interval_tissue: Bounds
    """Interval for the tumour's CPS, of which the slide is a sample; it decides the cut-offs."""
    level: Share
    """Nominal coverage of both intervals."""
    bounds: Bounds
    """The CPS with every "cannot tell" counted against it, and for it."""
    n: int = Field(ge=1)
    """Cells that were answered, "cannot tell" included."""
    cannot_tell: int = Field(ge=0)
    """Cells answered "cannot tell"."""
    answers: tuple[StratumEntry, ...]
    """Answers by stratum of the sample."""
    tumour_cells: float = Field(gt=0)
    """Viable tumour cells among those found, by the answers."""
    hidden_cells: float = Field(ge=0)
    """Stained cells that may lie far below the threshold; they widen the interval upwards only."""
    squares: int = Field(ge=0)
    """Squares in which missed cells were counted; with 0, nothing is known about missed cells."""
    reviewer: str
    """Printed name of the person who answered."""
    utc: str
    """When the last answer was given, ISO 8601."""
    seed: int
    """Seed of the random sample."""
    events: int = Field(ge=1)
    """Events of the record that the score rests on."""
    head_hash: str
    """Hash of the last of them."""
    method: str
    """How the intervals were computed."""
    cutoffs: Mapping[CutoffName, CutoffEntry]
    """One entry for each cut-off, by its value."""
    warnings: tuple[str, ...]
    """What limits the audited score."""

    @property
    def estimate(self) -> Estimate:
        """The score with its intervals and cut-offs, as other scores have them."""
        return Estimate(
            value=self.cps,
            interval_slide=self.interval,
            interval_tissue=self.interval_tissue,
            level=self.level,
            method=self.method,
            reported=printed_form(self.cps),
            cutoffs=self.cutoffs,
        )

    def deciding(self, required_tumour_cells: int) -> DecidingScore:
        """Return the score that decides; not evaluable where the answers leave too few tumour cells."""
        if self.tumour_cells >= required_tumour_cells:
            return DecidingScore(ScoreBasis.AUDITED, self.estimate)
        found = f"by the answers about {self.tumour_cells:.0f} viable tumour cells were found"
        return DecidingScore(ScoreBasis.AUDITED, None, (f"{found}, {required_tumour_cells} are required",))


class EditedScore(Part):
    """The score of the cells after a person edited some; the others are still the network's."""

    estimate: Estimate | None
    """The CPS after the edits, with intervals and cut-offs; null where too few viable tumour cells are
    left."""
    not_evaluable_because: tuple[str, ...]
    """Every reason why there is no score; empty otherwise."""
    changed: int = Field(ge=0)
    """Cells whose class or staining a person changed."""
    added: int = Field(ge=0)
    """Cells that a person added."""
    removed: int = Field(ge=0)
    """Cells that a person removed."""
    accepted_fields: int = Field(ge=0, default=0)
    """Fields that a person accepted unchanged."""
    regions: int = Field(ge=0, default=0)
    """Regions that a person drew."""
    reviewer: str
    """Printed name of the person."""


class GainEntry(Part):
    """What held-out answers say of an adaptation; see `Gain`."""

    answers: int = Field(ge=1)
    """Answers that it rests on."""
    loss_network: float
    """Mean log loss of the network's probabilities on the answers."""
    loss_adapted: float
    """Mean log loss of the adapted probabilities on answers that were held out."""
    error: float
    """Standard error of the difference of the losses."""
    offered: bool
    """Whether the gain is more than its standard error."""


class AdaptedScore(Part):
    """What the network's cells score when its calls are adapted to the answers; decides nothing."""

    estimate: Estimate | None
    """The CPS of the adapted cells, with intervals and cut-offs; null where too few viable tumour cells are
    left."""
    offered: bool
    """Whether held-out answers are predicted better with either pair of numbers, which a laboratory may
    keep."""
    offered_for_slide: bool = False
    """Whether they are predicted better with those or with a regression on the cells' embedding, for this
    slide alone. If not, the estimate is the network's."""
    tumour_shift: float
    """What is added to the log-odds of tumour; 0 leaves them as they are."""
    tumour_scale: float
    """What the log-odds of tumour are multiplied by; 1 leaves them as they are."""
    stained_threshold: float
    """The adapted staining threshold."""
    tumour_gain: GainEntry | None
    """What held-out answers say of the adapted classes; null where there are too few answers."""
    stained_gain: GainEntry | None
    """What held-out answers say of the adapted staining threshold; null where there are too few answers."""
    tumour_regression_gain: GainEntry | None = None
    """What held-out answers say of a regression of the classes on the cells' embedding, over the pair of
    numbers where that is offered, else over the network; null without an embedding, or where there are too
    few answers."""
    stained_regression_gain: GainEntry | None = None
    """The same of a regression of the staining."""
    reviewer: str
    """Printed name of the person who answered."""


class Signature(Part):
    """Who signed a review, when (UTC, ISO 8601), and what the signature means."""

    name: str
    """Printed name of the person who signed."""
    utc: str
    """When, ISO 8601, UTC."""
    meaning: str
    """`reviewed` or `approved`."""
    cps: float | None = None
    """The CPS that was signed, unrounded."""
    basis: ScoreBasis = ScoreBasis.NETWORK
    """Whose cells it counts."""


class ReviewState(Part):
    """What a person decided: the end of the chain of events, and who signed it."""

    edits: int = Field(ge=0)
    """Cells that are edited now."""
    answers: int = Field(ge=0, default=0)
    """Answers of all readers that are valid now."""
    events: int = Field(ge=1)
    """Number of events of the record; without it, missing last lines would not be noticed."""
    head_hash: str
    """Hash of the last of them."""
    edited: EditedScore | None = None
    """The score after a person's edits; null without edits."""
    adapted: AdaptedScore | None = None
    """The network's score with its calls adapted to the answers, which decides nothing; null unless it was
    asked for."""
    signature: Signature | None = None
    """Who signed the review; null before a signature, and after a later decision, which voids it."""


# What a review leaves in its folder: the audited score, the score of edited cells, the signature.


class ReviewDocument(File):
    """Base of the files of a review: on which events of its record they rest."""

    HINT: ClassVar[str] = "run cxpath review again, or restore the file from a backup"

    events: int = Field(ge=1)
    """Number of events of the record that this rests on."""

    head_hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Hash of the last of them."""


@dataclass(frozen=True)
class AnsweredBy:
    """Who answered an audit, and on which events it rests.

    Parameters
    ----------
    reviewer, utc : str
        Printed name, and when the last answer was given.
    seed : int
        Of the draw.
    events : int
    head_hash : str
    """

    reviewer: str
    utc: str
    seed: int
    events: int
    head_hash: str


class AuditedEntry(AuditedScore, ReviewDocument):
    """`review/<id>/audit.json`, and the entry `audited` of `score.json`."""

    schema_name: Literal["cxpath/audit/2"] = Field(default="cxpath/audit/2", alias="schema")

    @classmethod
    def of_score(cls, score: AuditEstimate, estimate: ScoreEstimate, answered: AnsweredBy) -> Self:
        """Return the entry of an audited score.

        Parameters
        ----------
        score : AuditedScore
        estimate : ScoreEstimate
            The same, with its interval for the tumour and its cut-offs.
        answered : AnsweredBy
        """
        return cls(
            **vars(answered),
            cps=score.cps,
            interval=score.interval,
            interval_tissue=estimate.interval_tissue,
            level=score.level,
            bounds=score.bounds,
            n=score.answered,
            cannot_tell=score.cannot_tell,
            answers=tuple(StratumEntry.of(stratum) for stratum in score.strata),
            tumour_cells=score.tumour_cells,
            hidden_cells=score.hidden_cells,
            squares=score.squares,
            method=estimate.method,
            cutoffs=Estimate.of_score(estimate).cutoffs,
            warnings=score.warnings,
        )


class EditedEntry(ReviewDocument):
    """`review/<id>/edited.json`: the score of a table that a person edited."""

    schema_name: Literal["cxpath/edited/2"] = Field(default="cxpath/edited/2", alias="schema")

    estimate: Estimate | None
    """The CPS after the edits, with intervals and cut-offs; null where too few viable tumour cells are
    left."""

    tps: float | None
    """TPS after the edits, per cent; null where not evaluable."""
    not_evaluable_because: tuple[str, ...]
    """Every reason why there is no score; empty otherwise."""
    counts: dict[str, int | None]
    """As `counts` of `score.json`."""

    changed: int = Field(ge=0)
    """Cells whose class or staining a person changed."""

    added: int = Field(ge=0)
    """Cells that a person added."""
    removed: int = Field(ge=0)
    """Cells that a person removed."""

    accepted_fields: int = Field(default=0, ge=0)
    """Fields whose every call a person accepted: their cells have no network error."""

    regions: int = Field(default=0, ge=0)
    """Regions that a person drew in the review."""

    reviewer: str
    """Printed name of the person."""
    warnings: tuple[str, ...] = ()
    """About the table that was given."""

    @property
    def cps(self) -> float | None:
        """The CPS, unrounded; None where the slide is not evaluable."""
        return self.estimate.value if self.estimate else None


class SignatureEntry(ReviewDocument):
    """`review/<id>/signature.json`: who signed what; void as soon as the record has more events."""

    schema_name: Literal["cxpath/signature/1"] = Field(default="cxpath/signature/1", alias="schema")

    name: str = Field(min_length=1)
    """Printed name."""

    utc: str
    """When, ISO 8601, UTC."""
    meaning: Literal["reviewed", "approved"]
    """Meaning of the signature."""

    cps: float | None = Field(default=None, ge=0, le=100)
    """The CPS that was signed, unrounded; null where the slide is not evaluable."""

    basis: ScoreBasis = ScoreBasis.NETWORK
    """Whose cells it counts."""


# A network's calls adapted by answers: `review/<id>/adapted.json`, and a laboratory's profile.


class AdaptedEntry(AdaptedScore, ReviewDocument):
    """`review/<id>/adapted.json`, and `review.adapted` of `score.json`."""

    schema_name: Literal["cxpath/adapted/1"] = Field(default="cxpath/adapted/1", alias="schema")

    @classmethod
    def of_fit(
        cls, found: Adaptation, estimate: Estimate | None, reviewer: str, seal: tuple[int, str]
    ) -> Self:
        """Return the entry of an adaptation.

        Parameters
        ----------
        found : Adaptation
        estimate : Estimate or None
            Of the adapted cells.
        reviewer : str
            Whose answers.
        seal : tuple
            Number of events, and hash of the last.
        """
        return cls(
            events=seal[0],
            head_hash=seal[1],
            estimate=estimate,
            offered=found.offered,
            offered_for_slide=found.offered_for_slide,
            tumour_shift=found.tumour.shift,
            tumour_scale=found.tumour.scale,
            stained_threshold=found.stained_threshold,
            tumour_gain=GainEntry.of(found.tumour_gain) if found.tumour_gain else None,
            stained_gain=GainEntry.of(found.stained_gain) if found.stained_gain else None,
            tumour_regression_gain=_gain_of(found.tumour_regression),
            stained_regression_gain=_gain_of(found.stained_regression),
            reviewer=reviewer,
        )


def _gain_of(regression: Regression | None) -> GainEntry | None:
    return GainEntry.of(regression.gain) if regression else None


class ProfileSource(Part):
    """A review whose answers a profile was fitted to."""

    slide_digest: str
    """SHA-256 of the slide."""
    events: int = Field(ge=1)
    """Events of the record."""
    head_hash: str
    """Hash of the last of them."""
    reviewer: str
    """Printed name of the person who answered."""


class LaboratoryProfile(Document):
    """How a network's calls are adapted to one laboratory; made by `cxpath review adapt --save-profile`."""

    HINT: ClassVar[str] = "make the profile again with cxpath review adapt --save-profile"

    schema_name: Literal["cxpath/laboratory-profile/1"] = Field(
        default="cxpath/laboratory-profile/1", alias="schema"
    )
    name: str = Field(min_length=1)
    """Name of the profile."""
    version: int = Field(ge=1)
    """Counted up each time the profile is made again."""
    made_utc: str
    """When it was made, ISO 8601, UTC."""
    cxpath: str
    """Version of cxpath."""
    model: str
    """Name of the model that it is for."""
    model_digest: str
    """SHA-256 of the weights that it is for; other models refuse it."""
    tumour_shift: float = Field(ge=-20, le=20)
    """What is added to the log-odds of tumour."""
    tumour_scale: float = Field(gt=0, le=20)
    """What the log-odds of tumour are multiplied by."""
    stained_threshold: float = Field(gt=0, lt=1)
    """The staining threshold."""
    tumour_gain: GainEntry | None
    """What held-out answers say of the adapted classes; null where there were too few."""
    stained_gain: GainEntry | None
    """What held-out answers say of the adapted threshold; null where there were too few."""
    sources: tuple[ProfileSource, ...]
    """The reviews whose answers it was fitted to."""

    @property
    def tumour(self) -> LogOddsMap:
        """What becomes of the log-odds of tumour."""
        return LogOddsMap(self.tumour_shift, self.tumour_scale)
