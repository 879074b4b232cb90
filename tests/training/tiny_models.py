"""A tiny model that knows nothing yet, packed like any other, and seconds of fine-tuning for it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import torch

from cxpath.network.architecture import PlainUNet, PlainUNetSettings
from cxpath.network.card import TrainingRecord
from cxpath.training.pack import describe, pack
from cxpath.training.settings import FineTuneSettings, TrainingSettings
from cxpath.training.thresholds import FIRST_DECISION

ARCHITECTURE = PlainUNetSettings(
    stem_channels=8, fine_channels=16, middle_channels=16, deep_channels=16, merged_channels=16,
    hidden_channels=32,
)  # fmt: skip

SECONDS = """
synthetic_share = {synthetic_share}
[synthesis]
train_fields = 4
validation_fields = 2
field_px = 128
workers = 1
[crops]
batch = 4
crop_px = 96
[matching]
margin_px = 8
[schedule]
steps = {steps}
learning_rate = 0.01
average_decay = 0.9
checkpoint_every = 5
device = "cpu"
"""


def untrained_model(folder: Path) -> Path:
    """Pack a network with random weights."""
    torch.manual_seed(4)
    network = PlainUNet(ARCHITECTURE).eval()
    record = TrainingRecord(
        command="none", seed=4, steps=1, minutes=0.0, software="this one", settings_digest="0" * 64
    )
    settings = TrainingSettings(name="untaught", architecture=ARCHITECTURE)
    pack(network, describe(network, settings, FIRST_DECISION, record, (), {}), folder)
    return folder


def seconds(steps: int = 80, synthetic_share: float = 0.25) -> FineTuneSettings:
    """Return settings for a fine-tuning of seconds."""
    return FineTuneSettings.model_validate(tomllib.loads(seconds_text(steps, synthetic_share)))


def seconds_text(steps: int = 80, synthetic_share: float = 0.25) -> str:
    """Return the same as TOML."""
    return SECONDS.format(steps=steps, synthetic_share=synthetic_share)
