"""What a person's review adds to `score.json`: the audited score, the edited one, the signature.

Each is given next to the network's score, and none replaces it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import Field

from cxpath.documents.base import Part
from cxpath.documents.estimate import Bounds, CutoffEntry, CutoffName, Estimate, Share
from cxpath.scores import printed_form


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
    """Called class and how the staining probability lies to the threshold: "tumour stained"."""
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
    """Unrounded."""
    interval: Bounds
    """For this slide's own CPS."""
    interval_tissue: Bounds
    """For the tumour's CPS, of which the slide is a sample: decides cut-offs."""
    level: Share
    bounds: Bounds
    """The CPS with every "cannot tell" counted against it, and for it."""
    n: int = Field(ge=1)
    """Cells that were answered, "cannot tell" included."""
    cannot_tell: int = Field(ge=0)
    answers: tuple[StratumEntry, ...]
    """By stratum."""
    tumour_cells: float = Field(gt=0)
    """Viable tumour cells among those found, by the answers."""
    hidden_cells: float = Field(ge=0)
    """Stained cells that may lie far below the threshold; they widen the interval upwards only."""
    squares: int = Field(ge=0)
    """Squares in which missed cells were counted; 0 says nothing about missed cells."""
    reviewer: str
    utc: str
    """When the last answer was given, ISO 8601."""
    seed: int
    events: int = Field(ge=1)
    """Events of the record that the score rests on."""
    head_hash: str
    """Hash of the last of them."""
    method: str
    cutoffs: Mapping[CutoffName, CutoffEntry]
    warnings: tuple[str, ...]

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
    """What the table of cells scores after a person edited some; the others are the network's still."""

    estimate: Estimate | None
    """None where too few viable tumour cells are left."""
    not_evaluable_because: tuple[str, ...]
    changed: int = Field(ge=0)
    """Cells whose class or staining a person changed."""
    added: int = Field(ge=0)
    removed: int = Field(ge=0)
    accepted_fields: int = Field(ge=0, default=0)
    """Fields that a person accepted as they stand."""
    regions: int = Field(ge=0, default=0)
    """Regions that he drew."""
    reviewer: str


class GainEntry(Part):
    """What held-out answers say of an adaptation; see `Gain`."""

    answers: int = Field(ge=1)
    loss_network: float
    loss_adapted: float
    error: float
    """Standard error of the difference of the losses."""
    offered: bool


class AdaptedScore(Part):
    """What the network's cells score when its calls are adapted to the answers; decides nothing."""

    estimate: Estimate | None
    """None where too few viable tumour cells are left."""
    offered: bool
    """Whether held-out answers gain by either pair of numbers, which a laboratory may keep."""
    offered_for_slide: bool = False
    """Whether they gain by those or by a regression on the cells' embedding, for this slide alone. Where not,
    the estimate is the network's."""
    tumour_shift: float
    tumour_scale: float
    stained_threshold: float
    tumour_gain: GainEntry | None
    """Null where too few answers are there to say."""
    stained_gain: GainEntry | None
    tumour_regression_gain: GainEntry | None = None
    """Over the pair of numbers where that is offered, else over the network; null without an embedding, or
    where too few answers are there to say."""
    stained_regression_gain: GainEntry | None = None
    reviewer: str


class Signature(Part):
    """Who signed a review, when (UTC, ISO 8601), and what the signature means."""

    name: str
    utc: str
    meaning: str
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
    """Number of events of the record; a bare chain would not show a cut tail."""
    head_hash: str
    """Hash of the last of them."""
    edited: EditedScore | None = None
    adapted: AdaptedScore | None = None
    signature: Signature | None = None
    """Null before a signature, and after a later decision, which voids it."""
