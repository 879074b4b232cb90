"""A model as stored: where it lies, its weights, and the embedding that makes 16 bytes of a cell."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, numpy as arrays, torch as tensors
from torch import Tensor

from cxpath.data import EMBEDDING_COMPONENTS, bundled
from cxpath.errors import ModelError
from cxpath.network.architecture import OUTPUT_STRIDE_PX, Network, build_network, folded_convolution
from cxpath.network.card import CARD_NAME, ModelCard, read_card

# What a network sees in a cell, in 16 bytes: principal components of its last features.
#
# Cells that look alike have like bytes; a review sorts and reclassifies by them. The components travel with
# the model, and bytes of different models must not be compared. No byte of a cell is 0: that is left for
# cells of which nothing is known.


EMBEDDING_NAME = "embedding.safetensors"
_SHARE_WITHIN = 0.99
"""Share of the fitted cells whose values are not clipped, component by component."""


@dataclass(frozen=True, eq=False)
class CellEmbedding:
    """Principal components of F features, and the range that 1 to 255 spans.

    Parameters
    ----------
    mean : float32 array, (F,)
    components : float32 array, (16, F)
        Of unit length, the most varying first.
    low, high : float32 array, (16,)
        Values that become 1 and 255.
    """

    mean: NDArray[np.float32]
    components: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]

    def encode(self, features: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return the bytes of N cells, uint8 (N, 16), from their features (N, F)."""
        values = _product(features - self.mean, self.components.T)
        share = (values - self.low) / (self.high - self.low)
        return np.asarray(np.rint(1 + 254 * np.clip(share, 0, 1)), np.uint8)

    def to_bytes(self) -> bytes:
        """Return the content of `embedding.safetensors`."""
        return arrays.save({name: np.ascontiguousarray(array) for name, array in vars(self).items()})


def fit_embedding(features: NDArray[np.float32]) -> CellEmbedding:
    """Fit the components on the features of many cells, (N, F).

    Features are not scaled before: where the network spreads cells wide apart, it means a difference.

    Raises
    ------
    ValueError
        With fewer cells or features than components.
    """
    if min(features.shape) < EMBEDDING_COMPONENTS:
        wanted = f"{EMBEDDING_COMPONENTS} components"
        raise ValueError(f"{features.shape} are too few cells or features for {wanted}")
    mean = features.mean(axis=0, dtype=np.float64)
    centred = features.astype(np.float64) - mean
    _, vectors = np.linalg.eigh(centred.T @ centred)
    components = vectors[:, ::-1][:, :EMBEDDING_COMPONENTS].T
    # Eigenvectors have no sign of their own: the largest entry is made positive, so that a refit agrees.
    largest = np.abs(components).argmax(axis=1)
    components *= np.sign(components[np.arange(EMBEDDING_COMPONENTS), largest])[:, None]
    edge = (1 - _SHARE_WITHIN) / 2
    low, high = np.quantile(centred @ components.T, [edge, 1 - edge], axis=0)
    high = np.maximum(high, low + 1e-6)
    return CellEmbedding(*(part.astype(np.float32) for part in (mean, components, low, high)))


def _product(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """Multiply two matrices by torch, in the run's own threads.

    NumPy's (OpenBLAS) wait busily for the next product: 26 ms of the processor for each tile.
    """
    both = (torch.from_numpy(np.require(one, requirements="W")) for one in (left, right))
    return torch.mm(*both).numpy()


class PeakEmbedding:
    """Makes the bytes of cells from a network's merged features at them.

    What the hidden layer makes of these is computed here again, for the cells alone: so an engine keeps only
    the merged features of a tile, not the hidden ones, which are twice as many.

    Parameters
    ----------
    network : Network
        Left untouched.
    embedding : CellEmbedding
        Fitted on `Network.last_features` of this network.
    """

    def __init__(self, network: Network, embedding: CellEmbedding) -> None:
        hidden = folded_convolution(network.hidden)
        assert hidden.bias is not None
        self._embedding = embedding
        self._weight = hidden.weight.detach().float().cpu().numpy()[:, :, 0, 0].T.copy()
        self._bias = hidden.bias.detach().float().cpu().numpy().copy()

    def encode(self, merged: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return the bytes of N cells, uint8 (N, 16), from the merged features (N, M) at their centres."""
        hidden = np.maximum(_product(merged, self._weight) + self._bias, 0)
        return self._embedding.encode(np.concatenate((merged, hidden), axis=1))


@torch.inference_mode()
def features_at(
    network: Network, rgb: Tensor, x_px: NDArray[np.float64], y_px: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the features of cells in one tile.

    Parameters
    ----------
    network : Network
    rgb : Tensor, (1, 3, H, W)
        Light 0-255; see `Network.forward`.
    x_px, y_px : float64 array, (N,)
        In pixels of the tile.

    Returns
    -------
    float32 array, (N, F)
        Of the output cell that contains each place.
    """
    maps = network.last_features(rgb)[0]
    row, column = (
        torch.from_numpy(np.clip(place // OUTPUT_STRIDE_PX, 0, side - 1).astype(np.int64))
        for place, side in ((y_px, maps.shape[1]), (x_px, maps.shape[2]))
    )
    return maps[:, row, column].T.float().cpu().numpy()


def read_embedding(folder: Path, digest: str) -> CellEmbedding:
    """Read the embedding of the model in `folder` and prove that it is the one its card names.

    Raises
    ------
    ModelError
        When the file is missing, differs from the digest, or does not contain an embedding.
    """
    path = folder / EMBEDDING_NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"{path}: the embedding is missing", "restore the model folder") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise ModelError(f"{path}: not the embedding that the card names", "restore the model folder")
    try:
        return CellEmbedding(**arrays.load(content))
    except (SafetensorError, TypeError) as error:
        raise ModelError(f"{path}: does not contain an embedding", "restore the model folder") from error


# A model as stored: weights, embedding, where it lies.


# Where models lie and how one is loaded: by name among the bundled ones, or from a folder.


WEIGHTS_NAME = "model.safetensors"


@dataclass(frozen=True, eq=False)
class Model:
    """A card and the network it describes, weights loaded, in evaluation mode, float32.

    Parameters
    ----------
    card : ModelCard
    network : Network
    embedding : CellEmbedding, optional
        Models packed before cxpath fitted one have none.
    """

    card: ModelCard
    network: Network
    embedding: CellEmbedding | None = None


def model_folder(name_or_path: str | Path) -> Path:
    """Return the folder of a model.

    Parameters
    ----------
    name_or_path : str or Path
        Name of a bundled model ("small"), or a folder that contains `card.toml`.

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
    network = build_network(card.architecture)
    try:
        network.load_state_dict(_widened(tensors.load(content)))
    except (RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{folder / WEIGHTS_NAME}: {reason}", "restore the model folder") from error
    embedding = read_embedding(folder, card.embedding_digest) if card.embedding_digest else None
    return Model(card, network.eval(), embedding)


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
