"""The state of an unfinished training on disk: written whole or not at all, resumed only by its own run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import optim

from cxpath.exchange.whole_file import whole_file
from cxpath.network.architecture import ArchitectureSettings, PlainUNet
from cxpath.training.weight_average import WeightAverage
from cxpath.values.errors import ConfigurationError, MissingFileError, ModelError


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
    content = _read(path, settings_digest, "choose another folder or delete it")
    state.network.load_state_dict(content["network"])
    state.average.network.load_state_dict(content["average"])
    state.optimiser.load_state_dict(content["optimiser"])
    state.step, state.minutes = content["step"], content["minutes"]
    return True


def averaged_network(
    path: Path, architecture: ArchitectureSettings, settings_digest: str
) -> tuple[PlainUNet, int, float]:
    """Return the averaged network of a checkpoint, its steps and minutes.

    Raises
    ------
    MissingFileError
        When there is no checkpoint.
    ConfigurationError
        When it belongs to other settings.
    ModelError
        When it cannot be read, or no step was trained yet.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: no checkpoint", "give the --work folder of a training that began")
    content = _read(path, settings_digest, "give the file that the training was started with")
    if content["step"] < 1:
        raise ModelError(f"{path}: not one step was trained yet", "let the training go on first")
    network = PlainUNet(architecture)
    network.load_state_dict(content["average"])
    return network.eval(), content["step"], content["minutes"]


def _read(path: Path, settings_digest: str, advice: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises whatever its unpickler meets
        raise ModelError(f"{path}: not a readable checkpoint", "delete it to start afresh") from error
    if content["settings_digest"] != settings_digest:
        raise ConfigurationError(f"{path}: belongs to a training with other settings", advice)
    return content
