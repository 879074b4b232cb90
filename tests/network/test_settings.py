"""Settings of the network: what goes together, what 0 stands for, and that reading them loads no torch."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from cxpath.network.settings import NetworkSettings


def test_int8_needs_openvino_or_auto() -> None:
    with pytest.raises(ValidationError, match="precision int8 needs engine openvino"):
        NetworkSettings(precision="int8")
    with pytest.raises(ValidationError, match="precision int8 needs engine openvino"):
        NetworkSettings(precision="int8", engine="torch")
    for engine in ("openvino", "auto"):
        assert NetworkSettings.model_validate({"precision": "int8", "engine": engine}).precision == "int8"


@given(st.integers(1, 4096), st.sampled_from(["cpu", "cuda"]))
def test_a_stated_batch_is_taken_on_any_device(number: int, device: str) -> None:
    assert NetworkSettings(batch_size=number).effective_batch_size(device) == number


def test_zero_takes_one_tile_on_a_processor_and_sixteen_on_a_gpu() -> None:
    assert NetworkSettings().effective_batch_size("cpu") == 1
    assert NetworkSettings().effective_batch_size("cuda") == 16


@pytest.mark.parametrize(
    "wrong",
    [
        {"engine": "tensorrt"},
        {"precision": "float16"},
        {"batch_size": -1},
        {"threads": -1},
        {"centre_threshold": 0.0},
        {"centre_threshold": 1.0},
        {"centre_threshold": float("nan")},
        {"centre_treshold": 0.4},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        NetworkSettings.model_validate(wrong)


def test_reading_settings_loads_no_torch() -> None:
    words = "import sys, cxpath.network.settings, cxpath.pipeline.settings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", words], check=False).returncode == 0
