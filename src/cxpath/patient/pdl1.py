"""A PD-L1 score of the profile: by which assay, who confirmed it, and whether it lies near a cut-off.

Does not know how a score was made, nor what follows from it.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from cxpath.patient.fields import Interval, PlainName, ProfilePart
from cxpath.patient.tmb import exact_count_interval

ASSUMED_TUMOUR_CELLS = 1000
"""Where nobody says how many tumour cells were seen: at 1,000, CPS 1.0 may be 0.48 to 1.84 (brief 0.5)."""

REQUIRED_TUMOUR_CELLS = 100


_BASES = {
    "network": "by the network's cells",
    "edited": "by the network's cells after a person's edits",
    "audited": "audited by a person",
}


def names_a_person(name: str) -> bool:
    """Say whether a name has at least two letters: initials do, a lone sign or number does not."""
    return sum(letter.isalpha() for letter in name) >= 2


class ScoreKind(StrEnum):
    """Which score the number is."""

    CPS = "cps"
    TPS = "tps"


class ScoreOrigin(StrEnum):
    """Where the number comes from."""

    CXPATH = "cxpath"
    READER = "reader"


class Pdl1Score(ProfilePart):
    """One PD-L1 score; several may stand side by side."""

    score: ScoreKind = ScoreKind.CPS
    assay: PlainName = None
    """22c3, 28-8, sp142, sp263; a score by one assay is unknown by another."""
    value: float | None = Field(default=None, ge=0, le=100)
    """0 to 100, not rounded."""
    below: float | None = Field(default=None, gt=0, le=100)
    """Set by `value = "<1"`: only that it lies below is known."""
    origin: ScoreOrigin | None = None
    basis: Literal["network", "edited", "audited"] | None = None
    """Of a score that cxpath made: by the network's cells alone, after a person's edits, or by his audit."""
    viable_tumour_cells: int | None = Field(default=None, ge=0)
    interval: Interval = None
    """95 % interval, where one is known."""
    near_cutoff: bool | None = None
    """The reader's own word, after a recount or a second reader: wins over every computed one."""
    borderline_at: tuple[float, ...] = ()
    """Cut-offs that cxpath calls borderline or uncertain."""
    clear_at: tuple[float, ...] = ()
    """Cut-offs that it decides."""
    not_evaluable_because: tuple[str, ...] = ()
    slide_digest: str | None = None
    """SHA-256 of the slide file: binds a confirmation to one slide."""
    model_digest: str | None = None
    """SHA-256 of the network's weights, of a score that cxpath made."""
    notice: str | None = None
    """What that network was trained on and never validated on, from its card."""
    confirmed_by: str | None = Field(default=None, min_length=1)
    confirmed_on: date | None = None

    @model_validator(mode="before")
    @classmethod
    def _text_below(cls, stated: Any) -> Any:
        """Understand the printed form `"<1"`."""
        value = stated.get("value") if isinstance(stated, dict) else None
        if isinstance(value, str) and value.strip().startswith("<"):
            rest = {key: entry for key, entry in stated.items() if key != "value"}
            return rest | {"below": value.strip().removeprefix("<").replace(",", ".")}
        return stated

    @field_validator("confirmed_by")
    @classmethod
    def _names_a_person(cls, name: str | None) -> str | None:
        """Refuse what names nobody: a lone sign or a number."""
        if name is not None and not names_a_person(name):
            raise ValueError("must name the person who confirmed the score")
        return name

    @property
    def confirmed(self) -> bool:
        """Whether a person has put name and date to it."""
        return self.confirmed_by is not None and self.confirmed_on is not None

    @property
    def adequate(self) -> bool:
        """Whether enough viable tumour cells were seen, as far as anybody says."""
        return self.viable_tumour_cells is None or self.viable_tumour_cells >= REQUIRED_TUMOUR_CELLS

    @property
    def words(self) -> str:
        """The score as a reader sees it."""
        number = f"<{self.below:g}" if self.below is not None else "not stated"
        number = f"{self.value:g}" if self.value is not None else number
        by = f"by {self.assay.upper()}" if self.assay else "by an assay that is not stated"
        who = f"confirmed by {self.confirmed_by}, {self.confirmed_on}" if self.confirmed else "not confirmed"
        how = f", {_BASES[self.basis]}" if self.basis else ""
        return f"{self.score.upper()} {number} {by}{how}, {who}"

    @property
    def counting_interval(self) -> tuple[float, float] | None:
        """The exact Poisson interval of the stained cells, where no other interval is stated."""
        if self.value is None or self.not_evaluable_because or self.interval is not None:
            return None
        low, high, _ = self._bounds()
        return low, high

    def why_near(self, cutoff: float) -> str:
        """Return why the score is too near a cut-off to decide, or nothing where it is not.

        The reader's word comes first, then what cxpath found, then a stated interval, and else the exact
        Poisson interval of the stained cells among the stated, or `ASSUMED_TUMOUR_CELLS`, tumour cells.
        That is counting noise only, hence an optimistic bound.
        """
        if self.near_cutoff is not None:
            return f"the reader calls it near {cutoff:g}" if self.near_cutoff else ""
        if cutoff in self.borderline_at:
            return f"cxpath leaves {cutoff:g} uncertain: pathologist review"
        if cutoff in self.clear_at:
            return ""
        if self.value is None:
            return f"<{self.below:g} alone does not say how near {cutoff:g} it lies" if self.below else ""
        low, high, how = self._bounds()
        return f"{how} {low:.2f} to {high:.2f} contains {cutoff:g}" if low <= cutoff <= high else ""

    def _bounds(self) -> tuple[float, float, str]:
        if self.interval is not None:
            return *self.interval, "its interval"
        cells = self.viable_tumour_cells or ASSUMED_TUMOUR_CELLS
        low, high = exact_count_interval((self.value or 0.0) * cells / 100.0)
        whose = "" if self.viable_tumour_cells else "assumed "
        return 100 * low / cells, 100 * high / cells, f"the counting interval at {whose}{cells} tumour cells,"
