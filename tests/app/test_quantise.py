"""Which engine runs, and that a quantised network scores a slide as the exact one does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

import cxpath
from cxpath.app import quantise as engines
from cxpath.app.quantise import calibration_tiles, choose_engine, quantised_network
from cxpath.errors import ConfigurationError
from cxpath.network.device import Device, choose_device
from cxpath.network.engines import OpenvinoEngine, TorchEngine, resolve_engine
from cxpath.network.model import Model, load_model
from cxpath.network.settings import NetworkSettings
from tests.conftest import SyntheticSlide

CPU = choose_device("cpu", precision="float32", threads=1)
RELATIVE_BOUND, ABSOLUTE_BOUND = 0.05, 0.3
"""Stated in docs/performance.md: int8 moves the CPS by no more than the larger of these."""


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("small")


def test_torch_runs_unless_asked_otherwise(model: Model) -> None:
    assert isinstance(choose_engine(model, CPU, NetworkSettings()), TorchEngine)
    assert isinstance(choose_engine(model, CPU, NetworkSettings(engine="openvino")), OpenvinoEngine)


def test_int8_without_openvino_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="int8 needs engine openvino"):
        cxpath.load_configuration(None, ["network.precision=int8"])


def test_a_network_is_quantised_once_and_kept_whole(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def write(_: Model, tiles: list[object], path: Path) -> None:
        assert tiles == ["tile"]
        made.append(path)
        path.write_text("network")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(engines, "quantise", write)
    monkeypatch.setattr(engines, "calibration_tiles", lambda _: ["tile"])
    first, second = quantised_network(model), quantised_network(model)
    assert first == second
    assert first.read_text() == "network"
    assert model.card.digest[:16] in str(first)
    assert len(made) == 1
    assert [path.name for path in first.parent.parent.iterdir()] == [first.parent.name]


def test_a_failure_leaves_no_half_network(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Model, tiles: list[object], path: Path) -> None:
        path.write_text("half")
        raise MemoryError

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(engines, "quantise", fail)
    monkeypatch.setattr(engines, "calibration_tiles", lambda _: [])
    with pytest.raises(MemoryError):
        quantised_network(model)
    assert not list((tmp_path / "cxpath" / "quantised").iterdir())


def test_calibration_tissue_is_the_same_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "CALIBRATION_FIELDS", 2)
    monkeypatch.setattr(engines, "CALIBRATION_SIDE_PX", 128)
    first, second = calibration_tiles(0.5), calibration_tiles(0.5)
    np.testing.assert_array_equal(first, second)
    assert first[0].shape == (128, 128, 3)
    assert not np.array_equal(first[0], first[1])


@pytest.mark.slow
def test_in_int8_the_score_agrees_within_the_stated_bound(
    synthetic_slide: SyntheticSlide, tmp_path: Path
) -> None:
    values = []
    for words in ([], ["network.engine=openvino", "network.precision=int8"]):
        configuration = cxpath.load_configuration(None, words)
        out = tmp_path / f"out{len(words)}"
        score = cxpath.score_slide(synthetic_slide.path, out, device="cpu", configuration=configuration)
        assert score.cps
        values.append(score.cps.value)
    run = json.loads((tmp_path / "out2" / "run.json").read_text())
    assert (run["engine"], run["precision"]) == ("openvino", "int8")
    assert "openvino" in run["versions"]
    assert values[1] != values[0]
    assert abs(values[1] - values[0]) <= max(ABSOLUTE_BOUND, RELATIVE_BOUND * values[0])


BFLOAT16 = Device("cpu", torch.bfloat16, 1)
AUTO = NetworkSettings(engine="auto")


@pytest.fixture
def with_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cxpath.network.engines.importlib.util.find_spec", lambda name: name)


@pytest.mark.usefixtures("with_openvino")
def test_auto_takes_openvino_where_it_is_quicker() -> None:
    assert resolve_engine(AUTO, BFLOAT16).engine == "openvino"
    assert resolve_engine(AUTO, CPU).engine == "torch"
    assert resolve_engine(AUTO, Device("cuda", torch.bfloat16, 1)).engine == "torch"


def test_auto_takes_torch_without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cxpath.network.engines.importlib.util.find_spec", lambda _: None)
    assert resolve_engine(AUTO, BFLOAT16, ["int8"]).engine == "torch"


@pytest.mark.usefixtures("with_openvino")
@pytest.mark.parametrize(("validated", "precision"), [((), "auto"), (("int8",), "int8")])
def test_auto_takes_int8_only_where_the_card_says_it_was_validated(
    validated: tuple[str, ...], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cxpath.network.engines.computes_int8", lambda _: True)
    assert resolve_engine(AUTO, BFLOAT16, validated).precision == precision
    stated = AUTO.model_copy(update={"precision": "bfloat16"})
    assert resolve_engine(stated, BFLOAT16, validated).precision == "bfloat16"
    monkeypatch.setattr("cxpath.network.engines.computes_int8", lambda _: False)
    assert resolve_engine(AUTO, BFLOAT16, validated).precision == "auto"


@pytest.mark.usefixtures("with_openvino")
@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_a_stated_engine_is_never_changed(engine: Literal["torch", "openvino"]) -> None:
    stated = NetworkSettings(engine=engine)
    assert resolve_engine(stated, BFLOAT16, ["int8"]) == stated
    assert resolve_engine(stated, CPU, ["int8"]) == stated


def test_auto_with_int8_is_openvino() -> None:
    asked = NetworkSettings(engine="auto", precision="int8")
    assert resolve_engine(asked, CPU).engine == "openvino"
    assert resolve_engine(asked, CPU).precision == "int8"
