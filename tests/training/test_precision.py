"""Training in bfloat16: emulated on most processors, so tiny, but the same code path as on a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from cxpath.app.train_model import pack_work
from cxpath.network.device import Precision
from cxpath.network.model import load_model
from cxpath.training.loop import CHECKPOINT_NAME, StepReport, train
from cxpath.training.settings import TrainingSettings
from tests.app.test_train_model import tiny
from tests.training.blob_fields import blob_field


def in_precision(precision: Precision, steps: int) -> TrainingSettings:
    settings = tiny(steps)
    schedule = settings.schedule.model_copy(update={"precision": precision})
    return settings.model_copy(update={"schedule": schedule})


@pytest.fixture
def convolved_in(monkeypatch: pytest.MonkeyPatch) -> set[torch.dtype]:
    """What number types convolutions gave while the test ran."""
    seen: set[torch.dtype] = set()
    plain = nn.Conv2d.forward

    def watched(layer: nn.Conv2d, features: torch.Tensor) -> torch.Tensor:
        result = plain(layer, features)
        seen.add(result.dtype)
        return result

    monkeypatch.setattr(nn.Conv2d, "forward", watched)
    return seen


@pytest.mark.parametrize(
    ("precision", "expected"), [("bfloat16", torch.bfloat16), ("float32", torch.float32)]
)
def test_convolutions_learn_in_what_was_asked(
    precision: Precision, expected: torch.dtype, convolved_in: set[torch.dtype], tmp_path: Path
) -> None:
    train(in_precision(precision, 1), tmp_path, source=blob_field)
    assert convolved_in == {expected}


def test_bfloat16_learns_and_packs_what_float32_would(tmp_path: Path) -> None:
    reports: list[StepReport] = []
    settings = in_precision("bfloat16", 30)
    trained = train(settings, tmp_path, watch=reports.append, source=blob_field)
    before, after = (sum(report.losses.values()) for report in (reports[0], reports[-1]))
    assert after < 0.7 * before
    content = torch.load(tmp_path / CHECKPOINT_NAME, weights_only=True)
    for state in (content["network"], content["average"], trained.network.state_dict()):
        assert {tensor.dtype for tensor in state.values() if tensor.is_floating_point()} == {torch.float32}
    pack_work(settings, tmp_path, tmp_path / "model", command="trial", source=blob_field)
    packed = load_model(tmp_path / "model").network.state_dict()
    assert {name: tensor.dtype for name, tensor in packed.items()} == {
        name: tensor.dtype for name, tensor in trained.network.state_dict().items()
    }
