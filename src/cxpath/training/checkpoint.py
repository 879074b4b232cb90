"""The state of an unfinished training on disk: written whole or not at all, resumed only by its own run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import optim

from cxpath.exchange.whole_file import whole_file
from cxpath.network.architecture import PlainUNet
from cxpath.training.weight_average import WeightAverage
from cxpath.values.errors import ConfigurationError, ModelError


@dataclass
class TrainingState:
    """What moves while training."""

    network: PlainUNet
    average: WeightAverage
    optimiser: optim.Optimizer
    step: int = 0
    minutes: float = 0.0


def save_checkpoint(path: Path, state: TrainingState, settings_digest: str) -> None:
    """Write the state."""
    content = {
        "settings_digest": settings_digest,
        "network": state.network.state_dict(),
        "average": state.average.network.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "step": state.step,
        "minutes": state.minutes,
    }
    with whole_file(path) as partial:
        torch.save(content, partial)


def resume_checkpoint(path: Path, state: TrainingState, settings_digest: str) -> bool:
    """Load the state of an earlier run of the same settings; return False when there is none.

    Raises
    ------
    ConfigurationError
        When the checkpoint belongs to other settings.
    ModelError
        When it cannot be read.
    """
    if not path.is_file():
        return False
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises whatever its unpickler meets
        raise ModelError(f"{path}: not a readable checkpoint", "delete it to start afresh") from error
    if content["settings_digest"] != settings_digest:
        raise ConfigurationError(
            f"{path}: belongs to a training with other settings", "choose another folder or delete it"
        )
    state.network.load_state_dict(content["network"])
    state.average.network.load_state_dict(content["average"])
    state.optimiser.load_state_dict(content["optimiser"])
    state.step, state.minutes = content["step"], content["minutes"]
    return True
