from __future__ import annotations

import builtins
import io
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from rich.console import Console
from torch import optim

from cxpath.errors import ConfigurationError, MissingFileError, ModelError
from cxpath.network.architecture import PlainUNet, PlainUNetSettings
from cxpath.network.model import load_model
from cxpath.training import loop
from cxpath.training.loop import (
    CHECKPOINT_NAME,
    EVENTS_NAME,
    Batch,
    Lesson,
    StepReport,
    TrainingState,
    WeightAverage,
    averaged_network,
    blended,
    decay_after,
    event_log,
    learn,
    load_trained,
    progress,
    rate_share,
    resume_checkpoint,
    save_checkpoint,
    train,
    training_bar,
)
from cxpath.training.settings import ScheduleSettings, TrainingSettings
from cxpath.training.targets import batch_targets, light_of
from tests.app.test_train_model import tiny
from tests.training.blob_fields import blob_field


def state(seed: int, step: int = 0) -> TrainingState:
    torch.manual_seed(seed)
    network = PlainUNet(PlainUNetSettings(deep_channels=8)).train()
    optimiser = optim.AdamW(network.parameters(), lr=0.01)
    average = WeightAverage(network, 0.9)
    return TrainingState(network, average, optimiser, SETTINGS, step, minutes=0.5 * step)


def moved(trained: TrainingState) -> TrainingState:
    """One step of training, so that the optimiser has something to remember."""
    output = trained.network(torch.full((2, 3, 32, 32), 90.0))
    output.kind.square().mean().backward()
    trained.optimiser.step()
    trained.average.update_parameters(trained.network)
    trained.schedule.step()
    return trained


def test_everything_that_moves_comes_back(tmp_path: Path) -> None:
    before = moved(state(1, step=7))
    save_checkpoint(tmp_path / "c.pt", before, "digest")
    after = state(2)
    assert resume_checkpoint(tmp_path / "c.pt", after, "digest")
    assert (after.step, after.minutes) == (7, 3.5)
    for a, b in ((before.network, after.network), (before.average, after.average)):
        assert all(torch.equal(t, b.state_dict()[name]) for name, t in a.state_dict().items())
    memory = [s.optimiser.state_dict()["state"][0]["exp_avg"] for s in (before, after)]
    assert torch.equal(*memory)
    assert memory[0].abs().sum() > 0
    assert after.average.n_averaged == 1
    assert after.schedule.state_dict() == before.schedule.state_dict()
    assert after.schedule.last_epoch == 1


def test_the_average_goes_on_after_a_resumption_as_without_one(tmp_path: Path) -> None:
    through = moved(state(1))
    save_checkpoint(tmp_path / "c.pt", through, "digest")
    resumed = state(2)
    resume_checkpoint(tmp_path / "c.pt", resumed, "digest")
    for one in (through, resumed):
        with torch.no_grad():
            for tensor in one.network.parameters():
                tensor.fill_(1.0)
        one.average.update_parameters(one.network)
    for name, tensor in through.average.state_dict().items():
        assert torch.equal(tensor, resumed.average.state_dict()[name]), name


def test_without_a_checkpoint_nothing_is_resumed(tmp_path: Path) -> None:
    fresh = state(1)
    assert not resume_checkpoint(tmp_path / "c.pt", fresh, "digest")
    assert fresh.step == 0


def test_other_settings_and_damage_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, state(1), "digest")
    with pytest.raises(ConfigurationError, match="other settings"):
        resume_checkpoint(path, state(1), "another")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ModelError, match="not a readable checkpoint"):
        resume_checkpoint(path, state(1), "digest")


@pytest.mark.parametrize("content", [{"settings_digest": "digest", "step": 3}, [1, 2]])
def test_a_checkpoint_of_another_version_is_refused_in_one_line(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "c.pt")
    with pytest.raises(ModelError, match="another version of cxpath") as refused:
        resume_checkpoint(tmp_path / "c.pt", state(1), "digest")
    assert "delete it to start afresh" in str(refused.value)


def test_a_failed_write_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, state(1, step=3), "digest")

    def full_disk(content: object, partial: Path) -> None:
        partial.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(path, state(1, step=9), "digest")
    after = state(2)
    assert resume_checkpoint(path, after, "digest")
    assert after.step == 3
    assert [found.name for found in tmp_path.iterdir()] == ["c.pt"]


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
    monkeypatch.setattr("cxpath.training.loop.event_writer_class", lambda: FakeWriter)
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


