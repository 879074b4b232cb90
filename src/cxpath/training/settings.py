"""Parameters of trainings and fine-tunings, read from TOML; unknown keys are errors."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pydantic import Field

from cxpath.data import Settings, read_settings
from cxpath.metrics import MatchingSettings
from cxpath.network import AnyArchitecture, ModelCard, PlainUNetSettings, Precision

# Parameters of one training, read from `configs/training/*.toml`; unknown keys are errors.


class SynthesisSettings(Settings):
    """How much synthetic tissue is made for training and evaluation."""

    train_fields: int = Field(default=1800, ge=1)
    """Synthetic fields to train on."""
    validation_fields: int = Field(default=300, ge=1)
    """Synthetic fields held out: half of them choose thresholds, half are measured."""
    field_px: int = Field(default=448, ge=64, multiple_of=16)
    """Side of a field, pixels."""
    train_seed: int = 1
    """Seed of the fields to train on."""
    validation_seed: int = 1_000_003
    """Seed of the held-out fields."""
    workers: int = Field(default=2, ge=1)
    """Processes that make synthetic tissue."""


class CropSettings(Settings):
    """What one step sees."""

    batch: int = Field(default=16, ge=1)
    """Crops in one step."""
    crop_px: int = Field(default=256, ge=64, multiple_of=16)
    """Side of a crop, pixels."""
    gain_spread: float = Field(default=0.04, ge=0)
    """Spread of a random gain per colour channel, as a share of its light."""
    brightness_spread: float = Field(default=6.0, ge=0)
    """Spread of a random shift of all channels, in levels of 255."""
    scanner_share: float = Field(default=0.0, ge=0, le=1)
    """Share of crops with scanner augmentation: softer, paler, noisier, compressed harder."""
    scale_spread: float = Field(default=0.0, ge=0, lt=1)
    """Crops are shrunk or enlarged by up to this share, evenly on a logarithmic scale: cells of different
    tumours, fixed and cut differently, differ in size, so size alone must not decide their class."""


class RestainedSettings(Settings):
    """How much restained real tissue is used for training; see `restained_data`."""

    pairs: int = Field(default=0, ge=0)
    """Pairs of restained crops in a batch; the other crops are synthetic. 0: synthetic tissue alone."""
    stainings: int = Field(default=24, ge=2)
    """How often each tile is restained."""
    calibration_stainings: int = Field(default=3, ge=1)
    """How often each tile of the patients who calibrate is restained."""
    seed: int = 31
    """Seed of the stainings."""
    consistency_weight: float = Field(default=0.5, ge=0)
    """Weight of the difference between the classes that one cell gets in two stainings."""


class LossSettings(Settings):
    """Weights of the parts of the loss, and the reach of the labels."""

    centre_weight: float = 1.0
    """Weight of finding centres."""
    offset_weight: float = 0.5
    """Weight of placing them exactly."""
    class_weight: float = 1.0
    """Weight of the class of a cell."""
    stain_weight: float = 1.0
    """Weight of its staining."""
    region_weight: float = 0.5
    """Weight of the tissue around it."""
    centre_sigma_px: float = Field(default=4.0, gt=0)
    """Width of the soft target around a centre, within which a near miss is forgiven."""
    label_radius_px: float = Field(default=5.0, gt=0)
    """Output cells within this distance of a centre learn its kind, stain and offset."""
    class_balance: float = Field(default=0.5, ge=0, le=1)
    """0: every cell counts alike; 1: every kind counts alike."""
    stained_class_weight: float = Field(default=1.0, gt=0)
    """Weight of a stained cell's kind: it decides whether the cell counts, and few cells are stained."""
    other_rule_weight: float = Field(default=0.25, ge=0)
    """Weight of a stain label that does not decide this cell (membrane of an immune cell, say)."""
    low_prevalence: float = Field(default=0.05, ge=0, le=1)
    """Below this share of positive cells a crop counts as one of low prevalence."""
    low_prevalence_weight: float = Field(default=2.0, ge=1)
    """Weight of stain labels in such crops: a few false calls there turn CPS 0.5 into 3."""


