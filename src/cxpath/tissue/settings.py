"""What a lab may set about finding tissue and checking its stain."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from cxpath.tissue.artefacts.settings import ArtefactSettings
from cxpath.tissue.control_settings import ControlRule
from cxpath.values.settings import Settings


class StainCheck(StrEnum):
    """Whether an unexpected stain makes a slide not evaluable."""

    ON = "on"
    OFF = "off"


class TissueSettings(Settings):
    """Section `[tissue]` of the configuration."""

    overview_longest_px: int = Field(default=1500, ge=256)
    """Aim for the longer side of the overview picture, within the two limits below."""

    overview_finest_mpp: float = Field(default=2.0, gt=0)
    """The overview is never finer than this, in µm/px."""

    overview_coarsest_mpp: float = Field(default=8.0, gt=0)
    """The overview is never coarser than this, in µm/px."""

    faintest_od: float = Field(default=0.015, gt=0)
    """Mean optical density below which nothing is tissue, however pale the slide."""

    palest_tissue_od: float = Field(default=0.03, gt=0)
    """Mean optical density from which everything is tissue, however dark the rest of the slide."""

    roughest_glass_od: float = Field(default=0.012, gt=0)
    """Local standard deviation of the optical density above which even bright ground is tissue."""

    smoothing_um: float = Field(default=8.0, gt=0)
    """Width of the smoothing before the cut: gaps between cells close, dust vanishes."""

    smallest_piece_mm2: float = Field(default=0.004, ge=0)
    """Smaller specks are dust."""

    largest_hole_mm2: float = Field(default=0.01, ge=0)
    """Smaller holes belong to the tissue around them."""

    margin_um: float = Field(default=8.0, ge=0)
    """The mask is widened by this, so that cells on the rim are not cut."""

    stain_check: StainCheck = StainCheck.ON
    """Off scores a slide whatever its colours; the report says so."""

    stain_patches: int = Field(default=32, ge=4)
    """Patches of tissue looked at closely for stain vectors and the stain check."""

    stain_patch_um: float = Field(default=200.0, gt=10)
    """Side of such a patch."""

    stain_mpp: float = Field(default=1.0, gt=0)
    """Resolution of such a patch."""

    control: ControlRule = ControlRule.NONE
    """Which piece is control tissue where none was drawn; it is measured and never scored."""

    artefacts: ArtefactSettings = ArtefactSettings()
    """Section `[tissue.artefacts]`."""
