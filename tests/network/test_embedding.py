from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cxpath.data.cells import EMBEDDING_COMPONENTS
from cxpath.data.slide_info import StainBasis
from cxpath.errors import ModelError
from cxpath.network.architecture import PlainUNet, PlainUNetSettings
from cxpath.network.card import read_card
from cxpath.network.detector import Detector
from cxpath.network.device import Device
from cxpath.network.engines import Launched, TorchEngine
from cxpath.network.model import (
    EMBEDDING_NAME,
    CellEmbedding,
    Model,
    PeakEmbedding,
    features_at,
    fit_embedding,
    load_model,
    read_embedding,
)
from cxpath.training.pack import pack


def _features(number: int = 2000, width: int = 40) -> np.ndarray:
    """Return features that vary in a few directions, the first far more than the others."""
    rng = np.random.default_rng(1)
    spread = np.concatenate([[8.0, 4.0, 2.0], np.full(width - 3, 0.2)])
    turn, _ = np.linalg.qr(rng.normal(size=(width, width)))
    features: np.ndarray = (rng.normal(size=(number, width)) * spread @ turn.T + 5).astype(np.float32)
    return features


def test_components_are_ordered_unit_vectors_at_right_angles() -> None:
    features = _features()
    embedding = fit_embedding(features)
    assert np.allclose(embedding.components @ embedding.components.T, np.eye(EMBEDDING_COMPONENTS), atol=1e-5)
    spread = ((features - embedding.mean) @ embedding.components.T).std(axis=0)
    assert (np.diff(spread) <= 1e-4).all()
    assert spread[0] == pytest.approx(8, rel=0.1)


def test_bytes_keep_who_is_like_whom() -> None:
    features = _features(400)
    codes = fit_embedding(features).encode(features)
    assert codes.dtype == np.uint8
    assert codes.shape == (400, EMBEDDING_COMPONENTS)
    true, coded = (
        np.linalg.norm(one[:, None].astype(float) - one[None].astype(float), axis=2)
        for one in (features, codes * (fit_embedding(features).high - fit_embedding(features).low) / 255)
    )
    assert np.corrcoef(true.ravel(), coded.ravel())[0, 1] > 0.98


def test_values_far_outside_are_clipped_not_wrapped() -> None:
    embedding = fit_embedding(_features())
    far = embedding.mean + 1000 * embedding.components[0]
    assert embedding.encode(np.stack([far, 2 * embedding.mean - far])).T[0].tolist() == [255, 1]


def test_a_refit_agrees_in_sign() -> None:
    features = _features()
    first, second = fit_embedding(features), fit_embedding(features[::-1])
    assert np.allclose(first.components[:3], second.components[:3], atol=1e-3)


def test_too_few_cells_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        fit_embedding(_features(10))


def test_features_are_those_the_outputs_are_made_from() -> None:
    torch.manual_seed(1)
    network = PlainUNet(PlainUNetSettings()).eval()
    rgb = torch.randint(0, 255, (1, 3, 64, 64), dtype=torch.uint8)
    found = features_at(network, rgb, np.array([9.0, 63.9]), np.array([33.0, 2.0]))
    assert found.shape == (2, 48 + 96)
    with torch.no_grad():
        maps = network.last_features(rgb)[0]
        centre = network(rgb).centre[0, 0]
        again = network.outputs(maps[None, 48:])[0, 0]
    assert np.allclose(found[0], maps[:, 8, 2].numpy())
    assert np.allclose(found[1], maps[:, 0, 15].numpy())
    assert torch.allclose(centre, again, atol=1e-4)


def _packed(folder: Path) -> CellEmbedding:
    embedding = fit_embedding(_features(width=144))
    model = load_model("small")
    pack(model.network, model.card.model_copy(update={"embedding_digest": ""}), folder, embedding)
    return embedding


def test_the_embedding_travels_with_the_model(tmp_path: Path) -> None:
    embedding = _packed(tmp_path / "m")
    loaded = load_model(tmp_path / "m").embedding
    assert loaded is not None
    features = _features(50, 144)
    assert np.array_equal(loaded.encode(features), embedding.encode(features))


def test_a_changed_or_missing_embedding_is_refused(tmp_path: Path) -> None:
    _packed(tmp_path / "m")
    path, digest = tmp_path / "m" / EMBEDDING_NAME, read_card(tmp_path / "m").embedding_digest
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ModelError, match="not the embedding"):
        load_model(tmp_path / "m")
    path.unlink()
    with pytest.raises(ModelError, match="missing"):
        read_embedding(tmp_path / "m", digest)


def _embedded(model: Model) -> Model:
    settings = PlainUNetSettings.model_validate(model.network.settings)
    width = settings.merged_channels + settings.hidden_channels
    return replace(model, embedding=fit_embedding(_features(width=width)))


def test_bytes_from_merged_features_are_those_of_all_features(model: Model) -> None:
    """Within one step: the batch norm is folded for the one and not for the other."""
    embedding = _embedded(model).embedding
    assert embedding is not None
    rgb = torch.randint(0, 255, (1, 3, 64, 64), generator=torch.Generator().manual_seed(2)).float()
    with torch.no_grad():
        merged = model.network.with_features(rgb)[1][0].flatten(1).T.numpy()
        every = model.network.last_features(rgb)[0].flatten(1).T.numpy()
    found = PeakEmbedding(model.network, embedding).encode(merged)
    assert np.abs(found.astype(int) - embedding.encode(every)).max() <= 1
    assert model.network.hidden.norm is not None
    assert found.min() >= 1


def test_every_peak_carries_the_bytes_of_its_place(model: Model, processor: Device) -> None:
    detector = Detector(_embedded(model), processor, StainBasis(), centre_threshold=0.02)
    coarse = np.random.default_rng(5).integers(60, 240, (2, 12, 12, 3)).astype(np.uint8)
    batch = np.ascontiguousarray(coarse.repeat(8, axis=1).repeat(8, axis=2))
    for tile, peaks in zip(batch, detector.detect(batch), strict=True):
        assert len(peaks) > 1
        assert peaks.embedding is not None
        assert peaks.embedding.shape == (len(peaks), EMBEDDING_COMPONENTS)
        alone = detector.detect(tile[None])[0].embedding
        assert alone is not None
        assert np.abs(peaks.embedding.astype(int) - alone).max() <= 1
    blank = np.full((1, 96, 96, 3), 240, np.uint8)
    nothing = Detector(_embedded(model), processor, StainBasis(), centre_threshold=0.999).detect(blank)[0]
    assert nothing.embedding is not None
    assert nothing.embedding.shape == (len(nothing), EMBEDDING_COMPONENTS)


class _WithoutFeatures:
    """An engine of somebody else, which gives the outputs alone."""

    def __init__(self, engine: TorchEngine) -> None:
        self._engine = engine

    def run(self, batch: np.ndarray) -> Launched:
        found = self._engine.run(batch)
        return Launched(found.light, found.output)


def test_where_model_or_engine_has_none_there_is_none(model: Model, processor: Device) -> None:
    batch = np.random.default_rng(5).integers(60, 240, (1, 96, 96, 3)).astype(np.uint8)
    assert Detector(model, processor, StainBasis()).detect(batch)[0].embedding is None
    engine = _WithoutFeatures(TorchEngine(model, processor))
    detector = Detector(_embedded(model), processor, StainBasis(), engine=engine)
    assert detector.detect(batch)[0].embedding is None