class ScheduleSettings(Settings):
    """How the weights are updated."""

    steps: int = Field(default=2400, ge=1)
    """Steps of the optimiser."""
    max_minutes: float = Field(default=0.0, ge=0)
    """Ends the schedule early on a slow machine; 0: never. A run it ended cannot be repeated exactly."""
    learning_rate: float = Field(default=3e-3, gt=0)
    """Highest learning rate."""
    warm_up_share: float = Field(default=0.05, ge=0, lt=1)
    """Share of the steps in which the learning rate rises."""
    weight_decay: float = Field(default=0.02, ge=0)
    """Decay of the weights."""
    gradient_limit: float = Field(default=5.0, gt=0)
    """Largest norm of the gradient."""
    average_decay: float = Field(default=0.995, ge=0, lt=1)
    """Decay per step of the moving average of the weights, which is what is packed."""
    start_share: float = Field(default=0.0, ge=0, lt=1)
    """Share of the weights of `start_from` in what is packed: it restores what training on other tissue
    forgot and costs little of what was learned (Wortsman et al. 2022, robust fine-tuning)."""
    checkpoint_every: int = Field(default=200, ge=1)
    """Steps between two checkpoints."""
    seed: int = 1
    """Seed of the training."""
    device: str = "auto"
    """`auto`, `cpu` or `cuda`."""
    threads: int | None = None
    """CPU threads; unset leaves the choice to torch."""
    precision: Precision = "auto"
    """Number format of the convolutions; "auto": bfloat16 if the hardware supports it, else float32."""
    tensorboard: bool = False
    """Write losses and learning rate for TensorBoard into the work folder."""


class DetectionSettings(Settings):
    """From which probability on a centre counts as a cell."""

    centre_threshold: float | None = Field(default=None, ge=0.1, lt=1)
    """Unset, the lowest is chosen that finds held-out cells hardly worse than the best. State one where that
    is too low for the promise that moving the tile lattice changes a count by at most 0.5 %: the fainter the
    centres that count, the more of them come and go with the lattice. Calibration follows it."""


class SlideThresholdSettings(Settings):
    """Synthetic slides on which the staining threshold is chosen."""

    cps: tuple[float, ...] = ()
    """True CPS of each slide; without slides the threshold is chosen on fields."""
    first_seed: int = 500_001
    """Seed of the first slide; the others follow."""
    side_px: int = Field(default=4096, ge=1024)
    """Side of a slide, at 0.25 µm/px."""
    hard_negative_slides: int = Field(default=0, ge=0, multiple_of=3)
    """Number of further slides, full of hard negatives, made as the synthetic test set is but with another
    seed and in training's colours; a third each with a CPS below 0.5, of 0.5 to 3, and above."""


_ADDED_LATER = (
    ("schedule", "precision"),
    ("schedule", "start_share"),
    ("crops", "scanner_share"),
    ("crops", "scale_spread"),
    ("loss", "stained_class_weight"),
)
"""Keys that older versions did not know: left out of the digest at their default, so that a checkpoint and
a card of then still belong to the settings they were made with."""

_WITHOUT_EFFECT = (
    ("schedule", "tensorboard"),
    ("slide_threshold", "hard_negative_slides"),
    ("restained", "calibration_stainings"),
)
"""Keys that change no weight: never in the digest, so that they may change when a training resumes."""


