"""What a study of agreement may be told."""

from __future__ import annotations

from itertools import pairwise

from pydantic import Field, field_validator

from cxpath.values.settings import Settings


class AgreementSettings(Settings):
    """Cut-offs, intervals and margins of a study; all of them are printed in the report."""

    cutoffs: tuple[float, ...] = Field(default=(1.0, 10.0), min_length=1)
    """Rising; a score reaches a cut-off when it is at least that, unrounded."""
    level: float = Field(default=0.95, gt=0.5, lt=1)
    """Of all intervals."""
    replicates: int = Field(default=2000, ge=100)
    """Bootstrap draws of cases."""
    seed: int = 1
    margin: float = Field(default=0.05, gt=0, lt=1)
    """The software may agree with readers so much less than they do among themselves; state it beforehand."""
    error_ratio: float = Field(default=1.0, gt=0)
    """Of Deming regression: error variance of the compared over that of the reference."""
    deviation_share: float = Field(default=0.9, gt=0, lt=1)
    """Of the total deviation index."""
    fewest_in_subgroup: int = Field(default=10, ge=5)
    """Smaller subgroups are named, not computed."""
    orders: int = Field(default=500, ge=20)
    """Random orders of readers behind the band of the ONEST curve."""

    @field_validator("cutoffs")
    @classmethod
    def _rising(cls, cutoffs: tuple[float, ...]) -> tuple[float, ...]:
        if any(low >= high for low, high in pairwise(cutoffs)) or cutoffs[0] <= 0:
            raise ValueError("cut-offs must rise from above 0")
        return cutoffs
