"""A score with its intervals and its cut-offs, as every document of cxpath states it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from cxpath.documents.base import Part
from cxpath.scores import REVIEW, CutoffVerdict, Decision, ScoreEstimate

Share = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[float, Field(ge=0, le=100)]


def _rising(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError("the lower end of an interval is above its upper end")
    return bounds


Bounds = Annotated[tuple[Percent, Percent], AfterValidator(_rising)]
"""An interval of a score, which no score and no printed form can leave."""
CutoffName = Annotated[str, Field(pattern=r"^\d+(\.\d+)?$")]
"""A cut-off as it is written: "1", "10", "2.5"."""


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

    value: Percent
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
