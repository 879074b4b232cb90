"""Settings of tissue detection and artefacts."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from cxpath.data import Settings

# What a lab may set about control tissue on the slide: where it lies, and what it must look like.


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
    """A negative control passes with a mean DAB optical density up to this; unset: only measured."""

    positive_min_dab_od: float | None = Field(default=None, gt=0)
    """A positive control passes with a mean DAB optical density from this on; unset: only measured."""

    unnamed: ControlKind = ControlKind.POSITIVE
    """Kind of a control that was found by rule or drawn as plain "Control"."""

    on_failure: OnFailure = OnFailure.WARN
    """`warn` reports a failed or missing control; `refuse` makes the slide not evaluable."""

    piece_gap_um: float = Field(default=500.0, ge=0)
    """Tissue nearer than this is one piece, for the rule."""


# What a lab may set about artefacts: which are looked for, and from where on something is one.
#
# The limits were chosen on synthetic tissue with synthetic artefacts, then looked at on real pictures. All
# lean towards leaving tissue in: a missed fold costs a few cells, a lost tumour costs the score.


class Artefact(StrEnum):
    """Kinds of artefact, in the order in which they claim a pixel that several want."""

    PEN = "pen"
    EDGE = "edge"
    DARK = "dark"
    BUBBLE = "bubble"
    FOLD = "fold"
    BLUR = "blur"


class ArtefactSettings(Settings):
    """Section `[tissue.artefacts]` of the configuration."""

    detect: tuple[Artefact, ...] = tuple(Artefact)
    """Detectors to use; an empty list turns all off."""

    most_excluded_share: float = Field(default=0.5, gt=0, le=1)
    """Largest share of the tissue (inside your regions) that artefacts may cover; above it, a slide is not
    evaluable."""

    most_blurred_share: float = Field(default=0.5, gt=0, le=1)
    """The same for blur alone."""

    pen_least_od: float = Field(default=0.2, gt=0)
    """Mean optical density of coloured ink."""

    pen_offplane: float = Field(default=0.22, gt=0)
    """How far the ink's hue leaves the plane of haematoxylin and DAB."""

    pen_bluest: float = Field(default=-0.42, lt=0)
    """Brownness below which a blue is not haematoxylin."""

    pen_even_od: float = Field(default=0.28, gt=0)
    """Mean optical density of ink whose hue could be a stain's: brown, black."""

    pen_most_contrast: float = Field(default=0.38, gt=0)
    """Such ink is even: standard deviation over mean of the optical density seen closely stays below this."""

    pen_black_od: float = Field(default=0.35, gt=0)
    """Optical density in every channel of black ink over some width; it may be grainier."""

    pen_black_contrast: float = Field(default=0.55, gt=0)
    """As `pen_most_contrast`, for black ink."""

    pen_least_width_um: float = Field(default=40.0, gt=0)
    """Narrower marks are not pen."""

    pen_least_mm2: float = Field(default=0.02, gt=0)
    """Smaller marks are not pen."""

    blur_patch_um: float = Field(default=64.0, ge=32)
    """Side of a patch whose focus is measured."""

    blur_patches: int = Field(default=600, ge=16)
    """Largest number of patches; on larger tissue they lie farther apart and represent their surroundings."""

    blur_mpp: float = Field(default=1.0, gt=0)
    """Resolution of a patch, µm/px."""

    blur_sharpest_threshold: float = Field(default=0.62, gt=0)
    """Sharpness from which a patch is in focus, however sharp the rest of the slide."""

    blur_softest_threshold: float = Field(default=0.45, gt=0)
    """Sharpness below which a patch is out of focus, however soft the rest of the slide."""

    blur_share_of_own: float = Field(default=0.66, gt=0, lt=1)
    """Between the two: out of focus below this share of the slide's own sharpness."""

    blur_least_contrast_od: float = Field(default=0.006, gt=0)
    """Contrast of coarse structure below which focus cannot be measured."""

    fold_line_um: float = Field(default=500.0, gt=100)
    """Length along which a fold must be denser than the tissue on both its sides."""

    fold_least_gain: float = Field(default=0.3, gt=0)
    """Logarithm of the smallest ratio of densities, on average over that length."""

    fold_contrast: float = Field(default=3.2, gt=1)
    """How far a fold must exceed the slide's own lines, in steps from their median to their highest tenth. A
    lower value finds more folds and mistakes more tissue for folds."""

    bubble_least_radius_um: float = Field(default=30.0, gt=0)
    """Smaller rings are not bubbles."""

    bubble_largest_radius_um: float = Field(default=600.0, gt=0)
    """Larger rings are not searched for."""

    bubble_rim_od: float = Field(default=0.12, gt=0)
    """How much darker the rim is than both its sides, in every channel."""

    bubble_least_rim: float = Field(default=0.85, gt=0, le=1)
    """Share of the circle on which the rim is seen."""

    edge_least_length_um: float = Field(default=1000.0, gt=0)
    """Shorter straight lines are not the edge of a cover slip."""

    edge_line_od: float = Field(default=0.08, gt=0)
    """How much darker the line is than both its sides, in every channel."""

    edge_least_share: float = Field(default=0.8, gt=0, le=1)
    """Share of the line's pieces, from border to border of the picture, that must be that dark."""

    edge_margin_um: float = Field(default=40.0, ge=0)
    """Left out on both sides of the line."""

    dark_least_od: float = Field(default=0.75, gt=0)
    """Optical density in every channel of something nearly black."""

    dark_rim_od: float = Field(default=0.5, gt=0)
    """Its rim belongs to it down to this optical density in every channel."""

    dark_least_width_um: float = Field(default=16.0, gt=0)
    """Narrower dark things could be nuclei."""

    dark_largest_um: float = Field(default=600.0, gt=0)
    """Longer dark things are not spots."""

    margin_um: float = Field(default=6.0, ge=0)
    """Every artefact is widened by this."""


# What a lab may set about finding tissue and checking its stain.


class StainCheck(StrEnum):
    """Whether an unexpected stain makes a slide not evaluable."""

    ON = "on"
    OFF = "off"


class TissueSettings(Settings):
    """Section `[tissue]` of the configuration."""

    overview_longest_px: int = Field(default=1500, ge=256)
    """Longer side of the overview picture, within the next two limits, pixels."""

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
    """Width of the smoothing before the threshold: gaps between cells close, dust vanishes."""

    smallest_piece_mm2: float = Field(default=0.004, ge=0)
    """Smaller specks are dust."""

    largest_hole_mm2: float = Field(default=0.01, ge=0)
    """Smaller holes belong to the tissue around them."""

    margin_um: float = Field(default=8.0, ge=0)
    """The mask is widened by this, so that cells on the rim are not cut."""

    stain_check: StainCheck = StainCheck.ON
    """`off` scores a slide of any colour; the report says so."""

    stain_patches: int = Field(default=32, ge=4)
    """Patches of tissue examined at high resolution for stain vectors and the stain check."""

    stain_patch_um: float = Field(default=200.0, gt=10)
    """Side of such a patch, µm."""

    stain_mpp: float = Field(default=1.0, gt=0)
    """Resolution of such a patch, µm/px."""

    control: ControlRule = ControlRule.NONE
    """Which piece is control tissue if none was drawn; it is measured and never scored."""

    artefacts: ArtefactSettings = ArtefactSettings()
    """Section `[tissue.artefacts]`."""