def test_the_bar_shows_step_share_and_smoothed_losses() -> None:
    screen = io.StringIO()
    with training_bar(Console(file=screen, width=120, force_terminal=True)) as watch:
        watch(StepReport(1, 0.25, {"centre": 1.0, "kind": 2.0}, 1e-3))
        watch(StepReport(2, 0.5, {"centre": 0.0, "kind": 2.0}, 1e-3))
    shown = screen.getvalue()
    assert "step 2" in shown
    assert "50%" in shown
    assert "centre 0.980" in shown
    assert "kind 2.000" in shown


SETTINGS = ScheduleSettings(steps=100, learning_rate=0.01, warm_up_share=0.1)


def test_it_rises_then_falls_to_nothing() -> None:
    shares = [rate_share(SETTINGS, done) for done in (0.0, 0.05, 0.1, 0.55, 1.0)]
    assert shares == pytest.approx([0.01, 0.5, 1.0, 0.5, 0.0], abs=1e-9)


@given(st.floats(0, 1))
def test_it_never_leaves_its_range(done: float) -> None:
    assert 0 <= rate_share(SETTINGS, done) <= 1 + 1e-12


def test_the_rate_of_the_optimiser_follows_steps_or_the_clock() -> None:
    trained = state(1)
    rates = []
    for trained.step in (0, 5, 10, 55):
        trained.optimiser.step()
        trained.schedule.step()
        rates.append(trained.optimiser.param_groups[0]["lr"])
    assert rates == pytest.approx([0.0001, 0.005, 0.01, 0.005])
    trained.settings = SETTINGS.model_copy(update={"max_minutes": 10.0})
    trained.minutes = 10.0
    trained.schedule.step()
    assert trained.optimiser.param_groups[0]["lr"] == pytest.approx(0.0)


def test_progress_goes_by_steps_or_by_the_clock() -> None:
    assert progress(SETTINGS, 25, 9.0) == 0.25
    hurried = SETTINGS.model_copy(update={"max_minutes": 10.0})
    assert progress(hurried, 25, 9.0) == 0.9
    assert progress(hurried, 25, 99.0) == 1.0


def test_no_warm_up_starts_at_the_top() -> None:
    assert rate_share(SETTINGS.model_copy(update={"warm_up_share": 0.0}), 0.0) == 1.0


def test_averaged_weights_equal_the_formula() -> None:
    """The first weights as they are, then d of the average and 1 - d of the new; d rises to the most."""
    torch.manual_seed(3)
    network = PlainUNet(PlainUNetSettings(deep_channels=8))
    average, most = WeightAverage(network, decay=0.4), 0.4
    weight, averaged = (one.hidden.convolution.weight.detach() for one in (network, average.module))
    expected = torch.zeros(())
    for step in range(1, 30):
        weight.normal_()
        average.update_parameters(network)
        kept = min(most, (1 + step) / (10 + step)) if step > 1 else 0.0
        expected = expected + (1 - kept) * (weight - expected)
        torch.testing.assert_close(averaged, expected)


@given(step=st.integers(1, 10**6), most=st.floats(0, 0.999))
def test_a_step_keeps_more_of_the_average_the_later_it_is_but_never_more_than_the_most(
    step: int, most: float
) -> None:
    assert 0 <= decay_after(step, most) <= decay_after(step + 1, most) <= most
    assert decay_after(10**9, most) == most


def test_norm_statistics_are_averaged_and_batches_counted() -> None:
    network = PlainUNet(PlainUNetSettings(deep_channels=8)).train()
    average = WeightAverage(network, decay=0.5)
    (mean, counted), (averaged, counted_too) = (
        (one.state_dict()["hidden.norm.running_mean"], one.state_dict()["hidden.norm.num_batches_tracked"])
        for one in (network, average.module)
    )
    for level in (1.0, 3.0, 3.0):
        mean.fill_(level)
        counted += 1
        average.update_parameters(network)
        assert counted_too == counted
    # kept: nothing at the first step, 3/12 at the second, 4/13 at the third
    second = 3 / 12 * 1.0 + 9 / 12 * 3.0
    expected = 4 / 13 * second + 9 / 13 * 3.0
    torch.testing.assert_close(averaged, torch.full_like(averaged, expected))
    assert not average.module.training
    assert network.training


