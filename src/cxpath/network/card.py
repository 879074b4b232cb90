"""A model's card: what it is, what it may be used on, how good it was measured to be, and its digest.

The only description of `card.toml`; unknown keys are errors.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cxpath.network.architecture import ArchitectureSettings
from cxpath.values.calibration import Calibration
from cxpath.values.cell_peaks import FINE_CLASSES, REGION_CLASSES, STAIN_CLASSES
from cxpath.values.settings import Settings

MetricName = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]

IntendedUse = Literal["Research use only. Not for use in diagnostic procedures."]
INTENDED_USE: IntendedUse = "Research use only. Not for use in diagnostic procedures."


class Thresholds(Settings):
    """Cuts that turn outputs into cells; chosen on held-out drawings."""

    centre_threshold: float = Field(gt=0, lt=1)
    """A peak of the centre map below this is no cell."""

    stained_threshold: float = Field(gt=0, lt=1)
    """A cell counts as PD-L1 positive when its calibrated probability reaches this."""

    min_distance_um: float = Field(gt=0, le=10)
    """Two peaks nearer than this are one cell."""


class CardCalibration(Settings):
    """How raw logits become probabilities, fitted on held-out drawings; see `Calibration`."""

    kind_temperature: float = Field(default=1.0, gt=0)
    kind_biases: tuple[float, ...] = ()
    """One for each of `fine_classes`; empty for none, as in models packed before they were fitted."""
    membrane_temperature: float = Field(default=1.0, gt=0)
    membrane_bias: float = 0.0
    any_temperature: float = Field(default=1.0, gt=0)
    any_bias: float = 0.0

    def as_value(self) -> Calibration:
        """Return the frozen value that the cells room applies."""
        return Calibration(**self.model_dump())


class DataSource(Settings):
    """One body of data that the weights learned from or were measured on."""

    name: str
    licence: str
    use: Literal["train", "validate", "evaluate"]
    amount: str
    """How much of it, in words: "1800 fields of 448 px"."""


class Metric(Settings):
    """One measured figure with its interval."""

    value: float
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    count: int
    """What the figure rests on: cells or fields, as `method` says."""
    method: str


class ReliabilityCurve(Settings):
    """Stated probabilities beside what came true; one entry a bin of probability that holds any cell."""

    method: str
    bin_width: float = Field(default=0.1, gt=0, le=1)
    from_probability: tuple[float, ...]
    """Lower end of each bin; the last bin includes its upper end."""
    count: tuple[int, ...]
    """Cells in the bin."""
    mean_probability: tuple[float, ...]
    observed_share: tuple[float, ...]
    """Share of the bin's cells for which it came true."""
    expected_error: Metric
    """Mean gap between the two over all cells (expected calibration error, Guo et al. 2017)."""

    @model_validator(mode="after")
    def _one_entry_a_bin(self) -> Self:
        columns = (self.from_probability, self.count, self.mean_probability, self.observed_share)
        if len({len(column) for column in columns}) > 1:
            raise ValueError("from_probability, count, mean_probability and observed_share differ in length")
        return self


class Reliability(Settings):
    """How far probabilities may be believed, on held-out drawings that calibrated nothing."""

    kind: ReliabilityCurve | None = None
    """Probability of the called kind, against whether it is the true one; found cells."""
    stained: ReliabilityCurve | None = None
    """Probability of being PD-L1 positive by the called kind's rule, against the truth; found cells called
    tumour or immune."""


class JudgedFigure(Settings):
    """One figure that `cxpath evaluate` measured against a target, on images that taught nothing."""

    set_name: str
    """Which body of images: "bcdata", "synthetic_held_out", ..."""
    name: str
    label: str
    """The figure in words."""
    value: float
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    target: str
    """As "≥ 0.82"."""
    met: bool
    n: int
    n_of: str
    """What was counted."""
    mpp: float | None = None
    """Micrometres per pixel assumed or stated; none where pictures differ."""
    method: str


class TrainingRecord(Settings):
    """How the weights came to be, in enough detail to make them again."""

    command: str
    seed: int
    steps: int
    minutes: float
    software: str
    """Versions of cxpath and torch."""
    settings_digest: str
    """SHA-256 of the effective settings, as JSON with sorted keys."""


class ModelCard(Settings):
    """Everything `card.toml` holds."""

    schema_name: Literal["cxpath/model/2"] = Field(default="cxpath/model/2", alias="schema")
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    version: str
    description: str
    intended_use: IntendedUse = INTENDED_USE
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of `model.safetensors`."""
    mpp: float = Field(gt=0.05, lt=5)
    """Micrometres per pixel of what the network must be given."""
    accepted_mpp: tuple[float, float]
    """Range of the *slide's* µm/px from which that may be made."""
    stride_px: int
    """Tile origins must be multiples of this at the network's µm/px."""
    output_stride_px: int
    halo_px: int
    receptive_field_px: int
    fine_classes: tuple[str, ...]
    stain_classes: tuple[str, ...]
    region_classes: tuple[str, ...]
    architecture: ArchitectureSettings
    thresholds: Thresholds
    calibration: CardCalibration
    training: TrainingRecord
    data: tuple[DataSource, ...]
    metrics: dict[MetricName, Metric]
    reliability: Reliability | None = None
    """Models packed before cxpath measured it have none."""
    evaluation: tuple[JudgedFigure, ...] = ()
    """What `cxpath evaluate --record` wrote; empty until then."""

    @model_validator(mode="after")
    def _fits_this_software(self) -> Self:
        expected = (FINE_CLASSES, STAIN_CLASSES, REGION_CLASSES)
        if (self.fine_classes, self.stain_classes, self.region_classes) != expected:
            raise ValueError("classes are not the ones, or not in the order, that this cxpath knows")
        # A core that starts on the lattice sees half of what lies beyond one lattice block on each side.
        if 2 * self.halo_px < self.receptive_field_px - self.stride_px:
            raise ValueError("halo_px is less than the receptive field reaches")
        if len(self.calibration.kind_biases) not in (0, len(FINE_CLASSES)):
            raise ValueError("calibration.kind_biases must have one entry for each of fine_classes, or none")
        low, high = self.accepted_mpp
        if not 0 < low <= self.mpp <= high:
            raise ValueError("accepted_mpp must enclose mpp")
        return self
