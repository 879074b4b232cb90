"""What a network sees in a cell, in 16 bytes: principal components of its last features.

Cells that look alike have like bytes; a review sorts and reclassifies by them. The components travel with the
model, and bytes of different models must not be compared.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save
from torch import Tensor

from cxpath.errors import ModelError
from cxpath.network.unet import OUTPUT_STRIDE_PX, PlainUNet

EMBEDDING_NAME = "embedding.safetensors"
COMPONENTS = 16
_SHARE_WITHIN = 0.99
"""Share of the fitted cells whose values are not clipped, component by component."""


@dataclass(frozen=True, eq=False)
class CellEmbedding:
    """Principal components of F features, and the range that 0 to 255 spans.

    Parameters
    ----------
    mean : float32 array, (F,)
    components : float32 array, (16, F)
        Of unit length, the most varying first.
    low, high : float32 array, (16,)
        Values that become 0 and 255.
    """

    mean: NDArray[np.float32]
    components: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]

    def encode(self, features: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return the bytes of N cells, uint8 (N, 16), from their features (N, F)."""
        values = (features - self.mean) @ self.components.T
        share = (values - self.low) / (self.high - self.low)
        return np.asarray(np.rint(255 * np.clip(share, 0, 1)), np.uint8)

    def to_bytes(self) -> bytes:
        """Return the content of `embedding.safetensors`."""
        return save({name: np.ascontiguousarray(array) for name, array in vars(self).items()})


def fit_embedding(features: NDArray[np.float32]) -> CellEmbedding:
    """Fit the components on the features of many cells, (N, F).

    Features are not scaled before: where the network spreads cells wide apart, it means a difference.

    Raises
    ------
    ValueError
        With fewer cells or features than components.
    """
    if min(features.shape) < COMPONENTS:
        raise ValueError(f"{features.shape} are too few cells or features for {COMPONENTS} components")
    mean = features.mean(axis=0, dtype=np.float64)
    centred = features.astype(np.float64) - mean
    _, vectors = np.linalg.eigh(centred.T @ centred)
    components = vectors[:, ::-1][:, :COMPONENTS].T
    # Eigenvectors have no sign of their own: the largest entry is made positive, so that a refit agrees.
    largest = np.abs(components).argmax(axis=1)
    components *= np.sign(components[np.arange(COMPONENTS), largest])[:, None]
    edge = (1 - _SHARE_WITHIN) / 2
    low, high = np.quantile(centred @ components.T, [edge, 1 - edge], axis=0)
    high = np.maximum(high, low + 1e-6)
    return CellEmbedding(*(part.astype(np.float32) for part in (mean, components, low, high)))


@torch.inference_mode()
def features_at(
    network: PlainUNet, rgb: Tensor, x_px: NDArray[np.float64], y_px: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the features of cells in one tile.

    Parameters
    ----------
    network : PlainUNet
    rgb : Tensor, (1, 3, H, W)
        Light 0-255; see `PlainUNet.forward`.
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
        return CellEmbedding(**load(content))
    except (SafetensorError, TypeError) as error:
        raise ModelError(f"{path}: does not contain an embedding", "restore the model folder") from error