def test_a_share_of_the_start_comes_back_into_what_is_packed() -> None:
    start = load_model("small")
    settings = TrainingSettings(architecture=start.card.architecture, start_from="small")
    moved = PlainUNet(start.card.architecture).eval()
    half = settings.model_copy(
        update={"schedule": settings.schedule.model_copy(update={"start_share": 0.25})}
    )
    mixed = blended(moved, half).state_dict()
    for name, tensor in moved.state_dict().items():
        if tensor.is_floating_point():
            expected = 0.75 * tensor + 0.25 * start.network.state_dict()[name]
            assert torch.allclose(mixed[name], expected, atol=1e-5), name
    assert blended(moved, settings) is moved
    without = half.model_copy(update={"start_from": ""})
    with pytest.raises(ConfigurationError, match="start_share goes with start_from"):
        blended(moved, without)


# What a lesson is taught from, and what is left of it.


def lesson(asked: list[int], digest: str = "d") -> Lesson:
    """Blob fields of the size that `tiny` trains on; notes the steps it was asked for."""

    def batch(step: int) -> Batch:
        asked.append(step)
        assert threading.current_thread() is not threading.main_thread()
        fields = [blob_field(1, step, 96)]
        return light_of([field.rgb for field in fields]), batch_targets(fields, tiny(1).loss)

    return Lesson(batch, np.ones(10, np.float32), digest)


def test_batches_are_made_ahead_in_order_on_another_thread(tmp_path: Path) -> None:
    asked: list[int] = []
    reports: list[StepReport] = []
    trained = learn(tiny(3), lesson(asked), tmp_path, watch=reports.append)
    assert asked == [0, 1, 2]
    assert [report.step for report in reports] == [1, 2, 3]
    assert reports[-1].done == 1.0
    assert trained.steps == 3
    assert not trained.network.training


def test_a_resumed_lesson_asks_for_the_steps_that_are_left(tmp_path: Path) -> None:
    learn(tiny(2), lesson([]), tmp_path)
    asked: list[int] = []
    assert learn(tiny(4), lesson(asked), tmp_path).steps == 4
    assert asked[:2] == [2, 3]


def test_an_interrupted_lesson_leaves_a_checkpoint_of_the_steps_it_made(tmp_path: Path) -> None:
    def interrupt(report: StepReport) -> None:
        if report.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn(tiny(9), lesson([]), tmp_path, watch=interrupt)
    network, steps, minutes = averaged_network(tmp_path / CHECKPOINT_NAME, tiny(9).architecture, "d")
    assert steps == 2
    assert minutes > 0
    assert not network.training


def test_a_checkpoint_is_written_every_so_many_steps(tmp_path: Path) -> None:
    """`tiny` writes one after every fifth: a power cut in the seventh step loses two."""

    class PowerCutError(Exception):
        pass

    def cut(report: StepReport) -> None:
        if report.step == 7:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        learn(tiny(9), lesson([]), tmp_path, watch=cut)
    assert averaged_network(tmp_path / CHECKPOINT_NAME, tiny(9).architecture, "d")[1] == 5


def test_what_is_left_of_no_training_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"no checkpoint .*--work folder"):
        load_trained(tiny(1), tmp_path)
    save_checkpoint(tmp_path / CHECKPOINT_NAME, state(1), "d")
    with pytest.raises(ModelError, match="not one step was trained yet"):
        averaged_network(tmp_path / CHECKPOINT_NAME, PlainUNetSettings(deep_channels=8), "d")
    with pytest.raises(ConfigurationError, match="give the file that the training was started with"):
        averaged_network(tmp_path / CHECKPOINT_NAME, PlainUNetSettings(deep_channels=8), "other")


def test_a_start_of_a_wider_network_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    other = tiny(1).model_copy(update={"start_from": "small"})
    asked: list[int] = []
    with pytest.raises(ConfigurationError, match=r"cannot start from model 'small': .*only become wider"):
        learn(other, lesson(asked), tmp_path)
    assert asked == []
    assert not list(tmp_path.iterdir())


def test_pictures_become_a_batch_with_colours_first() -> None:
    pictures = [np.full((4, 6, 3), (1, 2, 3), np.uint8), np.zeros((4, 6, 3), np.uint8)]
    light = light_of(pictures)
    assert light.shape == (2, 3, 4, 6)
    assert light[0, :, 2, 5].tolist() == [1, 2, 3]
    assert light.dtype == torch.uint8
