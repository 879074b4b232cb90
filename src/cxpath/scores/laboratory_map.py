"""A laboratory's own map from the CPS to what its readers say: shown beside the CPS, never in its place.

The CPS is a ratio of cells, and cut-offs are defined for that ratio, unrounded. What a map makes of it is
the laboratory's scale and no CPS; it decides nothing. A map holds for the scores it was fitted to, so that
one made for another model, assay or setting is refused.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from cxpath.values.score_map import ScoreMap
from cxpath.values.settings import Settings

BASIS = "the laboratory's own map of the CPS to its reads; no CPS, and no cut-off is decided on it"


class LaboratoryMapSettings(Settings):
    """Section `[scoring.laboratory_map]`: written by `cxpath calibrate --map`."""

    scores: tuple[float, ...]
    """CPS of the points of the map, rising."""

    reads: tuple[float, ...]
    """What the readers say there, never falling."""

    cases: int = Field(ge=2)
    """How many cases it was fitted to."""

    concordance: float
    """Of the mapped CPS with the readers, on cases that the map had not seen."""

    concordance_unmapped: float
    """Of the CPS itself, on the same cases."""

    model_digest: str
    """SHA-256 of the weights whose scores it maps."""

    assay: str
    """Of the slides it was fitted to."""

    stained_threshold: float
    """That the scores were made with."""

    association_distance_um: float
    """That the scores were made with."""

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

    def value_of(self, cps: float) -> dict[str, Any]:
        """Return `laboratory_map` of `score.json` for a CPS."""
        return {
            "value": float(self.score_map.of(np.array(cps))),
            "beyond_its_cases": not self.score_map.covers(cps),
            "basis": BASIS,
            "cases": self.cases,
            "concordance": self.concordance,
            "concordance_unmapped": self.concordance_unmapped,
            "reads_digest": self.reads_digest,
        }
