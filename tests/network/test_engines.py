"""The network in OpenVINO gives what it gives in torch, and nobody is told."""

from __future__ import annotations

import gc
import importlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cxpath.data.cells import EMBEDDING_COMPONENTS
from cxpath.errors import DeviceError
from cxpath.network.architecture import NetworkOutput
from cxpath.network.device import Device
from cxpath.network.engines import OpenvinoEngine, TorchEngine, openvino_version, quantise
from cxpath.network.model import CellEmbedding, Model


@pytest.fixture
def tiles() -> NDArray[np.uint8]:
    coarse = np.random.default_rng(5).integers(60, 240, (3, 12, 12, 3)).astype(np.uint8)
    return np.ascontiguousarray(coarse.repeat(8, axis=1).repeat(8, axis=2))


def worst(one: NetworkOutput, other: NetworkOutput) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(one, other, strict=True))


def test_it_gives_what_torch_gives(model: Model, processor: Device, tiles: NDArray[np.uint8]) -> None:
    light, expected, _ = TorchEngine(model, processor).run(tiles)
    engine = OpenvinoEngine(model, processor)
    same_light, found, features = engine.run(tiles)
    assert features is None  # this model has no embedding
    assert torch.equal(light, same_light)
    assert worst(expected, found) < 1e-3
    alone = engine.run(tiles[1:2]).output  # another shape of a batch
    assert worst(NetworkOutput(*(part[1:2] for part in found)), alone) < 1e-3
    again = engine.run(tiles).output
    assert worst(found, again) == 0  # the first outputs were not written over


def test_results_in_use_are_not_written_over(
    model: Model, processor: Device, tiles: NDArray[np.uint8]
) -> None:
    """However small the part of them that is kept; memory of which nothing is kept serves again."""
    engine = OpenvinoEngine(model, processor)
    kept = engine.run(tiles).output.kind[0, 3, 5:7]
    before, place = kept.clone(), kept.data_ptr()
    places = {engine.run(255 - tiles).output.kind[0, 3, 5:7].data_ptr() for _ in range(3)}
    assert torch.equal(kept, before)
    assert len(places) == 1
    assert place not in places
    del kept
    gc.collect()
    assert engine.run(tiles).output.kind[0, 3, 5:7].data_ptr() in {place, *places}


def test_both_engines_give_the_features_that_an_embedding_is_made_from(
    model: Model, processor: Device, tiles: NDArray[np.uint8]
) -> None:
    embedding = CellEmbedding(*(np.zeros(EMBEDDING_COMPONENTS, np.float32),) * 4)
    wanted = TorchEngine(model, processor).run(tiles).features
    found = OpenvinoEngine(replace(model, embedding=embedding), processor).run(tiles).features
    assert wanted is not None
    assert found is not None
    assert torch.allclose(wanted.float(), found, atol=1e-3)


def test_quantised_it_gives_nearly_the_same(
    model: Model, processor: Device, tiles: NDArray[np.uint8], tmp_path: Path
) -> None:
    quantise(model, list(tiles), tmp_path / "network.xml")
    expected = TorchEngine(model, processor).run(tiles).output
    found = OpenvinoEngine(model, processor, tmp_path / "network.xml").run(tiles).output
    assert worst(expected, found) > 1e-4  # it is quantised
    for exact, rough in zip(expected, found, strict=True):
        assert (exact - rough).abs().mean() < 0.15 * exact.std()


def test_nothing_is_reported_to_anybody(model: Model, processor: Device) -> None:
    OpenvinoEngine(model, processor)
    blocked: object = sys.modules["openvino_telemetry"]
    assert blocked is None
    stub = importlib.import_module("openvino.tools.ovc.telemetry_stub")
    assert isinstance(importlib.import_module("openvino.tools.ovc").telemetry, stub.Telemetry)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("cxpath.network.engines.importlib.import_module", refuse)
    with pytest.raises(DeviceError, match="openvino is not installed") as caught:
        openvino_version()
    assert "cxpath[openvino]" in caught.value.hint


def test_it_is_for_processors(model: Model) -> None:
    with pytest.raises(DeviceError, match="not on cuda"):
        OpenvinoEngine(model, Device("cuda", torch.bfloat16, 1))
