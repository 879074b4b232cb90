"""Parameters of a fine-tuning, read with `--config`; unknown keys are errors."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pydantic import Field

from cxpath.data import Settings, read_settings
from cxpath.metrics import MatchingSettings
from cxpath.network import ModelCard
from cxpath.training.settings import (
    CropSettings,
    LossSettings,
    ScheduleSettings,
    SynthesisSettings,
    TrainingSettings,
)


class RehearsalSettings(SynthesisSettings):
    """How much tissue is made anew, so that what the start model knows is not forgotten."""

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
    """How the weights move: little and briefly."""

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
    """Name of the new model; empty: the start model's with `-tuned` behind it."""
    version: str = "0.1"
    """Its version."""
    synthetic_share: float = Field(default=0.5, ge=0, le=0.9)
    """Share of synthetic tissue in every batch and in the loss."""
    validation_share: float = Field(default=0.2, ge=0, lt=1)
    """Share of the image sources held out; at least one where there are two, unless 0."""
    source_separator: str = ""
    """Images whose names are equal up to this belong together (one patient, say) and are not parted."""
    synthesis: RehearsalSettings = RehearsalSettings()
    """How much synthetic tissue is made, so that the start model's knowledge is not forgotten."""
    crops: FineTuneCrops = FineTuneCrops()
    """What one step sees."""
    loss: LossSettings = LossSettings()
    """Weights of the parts of the loss."""
    schedule: FineTuneSchedule = FineTuneSchedule()
    """How long and how fast the weights move."""
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
