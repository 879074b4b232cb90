from __future__ import annotations

import builtins
import sys
from pathlib import Path
from typing import Any

import pytest

from cxpath.training import loop
from cxpath.training.event_log import EVENTS_NAME, event_log
from cxpath.training.loop import StepReport, train
from cxpath.training.settings import TrainingSettings
from cxpath.values.errors import ConfigurationError
from tests.training.blob_fields import blob_field
from tests.training.test_make_model import tiny


def logged(steps: int) -> TrainingSettings:
    settings = tiny(steps)
    return settings.model_copy(
        update={"schedule": settings.schedule.model_copy(update={"tensorboard": True})}
    )


class FakeWriter:
    """Takes what torch's writer takes."""

    def __init__(self, folder: str, purge_step: int) -> None:
        self.folder, self.purge_step = folder, purge_step
        self.written: list[tuple[str, int]] = []
        WRITERS.append(self)

    def __enter__(self) -> FakeWriter:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def add_scalar(self, name: str, value: float, step: int) -> None:
        assert isinstance(value, float)
        self.written.append((name, step))


WRITERS: list[FakeWriter] = []


@pytest.fixture
def writers(monkeypatch: pytest.MonkeyPatch) -> list[FakeWriter]:
    WRITERS.clear()
    monkeypatch.setattr("cxpath.training.event_log.event_writer_class", lambda: FakeWriter)
    monkeypatch.setattr(loop, "event_writer_class", lambda: FakeWriter)
    return WRITERS


def test_every_tenth_step_is_written_with_each_loss_and_the_learning_rate(
    writers: list[FakeWriter], tmp_path: Path
) -> None:
    with event_log(tmp_path, 0) as write:
        for step in range(1, 31):
            write(StepReport(step, step / 30, {"centre": 0.5, "kind": 0.25}, 1e-3))
    assert {step for _, step in writers[0].written} == {10, 20, 30}
    assert {name for name, _ in writers[0].written} == {"loss/centre", "loss/kind", "learning_rate"}


def test_training_writes_when_asked_and_takes_back_what_a_resumed_run_repeats(
    writers: list[FakeWriter], tmp_path: Path
) -> None:
    def press_ctrl_c(report: StepReport) -> None:
        if report.step == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(logged(20), tmp_path, watch=press_ctrl_c, source=blob_field)
    train(logged(20), tmp_path, source=blob_field)
    first, second = writers
    assert first.folder == second.folder == str(tmp_path / EVENTS_NAME)
    assert (first.purge_step, second.purge_step) == (1, 13)
    assert {step for _, step in first.written} == {10}
    assert {step for _, step in second.written} == {20}
    assert ("learning_rate", 20) in second.written


def test_nothing_is_written_unasked(writers: list[FakeWriter], tmp_path: Path) -> None:
    train(tiny(1), tmp_path, source=blob_field)
    assert writers == []


def test_without_tensorboard_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plain_import = builtins.__import__

    def absent(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("torch.utils.tensorboard"):
            raise ImportError("No module named 'tensorboard'")
        return plain_import(name, *rest, **more)

    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ConfigurationError, match=r"pip install 'cxpath\[tensorboard\]'"):
        train(logged(5), tmp_path, source=blob_field)
    assert not (tmp_path / "fields").exists(), "said before anything is drawn"


def test_real_event_files_are_read_back(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import (  # noqa: PLC0415
        EventAccumulator,
    )

    train(logged(10), tmp_path, source=blob_field)
    events = EventAccumulator(str(tmp_path / EVENTS_NAME)).Reload()
    (rate,) = events.Scalars("learning_rate")
    assert rate.step == 10
    assert 0 < rate.value <= tiny(1).schedule.learning_rate
    assert events.Scalars("loss/kind")[0].value > 0
