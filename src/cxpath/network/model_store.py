"""Where models lie and how one is loaded: by name among the bundled ones, or from a folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from cxpath.network.architecture import PlainUNet
from cxpath.network.card import ModelCard
from cxpath.network.card_file import CARD_NAME, read_card
from cxpath.values.bundled import bundled
from cxpath.values.errors import ModelError

WEIGHTS_NAME = "model.safetensors"


@dataclass(frozen=True, eq=False)
class Model:
    """A card and the network it describes, weights loaded, in evaluation mode, float32."""

    card: ModelCard
    network: PlainUNet


def model_folder(name_or_path: str | Path) -> Path:
    """Return the folder of a model.

    Parameters
    ----------
    name_or_path : str or Path
        Name of a bundled model ("small"), or a folder that holds `card.toml`.

    Raises
    ------
    ModelError
        When there is no such model.
    """
    for folder in (bundled("models") / name_or_path, Path(name_or_path).expanduser()):
        if (folder / CARD_NAME).is_file():
            return folder
    known = ", ".join(folder.name for folder in _bundled_folders()) or "none"
    raise ModelError(
        f"model {str(name_or_path)!r} is unknown: no such bundled model, and no folder with {CARD_NAME}",
        f"bundled models: {known}",
    )


def list_models() -> list[ModelCard]:
    """Return the cards of all bundled models, by name."""
    return [read_card(folder) for folder in _bundled_folders()]


def load_card(name_or_path: str | Path) -> ModelCard:
    """Read a model's card without its weights; raises `ModelError` as `model_folder` does."""
    return read_card(model_folder(name_or_path))


def load_model(name_or_path: str | Path) -> Model:
    """Load a model and prove that its weights are those the card was written for.

    Raises
    ------
    ModelError
        When the model is unknown, its weights are missing, differ from the card's digest, or do not
        fit the architecture.
    """
    folder = model_folder(name_or_path)
    card = read_card(folder)
    content = _weights(folder / WEIGHTS_NAME, card.digest)
    network = PlainUNet(card.architecture)
    try:
        network.load_state_dict(_widened(load(content)))
    except (RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{folder / WEIGHTS_NAME}: {reason}", "restore the model folder") from error
    return Model(card, network.eval())


def _bundled_folders() -> list[Path]:
    return sorted(path.parent for path in bundled("models").glob(f"*/{CARD_NAME}"))


def _weights(path: Path, digest: str) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"{path}: the weights are missing", "restore the model folder") from error
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise ModelError(
            f"{path}: SHA-256 {found[:12]}… is not the card's {digest[:12]}…",
            "the weights were changed or damaged: restore the model folder",
        )
    return content


def _widened(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights are stored as float16 to stay small and computed with as float32."""
    return {
        name: tensor.float() if tensor.dtype == torch.float16 else tensor for name, tensor in state.items()
    }
