"""What a lab may set about control tissue on the slide: where it lies, and what it must look like."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from cxpath.values.settings import Settings


class ControlRule(StrEnum):
    """Which piece of tissue is the control where nobody drew it."""

    NONE = "none"
    LEFT = "left"
    RIGHT = "right"
    SMALLEST_PIECE = "smallest_piece"


class ControlKind(StrEnum):
    """What a control is for."""

    POSITIVE = "positive"
    NEGATIVE = "negative"


class OnFailure(StrEnum):
    """What a failed control does to the slide."""

    WARN = "warn"
    REFUSE = "refuse"


class ControlSettings(Settings):
    """Section `[controls]` of the configuration. No limit has a default: none is published for this."""

    negative_max_dab_od: float | None = Field(default=None, gt=0)
    """A negative control passes with a mean DAB optical density up to this; unset: measured, not judged."""

    positive_min_dab_od: float | None = Field(default=None, gt=0)
    """A positive control passes with a mean DAB optical density from this on; unset: measured, not judged."""

    unnamed: ControlKind = ControlKind.POSITIVE
    """What a control is that was found by rule or drawn as plain "Control"."""

    on_failure: OnFailure = OnFailure.WARN
    """A failed or missing control is a warning, or makes the slide not evaluable."""

    piece_gap_um: float = Field(default=500.0, ge=0)
    """Tissue nearer than this is one piece, for the rule."""
