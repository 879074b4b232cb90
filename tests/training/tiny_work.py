"""The settings of a training of seconds, as a file, and a work folder that an interruption left."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxpath.training.loop import StepReport, train
from cxpath.training.settings import TrainingSettings
from tests.training.blob_fields import blob_field

SETTINGS = """
name = "tiny"
[architecture]
stem_channels = 8
fine_channels = 16
middle_channels = 16
deep_channels = 16
merged_channels = 16
hidden_channels = 32
[synthesis]
train_fields = 12
validation_fields = 4
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
device = "cpu"
"""


def write_settings(folder: Path, steps: int) -> Path:
    """Write the settings; returns their path."""
    path = folder / f"tiny{steps}.toml"
    path.write_text(SETTINGS.format(steps=steps), encoding="utf-8")
    return path


def interrupt(settings: TrainingSettings, work: Path, after: int) -> None:
    """Train on blobs and press Ctrl-C after so many steps."""

    def press_ctrl_c(report: StepReport) -> None:
        if report.step == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(settings, work, watch=press_ctrl_c, source=blob_field)
