"""What a lab may set about reading only a sample of a slide."""

from __future__ import annotations

from pydantic import Field

from cxpath.values.settings import Settings


class SamplingSettings(Settings):
    """Section `[adaptive]` of the configuration: when `--mode adaptive` stops reading."""

    first_share: float = Field(default=0.1, gt=0, le=1)
    """Share of each stratum that is read before the first look."""

    fewest_in_stratum: int = Field(default=8, ge=2)
    """Fields read of each stratum at least; smaller ones are read whole."""

    more_share: float = Field(default=0.5, gt=0, le=4)
    """Fields read between looks, as a share of those read so far."""

    relative_width: float = Field(default=0.3, gt=0)
    """The sampling interval is narrow enough when its width is at most this share of the CPS ..."""

    absolute_width: float = Field(default=0.3, gt=0)
    """... or at most this, in CPS points."""

    level: float = Field(default=0.95, gt=0.5, lt=1)
    """Coverage that the sampling interval aims at."""

    clear_level: float = Field(default=0.99, gt=0.5, lt=1)
    """Reading stops, too, when the sampling interval of this level holds no cut-off."""

    seed: int = 20_261_125
    """Of drawing the fields: the same slide is sampled the same way."""
