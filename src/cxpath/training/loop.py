"""Training: crops in, weights out. Can be interrupted and resumed; the same seed gives the same weights.

Knows nothing of judging or packing; `make_model` tells the whole story.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn, optim

from cxpath.network.architecture import NetworkOutput, PlainUNet
from cxpath.network.device import Device, choose_device
from cxpath.network.model_store import load_model
from cxpath.training.checkpoint import TrainingState, averaged_network, resume_checkpoint, save_checkpoint
from cxpath.training.crops import draw_crops
from cxpath.training.event_log import EVENTS_NAME, event_log, event_writer_class
from cxpath.training.field_cache import FieldCache, FieldSource, cached_fields, draw_random_field
from cxpath.training.losses import Losses, all_losses, balanced_weights
from cxpath.training.schedule import learning_rate, progress
from cxpath.training.settings import TrainingSettings
from cxpath.training.targets import Targets, batch_targets
from cxpath.training.weight_average import WeightAverage
from cxpath.values.errors import ConfigurationError

CHECKPOINT_NAME = "checkpoint.pt"
_LOG_EVERY = 50
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StepReport:
    """How training stands after a step; `losses` by name, `done` as a share."""

    step: int
    done: float
    losses: dict[str, float]
    learning_rate: float


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """The averaged network, in evaluation mode on the processor, and what it took."""

    network: PlainUNet
    steps: int
    minutes: float


Watcher = Callable[[StepReport], None]
Batch = tuple[Tensor, Targets]
"""Light, uint8 (B, 3, H, W), and what is there."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is learned from, and how it is judged.

    Parameters
    ----------
    batch : callable
        Number of the step to its batch; called ahead, on another thread.
    class_weights : float32 array, (10,)
        Handed to `losses`.
    digest : str
        Names everything that the weights will depend on; a checkpoint of another digest is refused.
    losses : callable
    """

    batch: Callable[[int], Batch]
    class_weights: NDArray[np.float32]
    digest: str
    losses: Callable[[NetworkOutput, Targets, Tensor], Losses] = all_losses


def train(
    settings: TrainingSettings,
    out_dir: Path,
    *,
    watch: Watcher | None = None,
    source: FieldSource = draw_random_field,
) -> TrainedNetwork:
    """Draw the fields (unless `out_dir` holds them), train, and return the network.

    An interrupted run (Ctrl-C too) goes on from its checkpoint when called again with the same settings.

    Parameters
    ----------
    settings : TrainingSettings
    out_dir : Path
        Gets `fields/`, `checkpoint.pt` and, when asked for, `tensorboard/`.
    watch : callable, optional
        Called after every step.
    source : callable
        Where fields come from.

    Raises
    ------
    ConfigurationError
        When `out_dir` holds the checkpoint of other settings, or TensorBoard is wanted and not installed.
    """
    if settings.schedule.tensorboard:
        event_writer_class()  # before minutes of drawing
    fields = training_fields(settings, out_dir, source)
    balance = balanced_weights(fields.cells, settings.loss.class_balance)
    losses = partial(all_losses, stained_kind_weight=settings.loss.stained_kind_weight)
    lesson = Lesson(partial(_batch, settings, fields), balance, settings.digest(), losses)
    return learn(settings, lesson, out_dir, watch=watch)


def learn(
    settings: TrainingSettings, lesson: Lesson, out_dir: Path, *, watch: Watcher | None = None
) -> TrainedNetwork:
    """Train on a lesson; `settings` say from what weights and how they move. See `train`."""
    schedule = settings.schedule
    device = choose_device(schedule.device, precision=schedule.precision, threads=schedule.threads)
    state = _fresh_state(settings, device)
    if resume_checkpoint(out_dir / CHECKPOINT_NAME, state, lesson.digest):
        _logger.info("resumed at step %d", state.step)
    try:
        with _also_logged(settings, state, out_dir, watch) as told:
            _run(settings, state, lesson, device, out_dir, told)
    except KeyboardInterrupt:
        save_checkpoint(out_dir / CHECKPOINT_NAME, state, lesson.digest)
        _logger.info("interrupted at step %d; call again to go on", state.step)
        raise
    save_checkpoint(out_dir / CHECKPOINT_NAME, state, lesson.digest)
    return TrainedNetwork(state.average.network.cpu().eval(), state.step, state.minutes)


def load_trained(settings: TrainingSettings, out_dir: Path) -> TrainedNetwork:
    """Return the network of a training that ended or was interrupted, from its checkpoint.

    Raises
    ------
    MissingFileError
        When `out_dir` holds no checkpoint.
    ConfigurationError
        When it holds that of other settings.
    ModelError
        When it cannot be read, or no step was trained yet.
    """
    return TrainedNetwork(
        *averaged_network(out_dir / CHECKPOINT_NAME, settings.architecture, settings.digest())
    )


def training_fields(
    settings: TrainingSettings, out_dir: Path, source: FieldSource = draw_random_field
) -> FieldCache:
    """Return the fields to learn from, drawn if need be."""
    drawing = settings.drawing
    return cached_fields(
        out_dir / "fields" / "train",
        drawing.train_fields,
        drawing.train_seed,
        drawing.field_px,
        workers=drawing.workers,
        source=source,
    )


def validation_fields(
    settings: TrainingSettings, out_dir: Path, source: FieldSource = draw_random_field
) -> FieldCache:
    """Return the held-out fields, of another seed, drawn if need be."""
    drawing = settings.drawing
    return cached_fields(
        out_dir / "fields" / "validation",
        drawing.validation_fields,
        drawing.validation_seed,
        drawing.field_px,
        workers=drawing.workers,
        source=source,
    )


def _fresh_state(settings: TrainingSettings, device: Device) -> TrainingState:
    torch.manual_seed(settings.schedule.seed)
    network = _first_network(settings).to(device.torch_device)
    network = network.to(memory_format=torch.channels_last).train()
    average = WeightAverage(network, settings.schedule.average_decay)
    matrices = [weight for weight in network.parameters() if weight.ndim > 1]
    vectors = [weight for weight in network.parameters() if weight.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": settings.schedule.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return TrainingState(network, average, optim.AdamW(groups, lr=settings.schedule.learning_rate))


def _first_network(settings: TrainingSettings) -> PlainUNet:
    """Return a fresh network, or the one of the model that training goes on from."""
    if not settings.start_from:
        return PlainUNet(settings.architecture)
    model = load_model(settings.start_from)
    if model.card.architecture != settings.architecture:
        raise ConfigurationError(
            f"model {settings.start_from!r} has another architecture than these settings",
            "copy [architecture] from its card",
        )
    return model.network


@contextmanager
def _also_logged(
    settings: TrainingSettings, state: TrainingState, out_dir: Path, watch: Watcher | None
) -> Iterator[Watcher | None]:
    """Give the watcher, and for TensorBoard one that also writes event files."""
    if not settings.schedule.tensorboard:
        yield watch
        return
    with event_log(out_dir / EVENTS_NAME, state.step) as write:

        def both(report: StepReport) -> None:
            write(report)
            if watch is not None:
                watch(report)

        yield both


def _run(
    settings: TrainingSettings,
    state: TrainingState,
    lesson: Lesson,
    device: Device,
    out_dir: Path,
    watch: Watcher | None,
) -> None:
    schedule = settings.schedule
    class_weights = torch.from_numpy(lesson.class_weights).to(device.torch_device)
    before = time.monotonic() - 60 * state.minutes
    for batch in _batches(lesson, state.step, schedule.steps):
        if (done := progress(schedule, state.step, state.minutes)) >= 1:
            break
        for group in state.optimiser.param_groups:
            group["lr"] = learning_rate(schedule, done)
        losses = _step(settings, state, device, lesson, batch, class_weights)
        state.step += 1
        state.minutes = (time.monotonic() - before) / 60
        state.average.update(state.network, state.step)
        _tell(state, progress(schedule, state.step, state.minutes), losses, watch)
        if state.step % schedule.checkpoint_every == 0:
            save_checkpoint(out_dir / CHECKPOINT_NAME, state, lesson.digest)


def _batches(lesson: Lesson, first_step: int, steps: int) -> Iterator[Batch]:
    """Batches from `first_step` on; the next one is made while the network computes."""
    with ThreadPoolExecutor(1) as ahead:
        pending = ahead.submit(lesson.batch, first_step)
        for step in range(first_step, steps):
            ready, pending = pending.result(), ahead.submit(lesson.batch, step + 1)
            yield ready


def _batch(settings: TrainingSettings, fields: FieldCache, step: int) -> Batch:
    crops = draw_crops(fields, settings.crops, settings.schedule.seed, step)
    return light_of([crop.rgb for crop in crops]), batch_targets(crops, settings.loss)


def light_of(pictures: list[NDArray[np.uint8]]) -> Tensor:
    """Return pictures (H, W, 3) as a batch, uint8 (B, 3, H, W)."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)


