"""SlideScore: what one slide's cells amount to, or why they amount to nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from cxpath.scores.counting import CellCounts
from cxpath.scores.cutoffs import REVIEW, CutoffVerdict
from cxpath.scores.heterogeneity import Heterogeneity
from cxpath.scores.influence import InfluentialField
from cxpath.scores.sensitivity import SensitivityCase

Interval = tuple[float, float]


@dataclass(frozen=True)
class ScoreEstimate:
    """One score with its intervals.

    Parameters
    ----------
    value : float
        Unrounded; this is what cut-offs are compared with.
    interval_slide : tuple of float
        For this slide's own score, given doubt about its cells.
    interval_tissue : tuple of float
        For the tumour's score, of which the slide is a sample.
    level : float
        Coverage that both aim at.
    method : str
        How the intervals were made.
    reported : str
        The printed form.
    cutoffs : tuple of CutoffVerdict
    """

    value: float
    interval_slide: Interval
    interval_tissue: Interval
    level: float
    method: str
    reported: str
    cutoffs: tuple[CutoffVerdict, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the form written into `score.json`."""
        judged = {
            f"{verdict.cutoff.value:g}": {
                "basis": verdict.cutoff.basis,
                "met": verdict.met,
                "probability": verdict.probability,
                "borderline": verdict.borderline,
            }
            | ({"review": REVIEW} if verdict.borderline else {})
            for verdict in self.cutoffs
        }
        return {
            "value": self.value,
            "interval_slide": list(self.interval_slide),
            "interval_tissue": list(self.interval_tissue),
            "level": self.level,
            "method": self.method,
            "reported": self.reported,
        } | ({"cutoffs": judged} if judged else {})


@dataclass(frozen=True)
class SlideScore:
    """Scores of one slide.

    Parameters
    ----------
    not_evaluable_because : tuple of str
        Every reason, each with what to do; empty for an evaluable slide.
    required_tumour_cells : int
        The adequacy limit that was used.
    counts : CellCounts or None
        None where no cell was ever counted.
    cps, tps : ScoreEstimate or None
        None on a slide that is not evaluable: never 0.
    h_score, ic_area, ic_cells, tap : float or None
        None where `null_because` says why.
    h_score_grades : mapping of str to float, or None
        Of another marker than PD-L1: percentage of tumour cells that are 0, 1+, 2+ and 3+.
    null_because : mapping of str to str
        Why a score beside CPS and TPS is null, by its name.
    influence : tuple of InfluentialField
    heterogeneity : Heterogeneity or None
    sensitivity : tuple of SensitivityCase
    warnings : tuple of str
    """

    required_tumour_cells: int
    not_evaluable_because: tuple[str, ...] = ()
    counts: CellCounts | None = None
    cps: ScoreEstimate | None = None
    tps: ScoreEstimate | None = None
    h_score: float | None = None
    ic_area: float | None = None
    ic_cells: float | None = None
    tap: float | None = None
    h_score_grades: Mapping[str, float] | None = None
    null_because: Mapping[str, str] = field(default_factory=dict)
    influence: tuple[InfluentialField, ...] = ()
    heterogeneity: Heterogeneity | None = None
    sensitivity: tuple[SensitivityCase, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def evaluable(self) -> bool:
        """Whether there is a score."""
        return not self.not_evaluable_because

    def as_dict(self) -> Mapping[str, Any]:
        """Return the keys of `score.json` from `evaluable` to `sensitivity`."""
        return {
            "evaluable": self.evaluable,
            "not_evaluable_because": list(self.not_evaluable_because),
            "adequacy": {
                "viable_tumour_cells": self.counts.tumour if self.counts else None,
                "required": self.required_tumour_cells,
            },
            "counts": asdict(self.counts) if self.counts else None,
            "cps": self.cps.as_dict() if self.cps else None,
            "tps": self.tps.as_dict() if self.tps else None,
            "ic_area": self.ic_area,
            "ic_cells": self.ic_cells,
            "tap": self.tap,
            "h_score": self.h_score,
            "h_score_grades": dict(self.h_score_grades) if self.h_score_grades else None,
            "null_because": dict(self.null_because),
            "influence": [asdict(one) for one in self.influence],
            "heterogeneity": asdict(self.heterogeneity) if self.heterogeneity else None,
            "sensitivity": [asdict(case) | {"flips": list(case.flips)} for case in self.sensitivity],
        }
