"""What a lab may set about how cells are measured."""

from __future__ import annotations

from pydantic import Field

from cxpath.values.settings import Settings


class CellSettings(Settings):
    """Section `[cells]` of the configuration."""

    membrane_reach_um: float = Field(default=5.0, gt=0)
    """How far outside the nucleus the membrane is looked for."""

    membrane_visible_od: float = Field(default=0.08, gt=0)
    """DAB optical density from which a stretch of membrane counts as stained in `membrane_completeness`."""

    membrane_contrast: float = Field(default=1.25, ge=1)
    """How much darker than the cytoplasm beside it that stretch must be: a line, not a wash."""
