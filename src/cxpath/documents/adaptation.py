"""A network's calls adapted by answers: `review/<id>/adapted.json`, and a laboratory's profile."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import ConfigDict, Field

from cxpath.documents.base import Document, Part
from cxpath.documents.estimate import Estimate
from cxpath.documents.review import ReviewDocument
from cxpath.documents.reviewed import AdaptedScore, GainEntry
from cxpath.scores import Adaptation, LogOddsMap, Regression


class AdaptedEntry(AdaptedScore, ReviewDocument):
    """`review/<id>/adapted.json`, and `review.adapted` of `score.json`."""

    schema_: Literal["cxpath/adapted/1"] = Field(default="cxpath/adapted/1", alias="schema")

    model_config = ConfigDict(serialize_by_alias=True, populate_by_name=True)

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
    events: int = Field(ge=1)
    head_hash: str
    reviewer: str


class LaboratoryProfile(Document):
    """How one laboratory's slides move a network's calls; made by `cxpath review adapt --save-profile`."""

    HINT: ClassVar[str] = "make the profile again with cxpath review adapt --save-profile"

    schema_name: Literal["cxpath/laboratory-profile/1"] = Field(
        default="cxpath/laboratory-profile/1", alias="schema"
    )
    name: str = Field(min_length=1)
    version: int = Field(ge=1)
    """Counted up each time the profile is made anew."""
    made_utc: str
    cxpath: str
    model: str
    model_digest: str
    """SHA-256 of the weights that it is for; refused for others."""
    tumour_shift: float = Field(ge=-20, le=20)
    tumour_scale: float = Field(gt=0, le=20)
    stained_threshold: float = Field(gt=0, lt=1)
    tumour_gain: GainEntry | None
    stained_gain: GainEntry | None
    sources: tuple[ProfileSource, ...]

    @property
    def tumour(self) -> LogOddsMap:
        """What becomes of the log-odds of tumour."""
        return LogOddsMap(self.tumour_shift, self.tumour_scale)
