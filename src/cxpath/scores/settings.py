"""Settings of scoring: cut-offs, the slide-error term, sampling, a laboratory's map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy import special

from cxpath.data import CellTable, ScoreMap, Settings

Array = NDArray[np.float64]

# Cut-offs of a score: met, not met or uncertain, and whether that is near enough to ask a pathologist.


REVIEW = "near the cut-off: pathologist review"


@dataclass(frozen=True)
class Cutoff:
    """A value that an assay's label or a trial compares the score with.

    Parameters
    ----------
    value : float
        On the score's scale.
    basis : str
        Such as "label" or "trial stratum, not a label".
    """

    value: float
    basis: str


class Decision(StrEnum):
    """What is known of a score and a cut-off."""

    MET = "met"
    UNCERTAIN = "uncertain"
    NOT_MET = "not met"


@dataclass(frozen=True)
class CutoffVerdict:
    """One cut-off against one score.

    Parameters
    ----------
    cutoff : Cutoff
    decision : Decision
    probability : float
        That the tumour's score is at least the cut-off.
    borderline : bool
        The other side is likely enough to ask for a pathologist: such a verdict carries the words `REVIEW`.
    """

    cutoff: Cutoff
    decision: Decision
    probability: float
    borderline: bool

    @property
    def met(self) -> bool | None:
        """True or False where the cut-off is decided; None where it is uncertain."""
        return None if self.decision is Decision.UNCERTAIN else self.decision is Decision.MET


@dataclass(frozen=True)
class BorderlineRule:
    """How likely the other side of a cut-off must be to ask for review.

    Parameters
    ----------
    tail : float
        Probability of the other side above which a cut-off is borderline that lies near the counted score:
        at most `fold` times above or below it.
    fold : float
    tail_beyond : float
        The same of a cut-off farther away, where few cells leave a doubt that a second look cannot take.
    """

    tail: float
    fold: float
    tail_beyond: float

    def tail_at(self, score: float, cutoff: float) -> float:
        """Return the probability that counts for a score and a cut-off."""
        return self.tail if cutoff / self.fold <= score <= cutoff * self.fold else self.tail_beyond


def decide_cutoff(
    score: float,
    interval: tuple[float, float],
    probability: float,
    cutoff: Cutoff,
    borderline: BorderlineRule,
) -> CutoffVerdict:
    """Compare a score with a cut-off.

    The cut-off is decided only where the counted score and the whole interval for the tumour lie on one side
    of it. Where calls are known to go wrong, all of the interval may lie on the other side than the count:
    that, too, is uncertain.

    Parameters
    ----------
    score : float
        Unrounded.
    interval : tuple of float
        For the tumour's score; the interval that is printed.
    probability : float
        P(the tumour's score >= cutoff).
    cutoff : Cutoff
    borderline : BorderlineRule
        When the truth is likely enough to lie on the other side of the cut-off than the counted score. Where
        calls are known to go wrong, that side may even be the likelier one.
    """
    met = score >= cutoff.value
    decided = all((bound >= cutoff.value) == met for bound in interval)
    sides = Decision.MET if met else Decision.NOT_MET
    other_side = 1.0 - probability if met else probability
    asks = other_side > borderline.tail_at(score, cutoff.value)
    return CutoffVerdict(cutoff, sides if decided else Decision.UNCERTAIN, probability, borderline=asks)


# A laboratory's own map from the CPS to what its readers say: shown next to the CPS, never in its place.
#
# The CPS is a ratio of cells, and cut-offs are defined for that ratio, unrounded. What a map makes of it is
# the laboratory's scale and no CPS; it decides nothing. A map is valid for the scores it was fitted to, so
# that one made for another model, assay or setting is refused.


BASIS = "the laboratory's own map of the CPS to its reads; it is not a CPS and decides no cut-off"


class LaboratoryMapSettings(Settings):
    """Section `[scoring.laboratory_map]`: written by `cxpath agree calibrate --map`."""

    scores: tuple[float, ...]
    """CPS of the points of the map, rising. Between points the map is straight on axes of log10(score + 1),
    beyond the ends it is level."""

    reads: tuple[float, ...]
    """What the readers say there, never falling."""

    cases: int = Field(ge=2)
    """How many cases it was fitted to."""

    concordance: float
    """Concordance of the mapped CPS with the readers, on cases that the map had not seen."""

    concordance_unmapped: float
    """Concordance of the CPS itself with the readers, on the same cases."""

    model_digest: str
    """SHA-256 of the weights whose scores it maps."""

    assay: str
    """Assay of the slides it was fitted to."""

    stained_threshold: float
    """Staining threshold of the scores it was fitted to."""

    association_distance_um: float
    """Association distance of the scores it was fitted to."""

    reads_digest: str = ""
    """SHA-256 of the table of reads."""

    @model_validator(mode="after")
    def _is_a_map(self) -> Self:
        _ = self.score_map
        return self

    @property
    def score_map(self) -> ScoreMap:
        """The map itself."""
        return ScoreMap(self.scores, self.reads)

    def why_not(
        self, *, model_digest: str, assay: str, stained_threshold: float, association_distance_um: float
    ) -> str:
        """Say why the map must not be used on such a score; empty when it may.

        Parameters
        ----------
        model_digest : str
        assay : str
        stained_threshold : float
        association_distance_um : float
        """
        for what, own, other in (
            ("model", self.model_digest[:12], model_digest[:12]),
            ("assay", self.assay.casefold(), assay.casefold()),
            ("staining threshold", f"{self.stained_threshold:g}", f"{stained_threshold:g}"),
            ("association distance", f"{self.association_distance_um:g}", f"{association_distance_um:g}"),
        ):
            if own != other:
                return f"the laboratory's map was fitted to scores of {what} {own}, not {other}"
        return ""

    def value_of(self, cps: float) -> LaboratoryValue:
        """Return the CPS on the laboratory's scale."""
        return LaboratoryValue(
            value=float(self.score_map.of(np.array(cps))),
            beyond_its_cases=not self.score_map.covers(cps),
            basis=BASIS,
            cases=self.cases,
            concordance=self.concordance,
            concordance_unmapped=self.concordance_unmapped,
            reads_digest=self.reads_digest,
        )


@dataclass(frozen=True)
class LaboratoryValue:
    """A CPS on the laboratory's own scale, and what that scale rests on.

    Parameters
    ----------
    value : float
    beyond_its_cases : bool
        The CPS lies outside those that the map was fitted to.
    basis : str
        What the value is, in words.
    cases : int
    concordance, concordance_unmapped : float
        With the readers, of the mapped CPS and of the CPS itself.
    reads_digest : str
    """

    value: float
    beyond_its_cases: bool
    basis: str
    cases: int
    concordance: float
    concordance_unmapped: float
    reads_digest: str


# What a lab may set about reading only a sample of a slide.


class SamplingSettings(Settings):
    """Section `[adaptive]` of the configuration: when `--mode adaptive` stops reading."""

    first_share: float = Field(default=0.1, gt=0, le=1)
    """Share of each stratum that is read before the first look."""

    fewest_in_stratum: int = Field(default=8, ge=2)
    """Smallest number of tiles read in each stratum; smaller strata are read whole."""

    more_share: float = Field(default=0.5, gt=0, le=4)
    """Tiles read between two looks, as a share of those read so far."""

    relative_width: float = Field(default=0.3, gt=0)
    """The sampling interval is narrow enough when its width is at most this share of the CPS,"""

    absolute_width: float = Field(default=0.3, gt=0)
    """or at most this many CPS points."""

    level: float = Field(default=0.95, gt=0.5, lt=1)
    """Nominal coverage of the sampling interval."""

    clear_level: float = Field(default=0.99, gt=0.5, lt=1)
    """Reading also stops when the sampling interval of this level contains no cut-off."""

    seed: int = 20_261_125
    """Seed of the sample: the same slide always gives the same sample."""


# SlideError: how a slide's calls go wrong together, as measured on held-out slides of known truth.
#
# A scanner, a pale run or a thick section shifts all cells of one slide the same way, so errors of a slide
# do not cancel. Each rate therefore has a middle and a spread *between slides*. Where more cells are stained
# they are stained more strongly: more of them are found, and more of their unstained neighbours are called
# stained. The middle may therefore depend on the true score. Knows nothing of any one slide.


METRIC_PREFIX = "slide_error_"
"""A model card's metrics of this prefix, followed by a name of `SlideErrorSettings`, replace defaults."""


class SlideErrorSettings(Settings):
    """Section `[scoring.slide_error]`: medians over slides, and standard deviations between slides."""

    tumour_recall: float = Field(default=0.729, gt=0, lt=1)
    """Share of the truly positive tumour cells that are found and called positive, on the median slide."""

    tumour_recall_spread: float = Field(default=0.695, ge=0, le=5)
    """Standard deviation between slides of its logit."""

    tumour_specificity: float = Field(default=0.9957, gt=0, lt=1)
    """One minus the wrongly positive cells among the cells called tumour that are not truly positive."""

    tumour_specificity_spread: float = Field(default=2.0134, ge=0, le=5)
    """Standard deviation between slides of its logit."""

    immune_recall: float = Field(default=0.5596, gt=0, lt=1)
    """As `tumour_recall`, of lymphocytes and macrophages."""

    immune_recall_spread: float = Field(default=0.639, ge=0, le=5)
    """Standard deviation between slides of its logit."""

    immune_specificity: float = Field(default=0.9766, gt=0, lt=1)
    """As `tumour_specificity`, of the cells called lymphocyte or macrophage."""

    immune_specificity_spread: float = Field(default=1.5815, ge=0, le=5)
    """Standard deviation between slides of its logit."""

    tumour_found: float = Field(default=0.9897, gt=0, lt=5)
    """Cells called tumour for each true tumour cell, on the median slide."""

    tumour_found_spread: float = Field(default=0.1109, ge=0, le=5)
    """Standard deviation between slides of its logarithm."""

    tumour_recall_slope: float = Field(default=0.0, ge=-10, le=10)
    """How much its logit rises from one power of ten of the true CPS + 3 to the next. Where slopes are not 0,
    the medians are those of slides of CPS 3."""

    tumour_specificity_slope: float = Field(default=0.0, ge=-10, le=10)
    """As `tumour_recall_slope`."""

    immune_recall_slope: float = Field(default=0.0, ge=-10, le=10)
    """As `tumour_recall_slope`."""

    immune_specificity_slope: float = Field(default=0.0, ge=-10, le=10)
    """As `tumour_recall_slope`."""

    held_out_slides: int = Field(default=16, ge=0)
    """How many slides of known truth these figures were estimated on."""

    @property
    def has_slopes(self) -> bool:
        """Whether a rate depends on the true score."""
        return any(getattr(self, name) != 0.0 for name in SLOPES)

    def logit_at(self, rate: str, decades: Array) -> Array:
        """Return the logit of a rate's median on slides of a true score.

        Parameters
        ----------
        rate : str
            Such as "tumour_recall".
        decades : float array
            `decades_of` the true CPS.
        """
        middle = special.logit(getattr(self, rate))
        return np.asarray(middle + getattr(self, rate + "_slope") * (decades - DECADES_OF_MEDIANS))

    def updated(self, metrics: Mapping[str, float], held_out_slides: int) -> Self:
        """Return the term that a model card states, where it states all of it; else this one.

        Parameters
        ----------
        metrics : mapping of str to float
            Values of the card's metrics by name; others than `slide_error_*` are passed over.
        held_out_slides : int
            How many slides they rest on.
        """
        known = (*RATES, *SLOPES)
        stated = {name: metrics[METRIC_PREFIX + name] for name in known if METRIC_PREFIX + name in metrics}
        if not all(name in stated for name in RATES):
            return self
        return type(self)(**stated, held_out_slides=held_out_slides)


SLOPES = tuple(name for name in SlideErrorSettings.model_fields if name.endswith("_slope"))
"""A card that was written before rates could depend on the score states none of them: they are 0 then."""

RATES = tuple(name for name in SlideErrorSettings.model_fields if name not in {*SLOPES, "held_out_slides"})


_LIFT = 3.0
"""Below a CPS of about this the rates hardly change. Of 0.1 to 10, values from 2 to 10 make what was counted
on the bundled model's evaluated slides about as likely, 0.1 and 1 less so."""

_CPS_OF_MEDIANS = 3.0


def decades_of(cps: Array) -> Array:
    """Return the power of ten on which the rates of a slide may depend: log10(CPS + 3)."""
    return np.asarray(np.log10(cps + _LIFT))


DECADES_OF_MEDIANS = float(np.log10(_CPS_OF_MEDIANS + _LIFT))


# What a lab may set about scoring.


class ScoringSettings(Settings):
    """Section `[scoring]` of the configuration."""

    stained_threshold: float | None = Field(default=None, gt=0, lt=1)
    """Probability from which a cell counts as PD-L1 positive; if unset, the model card's."""

    association_distance_um: float = Field(default=500.0, gt=0)
    """A stained immune cell counts only within this distance of a viable tumour cell. The scoring rule speaks
    of the same field at about 20x; no source fixes the number."""

    minimum_tumour_cells: int = Field(default=100, ge=1)
    """With fewer viable tumour cells a slide is not evaluable."""

    level: float = Field(default=0.95, gt=0.5, lt=1)
    """Nominal coverage of the intervals."""

    borderline_tail: float = Field(default=0.025, gt=0, lt=0.5)
    """A cut-off near the score is borderline when the tumour's score lies on its other side with a
    probability above this. The default flags whatever lies inside the 95 % interval."""

    borderline_fold: float = Field(default=2.0, ge=1)
    """"Near" means at most so many times above or below the score."""

    borderline_tail_beyond: float = Field(default=0.12, gt=0, lt=0.5)
    """As `borderline_tail`, for a cut-off farther away. Chosen on simulated slides; a lower value flags
    biopsies far from every cut-off."""

    field_um: float = Field(default=500.0, gt=50, le=100_000)
    """Side of a field: the block of the tissue interval, and the unit of influence, heterogeneity and the
    gallery."""

    least_membrane_completeness: float = Field(default=0.1, ge=0, le=1)
    """The stricter membrane rule of the sensitivity panel: tumour cells with less of their outline stained
    are not positive. The score itself has no such limit, and no source states one."""

    intensity_thresholds_od: tuple[float, float, float] | None = None
    """Three membrane optical densities from which staining is 1+, 2+ and 3+, such as `[0.1, 0.25, 0.5]`;
    without them there is no H-score. A laboratory must set its own: there is no default."""

    slide_error: SlideErrorSettings | None = None
    """How the network's errors vary from slide to slide; if unset, the model card's figures, or else the
    defaults below."""

    laboratory_map: LaboratoryMapSettings | None = None
    """The laboratory's own scale, shown next to the CPS; written by `cxpath agree calibrate --map`."""


def borderline_rule(settings: ScoringSettings) -> BorderlineRule:
    """Return when a cut-off is borderline."""
    return BorderlineRule(settings.borderline_tail, settings.borderline_fold, settings.borderline_tail_beyond)


def slide_error_of(settings: ScoringSettings) -> SlideErrorSettings:
    """Return the error term; the defaults where neither the lab nor a model card has set one."""
    return settings.slide_error or SlideErrorSettings()


def with_threshold_of(cells: CellTable, settings: ScoringSettings) -> ScoringSettings:
    """Return the settings with the staining threshold that the cells carry, where the lab has set none."""
    carried = cells.facts.stained_threshold
    if settings.stained_threshold is not None or carried is None:
        return settings
    return settings.model_copy(update={"stained_threshold": carried})


def threshold_of(settings: ScoringSettings) -> float:
    """Return the staining threshold; one half where neither the lab nor a model card has set one."""
    return 0.5 if settings.stained_threshold is None else settings.stained_threshold
