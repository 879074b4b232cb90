from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from cxpath.errors import MissingExtraError
from cxpath.network import Model, NetworkOutput, TorchEngine, choose_device, load_model
from cxpath.network.engines import onnx_content


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("small")


@pytest.fixture(scope="module")
def written(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "small.onnx"
    path.write_bytes(onnx_content(model))
    return path


def tiles(count: int, height: int, width: int) -> NDArray[np.uint8]:
    smooth = np.random.default_rng(3).normal(200, 40, (count, height // 4, width // 4, 3))
    return np.clip(smooth.repeat(4, axis=1).repeat(4, axis=2), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", [(1, 64, 64), (3, 128, 96)])
def test_its_outputs_are_those_of_torch_at_any_size(
    model: Model, written: Path, shape: tuple[int, int, int]
) -> None:
    batch = tiles(*shape)
    expected = TorchEngine(model, choose_device("cpu", precision="float32", threads=1)).run(batch).output
    found = onnxruntime.InferenceSession(written, providers=["CPUExecutionProvider"]).run(
        None, {"tiles": batch}
    )
    assert len(found) == len(NetworkOutput._fields)
    for name, ours, theirs in zip(NetworkOutput._fields, expected, found, strict=True):
        assert theirs.shape == tuple(ours.shape), name
        np.testing.assert_allclose(theirs, ours.numpy(), rtol=1e-3, atol=2e-3, err_msg=name)


def test_the_file_states_what_its_reader_must_know(model: Model, written: Path) -> None:
    document = onnx.load(written)
    stated = {one.key: one.value for one in document.metadata_props}
    assert stated["digest"] == model.card.digest
    assert stated["notice"] == model.card.notice
    assert "Research use only" in stated["intended_use"]
    assert json.loads(stated["fine_classes"]) == list(model.card.fine_classes)
    assert json.loads(stated["thresholds"])["stained_threshold"] == model.card.thresholds.stained_threshold
    assert [one.name for one in document.graph.input] == ["tiles"]
    assert [one.name for one in document.graph.output] == list(NetworkOutput._fields)


def test_the_model_itself_is_left_as_it_was(model: Model, written: Path) -> None:
    assert written.exists()
    names = [type(part).__name__ for part in model.network.modules()]
    assert "BatchNorm2d" in names


def test_without_the_extra_it_is_one_line(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MissingExtraError, match="not installed") as caught:
        onnx_content(model)
    assert "cxpath[onnx]" in str(caught.value.hint)
