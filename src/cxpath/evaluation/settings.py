"""Settings of the real and synthetic evaluation sets."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from cxpath.data import AnySettings, Settings, bundled, read_settings
from cxpath.documents import Target
from cxpath.metrics import BootstrapSettings
from cxpath.synth import Painting

# On which real images a model is evaluated, at what assumed µm/px, and what must be reached; `real.toml`.


LabelForm = Literal["points", "components", "polygons"]
Counted = Literal["any", "tumour_or_immune"]


class LabelledSet(Settings):
    """Images with labelled nuclei."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    folder: str
    """Below the data folder."""
    form: LabelForm
    """Points in a CSV, components of a coloured map, or polygons in a JSON."""
    mpp: float = Field(gt=0.05, lt=5)
    mpp_source: Literal["assumed", "file"] = "assumed"
    counted: Counted = "any"
    """Which detections enter F1 and detections per label: all, or those called tumour or immune."""
    leave_out: tuple[str, ...] = ()
    """Stems of images that show a field already there."""
    brown: str
    """Label of nuclei that are brown, of which few may be called PD-L1 positive tumour."""
    brown_counted: bool = False
    """Whether they enter the pooled share that has a target."""
    tumour: tuple[str, ...] = ()
    """Labels of tumour nuclei, of which many should be called tumour; empty where labels do not say."""
    f1: Target
    detections_per_label: Target | None = None


class ScannerPair(Settings):
    """One field of tissue on two scanners; µm/px is in the files."""

    folder: str
    files: tuple[str, str]
    count_difference: Target
    share_difference_points: Target


class Pdl1Field(Settings):
    """One real PD-L1 field with a reader's category."""

    image: str
    category: str
    rank: int
    """Order of the categories, lowest first."""
    mask: str | None = None
    """Epithelium of a square crop, if the mask is not empty."""


class Pdl1Fields(Settings):
    """Real PD-L1 fields, shown without a target."""

    folder: str
    mpp: float = Field(gt=0.05, lt=5)
    fields: tuple[Pdl1Field, ...]
    region_smoothing_um: float = Field(default=20.0, gt=0)
    """Width over which called cells are smoothed into a tumour region."""


class RealSettings(Settings):
    """Everything `configs/evaluation/real.toml` contains."""

    match_radius_um: float = Field(gt=0)
    pictures_per_set: int = Field(default=3, ge=0)
    """How many images of each set go onto the contact sheet."""
    brown_classified_positive: Target
    bootstrap: BootstrapSettings = BootstrapSettings()
    curve_mpp: tuple[float, ...] = ()
    """Micrometres per pixel at which sets of assumed resolution are evaluated besides."""
    labelled_set: tuple[LabelledSet, ...]
    scanner_pair: ScannerPair
    pdl1_fields: Pdl1Fields


# Where the recipes and targets of evaluations lie: `configs/evaluation/*.toml`.


def evaluation_settings(model: type[AnySettings], path: Path) -> AnySettings:
    """Read one settings file; see `read_settings` for what it raises."""
    return read_settings(model, path, "see configs/evaluation/")


def bundled_settings(name: str) -> Path:
    """Return the path of a settings file that travels with cxpath."""
    return bundled("configs") / "evaluation" / f"{name}.toml"


# The recipe of the synthetic test set, committed before the training that it evaluates; `synthetic.toml`.


class Stratum(Settings):
    """Slides whose true CPS lies in a range: at least `low_cps`, below `high_cps` (100 is let in)."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    low_cps: float = Field(ge=0, le=100)
    high_cps: float = Field(gt=0, le=100)
    scale: Literal["even", "logarithmic"] = "even"
    """How the scores asked for are spread over the range."""
    zero_share: float = Field(default=0.0, ge=0, le=1)
    """Share of slides without any positive cell."""

    def contains(self, cps: float) -> bool:
        """Say whether a true CPS lies in the range."""
        return self.low_cps <= cps < self.high_cps or cps == self.high_cps == 100.0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.low_cps >= self.high_cps or (self.scale == "logarithmic" and self.low_cps == 0):
            raise ValueError("low_cps must lie below high_cps, and above 0 on a logarithmic scale")
        return self


class Arm(Settings):
    """A body of slides with one range of colours."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    stains: Literal["held_out", "training"]
    """Stain directions at least 10° from any of training's, or training's own."""
    gated: bool
    """Whether the targets are for this arm."""
    slides: dict[str, int]
    """Number of slides in each stratum."""


class TissueSettings(Settings):
    """What the synthetic slides contain beyond training's mixes."""

    field_um: float = Field(default=512.0, gt=0)
    """Side of a synthetic field."""
    margin_um: float = Field(default=32.0, ge=0)
    """Cells nearer to a field's edge are not evaluated."""
    tumour_cells: int = Field(default=2000, ge=1)
    """A slide is as many fields as contain this many evaluated tumour cells."""
    most_fields: int = Field(default=80, ge=1)
    mpps: tuple[float, ...] = (0.25, 0.35, 0.45, 0.5, 0.55)
    """Micrometres per pixel of the scanners; each slide has one."""
    mpp_jitter: float = Field(default=0.02, ge=0, lt=0.2)
    artefact_share: float = Field(default=0.07, ge=0, le=1)
    """Share of fields with each of pen, bubble, fold, crush and loss of focus."""


class SyntheticTargets(Settings):
    """What must be reached on the gated arm."""

    macro_f1: Target
    concordance: Target
    right_side_of_1: Target
    right_side_of_10: Target
    low_reaching_1: Target
    slides: int
    slides_below_half: int
    slides_from_0_3_to_3: int
    tumour_cells: int
    hard_negative_share: float


class SyntheticSettings(Settings):
    """Everything `configs/evaluation/synthetic.toml` contains."""

    seed: int
    match_radius_um: float = Field(default=6.0, gt=0)
    pictures: int = Field(default=6, ge=0)
    """How many slides show a field on the contact sheet."""
    bootstrap: BootstrapSettings = BootstrapSettings()
    tissue: TissueSettings = TissueSettings()
    stratum: tuple[Stratum, ...]
    arm: tuple[Arm, ...]
    targets: SyntheticTargets

    @model_validator(mode="after")
    def _arms_name_strata(self) -> Self:
        known = {stratum.name for stratum in self.stratum}
        unknown = {name for arm in self.arm for name in arm.slides} - known
        if unknown:
            raise ValueError(f"arms name strata that do not exist: {sorted(unknown)}")
        return self


# Which restained tissue evaluates a model, and what must be reached; `restained.toml`.


SourceName = Literal["brca_m2c", "consep"]


class RestainedArm(Settings):
    """One data set in one way of painting, and what must be reached on it."""

    source: SourceName
    painting: Painting
    targets: dict[str, Target] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """The set's name in an evaluation."""
        return f"restained_{self.source}_{self.painting.value}"


class MosaicSettings(Settings):
    """Slides put together from restained tiles of validation patients, one staining and scanner each."""

    slides: int = Field(default=40, ge=0)
    tiles: int = Field(default=8, ge=1)
    """Tiles of a slide, of one data set; a tile may come again in another place of its own painting."""
    match_radius_um: float = Field(default=6.0, gt=0)
    """As on synthetic slides."""


class RestainedSetSettings(Settings):
    """Everything `configs/evaluation/restained.toml` contains."""

    seed: int
    """Seeds the painting."""
    stainings: int
    """How often each tile is restained."""
    match_radius_um: float
    wide_radius_um: float
    bootstrap: BootstrapSettings = BootstrapSettings()
    mosaic: MosaicSettings = MosaicSettings()
    arm: tuple[RestainedArm, ...]