def _step(
    settings: TrainingSettings,
    state: TrainingState,
    device: Device,
    lesson: Lesson,
    batch: Batch,
    class_weights: Tensor,
) -> Losses:
    light, targets = batch
    lower = device.number_type != torch.float32
    with torch.autocast(device.name, dtype=device.number_type, enabled=lower):
        output = state.network(light.to(device.torch_device, non_blocking=True))
    losses = lesson.losses(output, targets.to(device.torch_device), class_weights)
    state.optimiser.zero_grad(set_to_none=True)
    losses.total(settings.loss).backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(state.network.parameters(), settings.schedule.gradient_limit)
    state.optimiser.step()
    return losses


def _tell(state: TrainingState, done: float, losses: Losses, watch: Watcher | None) -> None:
    if watch is None and state.step % _LOG_EVERY:
        return
    parts_by_name = {name: float(part.detach()) for name, part in losses._asdict().items()}
    report = StepReport(state.step, done, parts_by_name, state.optimiser.param_groups[0]["lr"])
    if state.step % _LOG_EVERY == 0:
        parts = ", ".join(f"{name} {value:.3f}" for name, value in report.losses.items())
        _logger.info("step %d (%.0f %%, %.1f min): %s", report.step, 100 * done, state.minutes, parts)
    if watch is not None:
        watch(report)
