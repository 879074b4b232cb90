"""What a lab may set about scoring."""

from __future__ import annotations

from pydantic import Field

from cxpath.scores.cutoffs import BorderlineRule
from cxpath.scores.laboratory_map import LaboratoryMapSettings
from cxpath.scores.slide_error import SlideErrorSettings
from cxpath.values.settings import Settings


class ScoringSettings(Settings):
    """Section `[scoring]` of the configuration."""

    stained_threshold: float | None = Field(default=None, gt=0, lt=1)
    """Probability from which a cell counts as PD-L1 positive; unset takes the model card's."""

    association_distance_um: float = Field(default=500.0, gt=0)
    """A stained immune cell counts only this near to a viable tumour cell. "The same field as at about
    20x" is what the rule says (clinical brief 1.1); no source fixes the number."""

    minimum_tumour_cells: int = Field(default=100, ge=1)
    """Fewer viable tumour cells than this are not evaluable."""

    level: float = Field(default=0.95, gt=0.5, lt=1)
    """Coverage that the intervals aim at."""

    borderline_tail: float = Field(default=0.025, gt=0, lt=0.5)
    """A cut-off near the counted score is borderline when the tumour's score lies on its other side with a
    probability above this. The default flags whatever lies inside the 95 % interval."""

    borderline_fold: float = Field(default=2.0, ge=1)
    """Near is at most so many times above or below the counted score."""

    borderline_tail_beyond: float = Field(default=0.12, gt=0, lt=0.5)
    """As `borderline_tail`, of a cut-off farther away. Chosen on simulated slides
    (`scripts/coverage_study.py`, docs/scores.md): lower, and biopsies far from every cut-off are flagged."""

    field_um: float = Field(default=500.0, gt=50)
    """Side of a field: the block of the tissue interval, the unit of influence and heterogeneity."""

    least_membrane_completeness: float = Field(default=0.1, ge=0, le=1)
    """The sensitivity panel's stricter membrane rule: of tumour cells, less of the outline stained than this
    is not positive. The score itself knows no such limit, and no source states one."""

    intensity_cuts_od: tuple[float, float, float] | None = None
    """Membrane optical densities from which staining is 1+, 2+ and 3+; without them there is no H-score.
    A lab must set its own: no default is claimed."""

    slide_error: SlideErrorSettings | None = None
    """How calls go wrong from slide to slide; unset takes the model card's, else the defaults."""

    laboratory_map: LaboratoryMapSettings | None = None
    """The laboratory's own scale, shown beside the CPS; written by `cxpath calibrate --map`."""


def borderline_rule(settings: ScoringSettings) -> BorderlineRule:
    """Return when a cut-off is borderline."""
    return BorderlineRule(settings.borderline_tail, settings.borderline_fold, settings.borderline_tail_beyond)


def slide_error_of(settings: ScoringSettings) -> SlideErrorSettings:
    """Return the error term; the defaults where neither the lab nor a model card has set one."""
    return settings.slide_error or SlideErrorSettings()


def threshold_of(settings: ScoringSettings) -> float:
    """Return the staining threshold; one half where neither the lab nor a model card has set one."""
    return 0.5 if settings.stained_threshold is None else settings.stained_threshold