class TrainingSettings(Settings):
    """Everything `cxpath model train --config` reads."""

    name: str = "small"
    """Name of the model."""
    version: str = "0.1"
    """Its version."""
    description: str = "Light plain-convolution U-Net for PD-L1 immunohistochemistry at 0.5 µm/px."
    """What it is, in one sentence."""
    start_from: str = ""
    """Name or folder of a model whose weights training starts from; empty starts afresh. Where `architecture`
    is wider, the model is first widened without changing its outputs."""
    mpp: float = 0.5
    """Micrometres per pixel of the network's input."""
    accepted_mpp: tuple[float, float] = (0.15, 0.65)
    """Range of a slide's µm/px from which the input may be made."""
    architecture: AnyArchitecture = PlainUNetSettings()
    """Channels at each depth."""
    synthesis: SynthesisSettings = SynthesisSettings()
    """How much synthetic tissue is made."""
    crops: CropSettings = CropSettings()
    """What one step sees."""
    restained: RestainedSettings = RestainedSettings()
    """How much restained real tissue is trained on."""
    loss: LossSettings = LossSettings()
    """Weights of the parts of the loss."""
    schedule: ScheduleSettings = ScheduleSettings()
    """How long and how fast the weights are updated."""
    matching: MatchingSettings = MatchingSettings()
    """How detections are matched to the truth."""
    detection: DetectionSettings = DetectionSettings()
    """From which probability on a centre is a cell."""
    slide_threshold: SlideThresholdSettings = SlideThresholdSettings()
    """Synthetic slides on which the staining threshold is chosen."""

    def digest(self) -> str:
        """Return the SHA-256 of what decides the weights, as JSON with sorted keys."""
        content, usual = (one.model_dump(mode="json") for one in (self, TrainingSettings()))
        for section, key in _ADDED_LATER:
            if content[section][key] == usual[section][key]:
                del content[section][key]
        for section, key in _WITHOUT_EFFECT:
            del content[section][key]
        del content["detection"]  # changes no weight either
        if not content["restained"]["pairs"]:
            del content["restained"]
        text = json.dumps(content, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def read_training_settings(path: Path) -> TrainingSettings:
    """Read a training configuration.

    Raises
    ------
    MissingFileError
        When there is no such file.
    ConfigurationError
        When it is no TOML, or a key is unknown or out of range.
    """
    return read_settings(TrainingSettings, path, "see configs/training/small.toml")


# Parameters of a fine-tuning, read with `--config`; unknown keys are errors.


class RehearsalSettings(SynthesisSettings):
    """How much synthetic tissue is made, so that what the start model knows is not forgotten."""

    train_fields: int = Field(default=240, ge=1)
    """Synthetic fields to train on."""
    validation_fields: int = Field(default=40, ge=1)
    """Synthetic fields held out."""
    train_seed: int = 11
    """Seed of the fields to train on."""
    validation_seed: int = 1_000_011
    """Seed of the held-out fields."""


class FineTuneCrops(CropSettings):
    """What one step sees."""

    batch: int = Field(default=8, ge=2)
    """Crops in one step."""


class FineTuneSchedule(ScheduleSettings):
    """How the weights are updated: little and briefly."""

    steps: int = Field(default=400, ge=1)
    """Steps of the optimiser."""
    learning_rate: float = Field(default=3e-4, gt=0)
    """Highest learning rate."""
    warm_up_share: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps in which the learning rate rises."""
    average_decay: float = Field(default=0.98, ge=0, lt=1)
    """Decay per step of the moving average of the weights, which is what is packed."""
    checkpoint_every: int = Field(default=50, ge=1)
    """Steps between two checkpoints."""


class FineTuneSettings(Settings):
    """Everything `cxpath model fine-tune DIR --config FILE` reads."""

    name: str = ""
    """Name of the new model; if empty, the start model's with `-tuned` appended."""
    version: str = "0.1"
    """Its version."""
    synthetic_share: float = Field(default=0.5, ge=0, le=0.9)
    """Share of synthetic tissue in every batch and in the loss."""
    validation_share: float = Field(default=0.2, ge=0, lt=1)
    """Share of the image sources held out; at least one where there are two, unless 0."""
    source_separator: str = ""
    """Images whose names are equal up to this belong together (one patient, say) and are not split."""
    synthesis: RehearsalSettings = RehearsalSettings()
    """How much synthetic tissue is made, so that the start model's knowledge is not forgotten."""
    crops: FineTuneCrops = FineTuneCrops()
    """What one step sees."""
    loss: LossSettings = LossSettings()
    """Weights of the parts of the loss."""
    schedule: FineTuneSchedule = FineTuneSchedule()
    """How long and how fast the weights are updated."""
    matching: MatchingSettings = MatchingSettings()
    """How detections are matched to the truth."""

    @property
    def synthetic_crops(self) -> int:
        """Synthetic crops in a batch; the others are annotated."""
        if self.synthetic_share == 0:
            return 0
        return min(self.crops.batch - 1, max(1, round(self.synthetic_share * self.crops.batch)))

    def digest(self) -> str:
        """Return the SHA-256 of these settings, as JSON with sorted keys."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def for_training(self, card: ModelCard, folder: Path) -> TrainingSettings:
        """Return the settings of the training loop, starting from the model in `folder`."""
        peaks = {"min_distance_um": card.thresholds.min_distance_um}
        return TrainingSettings(
            name=self.name or f"{card.name}-tuned",
            version=self.version,
            description=f"{card.name} {card.version} fine-tuned on a lab's own annotated images.",
            start_from=str(folder),
            mpp=card.mpp,
            accepted_mpp=card.accepted_mpp,
            architecture=card.architecture,
            synthesis=self.synthesis,
            crops=self.crops,
            loss=self.loss,
            schedule=self.schedule,
            matching=self.matching.model_copy(update=peaks),
        )


def read_fine_tune_settings(path: Path) -> FineTuneSettings:
    """Read the configuration of a fine-tuning.

    Raises
    ------
    MissingFileError
        When there is no such file.
    ConfigurationError
        When it is no TOML, or a key is unknown or out of range.
    """
    return read_settings(FineTuneSettings, path, "see docs/how-to/fine-tune.md")
